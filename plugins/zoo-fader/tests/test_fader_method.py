"""Fader Networks against a restatement of their published training in plain torch."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.contracts.signals import MIXED, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError
from zoo_fader.fader import Fader, Options
from zoo_testing.parity import StepInputs, TinyRun, build, random_batches

VENDORS = Domains(("apple", "google", "twitter"))
FACES = Domains(("Blond_Hair", "Male"), "attributes")
SPEC = TensorSpec(shape=(3, 16, 16), stride=4)
TINY = {"width": 4, "widest": 8, "layers": 2, "hidden": 6, "latent": 0.5, "ramp": 2, "dropout": 0.0}
Record = dict[str, float]


def make(domains: Domains = VENDORS, **options: object) -> Fader:
    return build(Fader, TINY | options, domains, SPEC)


def run_of(method: Fader, count: int = 4) -> TinyRun:
    return TinyRun(method, random_batches(method, count))


class Reference:
    """Fader Networks as their paper and official code state them."""

    def __init__(self, method: Fader) -> None:
        self.nets = {name: copy.deepcopy(net).train() for name, net in method.nets.items()}
        self.sizes = [3] if method.domains.kind == "domains" else [2] * len(method.domains)
        coder = [*self.nets["encoder"].parameters(), *self.nets["decoder"].parameters()]
        critic = [*self.nets["code_discriminator"].parameters()]
        self.groups = coder, critic
        self.adam_ae = torch.optim.Adam(coder, lr=2e-4, betas=(0.5, 0.999))
        self.adam_d = torch.optim.Adam(critic, lr=2e-4, betas=(0.5, 0.999))
        self.number = 0

    def attributes(self, label: Tensor) -> Tensor:
        """(N, A) one-hot classes, one block after the other."""
        if self.sizes == [3]:
            return label
        return torch.cat([F.one_hot(column.long(), 2) for column in label.T], 1).double()

    def encode(self, x: Tensor) -> Tensor:
        return self.nets["encoder"].layers(x)  # type: ignore[operator]

    def decode(self, z: Tensor, attributes: Tensor) -> Tensor:
        for stage in self.nets["decoder"].stages:  # type: ignore[union-attr]
            planes = attributes.view(*attributes.shape, 1, 1)
            z = stage(torch.cat([z, planes.repeat(1, 1, z.size(2), z.size(3))], 1))
        return z

    def judge(self, z: Tensor) -> Tensor:
        net = self.nets["code_discriminator"]
        return net.head(net.body(z).view(len(z), -1))  # type: ignore[operator]

    def entropy(self, logits: Tensor, classes: list[Tensor]) -> Tensor:
        blocks = logits.split(self.sizes, 1)
        parts = [-F.log_softmax(b, 1).gather(1, c[:, None]) for b, c in zip(blocks, classes)]  # noqa: B905
        return sum(part.mean() for part in parts)  # type: ignore[return-value]

    def classes(self, attributes: Tensor) -> list[Tensor]:
        return [block.argmax(1) for block in attributes.split(self.sizes, 1)]

    def mode(self, coder: bool) -> None:
        self.nets["encoder"].train(coder)
        self.nets["decoder"].train(coder)
        self.nets["code_discriminator"].train(not coder)

    def step(self, inputs: StepInputs) -> Record:
        first, second, rng = inputs.batch(1), inputs.batch(2), inputs.rng(2)
        coder, critic = self.groups
        self.mode(coder=False)
        x, y = first.signals[MIXED], self.attributes(first.conditions[MIXED].label)
        with torch.no_grad():
            z = self.encode(x)
        classify = self.entropy(self.judge(z), self.classes(y))
        self.adam_d.zero_grad()
        classify.backward()
        nn.utils.clip_grad_norm_(critic, 5.0)
        self.adam_d.step()

        self.mode(coder=True)
        x, y = second.signals[MIXED], self.attributes(second.conditions[MIXED].label)
        torch.randperm(len(x), generator=rng)  # the plan's targets
        shift = torch.rand(len(x), len(self.sizes), generator=rng)
        z = self.encode(x)
        reconstruction = ((self.decode(z, y) - x) ** 2).mean()
        record = {
            "code_discriminator/classify": classify.item(),
            "generator/reconstruction": reconstruction.item(),
        }
        weight = 0.5 * min(self.number, 2) / 2
        objective = reconstruction
        if weight:
            wrong = [
                (own + 1 + (shift[:, i] * (size - 1)).long()) % size
                for i, (own, size) in enumerate(zip(self.classes(y), self.sizes, strict=True))
            ]
            confusion = self.entropy(self.judge(z), wrong)
            objective = objective + weight * confusion
            record["generator/confusion"] = confusion.item()
        self.adam_ae.zero_grad()
        objective.backward()
        nn.utils.clip_grad_norm_(coder, 5.0)
        self.adam_ae.step()
        self.number += 1
        return record


@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [2, 3])  # the code discriminator normalises over the batch
@pytest.mark.parametrize("domains", [VENDORS, FACES], ids=["domains", "attributes"])
def test_training_steps_equal_the_published_losses(domains: Domains, batch: int) -> None:
    method = make(domains)
    reference = Reference(method)
    run_of(method, batch).check(reference)


def test_a_batch_of_one_is_refused_where_codes_are_normalised_over_it() -> None:
    with pytest.raises(UsageError) as caught:
        run_of(make(), 1).train(1)
    assert caught.value.asked == "training with a batch of 1"


def test_who_does_not_move_is_in_eval_mode() -> None:
    method, seen = make(), []
    for name, net in method.nets.items():
        net.register_forward_hook(lambda net, *_, name=name: seen.append((name, net.training)))
    run_of(method).train(2)
    # The second step's weight is not 0 any more: the code discriminator is asked by both.
    assert seen == [
        ("encoder", False),
        ("code_discriminator", True),
        ("encoder", True),
        ("decoder", True),
        ("encoder", False),
        ("code_discriminator", True),
        ("encoder", True),
        ("decoder", True),
        ("code_discriminator", False),
    ]
    assert all(net.training for net in method.nets.values())


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    "domains", [Domains(("Male",), "attributes"), Domains(("a", "b"))], ids=["attribute", "domains"]
)
def test_paper_preset_has_the_published_parameter_counts(domains: Domains) -> None:
    preset = Fader.presets["paper"]
    with torch.device("meta"):  # shapes alone
        method = Fader(Options(**preset.options), domains, preset.signal)
    assert count(method.nets["encoder"]) + count(method.nets["decoder"]) == 14_000_512
    assert count(method.nets["code_discriminator"]) == 8_655_362


@pytest.mark.parametrize("name", list(Fader.presets))
def test_every_preset_builds_and_keeps_the_signals_form(name: str) -> None:
    preset = Fader.presets[name]
    with torch.inference_mode(), torch.device("meta"):  # shapes alone
        method = Fader(Options(**preset.options), VENDORS, preset.signal).eval()
        x, condition = torch.zeros(2, *preset.signal.shape), Condition(torch.eye(3)[:2])
        assert method.translate(x, condition, condition).shape == x.shape
        code = method.encode(x, condition)
        assert method.nets["code_discriminator"](code.content).class_logits.shape == (2, 3)


def test_the_default_preset_is_the_paper() -> None:
    name, preset = next(iter(Fader.presets.items()))
    assert name == "paper"
    assert not preset.options
    weight = Fader(Options(layers=2), FACES, SPEC).players()[1].terms[1].weight_at
    at = [weight(Progress(step, 10**6)) for step in (0, 250_000, 500_000, 900_000)]
    assert at == pytest.approx([0.0, 0.5e-4, 1e-4, 1e-4])


@pytest.mark.numeric
def test_an_attribute_is_a_slider() -> None:
    method = make(FACES).eval()
    x, own = torch.rand(1, 3, 16, 16).double(), Condition(torch.zeros(1, 2))
    with torch.no_grad():
        outputs = [method.translate(x, own, Condition(torch.tensor([[v, 0.0]]))) for v in (0, 0.5)]
    assert not torch.allclose(*outputs)


def test_pictures_that_do_not_halve_evenly_are_refused() -> None:
    with pytest.raises(UsageError, match=r"layers=5 at 16x16: .*multiples of 32"):
        make(layers=5)
