"""A run of two processes that torchrun started, of which one is killed, ends as if none was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").is_file(), reason="it reads /proc"),
]


def start(pictures: Path, out: Path) -> subprocess.Popen[bytes]:
    settings = {
        "width": 8, "blocks": 1, "critic_width": 8, "critic_layers": 3,
        "train.checkpoint_every": 5, "train.sample_every": 1000,
    }  # fmt: skip
    domains = [f"--domain={name}={pictures / name}" for name in ("dark", "light")]
    return subprocess.Popen(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
            "-m", "zoo_core", "train", "stargan", "--preset=32px", "--size=16", *domains,
            "--batch=4", "--precision=float32", "--steps=40", "--device=cpu", f"--out={out}",
            "--resume", *(f"--set={key}={value}" for key, value in settings.items()),
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def steps(out: Path) -> int:
    try:
        return int(json.loads((out / "progress.json").read_text())["steps"])
    except (OSError, ValueError):
        return 0


def process_of_rank(rank: int, parent: int) -> int:
    for place in Path("/proc").glob("[0-9]*"):
        try:
            above = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            environment = (place / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if above == parent and f"RANK={rank}".encode() in environment:
            return int(place.name)
    raise AssertionError(f"no process of rank {rank}")


def test_a_run_goes_on_where_a_process_was_killed(pictures: Path, tmp_path: Path) -> None:
    whole, hurt = tmp_path / "whole", tmp_path / "hurt"
    assert start(pictures, whole).wait(timeout=300) == 0
    first = start(pictures, hurt)
    end = time.monotonic() + 300
    while steps(hurt) < 10 and first.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(process_of_rank(1, first.pid), signal.SIGKILL)
    assert first.wait(timeout=300) != 0
    assert 10 <= steps(hurt) < 40
    assert start(pictures, hurt).wait(timeout=300) == 0
    models = [run / "model" / "model.safetensors" for run in (whole, hurt)]
    assert models[0].read_bytes() == models[1].read_bytes()
