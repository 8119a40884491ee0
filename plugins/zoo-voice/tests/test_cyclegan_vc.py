"""CycleGAN-VC2 against its published losses in plain torch, and as a user runs it."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from torch import Tensor
from torch.nn import functional as F

import zoo
from zoo_core.contracts.signals import Condition, Domains
from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError
from zoo_core.models.modeldir import read_config
from zoo_testing.contract import MethodContract
from zoo_testing.parity import StepInputs, TinyRun, build, random_batches
from zoo_train.config import RunConfig
from zoo_train.request import resolve
from zoo_train.run import Run
from zoo_train.start import train_run
from zoo_voice.audio import Sound
from zoo_voice.method import CycleGANVC, Options, speech

DOMAINS = Domains(("low", "high"))
SPEC = speech(12, 16)
TINY: dict[str, Any] = {"width": 2, "blocks": 1, "critic_width": 2}


class TestCycleGANVC(MethodContract):
    method = "cyclegan-vc"


def make(**options: Any) -> CycleGANVC:
    return build(CycleGANVC, TINY | options, DOMAINS, SPEC)


class Reference:
    """CycleGAN-VC2 as its paper states it, one batch at a time."""

    def __init__(self, method: CycleGANVC, *, second: bool, lasts: int) -> None:
        self.nets = {name: copy.deepcopy(net) for name, net in method.nets.items()}
        self.second, self.lasts, self.done = second, lasts, 0
        makers, judges = [], []
        for name, net in self.nets.items():
            (makers if name.startswith("generator") else judges).extend(net.parameters())
        self.adam_g = torch.optim.Adam(makers, lr=2e-4, betas=(0.5, 0.999))
        self.adam_d = torch.optim.Adam(judges, lr=1e-4, betas=(0.5, 0.999))

    def g(self, to: str, x: Tensor) -> Tensor:
        return self.nets[f"generator_{to}"](x, None)  # type: ignore[no-any-return]

    def d(self, name: str, x: Tensor) -> Tensor:
        return self.nets[name](x).scores[0]  # type: ignore[no-any-return]

    def step(self, inputs: StepInputs) -> dict[str, float]:
        low, high = (inputs.batch().signals[name] for name in DOMAINS.names)
        fake_high, fake_low = self.g("high", low), self.g("low", high)
        back_low, back_high = self.g("low", fake_high), self.g("high", fake_low)
        real = lambda patches: F.mse_loss(patches, torch.ones_like(patches))  # noqa: E731
        fake = lambda patches: F.mse_loss(patches, torch.zeros_like(patches))  # noqa: E731
        loss = {
            "generator/adversarial": real(self.d("discriminator_high", fake_high))
            + real(self.d("discriminator_low", fake_low)),
            "generator/cycle": F.l1_loss(back_low, low) + F.l1_loss(back_high, high),
        }
        total = loss["generator/adversarial"] + 10 * loss["generator/cycle"]
        if self.second:
            loss["generator/second"] = real(self.d("second_low", back_low)) + real(
                self.d("second_high", back_high)
            )
            total = total + loss["generator/second"]
        if self.done < self.lasts:
            loss["generator/identity"] = F.l1_loss(self.g("high", high), high) + F.l1_loss(
                self.g("low", low), low
            )
            total = total + 5 * loss["generator/identity"]
        self.adam_g.zero_grad()
        total.backward()
        self.adam_g.step()

        judged = [("discriminator_high", high, fake_high), ("discriminator_low", low, fake_low)]
        loss["discriminator/critic"] = sum(
            0.5 * (real(self.d(name, x)) + fake(self.d(name, y.detach()))) for name, x, y in judged
        )
        total = loss["discriminator/critic"]
        if self.second:
            again = [("second_low", low, back_low), ("second_high", high, back_high)]
            loss["discriminator/second"] = sum(
                0.5 * (real(self.d(name, x)) + fake(self.d(name, y.detach())))
                for name, x, y in again
            )
            total = total + loss["discriminator/second"]
        self.adam_d.zero_grad()
        total.backward()
        self.adam_d.step()
        self.done += 1
        return {name: float(value.detach()) for name, value in loss.items()}


@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(("second", "lasts"), [(True, 2), (False, 10), (True, 0)])
def test_training_steps_equal_the_published_losses(second: bool, lasts: int, batch: int) -> None:
    identity = 5.0 if lasts else 0.0
    method = make(second=second, identity=identity, identity_steps=lasts)
    reference = Reference(method, second=second, lasts=lasts)
    TinyRun(method, random_batches(method, batch)).check(reference)


def test_published_nets_have_the_published_size() -> None:
    preset = CycleGANVC.presets["paper"]
    with torch.device("meta"):
        method = CycleGANVC(Options(), DOMAINS, preset.signal)
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in method.nets.items()}
    assert counts.pop("generator_low") == counts.pop("generator_high") == 23_068_289
    assert set(counts) == {f"{k}_{n}" for k in ("discriminator", "second") for n in DOMAINS.names}
    assert set(counts.values()) == {11_448_833}


def test_the_small_generator_is_at_most_half_a_million() -> None:
    preset = CycleGANVC.presets["small"]
    method = CycleGANVC(Options(**preset.options), DOMAINS, preset.signal)
    assert sum(p.numel() for p in method.nets["generator_low"].parameters()) < 500_000
    assert not [name for name in method.nets if name.startswith("second")]


@pytest.mark.parametrize("order", [9, 12, 13, 24, 34])
def test_any_number_of_coefficients_comes_back(order: int) -> None:
    method = CycleGANVC(Options(**TINY), DOMAINS, speech(order, 16))
    x = torch.randn(1, order, 20)
    target = Condition.of(DOMAINS, "high", 1)
    assert method.translate(x, target, target).shape == x.shape


def test_identity_ends_and_rates_decay_as_published() -> None:
    generator, discriminator = make().players()
    (identity,) = [term for term in generator.terms if term.name == "identity"]
    weights = [identity.weight_at(Progress(step, 400_000, 1)) for step in (0, 9_999, 10_000)]
    assert weights == [5.0, 5.0, 0.0]
    rates = [generator.optimiser.schedule(Progress(s, 400_000, 1)) for s in (0, 199_999, 399_999)]
    assert rates == [1.0, 1.0, pytest.approx(0.0, abs=0.003)]
    assert (generator.optimiser.lr, discriminator.optimiser.lr) == (2e-4, 1e-4)
    part = make(identity_steps=None).players()[0].terms[-1]
    assert [part.weight_at(Progress(step, 100, 1)) for step in (14, 15)] == [5.0, 0.0]


def test_signals_too_small_for_the_nets_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 9 coefficients and 16 frames"):
        CycleGANVC(Options(**TINY), DOMAINS, speech(12, 12))


@pytest.mark.parametrize("options", [{"kernel": (4, 7)}, {"kernel": (3, 6)}, {"side": 2}])
def test_kernels_without_a_middle_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="even size have no middle"):
        make(**options)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, speakers: dict[str, Path]) -> Path:
    """A run of three steps."""
    out = tmp_path_factory.mktemp("voice") / "run"
    domains = {name: str(folder) for name, folder in speakers.items()}
    config = resolve(
        method="cyclegan-vc",
        preset="tiny",
        domains=domains,
        settings={"train.steps": "3", "train.precision": "float32"},
        device="cpu",
    )
    train_run(config, out, quiet=True)
    return out


def test_a_run_keeps_what_it_learnt_of_the_voices(run: Path, speakers: dict[str, Path]) -> None:
    voices = read_config(run / "model").preprocessing["speakers"]
    assert list(voices) == list(speakers)
    assert voices["low"]["pitch"][0] < voices["high"]["pitch"][0] - 0.3
    assert len(voices["low"]["mean"]) == 12
    assert (run / "samples" / "000003.png").is_file()
    whole = run / "samples" / "000003" / "sheet.png"
    assert (run / "model" / "samples.png").read_bytes() == whole.read_bytes()
    card = (run / "model" / "README.md").read_text()
    assert "Translates recordings between low, high" in card


def test_a_trained_model_converts_files_of_any_kind(run: Path, tmp_path: Path, voice: Any) -> None:
    source = tmp_path / "in.flac"
    soundfile.write(source, voice(0.7, 110, rate=8000), 8000)
    translator = zoo.load(run, device="cpu", precision="float32")
    samples, rate = translator(source, to="high")
    assert (rate, samples.shape) == (16_000, (11_200,))
    again = translator(Sound(voice(0.7, 110, rate=8000), 8000), to="high", source="low")
    assert len(again.samples) == len(samples)
    translated, restored = translator.cycle(source, to="high")
    assert len(translated.samples) == len(restored.samples) == len(samples)
    long = translator(Sound(voice(4.0, 110), 16_000), to="high", limit=400)
    assert len(long.samples) == 64_000


def test_a_broken_file_among_many_is_named_and_stops_nothing(
    run: Path, tmp_path: Path, speakers: dict[str, Path]
) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    good = sorted(speakers["low"].iterdir())[:2]
    translator = zoo.load(run, device="cpu", precision="float32")
    results = list(translator.stream([good[0], tmp_path / "broken.wav", good[1]], "high"))
    assert [result.error is None for result in results] == [True, False, True]
    assert "broken.wav" in str(results[1].error)
    assert all(len(result.output.samples) for result in (results[0], results[2]))


@pytest.mark.numeric
@pytest.mark.slow
def test_a_run_that_died_resumes_to_the_same_bits(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = RunConfig.read(run / "config.yaml")
    config = replace(config, train=replace(config.train, checkpoint_every=1))
    keep = Run._checkpoint

    def dying(run: Run) -> None:
        keep(run)
        raise RuntimeError("the machine is gone")

    monkeypatch.setattr(Run, "_checkpoint", dying)
    with pytest.raises(RuntimeError, match="the machine is gone"):
        train_run(config, tmp_path / "run", quiet=True)
    monkeypatch.setattr(Run, "_checkpoint", keep)
    train_run(config, tmp_path / "run", resume=True, quiet=True)
    for name in ("model.safetensors", "training.safetensors"):
        resumed, whole = (d / "model" / name for d in (tmp_path / "run", run))
        assert resumed.read_bytes() == whole.read_bytes()
