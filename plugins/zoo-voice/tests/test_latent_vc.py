"""latent-vc against its published losses in plain torch, and as a user runs it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from torch import Tensor
from torch.nn import functional as F

import zoo
from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError
from zoo_nn.schedules import Stage
from zoo_testing.contract import MethodContract
from zoo_testing.parity import StepInputs, TinyRun, build, random_batches
from zoo_train.request import resolve
from zoo_train.start import train_run
from zoo_voice.latent import LatentVC, Options
from zoo_voice.nets_latent import (
    ContentEncoder,
    SpeakerClassifier,
    VoiceDecoder,
    VoiceDiscriminator,
)

DOMAINS = Domains(("low", "middle", "high"))
SPEC = TensorSpec("speech", (8, 48), None, None, stride=8, flexible=1)
TINY: dict[str, Any] = {
    "width": 8,
    "bank": 2,
    "hidden": 2,
    "dropout": 0.0,
    "critic_width": 4,
    "critic_layers": 2,
    "latent": 0.5,
    "adversarial": 0.5,
    "classify": 0.25,
    "n_critic": 2,
    "pretrain": 2,
    "warmup": 2,
    "joint": 4,
    "ramp": 8,
    "finish": 4,
}
STEPS = 12


class TestLatentVC(MethodContract):
    method = "latent-vc"


def make(**options: Any) -> LatentVC:
    return still(build(LatentVC, TINY | options, DOMAINS, SPEC))


def still(method: LatentVC) -> LatentVC:
    """Without any dropout, so that two computations can be compared."""
    for module in method.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return method


class Reference:
    """The method as its paper states it: stages written as conditions on the step's number."""

    def __init__(self, method: LatentVC) -> None:
        self.nets = {name: copy.deepcopy(net).train() for name, net in method.nets.items()}
        self.o, self.number = method.options, 0
        self.clf, self.dis = self.adam("classifier"), self.adam("discriminator")
        self.ae, self.res = self.adam("encoder", "decoder"), self.adam("residual")
        self.log: dict[str, float] = {}
        self.verdicts: dict[tuple[str, int], tuple[Tensor, Any]] = {}

    def adam(self, *kinds: str) -> torch.optim.Adam | None:
        found = [p for n, net in self.nets.items() if n.startswith(kinds) for p in net.parameters()]
        return torch.optim.Adam(found, lr=1e-4, betas=(0.5, 0.9)) if found else None

    def code(self, x: Tensor) -> Tensor:
        return self.nets["encoder"](x, None).content  # type: ignore[no-any-return]

    def speak(self, code: Tensor, name: str) -> Tensor:
        own = "" if self.o.decoders == "one" else f"_{name}"
        from zoo_core.contracts.interfaces import Code

        told = Condition.of(DOMAINS, name, len(code))
        y = self.nets[f"decoder{own}"](Code(code), told)
        if self.o.second == "residual":
            y = y + self.nets[f"residual{own}"](Code(code), told)
        return y  # type: ignore[no-any-return]

    def judged(self, net: str, x: Tensor) -> Any:
        """A verdict, one per player's turn: spectral norms move with every pass."""
        key = (net, id(x))
        if key not in self.verdicts:
            self.verdicts[key] = (x, self.nets[net](x))
        return self.verdicts[key][1]

    def named(self, net: str, x: Tensor, name: str) -> Tensor:
        wanted = torch.full((len(x),), DOMAINS.index(name))
        return F.cross_entropy(self.judged(net, x).class_logits, wanted)

    def real(self, x: Tensor) -> Tensor:
        return self.judged("discriminator", x).scores[0]  # type: ignore[no-any-return]

    def minimise(self, terms: dict[str, tuple[float, Tensor]], player: str, adam: Any) -> None:
        self.verdicts.clear()
        terms = {name: pair for name, pair in terms.items() if pair[0]}
        if not terms:
            return
        self.log |= {
            f"{player}/{name}": float(value.detach()) for name, (_, value) in terms.items()
        }
        parameters = adam.param_groups[0]["params"]
        adam.zero_grad()
        sum(weight * value for weight, value in terms.values()).backward(  # type: ignore[union-attr]
            inputs=parameters, retain_graph=True
        )
        torch.nn.utils.clip_grad_norm_(parameters, self.o.clip)
        adam.step()

    def targets(self, rng: torch.Generator) -> dict[str, str]:
        shift = int(torch.randint(1, 3, (), generator=rng))
        return {name: DOMAINS.names[(at + shift) % 3] for at, name in enumerate(DOMAINS.names)}

    def step(self, inputs: StepInputs) -> dict[str, float]:
        o, n, names = self.o, self.number, DOMAINS.names
        self.log, moves = {}, n % 2 == 1
        begin, middle = o.pretrain + o.warmup, o.pretrain + o.warmup + o.joint
        frozen = o.second == "residual" and n >= middle
        met = o.second != "none" and n >= middle
        rng, x = inputs.rng(), inputs.batch().signals
        to = self.targets(rng)
        codes = {name: self.code(x[name]) for name in names}
        classify = sum(self.named("classifier", codes[k].detach(), k) for k in names)
        on = float(n >= o.pretrain and not frozen)
        self.minimise({"classify": (on, classify)}, "classifier", self.clf)  # type: ignore[dict-item]
        if met:
            made = {name: self.speak(codes[name], to[name]) for name in names}
            self.discriminate(x, to, made, rng)
        if moves:
            self.translate(x, to, codes, alone=n < o.pretrain, joint=begin <= n and not frozen)
        if moves and met and o.second == "residual":
            rng, x = inputs.rng(1), inputs.batch(1).signals
            to = self.targets(rng)
            made = {name: self.speak(self.code(x[name]).detach(), to[name]) for name in names}
            self.minimise(self.fooling(made, to), "residual", self.res)
        self.number += 1
        return self.log

    def translate(
        self, x: dict[str, Tensor], to: dict[str, str], codes: Any, *, alone: bool, joint: bool
    ) -> None:
        o, names = self.o, DOMAINS.names
        back = sum(F.l1_loss(self.speak(codes[k], k), x[k]) for k in names)
        terms = {"reconstruction": (float(alone or joint), back)}
        if joint:
            alpha = o.latent * min(1.0, (self.number - o.pretrain - o.warmup) / o.ramp)
            if o.goal == "reversed":
                hidden = -sum(self.named("classifier", codes[k], k) for k in names)
            else:
                logs = [
                    self.judged("classifier", codes[k]).class_logits.log_softmax(1) for k in names
                ]
                hidden = -sum(log.mean() for log in logs)  # type: ignore[assignment]
            terms["confusion"] = (alpha, hidden)
        if o.second == "decoder" and self.number >= o.pretrain + o.warmup + o.joint:
            made = {name: self.speak(codes[name], to[name]) for name in names}
            terms |= self.fooling(made, to)
        self.minimise(terms, "generator", self.ae)  # type: ignore[arg-type]

    def fooling(self, made: dict[str, Tensor], to: dict[str, str]) -> dict[str, Any]:
        judged = [self.real(y) for y in made.values()]
        if self.o.objective == "wgan":
            fooled = sum(-r.mean() for r in judged)
        else:
            fooled = sum(((r - 1) ** 2).mean() for r in judged)
        classify = sum(self.named("discriminator", y, to[k]) for k, y in made.items())
        return {"adversarial": (0.5, fooled), "classify": (0.25, classify)}

    def discriminate(
        self, x: dict[str, Tensor], to: dict[str, str], made: dict[str, Tensor], rng: Any
    ) -> None:
        critic, classify, penalty = torch.zeros(()), torch.zeros(()), torch.zeros(())
        fakes = {k: y.detach() for k, y in made.items()}
        for k, fake in fakes.items():
            real = x[to[k]]
            on_real, on_fake = self.real(real), self.real(fake)
            if self.o.objective == "lsgan":
                critic = critic + ((on_real - 1) ** 2).mean() + (on_fake**2).mean()
                continue
            critic = critic - on_real.mean() + on_fake.mean()
            part = torch.rand(len(real), 1, generator=rng)[:, :, None]
            point = (part * real + (1 - part) * fake).requires_grad_()
            slope = torch.autograd.grad(self.real(point).sum(), point, create_graph=True)[0]
            penalty = penalty + ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
        for k in made:
            classify = classify + self.named("discriminator", x[k], k)
        terms = {"critic": (1.0, critic), "classify": (0.25, classify)}
        if self.o.objective == "wgan":
            terms["penalty"] = (self.o.penalty, penalty)
        self.minimise(terms, "discriminator", self.dis)


@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    ("second", "decoders", "objective", "goal"),
    [
        ("residual", "one", "wgan", "reversed"),
        ("residual", "each", "lsgan", "reversed"),
        ("decoder", "each", "lsgan", "uniform"),
        ("decoder", "one", "wgan", "reversed"),
        ("none", "each", "wgan", "reversed"),
    ],
)
def test_training_steps_equal_the_published_losses(
    second: str, decoders: str, objective: str, goal: str, batch: int
) -> None:
    hidden = 0 if second == "decoder" else 2
    method = make(second=second, decoders=decoders, objective=objective, goal=goal, hidden=hidden)
    steps = STEPS - 4 * (second == "none")
    records = TinyRun(method, random_batches(method, batch), steps=steps).check(
        Reference(method), steps
    )
    heard = {name for losses in records for name in losses}
    assert {"classifier/classify", "generator/reconstruction", "generator/confusion"} <= heard
    assert any("adversarial" in name for name in heard) == (second != "none")


def test_nets_over_the_published_513_rows_and_20_voices_have_the_published_size() -> None:
    with torch.device("meta"):
        nets = (ContentEncoder(), VoiceDecoder(), SpeakerClassifier(), VoiceDiscriminator())
    counts = [sum(p.numel() for p in net.parameters()) for net in nets]
    assert counts == [12_366_208, 10_417_153, 8_400_276, 10_919_604]
    assert [round(count / 1e6, 2) for count in counts] == [12.37, 10.42, 8.40, 10.92]


def test_the_default_preset_has_the_published_nets_over_mel_cepstra() -> None:
    preset = LatentVC.presets["paper"]
    with torch.device("meta"):
        method = LatentVC(Options(), Domains(("a", "b")), preset.signal)
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in method.nets.items()}
    assert counts == {
        "encoder": 10_412_416,
        "decoder": 10_126_372,
        "residual": 10_126_372,
        "classifier": 8_363_394,
        "discriminator": 10_874_658,
    }


def test_a_small_encoder_and_decoder_are_at_most_half_a_million() -> None:
    preset = LatentVC.presets["small"]
    method = LatentVC(Options(**preset.options), DOMAINS, preset.signal)
    count = sum(p.numel() for n in ("encoder", "decoder_low") for p in method.nets[n].parameters())
    assert count < 500_000
    assert {f"decoder_{name}" for name in DOMAINS} <= set(method.nets)


@pytest.mark.numeric
def test_the_code_forgets_the_mean_and_deviation_of_every_coefficient() -> None:
    """A voice that is shifted and scaled as a whole cannot be told by the first blocks."""
    encoder = ContentEncoder(8, 16, 4, 4, 0.0).eval()
    x = torch.randn(2, 8, 64)
    block = torch.nn.Sequential(*[encoder.first])
    seen = torch.cat([*(conv(x) for conv in encoder.bank), x], dim=1)
    y = block(seen)
    assert y.mean(2).abs().max() < 1e-5
    assert (y.std(2, unbiased=False) - 1).abs().max() < 1e-2


def test_stages_follow_each_other_in_proportion_to_the_run() -> None:
    classifier, discriminator, generator, residual = make(
        pretrain=10, warmup=10, joint=20, ramp=10, finish=60
    ).players()

    def weights(player: Any, term: str, steps: int) -> list[float]:
        (found,) = [t for t in player.terms if t.name == term]
        points = (0.05, 0.15, 0.25, 0.35, 0.9)
        return [found.weight_at(Progress(round(p * steps), steps, 1)) for p in points]

    for steps in (100, 1000):
        assert weights(generator, "reconstruction", steps) == [1, 0, 1, 1, 0]
        assert weights(generator, "confusion", steps) == [0, 0, 0.25, 0.5, 0]
        assert weights(classifier, "classify", steps) == [0, 1, 1, 1, 0]
        assert weights(discriminator, "critic", steps) == [0, 0, 0, 0, 1]
        assert weights(residual, "adversarial", steps) == [0, 0, 0, 0, 0.5]


def test_a_weight_of_a_stage_is_0_outside_its_spans() -> None:
    stage = Stage(2.0, ((10, 20), (30, 40)), 100)
    weights = [stage(Progress(step, 100, 1)) for step in (9, 10, 19, 20, 30, 39, 40)]
    assert weights == [0, 2, 2, 0, 2, 2, 0]


@pytest.mark.numeric
def test_the_residual_says_nothing_before_the_second_stage() -> None:
    method = make().eval()
    x, target = torch.randn(2, *SPEC.shape, dtype=torch.float64), Condition.of(DOMAINS, "high", 2)
    code = method.encode(x, target)
    assert torch.equal(method.decode(code, target), method.nets["decoder"](code, target))


@pytest.mark.parametrize("frames", [16, 28])
def test_signals_that_the_nets_cannot_halve_are_refused(frames: int) -> None:
    with pytest.raises(UsageError, match="a multiple of 8 frames, 24 or more"):
        LatentVC(Options(**TINY), DOMAINS, TensorSpec("speech", (8, frames), None, None, 8, 1))


@pytest.mark.slow
def test_a_trained_model_converts_between_any_two_voices(
    tmp_path: Path, speakers: dict[str, Path], voice: Any
) -> None:
    domains = {name: str(folder) for name, folder in speakers.items()}
    third = tmp_path / "third"
    third.mkdir()
    for take in range(2):
        soundfile.write(third / f"{take}.wav", voice(0.6, 150, 0.95, seed=take), 16_000)
    settings = {"train.steps": "3", "train.precision": "float32", "decoders": "each"}
    config = resolve(
        method="latent-vc",
        preset="tiny",
        domains=domains | {"third": str(third)},
        settings=settings,
        device="cpu",
    )
    train_run(config, tmp_path / "run", quiet=True)
    translator = zoo.load(tmp_path / "run", device="cpu", precision="float32")
    source = sorted(speakers["low"].iterdir())[0]
    for target in ("high", "third"):
        samples, rate = translator(source, to=target)
        assert (rate, len(samples)) == (16_000, 8_000)
