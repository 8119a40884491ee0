"""Every kind of bad recording is named, and good ones of every kind are taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError, UsageError
from zoo_voice.audio import Sound, load
from zoo_voice.codec import SpeechCodec

SPEC = TensorSpec("speech", (24, 64), None, None, 4, 1)
CODEC = SpeechCodec(SPEC)
RATE = 16_000


def write(path: Path, samples: Any, rate: int = RATE, subtype: str | None = None) -> Path:
    soundfile.write(path, samples, rate, subtype)
    return path


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    return path


def raw(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def with_nan(samples: Any) -> Any:
    samples = samples.astype(np.float32)
    samples[100] = np.nan
    return samples


def with_infinity(samples: Any) -> Any:
    samples = samples.astype(np.float32)
    samples[100] = -np.inf
    return samples


Bad = Callable[[Path, Any], Path]
BAD: dict[str, tuple[Bad, str]] = {
    "missing": (lambda d, s: d / "x.wav", "there is no such file"),
    "folder": (lambda d, s: d, "it is no file"),
    "empty": (lambda d, s: raw(d / "x.wav", b""), "the file is empty"),
    "text": (lambda d, s: raw(d / "x.wav", b"hello there\n" * 99), "can be decoded"),
    "picture": (lambda d, s: raw(d / "x.flac", b"\x89PNG\r\n\x1a\n" + bytes(999)), "be decoded"),
    "zeros": (lambda d, s: raw(d / "x.ogg", bytes(4096)), "can be decoded"),
    "half-header": (lambda d, s: cut(write(d / "x.wav", s), 0.001), "can be decoded"),
    "cut-flac": (lambda d, s: cut(write(d / "x.flac", s), 0.6), "damaged|can be decoded"),
    "no-samples": (lambda d, s: write(d / "x.wav", s[:0]), "it holds no samples"),
    "too-short": (lambda d, s: write(d / "x.wav", s[2000:2800]), "it lasts 50 ms, less than 100"),
    "one-sample": (lambda d, s: write(d / "x.wav", s[:1]), "it lasts 0 ms"),
    "silent": (lambda d, s: write(d / "x.wav", 0 * s), "it is silent"),
    "hum-of-nothing": (lambda d, s: write(d / "x.wav", 0 * s + 0.3), "it is silent"),
    "almost-silent": (lambda d, s: write(d / "x.wav", 0.0005 * s), "it is silent"),
    "low-rate": (lambda d, s: write(d / "x.wav", s, 2000), "2000 samples a second, fewer"),
    "nan": (lambda d, s: write(d / "x.wav", with_nan(s), subtype="FLOAT"), "not finite"),
    "infinite": (lambda d, s: write(d / "x.wav", with_infinity(s), subtype="FLOAT"), "not finite"),
}


@pytest.mark.parametrize("kind", list(BAD))
def test_a_bad_recording_is_named_with_its_fault(tmp_path: Path, voice: Any, kind: str) -> None:
    make, fault = BAD[kind]
    path = make(tmp_path, voice())
    with pytest.raises(DataError, match=fault) as error:
        CODEC.read(path)
    assert str(error.value).startswith(str(path))
    assert error.value.hint


def test_bad_recordings_are_skipped_by_name_and_the_others_used(tmp_path: Path, voice: Any) -> None:
    files = []
    for kind, (make, _) in BAD.items():
        (tmp_path / kind).mkdir()
        files.append(make(tmp_path / kind, voice()))
    files.insert(3, write(tmp_path / "good.wav", voice()))
    store = CODEC.open(files, TrainConfig())
    assert (store.kept, store.names) == ([3], ["good.wav"])
    assert len(store.skipped) == len(BAD) >= 12
    for line, path in zip(store.skipped, files[:3] + files[4:], strict=True):
        assert str(path) in line


def test_where_none_can_be_used_the_first_fault_is_told(tmp_path: Path, voice: Any) -> None:
    path = write(tmp_path / "x.wav", 0 * voice())
    with pytest.raises(DataError, match=r"none of the 1 recordings .* it is silent"):
        CODEC.open([path], TrainConfig())


GOOD = {
    "8-bit.wav": {"subtype": "PCM_U8"},
    "16-bit.wav": {"subtype": "PCM_16"},
    "24-bit.wav": {"subtype": "PCM_24"},
    "float.wav": {"subtype": "FLOAT"},
    "mu-law.au": {"subtype": "ULAW"},
    "lossless.flac": {"subtype": "PCM_16"},
    "vorbis.ogg": {"subtype": "VORBIS"},
    "layer3.mp3": {"subtype": "MPEG_LAYER_III"},
    "big-endian.aiff": {"subtype": "PCM_16"},
}


@pytest.mark.parametrize("name", list(GOOD))
def test_every_format_is_read_as_the_same_sound(tmp_path: Path, voice: Any, name: str) -> None:
    samples = voice()
    heard, _ = load(write(tmp_path / name, samples, **GOOD[name]), name=name)
    count = min(len(heard), len(samples))
    assert abs(len(heard) - len(samples)) < (3000 if name.endswith("mp3") else 2)
    assert correlation(heard[:count], samples[:count]) > 0.97


def chord(rate: int) -> Any:
    time = np.arange(rate // 2) / rate
    return sum(0.2 * np.sin(2 * np.pi * pitch * time) for pitch in (200, 900, 1700))


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_every_rate_is_read_as_the_same_sound(tmp_path: Path, rate: int) -> None:
    heard, facts = load(write(tmp_path / "x.wav", chord(rate), rate), name="x")
    assert facts.rate == rate
    assert abs(len(heard) - 8000) <= 2
    np.testing.assert_allclose(heard[500:-500], chord(RATE)[500 : len(heard) - 500], atol=2e-3)


def test_channels_are_averaged(tmp_path: Path, voice: Any) -> None:
    samples = voice()
    heard, facts = load(
        write(tmp_path / "x.wav", np.stack([samples, 0.5 * samples, 0 * samples], 1)), name="x"
    )
    assert facts.channels == 3
    np.testing.assert_allclose(heard, 0.5 * samples, atol=1e-3)


def test_clipped_recordings_are_used_and_counted(tmp_path: Path, voice: Any) -> None:
    files = [
        write(tmp_path / "a.wav", np.clip(9 * voice(), -1, 1)),
        write(tmp_path / "b.wav", voice()),
    ]
    assert CODEC.open(files, TrainConfig()).summary.endswith(", 1 clipped")


@pytest.mark.parametrize("value", [np.zeros(9000), 3, {"samples": 1}, [], "nothing.wav", None])
def test_values_in_memory_without_a_rate_are_refused(value: Any) -> None:
    with pytest.raises((UsageError, DataError), match=r"input|nothing\.wav"):
        CODEC.wrap(value)


def test_sounds_in_memory_may_be_integers_or_floats(voice: Any) -> None:
    samples = voice()
    floats, _ = load(Sound(samples, RATE), name="x")
    whole, _ = load(Sound((samples * 32767).astype(np.int16), RATE), name="x")
    np.testing.assert_allclose(whole, floats, atol=1e-4)
    with pytest.raises(UsageError, match="its samples are uint8"):
        CODEC.wrap(Sound(np.zeros(9000, np.uint8), RATE))


def correlation(a: Any, b: Any) -> float:
    return float(np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize(
    ("rate", "channels", "subtype", "words"),
    [
        (16_000, 1, "PCM_16", []),
        (8_000, 1, "PCM_16", []),
        (44_100, 2, "PCM_24", ["2 channels", "44,100 samples", "PCM_24"]),
        (16_000, 1, "FLOAT", ["FLOAT"]),
    ],
)
def test_what_does_not_come_out_of_a_recording_is_said(
    rate: int, channels: int, subtype: str, words: list[str], tmp_path: Path
) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (rate // 2, channels))
    item = CODEC.read(write(tmp_path / "x.wav", samples, rate, subtype))
    notes = item.info["notes"]
    assert len(notes) == len(words)
    assert all(word in note for word, note in zip(words, notes, strict=True))
