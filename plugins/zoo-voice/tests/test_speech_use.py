"""Recordings as a user meets them: long ones, pictures of them, samples of a run."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from torch import Tensor

from zoo_core.cli import run as zoo_command
from zoo_core.contracts.codec import InMemorySignal, Window
from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.translate.streaming import Job, StreamPlan, stream
from zoo_runs.whole_samples import FullSamples
from zoo_train.data.dataset import DataSet
from zoo_voice.audio import Sound
from zoo_voice.codec import SpeechCodec
from zoo_voice.loudness import loud
from zoo_voice.speaker import Speaker
from zoo_voice.spectrogram import LONGEST, beginning, decibels, picture
from zoo_voice.world import HOP, RATE, analyse

SPEC = TensorSpec("speech", (24, 64), None, None, 4, 1)


def codec_of(**voices: Any) -> SpeechCodec:
    """A codec that knows some voices by a recording of each."""
    known = {}
    for name, samples in voices.items():
        analysis = analyse(samples, 24)
        spoken = loud(analysis.cepstrum[:, 0])
        known[name] = Speaker.of(analysis.f0[spoken], analysis.cepstrum[spoken, 1:]).plain()
    return SpeechCodec(SPEC, {"speakers": known})


def translated(codec: SpeechCodec, samples: Any, limit: int | None, compute: Any = None) -> Any:
    """A recording of voice a, on the way that ``zoo translate`` takes it; no net changes it."""
    (item,) = codec.wrap(Sound(samples, RATE))
    unchanged = compute or (lambda x, names: dict.fromkeys(names, x))
    plan = StreamPlan(codec, unchanged, {"a": "a"}, batch=2, limit=limit, source="a")
    (result,) = stream(plan, [Job("recording", lambda: item)])
    return result.output.samples


@pytest.mark.numeric
@pytest.mark.slow
def test_a_long_recording_says_the_same_in_windows_as_in_one(voice: Any) -> None:
    samples = voice(4.0, 117, pauses=False)
    codec = codec_of(a=samples)
    whole, cut = (analyse(translated(codec, samples, limit), 24) for limit in (None, 384))
    gap = np.linalg.norm(whole.cepstrum[:, 1:] - cut.cepstrum[:, 1:], axis=1)  # (T,)
    distortion = 10 * np.sqrt(2) / np.log(10) * gap
    assert distortion.mean() < 0.8  # WORLD itself costs 2 to 3
    assert distortion.max() < 2.5
    voiced = (whole.f0 > 0) & (cut.f0 > 0)
    pitches = np.log(np.stack([whole.f0, cut.f0])[:, voiced])
    assert np.median(np.abs(np.diff(pitches, axis=0))) < 0.01


@pytest.mark.slow
def test_windows_are_let_go_of_as_a_recording_is_translated(voice: Any) -> None:
    unit = voice(1.5)
    codec = codec_of(a=unit)
    held: list[weakref.ref[Window]] = []
    windows, most = codec.windows, 0

    def watched(*args: Any, **settings: Any) -> Iterator[Window]:
        for window in windows(*args, **settings):
            held.append(weakref.ref(window))
            yield window

    def compute(x: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        nonlocal most
        most = max(most, sum(window() is not None for window in held))
        return dict.fromkeys(names, x)

    codec.windows = watched  # type: ignore[method-assign]
    assert len(translated(codec, np.tile(unit, 12), 384, compute)) == 12 * len(unit)
    assert most <= 6  # the first two, two at once, two between the nets and the joiner
    assert len(held) == 13


@pytest.mark.slow
def test_a_folder_of_any_formats_is_converted_and_what_is_broken_is_named(
    tmp_path: Path, voice: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    stereo = np.stack([voice(0.4, 110, rate=8000)] * 2, axis=1)
    soundfile.write(folder / "a.wav", stereo, 8000, "PCM_U8")
    soundfile.write(folder / "b.flac", voice(0.5, 110, rate=44_100), 44_100)
    soundfile.write(folder / "c.ogg", voice(0.6, 110), RATE)
    (folder / "broken.wav").write_bytes(b"RIFF")
    model = ["translate", "cyclegan-vc-fsdd", "--precision", "float32"]
    asked = [*model, str(folder), "--to", "nicolas", "--out", str(out)]
    assert zoo_command([*asked, "--grid", str(out / "sheet.png")]) == 1
    assert "broken.wav" in capsys.readouterr().err
    made = {path.name: soundfile.info(path) for path in out.glob("*.wav")}
    assert {name: (i.samplerate, i.channels, i.frames) for name, i in made.items()} == {
        "a_nicolas.wav": (RATE, 1, 6400),
        "b_nicolas.wav": (RATE, 1, 8000),
        "c_nicolas.wav": (RATE, 1, 9600),
    }
    with Image.open(out / "sheet.png") as image:
        assert image.height > 3 * 160
    one = [*model, str(folder / "b.flac"), "--to", "nicolas", "--out", str(out / "x.mp3")]
    assert zoo_command(one) == 0
    assert soundfile.info(out / "x.mp3").format == "MP3"


def test_a_tone_is_a_line_at_its_frequency() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    levels = decibels(tone)
    assert levels.shape == (RATE // HOP + 1, 257)
    middle = levels[20:-20]
    assert (middle.argmax(1) == 1000 * 512 // RATE).all()
    assert middle.max() == 0
    assert middle[:, 100:].max() == -60
    image = np.asarray(picture(levels, 2, len(levels)).convert("L"), np.float64)
    row = image[:, 100].argsort()[::-1]  # from light to dark, of one column of pixels
    bright = next(y for y in row if 7 <= y < 167)
    assert abs(bright - (7 + 160 * 7 / 8)) < 3  # 1 of 8 kHz above the bottom


def test_spectrograms_of_a_sheet_share_their_scale_of_time(tmp_path: Path, voice: Any) -> None:
    codec, short, long = codec_of(), voice(0.4), voice(0.8)
    rows = [("x", codec.wrap([Sound(short, RATE), Sound(long, RATE)]))]
    codec.preview(rows, ["input", "high"], tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert 0 < image.width - 2 * (2 * 161 + 62) < 40  # 2 pixels a frame of 5 ms, and margins
        assert len(set(image.convert("L").tobytes())) > 100


def test_only_the_beginning_of_a_long_recording_is_drawn(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=20 * 48_000).clip(-3, 3) / 4
    soundfile.write(tmp_path / "x.wav", noise, 48_000)
    assert len(beginning(tmp_path / "x.wav", "x")) == LONGEST * RATE
    assert len(beginning(Sound(noise[:24_000], 48_000), "x")) == RATE // 2


class Louder:
    """Stands for an engine: keeps each signal."""

    domains = Domains(("a", "b"))

    def vector(self, name: str) -> list[float]:
        return self.domains.vector(name)

    def translate(self, x: Tensor, source: Any, target: Any) -> Tensor:
        return x


def test_samples_of_a_run_can_be_heard(tmp_path: Path, voice: Any) -> None:
    low, high = voice(0.5, 110), voice(0.5, 200, 0.85)
    codec = codec_of(a=low, b=high)
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", low, RATE)
    files = [tmp_path / f"{number}.wav" for number in range(3)]
    gone = [tmp_path / "gone.wav", InMemorySignal("x/1", Sound(high, RATE))]
    full_samples = FullSamples({"a": files[:1], "b": gone}, ("a", "b"))
    (fault,) = full_samples.write(codec, Louder(), tmp_path / "samples" / "000250")  # type: ignore[arg-type]
    assert "gone.wav" in fault
    made = {
        p.relative_to(tmp_path / "samples").as_posix() for p in tmp_path.rglob("samples/*/**/*")
    }
    assert made - {"000250/a", "000250/b", "inputs/a", "inputs/b"} == {
        "000250/sheet.png",
        *(f"000250/a/0_{name}.wav" for name in "ab"),
        *(f"000250/b/x-1_{name}.wav" for name in "ab"),
        "inputs/a/0.wav",
        "inputs/b/x-1.wav",
    }
    f0 = analyse(soundfile.read(tmp_path / "samples" / "000250" / "a" / "0_b.wav")[0], 24).f0
    assert 180 < np.median(f0[f0 > 0]) < 220


def test_whole_samples_are_spread_over_each_voice() -> None:
    files: Any = {name: [Path(f"{name}{i}") for i in range(10)] for name in "ab"}
    full_samples = FullSamples.of(DataSet(Domains(("a", "b")), {}, files=files), ("b",))
    assert full_samples == FullSamples({n: [Path(f"{n}0"), Path(f"{n}5")] for n in "ab"}, ("b",))
