"""UNIT against a restatement of its published losses in plain torch."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError
from zoo_core.models.weights import load_weights, parameter_counts, read_tensors
from zoo_core.translate.engine import Engine
from zoo_testing.parity import StepInputs, TinyRun, build, random_batches
from zoo_train.writing import save_nets
from zoo_unit.method import UNIT, Options

DOMAINS = Domains(("cat", "dog"))
SPEC = TensorSpec(shape=(3, 16, 16), stride=2)
TINY = {
    "width": 4,
    "blocks": 2,
    "halvings": 1,
    "critic_width": 4,
    "critic_layers": 1,
    "critic_scales": 2,
}
Record = dict[str, float]


def make(seed: int = 0, **options: object) -> UNIT:
    return build(UNIT, TINY | options, DOMAINS, SPEC, seed=seed)


class Reference:
    """UNIT as its official code of 2018 states it (with shared blocks, where there are any)."""

    def __init__(self, method: UNIT) -> None:
        self.nets = copy.deepcopy(method.nets)  # all at once, so that shared layers stay shared
        makers: dict[int, nn.Parameter] = {}
        judges: dict[int, nn.Parameter] = {}
        for name, net in self.nets.items():
            of = judges if name.startswith("discriminator") else makers
            of.update({id(p): p for p in net.parameters()})
        adam = {"lr": 1e-4, "betas": (0.5, 0.999), "weight_decay": 1e-4}
        self.adam_g = torch.optim.Adam(makers.values(), **adam)  # type: ignore[arg-type]
        self.adam_d = torch.optim.Adam(judges.values(), **adam)  # type: ignore[arg-type]

    def encode(self, name: str, x: Tensor) -> Tensor:
        net = self.nets[f"encoder_{name}"]
        return net.shared(net.own(x))  # type: ignore[operator, no-any-return]

    def decode(self, name: str, h: Tensor) -> Tensor:
        net = self.nets[f"decoder_{name}"]
        return net.own(net.shared(h))  # type: ignore[operator, no-any-return]

    def judge(self, name: str, x: Tensor) -> list[Tensor]:
        half = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        first, second = self.nets[f"discriminator_{name}"].scales  # type: ignore[misc]
        return [first(x), second(half)]

    def critic(self, name: str, real: Tensor, fake: Tensor) -> Tensor:
        on_real, on_fake = self.judge(name, real), self.judge(name, fake)
        return sum(
            (f**2).mean() + ((r - 1) ** 2).mean() for r, f in zip(on_real, on_fake, strict=True)
        )  # type: ignore[return-value]

    def step(self, inputs: StepInputs) -> Record:
        a, b = (inputs.batch().signals[name] for name in DOMAINS.names)
        rng = inputs.rng()
        noisy = lambda h: h + torch.randn(h.shape, generator=rng)  # noqa: E731
        h_a = self.encode("cat", a)
        z_a = noisy(h_a)
        h_b = self.encode("dog", b)
        z_b = noisy(h_b)
        ab, ba = self.decode("dog", z_a), self.decode("cat", z_b)

        critic = self.critic("dog", b, ab.detach()) + self.critic("cat", a, ba.detach())
        self.adam_d.zero_grad()
        critic.backward()
        self.adam_d.step()

        adversarial = sum(
            ((scale - 1) ** 2).mean()
            for name, fake in (("dog", ab), ("cat", ba))
            for scale in self.judge(name, fake)
        )
        aa, bb = self.decode("cat", z_a), self.decode("dog", z_b)
        reconstruction = (aa - a).abs().mean() + (bb - b).abs().mean()
        h_ab, h_ba = self.encode("dog", ab), self.encode("cat", ba)
        aba, bab = self.decode("cat", noisy(h_ab)), self.decode("dog", noisy(h_ba))
        cycle = (aba - a).abs().mean() + (bab - b).abs().mean()
        kl = (h_a**2).mean() + (h_b**2).mean()
        kl_cycle = (h_ab**2).mean() + (h_ba**2).mean()
        total = adversarial + 10 * reconstruction + 0.01 * kl + 10 * cycle + 0.01 * kl_cycle
        self.adam_g.zero_grad()
        total.backward()
        self.adam_g.step()
        return {
            "discriminator/critic": critic.item(),
            "generator/adversarial": adversarial.item(),  # type: ignore[union-attr]
            "generator/reconstruction": reconstruction.item(),
            "generator/kl": kl.item(),
            "generator/cycle": cycle.item(),
            "generator/kl_cycle": kl_cycle.item(),
        }


@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("shared", [0, 1, 2])
def test_training_steps_equal_the_published_losses(shared: int, batch: int) -> None:
    method = make(shared=shared)
    TinyRun(method, random_batches(method, batch)).check(Reference(method))


def test_a_step_encodes_and_decodes_no_more_than_needed() -> None:
    (calls,) = TinyRun(make()).count_calls(1)
    # Encoded: both inputs, both translations. Decoded: twice each input, once each translation.
    assert calls == {"encoder": 4, "decoder": 6, "discriminator": 6}


def count(*nets: nn.Module) -> int:
    return sum(p.numel() for p in nn.ModuleList(nets).parameters())


def test_paper_preset_has_the_published_parameter_counts_per_domain() -> None:
    preset = UNIT.presets["paper"]
    with torch.device("meta"):  # no memory is filled: only sizes are looked at
        method = UNIT(Options(**preset.options), DOMAINS, preset.signal)
    for name in DOMAINS.names:
        assert count(method.nets[f"encoder_{name}"], method.nets[f"decoder_{name}"]) == 11_140_483
        assert count(method.nets[f"discriminator_{name}"]) == 8_271_171
    blocks = 2 * (2 * (256 * 256 * 9 + 256))  # the last of the encoders, the first of the decoders
    makers = [method.nets[name] for name in method.inference_nets]
    assert count(*makers) == 2 * 11_140_483 - blocks


@pytest.mark.parametrize("name", list(UNIT.presets))
def test_every_preset_builds_and_keeps_the_signals_form(name: str) -> None:
    preset = UNIT.presets[name]
    method = UNIT(Options(**preset.options), DOMAINS, preset.signal)
    x = torch.zeros(1, *preset.signal.shape)[..., :64, :64]  # any size will do, small is quick
    source, target = (Condition.of(DOMAINS, n, 1) for n in DOMAINS.names)
    with torch.inference_mode():
        assert method.translate(x, source, target).shape == x.shape
        assert method.nets["discriminator_dog"](x).scores[-1].numel() > 0


def test_the_default_preset_is_the_paper() -> None:
    name, preset = next(iter(UNIT.presets.items()))
    assert name == "paper"
    assert not preset.options
    schedule = make().players()[0].optimiser.schedule
    rates = [schedule(Progress(step, 1_000_000)) for step in (0, 99_998, 99_999, 199_999)]
    assert rates == [1.0, 1.0, 0.5, 0.25]  # officially counted before the step


def test_the_rate_is_that_of_a_scheduler_which_is_stepped_ahead_of_each_step() -> None:
    adam = torch.optim.Adam([nn.Parameter(torch.zeros(1))], lr=1e-4)
    published = torch.optim.lr_scheduler.StepLR(adam, 7, 0.5)
    schedule = make(halve_every=7).players()[0].optimiser.schedule
    for step in range(30):
        adam.step()  # torch warns where a scheduler is stepped first; the rate is the same
        published.step()
        assert 1e-4 * schedule(Progress(step, 30)) == pytest.approx(published.get_last_lr()[0])


@pytest.mark.parametrize("shared", [0, 1, 2])
def test_as_many_blocks_are_shared_as_are_asked_for(shared: int) -> None:
    nets = make(shared=shared).nets
    for kind in ("encoder", "decoder"):
        ours, theirs = (set(nets[f"{kind}_{name}"].parameters()) for name in DOMAINS.names)
        assert len(ours & theirs) == 4 * shared  # two convolutions each, with biases
        assert ours - theirs


def test_shared_layers_learn_from_both_domains_and_stay_one() -> None:
    method = make()
    run = TinyRun(method)
    run.train(2)
    x = run.batches(5).signals["cat"]
    cat, dog = (method.nets[f"encoder_{name}"] for name in DOMAINS.names)
    assert cat.shared is dog.shared
    assert torch.equal(cat.shared(cat.own(x)), dog.shared(cat.own(x)))


@pytest.mark.numeric
def test_saved_weights_hold_shared_layers_once_and_fit_again(tmp_path: Path) -> None:
    method, other = make().float(), make(seed=1).float()
    save_nets(method, tmp_path / "nets.safetensors", method.inference_nets)
    stored = read_tensors(tmp_path / "nets.safetensors")[0]
    makers = [method.nets[name] for name in method.inference_nets]
    assert sum(tensor.numel() for tensor in stored.values()) == count(*makers)
    load_weights(other, tmp_path / "nets.safetensors")
    x = torch.rand(2, *SPEC.shape)
    source, target = (Condition.of(DOMAINS, n, 2) for n in DOMAINS.names)
    with torch.no_grad():
        for ways in ((source, target), (target, source)):
            expected = method.eval().translate(x, *ways)
            assert torch.equal(other.eval().translate(x, *ways), expected)
    assert other.nets["encoder_cat"].shared is other.nets["encoder_dog"].shared


def test_shared_layers_count_once_with_the_first_net_that_has_them() -> None:
    method = make()
    counts = parameter_counts(method)
    assert sum(counts.values()) == count(*method.nets.values())
    assert counts["encoder_cat"] == count(method.nets["encoder_cat"])
    assert counts["encoder_dog"] == count(method.nets["encoder_dog"].own)
    assert parameter_counts(method, ["encoder_dog"]) == {"encoder_dog": counts["encoder_cat"]}


@pytest.mark.numeric
def test_a_trained_run_goes_on_from_its_checkpoint_with_layers_shared() -> None:
    first, second = TinyRun(make()), TinyRun(make(seed=1))
    first.train(1)
    second.trainer.load_state(copy.deepcopy(first.trainer.state()))
    assert first.train(1) == second.train(1)
    for ours, theirs in zip(
        first.trainer.method.parameters(), second.trainer.method.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)


@pytest.mark.numeric
def test_translation_takes_the_mean_code_and_draws_nothing() -> None:
    method = make().float()
    engine = Engine(method, device="cpu", precision="float32")
    x = torch.rand(2, *SPEC.shape)
    once = engine.translate(x, [1.0, 0.0], [0.0, 1.0])
    assert torch.equal(engine.translate(x, [1.0, 0.0], [0.0, 1.0]), once)
    assert engine.encode(x, [1.0, 0.0]).sample is None


def test_pictures_too_small_for_the_discriminator_are_refused() -> None:
    with pytest.raises(UsageError, match="critic_layers=4, critic_scales=2 at 16x16"):
        make(critic_layers=4)


def test_more_shared_blocks_than_there_are_are_refused() -> None:
    with pytest.raises(UsageError, match="shared=3"):
        make(shared=3)


def test_sources_that_differ_within_a_batch_are_refused() -> None:
    with pytest.raises(UsageError, match="one domain at a time"):
        make().translate(
            torch.zeros(2, 3, 16, 16), Condition(torch.eye(2)), Condition(torch.eye(2))
        )


def test_scales_of_the_decoders_layer_normalisation_start_at_random_from_0_to_1() -> None:
    made = make().nets["decoder_cat"].modules()
    scales = torch.cat([norm.weight for norm in made if isinstance(norm, nn.GroupNorm)]).detach()
    assert len(scales) > 0
    assert 0 <= scales.min() < scales.max() < 1
