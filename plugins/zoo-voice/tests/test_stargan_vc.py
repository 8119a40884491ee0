"""StarGAN-VC against a restatement of its authors' losses in plain torch, and as a user runs it."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import zoo
from zoo_core.contracts.signals import MIXED, Condition, Domains
from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError
from zoo_core.models.modeldir import read_config
from zoo_testing.contract import MethodContract
from zoo_testing.parity import StepInputs, TinyRun, build, random_batches
from zoo_train.request import resolve
from zoo_train.start import train_run
from zoo_voice.audio import Sound
from zoo_voice.nets import speech
from zoo_voice.nets_conditional import (
    ConditionalGenerator,
    ResidualGenerator,
    VoiceDiscriminator,
)
from zoo_voice.stargan_vc import Options, StarGANVC

VOICES = Domains(("anna", "bert", "carl"))
SPEC = speech(12, 16)
TINY: dict[str, Any] = {
    "width": 4,
    "code": 2,
    "embedding": 2,
    "critic_width": 4,
    "dropout": 0.0,
}
COUNT = 6


class TestStarGANVC(MethodContract):
    method = "stargan-vc"


def make(**options: Any) -> StarGANVC:
    return build(StarGANVC, TINY | options, VOICES, SPEC)


def run_of(method: StarGANVC, count: int = COUNT) -> TinyRun:
    return TinyRun(method, random_batches(method, count), clip=1.0)


class Reference:
    """StarGAN-VC as its authors' code states it: sums over all frames, divided by their number."""

    def __init__(self, method: StarGANVC) -> None:
        self.o = method.options
        self.nets = copy.deepcopy(method.nets)
        self.g, self.d = self.nets["generator"], self.nets["discriminator"]
        self.adam_g = torch.optim.Adam(self.g.parameters(), 5e-4, (0.9, 0.999))
        self.adam_d = torch.optim.Adam(self.d.parameters(), 5e-6, (0.5, 0.999))

    def translate(self, x: Tensor, target: Tensor, source: Tensor) -> Tensor:
        told = torch.cat([target, source], 1) if self.o.source else target
        return self.g(x, Condition(told))  # type: ignore[no-any-return]

    def judge(self, *xs: Tensor) -> tuple[Tensor, Tensor]:
        """Realness (F,) and logits (F, K) of all frames of all signals."""
        said = [self.d(x) for x in xs]
        scores = torch.cat([verdict.scores[0].flatten() for verdict in said])
        return scores, torch.cat([v.class_logits.permute(0, 2, 1).reshape(-1, 3) for v in said])

    def adversarial(self, scores: Tensor, *, real: bool) -> Tensor:
        if self.o.objective == "wgan":
            return (-scores if real else scores).sum() / scores.numel()
        wanted = torch.full_like(scores, float(real))
        if self.o.objective == "lsgan":
            return 0.5 * ((scores - wanted) ** 2).sum() / scores.numel()
        return F.binary_cross_entropy_with_logits(scores, wanted)

    def classify(self, logits: Tensor, *labels: Tensor) -> Tensor:
        frames = SPEC.shape[1] // 4
        wanted = torch.cat([label.argmax(1).repeat_interleave(frames) for label in labels])
        return F.cross_entropy(logits, wanted, reduction="sum") / logits.numel()

    def step(self, inputs: StepInputs) -> dict[str, float]:
        batch, rng = inputs.batch(), inputs.rng()
        x, c = batch.signals[MIXED], batch.conditions[MIXED].label
        further = torch.randint(1, 3, (len(c),), generator=rng)
        target = torch.eye(3)[(c.argmax(1) + further) % 3]
        made, same = self.translate(x, target, c), self.translate(x, c, c)
        real, real_voice = self.judge(x)
        fake, _ = self.judge(made.detach(), same.detach())
        critic = self.adversarial(real, real=True) + self.adversarial(fake, real=False)
        voice = self.classify(real_voice, c)
        alpha = torch.rand(len(x), 1, 1, generator=rng)
        between = (alpha * x + (1 - alpha) * made.detach()).requires_grad_(True)
        (slope,) = torch.autograd.grad(self.judge(between)[0].sum(), between, create_graph=True)
        penalty = ((slope.square().sum((1, 2)).sqrt() - 1) ** 2).mean()
        self.move(self.adam_d, critic + voice + 2 * penalty)
        record = {"D": critic.item(), "D voice": voice.item(), "penalty": penalty.item()}

        fake, fake_voice = self.judge(made, same)
        adversarial = self.adversarial(fake, real=True)
        voice = self.classify(fake_voice, target, c)
        cycle = (x - self.translate(made, c, target)).abs().sum() / x.numel()
        identity = (x - same).abs().sum() / x.numel()
        self.move(self.adam_g, adversarial + voice + cycle + identity)
        return record | {
            "G": adversarial.item(),
            "G voice": voice.item(),
            "cycle": cycle.item(),
            "identity": identity.item(),
        }

    def move(self, adam: torch.optim.Adam, loss: Tensor) -> None:
        adam.zero_grad()
        parameters = adam.param_groups[0]["params"]
        loss.backward(inputs=parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        adam.step()


def summed(losses: dict[str, float], objective: str) -> dict[str, float]:
    """The terms of a step as the authors' code sums them."""
    half = 0.5 if objective == "lsgan" else 1.0
    mean = lambda player, name: (  # noqa: E731
        (losses[f"{player}/{name}"] + losses[f"{player}/{name}_same"]) / 2
    )
    return {
        "D": half * mean("discriminator", "critic"),
        "D voice": losses["discriminator/classify_real"] / 3,
        "penalty": losses["discriminator/penalty"],
        "G": half * mean("generator", "adversarial"),
        "G voice": mean("generator", "classify") / 3,
        "cycle": losses["generator/cycle"],
        "identity": losses["generator/identity"],
    }


@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    ("objective", "source"), [("wgan", False), ("lsgan", True), ("cgan", False)]
)
def test_training_steps_equal_the_published_losses(
    objective: str, source: bool, batch: int
) -> None:
    method = make(objective=objective, source=source)
    read = partial(summed, objective=objective)
    run_of(method, batch).check(Reference(method), read=read)


@pytest.mark.numeric
def test_likeness_holds_translations_near_their_inputs() -> None:
    apart = {}
    for weight in (0.0, 50.0):
        free = {"cycle": 0.0, "identity": 0.0, "lr": 3e-2, "objective": "lsgan", "penalty": 0.0}
        method = make(generator="residual", likeness=weight, **free)
        run = run_of(method)
        losses = run.train(15)[-1]
        x, label = run.batches(99).signals[MIXED], torch.eye(3)[[0] * COUNT]
        with torch.no_grad():
            y = method.translate(x, Condition(label), Condition(label))
        apart[weight] = float((y - x).abs().mean())
        assert ("generator/likeness" in losses) == bool(weight)
    assert apart[50.0] < 0.8 * apart[0.0]


def size(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def test_nets_have_the_published_size_with_80_channels_and_four_voices() -> None:
    assert size(ConditionalGenerator()) == 569_568
    assert size(VoiceDiscriminator()) == 90_400


def test_the_default_preset_has_the_published_nets_over_36_coefficients() -> None:
    name, preset = next(iter(StarGANVC.presets.items()))
    assert (name, preset.options, preset.signal.shape) == ("paper", {}, (36, 128))
    method = StarGANVC(Options(), Domains(("a", "b", "c", "d")), preset.signal)
    # 44 channels fewer: kernels of 9 in the first layers (2 x width) and the last, and its bias.
    assert size(method.nets["generator"]) == 569_568 - 44 * 9 * (128 + 80) - 44
    assert size(method.nets["discriminator"]) == 90_400 - 44 * 9 * 64


def test_the_small_generator_is_at_most_half_a_million() -> None:
    preset = StarGANVC.presets["small"]
    method = StarGANVC(Options(**preset.options), Domains(("a", "b", "c", "d")), preset.signal)
    assert size(method.nets["generator"]) <= 500_000
    verdict = method.nets["discriminator"](torch.zeros(2, *preset.signal.shape))
    assert verdict.scores[0].shape == verdict.class_logits.shape == (2, 4, 16)


def test_every_signal_is_translated_into_another_voice() -> None:
    method = make()
    batch = random_batches(method, COUNT)(0)
    own = batch.conditions[MIXED].label.argmax(1)
    drawn = set()
    for seed in range(8):
        (route,) = method.plan(batch, torch.Generator().manual_seed(seed))
        target = route.target.label
        assert torch.equal(target.sum(1), torch.ones(COUNT))
        assert not (target.argmax(1) == own).any()
        drawn |= set(zip(own.tolist(), target.argmax(1).tolist(), strict=True))
    assert len(drawn) == 3 * 2


@pytest.mark.parametrize("generator", ["gated", "residual"])
def test_the_generator_hears_the_source_only_where_it_is_told(generator: str) -> None:
    x = torch.randn(1, 12, 20, dtype=torch.float64)
    anna, bert, carl = (Condition.of(VOICES, name, 1) for name in VOICES)
    for source in (False, True):
        method = make(source=source, generator=generator)
        assert method.translate(x, bert, anna).shape == x.shape
        assert method.needs_source == source
        same = torch.equal(method.translate(x, bert, anna), method.translate(x, carl, anna))
        assert same != source
        assert not torch.equal(method.translate(x, bert, anna), method.translate(x, bert, carl))


@pytest.mark.numeric
def test_frames_folded_into_channels_come_back_in_order() -> None:
    net = ResidualGenerator(3, 2, width=6, blocks=1, embedding=2, skip=0.0)
    x = torch.randn(2, 3, 8)
    with torch.no_grad():  # first, blocks and last pass on what they get
        net.first.weight.zero_()[:, :, 1] = torch.eye(6)
        net.blocks[0].second.weight.zero_()
        net.last.weight.zero_()[:, :6, 1] = torch.eye(6)
        for layer in (net.first, net.blocks[0].second, net.last):
            layer.bias.zero_()
    assert torch.equal(net(x, Condition(torch.eye(2))), x)


def test_reconstruction_ends_where_it_is_asked_to() -> None:
    options = {"identity": 2.0, "identity_part": 0.25}
    (term,) = [t for t in make(**options).players()[1].terms if t.name == "identity"]
    assert [term.weight_at(Progress(step, 100, 1)) for step in (24, 25)] == [2.0, 0.0]
    (term,) = [t for t in make().players()[1].terms if t.name == "identity"]
    assert [term.weight_at(Progress(step, 100, 1)) for step in (0, 100)] == [1.0, 1.0]


def test_a_penalty_between_voices_is_refused_for_a_critic_of_each_voice() -> None:
    with pytest.raises(UsageError, match="a line between two voices has no voice"):
        make(critic="each", objective="lsgan")


def test_signals_too_short_for_the_nets_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 16 frames"):
        StarGANVC(Options(**TINY), VOICES, speech(12, 12))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, speakers: dict[str, Path]) -> Path:
    """A run of three steps over three voices, two of which are one."""
    out = tmp_path_factory.mktemp("voice") / "run"
    folders = {"low": speakers["low"], "high": speakers["high"], "again": speakers["low"]}
    config = resolve(
        method="stargan-vc",
        preset="small",
        domains={name: str(folder) for name, folder in folders.items()},
        settings={
            "critic_width": 4,
            "width": 8,
            "train.steps": 3,
            "train.batch": 4,
            "train.precision": "float32",
        },
        device="cpu",
    )
    train_run(config, out, quiet=True)
    return out


def test_a_trained_model_converts_into_any_of_its_voices(run: Path, voice: Any) -> None:
    assert list(read_config(run / "model").preprocessing["speakers"]) == ["low", "high", "again"]
    translator = zoo.load(run, device="cpu", precision="float32")
    source = Sound(voice(0.7, 150), 16_000)
    made = {name: translator(source, to=name).samples for name in ("low", "high", "again")}
    assert {len(samples) for samples in made.values()} == {11_200}
    assert abs(made["low"] - made["high"]).max() > 1e-2
