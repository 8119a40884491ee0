"""What was lost in silence: transparency, files of other suffixes, the ends of recordings."""

import io
import struct
from importlib.util import find_spec

import numpy as np
import pytest
import soundfile
from PIL import Image

from zoo_core.cli import run
from zoo_core.errors import DataError, ZooError
from zoo_voice.audio import load

TO_NOTO = ["--to", "noto", "--precision", "float32"]


def noise(size=(32, 32), channels=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 255, (*size, channels), dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".gif", ".tif"])
def test_case_07_the_alpha_of_a_sprite_is_kept(suffix, tmp_path):
    pixels = noise(channels=4)
    pixels[..., 3] = 0
    pixels[8:24, 8:24, 3] = 255
    how = {"lossless": True} if suffix == ".webp" else {}
    Image.fromarray(pixels).save(tmp_path / f"sprite{suffix}", **how)
    arguments = ["translate", "stargan-emoji", str(tmp_path / f"sprite{suffix}"), *TO_NOTO]
    assert run([*arguments, "--out", str(tmp_path / "out")]) == 0
    (output,) = [p for p in (tmp_path / "out").iterdir() if p.suffix != ".jsonl"]
    alpha = np.asarray(Image.open(output).convert("RGBA"))[..., 3]
    assert np.array_equal(alpha, pixels[..., 3])


@pytest.fixture
def mixed(tmp_path):
    """A folder of pictures under the suffixes that phones and browsers give."""
    place = tmp_path / "a"
    place.mkdir()
    picture = Image.fromarray(noise((64, 64)))
    for name, form in (
        ("a.jpg", "JPEG"),
        ("b.jfif", "JPEG"),
        ("c.avif", "AVIF"),
        ("d.jp2", "JPEG2000"),
        ("e", "PNG"),
        ("f.JPG", "JPEG"),
        ("g.jpg_large", "JPEG"),
    ):
        buffer = io.BytesIO()
        picture.save(buffer, form)
        (place / name).write_bytes(buffer.getvalue())
    (place / "h.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    return place


def test_case_08_pictures_of_any_suffix_are_translated_and_the_rest_is_named(
    mixed, tmp_path, capsys
):
    arguments = ["translate", "stargan-emoji", str(mixed), *TO_NOTO]
    run([*arguments, "--out", str(tmp_path / "out")])
    outputs = [path for path in (tmp_path / "out").iterdir() if path.suffix != ".jsonl"]
    assert sorted(path.name[0] for path in outputs) == list("abcdefg")
    assert "h.heic" in "".join(capsys.readouterr())


def test_case_08_training_takes_the_same_files_and_names_the_rest(mixed, tmp_path, capsys):
    arguments = ["train", "cyclegan", "--preset", "32px", "--steps", "1", "--batch", "2"]
    small = ["--set", "width=4", "--set", "blocks=1", "--set", "critic_width=4"]
    domains = ["--domain", f"a={mixed}", "--domain", f"b={mixed}", "--precision", "float32"]
    assert run([*arguments, *small, *domains, "--out", str(tmp_path / "run")]) == 0
    shown = "".join(capsys.readouterr())
    assert "a: 7 pictures" in shown
    assert "h.heic" in shown


def sound(seconds=1.5, rate=16_000):
    time = np.arange(int(seconds * rate)) / rate
    return np.sin(2 * np.pi * 220 * time).astype(np.float32)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg"])
def test_case_09_a_recording_that_is_cut_off_is_refused_by_name(suffix, tmp_path):
    if suffix == ".mp3" and "MP3" not in soundfile.available_formats():
        pytest.skip("this libsndfile writes no MP3")
    whole = tmp_path / f"whole{suffix}"
    soundfile.write(whole, sound(), 16_000)
    assert len(load(whole, name=whole.name)[0]) >= 23_000
    content = whole.read_bytes()
    (tmp_path / f"half{suffix}").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError) as caught:
        load(tmp_path / f"half{suffix}", name=f"half{suffix}")
    assert caught.value.asked == f"half{suffix}"


def test_a_recording_of_which_the_last_byte_is_missing_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", sound(), 16_000)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[:-1])
    with pytest.raises(ZooError):
        load(tmp_path / "a.wav", name="a.wav")


def test_a_stream_whose_length_was_not_known_is_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", sound(), 16_000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    at = content.index(b"data")
    for place in (4, at + 4):  # as ffmpeg writes into a pipe
        content[place : place + 4] = struct.pack("<I", 0xFFFFFFFF)
    (tmp_path / "a.wav").write_bytes(content)
    assert len(load(tmp_path / "a.wav", name="a.wav")[0]) >= 23_000


def test_heic_names_the_package_that_it_needs(tmp_path, capsys):
    if find_spec("pillow_heif"):
        pytest.skip("pillow-heif is installed")
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    arguments = ["translate", "stargan-emoji", str(tmp_path / "a.heic"), *TO_NOTO]
    assert run([*arguments, "--out", str(tmp_path / "out")]) != 0
    assert "heif" in "".join(capsys.readouterr())
