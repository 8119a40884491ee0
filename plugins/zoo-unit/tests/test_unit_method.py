"""UNIT against a restatement of its published losses in plain torch."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import Progress, TrainConfig
from zoo_core.errors import UsageError
from zoo_core.models.weights import load_weights, parameter_counts, read_tensors, save_nets
from zoo_core.train.loop import Trainer, generator_for
from zoo_core.translate.engine import Engine
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
# Adam turns a gradient that is only rounding noise into a full step; a large eps damps it, so
# that parameters can be compared. A bias ahead of normalisation has no other gradient.
EPS = 1e-3
SEED = 11
BATCH = 2

Record = dict[str, float]


def make(seed: int = 0, **options: object) -> UNIT:
    torch.manual_seed(seed)
    return UNIT(Options(**TINY | options), DOMAINS, SPEC)  # type: ignore[arg-type]


def batch_of(seed: int, count: int = BATCH) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    signals = {n: torch.rand(count, 3, 16, 16, generator=draw) * 2 - 1 for n in DOMAINS.names}
    return Batch(signals, {n: Condition.of(DOMAINS, n, count) for n in DOMAINS.names})


class Sampler:
    """Gives the batch of each step's own number."""

    steps_per_epoch = 100

    def batch(self, step: int, draw: int = 0) -> Batch:
        return batch_of(step)


def trainer_of(method: Method[Options]) -> Trainer:
    config = TrainConfig(batch=BATCH, steps=1000, seed=SEED)
    trainer = Trainer(method, Sampler(), config)
    for player_state in trainer.player_states:
        player_state.optimiser.param_groups[0]["eps"] = EPS
    return trainer


def train(method: Method[Options], steps: int) -> list[Record]:
    """The unweighted losses of each step, as the real loop trains."""
    trainer, records = trainer_of(method), []
    for _ in range(steps):
        trainer.step()
        records.append({name.split("/")[1]: v for name, v in trainer.take_losses().items()})
    return records


class Reference:
    """UNIT as its official code of 2018 states it (with shared blocks, where there are any)."""

    def __init__(self, method: UNIT) -> None:
        self.nets = copy.deepcopy(method.nets)  # all at once, so that shared layers stay shared
        makers: dict[int, nn.Parameter] = {}
        judges: dict[int, nn.Parameter] = {}
        for name, net in self.nets.items():
            of = judges if name.startswith("discriminator") else makers
            of.update({id(p): p for p in net.parameters()})
        adam = {"lr": 1e-4, "betas": (0.5, 0.999), "weight_decay": 1e-4, "eps": EPS}
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

    def step(self, a: Tensor, b: Tensor, rng: torch.Generator) -> Record:
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
            "critic": critic.item(),
            "adversarial": adversarial.item(),  # type: ignore[union-attr]
            "reconstruction": reconstruction.item(),
            "kl": kl.item(),
            "cycle": cycle.item(),
            "kl_cycle": kl_cycle.item(),
        }


@pytest.mark.numeric
@pytest.mark.parametrize("shared", [0, 1, 2])
def test_training_steps_equal_the_published_losses(shared: int) -> None:
    method = make(shared=shared)
    reference = Reference(method)
    wanted = []
    for number in range(3):
        signals = batch_of(number).signals
        rng = generator_for(SEED, number)
        wanted.append(reference.step(signals["cat"], signals["dog"], rng))

    records = train(method, 3)

    for record, want in zip(records, wanted, strict=True):
        assert record == pytest.approx(want, rel=1e-5, abs=1e-6)
    others = dict(reference.nets.named_parameters())
    for key, value in method.nets.named_parameters():
        torch.testing.assert_close(value, others[key], rtol=1e-5, atol=1e-5)


def test_a_step_encodes_and_decodes_no_more_than_needed() -> None:
    method, calls = make(), Counter[str]()
    for name, net in method.nets.items():
        kind = name.split("_")[0]
        net.register_forward_hook(lambda *_, kind=kind: calls.update([kind]))
    trainer_of(method).step()
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
    rates = [schedule(Progress(step, 1_000_000)) for step in (0, 99_999, 100_000, 200_000)]
    assert rates == [1.0, 1.0, 0.5, 0.25]


@pytest.mark.parametrize("shared", [0, 1, 2])
def test_as_many_blocks_are_shared_as_are_asked_for(shared: int) -> None:
    nets = make(shared=shared).nets
    for kind in ("encoder", "decoder"):
        ours, theirs = (set(nets[f"{kind}_{name}"].parameters()) for name in DOMAINS.names)
        assert len(ours & theirs) == 4 * shared  # two convolutions each, with biases
        assert ours - theirs


def test_shared_layers_learn_from_both_domains_and_stay_one() -> None:
    method = make()
    train(method, 2)
    x = batch_of(5).signals["cat"]
    cat, dog = (method.nets[f"encoder_{name}"] for name in DOMAINS.names)
    assert cat.shared is dog.shared
    assert torch.equal(cat.shared(cat.own(x)), dog.shared(cat.own(x)))


@pytest.mark.numeric
def test_saved_weights_hold_shared_layers_once_and_fit_again(tmp_path: Path) -> None:
    method, other = make(), make(seed=1)
    save_nets(method, tmp_path / "nets.safetensors", method.inference_nets)
    stored = read_tensors(tmp_path / "nets.safetensors")[0]
    makers = [method.nets[name] for name in method.inference_nets]
    assert sum(tensor.numel() for tensor in stored.values()) == count(*makers)
    load_weights(other, tmp_path / "nets.safetensors")
    x = batch_of(5).signals["cat"]
    source, target = (Condition.of(DOMAINS, n, BATCH) for n in DOMAINS.names)
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
    first, second = trainer_of(make()), trainer_of(make(seed=1))
    first.step()
    second.load_state(copy.deepcopy(first.state()))
    first.step()
    second.step()
    assert first.take_losses().keys() == second.take_losses().keys()
    for ours, theirs in zip(
        first.method.nets.parameters(), second.method.nets.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)


@pytest.mark.numeric
def test_translation_takes_the_mean_code_and_draws_nothing() -> None:
    engine = Engine(make(), device="cpu", precision="float32")
    x = batch_of(3).signals["cat"]
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
