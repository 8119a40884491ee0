"""Recordings of rarer kinds: cut off, told by their content, with texts, of odd channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import DataError
from zoo_voice.audio import Sound, load, save
from zoo_voice.codec import SpeechCodec

CODEC = SpeechCodec(TensorSpec("speech", (24, 64), None, None, 4, 1))
RATE = 16_000


@pytest.mark.parametrize("form", ["RF64", "W64", "NIST"])
def test_headers_of_long_and_old_recordings_tell_that_they_are_cut_off(
    form: str, tmp_path: Path, voice: Any
) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, voice(), RATE, "PCM_16", format=form)
    assert len(load(path, name="x")[0]) == len(voice())
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(DataError) as caught:
        load(path, name=str(path))
    assert caught.value.problem.startswith("it is cut off")


def test_an_ogg_that_ends_in_zeros_is_cut_off(tmp_path: Path, voice: Any) -> None:
    path = tmp_path / "x.ogg"
    soundfile.write(path, voice(2.0), RATE, "OPUS")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    with pytest.raises(DataError) as caught:
        load(path, name=str(path))
    assert "not fetched in full" in caught.value.problem


@pytest.mark.parametrize("name", ["voice.opus", "take", "old.sph"])
def test_a_recording_is_told_by_its_content(name: str, tmp_path: Path, voice: Any) -> None:
    form, kind = {"voice.opus": ("OGG", "OPUS"), "old.sph": ("NIST", "PCM_16")}.get(
        name, ("WAV", "PCM_16")
    )
    soundfile.write(tmp_path / name, voice(), RATE, kind, format=form)
    assert CODEC.recognises(tmp_path / name)
    assert CODEC.output_suffix(tmp_path / name) == ".wav"


def test_what_only_begins_like_a_recording_is_none(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"RIFF\x00\x00\x00\x00WEBPVP8 ")
    assert not CODEC.recognises(tmp_path / "x")
    assert not CODEC.recognises(tmp_path / "absent")


def test_channels_that_cancel_each_other_are_not_called_silent(tmp_path: Path, voice: Any) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, np.stack([voice(), -voice()], 1), RATE)
    with pytest.raises(DataError) as caught:
        load(path, name=str(path))
    assert "cancel" in caught.value.problem


def test_what_is_said_of_a_recording_is_kept(tmp_path: Path, voice: Any) -> None:
    with soundfile.SoundFile(tmp_path / "x.flac", "w", RATE, 1, "PCM_16") as file:
        file.title, file.artist = "Take one", "N. N."
        file.write(voice())
    facts = CODEC.read(tmp_path / "x.flac").info["facts"]
    made = Sound(voice(), RATE, facts.texts)
    assert save(made, tmp_path / "out.wav") == ()
    with soundfile.SoundFile(tmp_path / "out.wav") as file:
        assert (file.title, file.artist) == ("Take one", "N. N.")


def test_what_a_format_does_not_hold_of_it_is_said(tmp_path: Path, voice: Any) -> None:
    made = Sound(voice(), RATE, {"title": "Take one"})
    assert save(made, tmp_path / "out.au") == ("title, which the AU does not hold",)
