"""Long videos: memory does not grow, a killed translation goes on, and ends with the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from clips import frames_of, save_clip, sound_of

from zoo_core.catalogue.description import ModelConfig
from zoo_core.translate.provenance import RECORDS

PROGRAM = """
import sys
import zoo_core.translate.loading as loading
from zoo_testing.hosts import InMemoryPlugin, host_with
from zoo_testing.memory import peak_memory
from zoo_testing.tiny import SPEC
loading.shared_host = lambda: host_with(InMemoryPlugin("tiny", [SPEC]))
import zoo
import numpy as np
model = zoo.load(sys.argv[2], precision="float32")
model(np.zeros((64, 64, 3), np.uint8), to="noto")
before = peak_memory()
from zoo_core.cli import run
status = run(sys.argv[1:])
print("MiB", (peak_memory() - before) >> 20)
sys.exit(status)
"""


def command(model: Path, clip: Path, out: Path, *more: str) -> list[str]:
    options = ("--to", "noto", "--out", str(out), "--precision", "float32", "--threads", "1")
    return [sys.executable, "-c", PROGRAM, "translate", str(model), str(clip), *options, *more]


def run(arguments: list[str]) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_ten_seconds_of_720p_take_less_than_600_mib_and_keep_frames_times_and_sound(
    tiny_model: Path, tmp_path: Path
) -> None:
    clip = save_clip(tmp_path / "clip.mp4", frames=250, size=(1280, 720))
    said = run(command(tiny_model, clip, tmp_path / "out"))
    assert float(said.split("MiB")[1]) < 600
    made = tmp_path / "out" / "clip_noto.mp4"
    with av.open(str(clip)) as source, av.open(str(made)) as output:
        assert output.duration == source.duration
        times = [[f.time for f in c.decode(video=0)] for c in (source, output)]
        assert times[0] == times[1]
        assert len(times[0]) == 250
        assert output.streams.video[0].height == 720
    assert sound_of(made) == sound_of(clip)


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--smoothing", "0.6")])
def test_a_killed_translation_goes_on_and_ends_with_the_bytes_of_one_that_was_not(
    tiny_model: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    clip = save_clip(tmp_path / "clip.mp4", frames=240, size=(160, 120))
    run(command(tiny_model, clip, tmp_path / "whole", *more))
    made = tmp_path / "killed" / "clip_noto.mp4"
    parts = made.with_name(".clip_noto.mp4.parts")
    process = subprocess.Popen(
        command(tiny_model, clip, tmp_path / "killed", *more), stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(6000):
            if len(list(parts.glob("*.mkv"))) >= 2 or process.poll() is not None:
                break
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not made.exists()
    kept = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.mkv")}
    assert len(kept) >= 2
    run(command(tiny_model, clip, tmp_path / "killed", *more))
    assert made.read_bytes() == (tmp_path / "whole" / "clip_noto.mp4").read_bytes()
    assert sorted(p.name for p in made.parent.iterdir()) == ["clip_noto.mp4", RECORDS]


def test_what_another_model_had_begun_is_not_gone_on_with(
    tmp_path: Path, write_tiny: Callable[..., Path], config: ModelConfig, capsys
) -> None:
    from zoo_core.cli import run as zoo

    clip = save_clip(tmp_path / "clip.mp4")
    model = write_tiny(tmp_path / "tiny", config)
    parts = tmp_path / "out" / ".clip_noto.mp4.parts"
    parts.mkdir(parents=True)
    (parts / "origin").write_text("another")
    (parts / "000000000-48.mkv").write_bytes(b"frames of another")
    arguments = ["translate", str(model), str(clip), "--to", "noto", "--out", str(parts.parent)]
    assert zoo([*arguments, "--precision", "float32"]) == 0
    assert len(frames_of(parts.parent / "clip_noto.mp4")[0]) == 20
    assert not parts.exists()


def test_a_folder_in_the_way_is_never_removed(tiny_model: Path, tmp_path: Path, capsys) -> None:
    from zoo_core.cli import run as zoo

    clip = save_clip(tmp_path / "clip.mp4")
    parts = tmp_path / "out" / ".clip_noto.mp4.parts"
    parts.mkdir(parents=True)
    (parts / "holiday.txt").write_text("mine")
    arguments = ["translate", str(tiny_model), str(clip), "--to", "noto", "--out"]
    assert zoo([*arguments, str(parts.parent), "--precision", "float32"]) == 1
    assert "in the way" in capsys.readouterr().err
    assert (parts / "holiday.txt").read_text() == "mine"


def test_every_target_gets_a_video_and_the_account_names_what_is_left_out(
    tiny_model: Path, tmp_path: Path, capsys
) -> None:
    from zoo_core.cli import run as zoo

    save_clip(tmp_path / "clip.mkv", form="yuv420p10le", sound=None)
    arguments = ["translate", str(tiny_model), str(tmp_path / "clip.mkv"), "--to", "all"]
    assert zoo([*arguments, "--out", str(tmp_path / "out"), "--precision", "float32"]) == 0
    said = capsys.readouterr().out
    assert "10 bits per value, of which 8 are used" in said
    made = sorted(path.name for path in (tmp_path / "out").glob("*.mkv"))
    assert made == ["clip_apple.mkv", "clip_noto.mkv", "clip_twemoji.mkv"]
    assert all(len(frames_of(tmp_path / "out" / name)[0]) == 20 for name in made)
    assert zoo([*arguments, "--out", str(tmp_path / "out"), "--precision", "float32"]) == 0
    assert "Kept 3" in capsys.readouterr().out
