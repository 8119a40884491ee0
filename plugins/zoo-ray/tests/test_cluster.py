"""A cluster of two workers on this machine gives what one process gives, whoever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo_core.cli import run

pytest.importorskip("ray", reason="Ray, which zoo-ray needs, is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="it reads /proc"),
]

MODEL = ["shallow-mnist-mnistm", "--to", "mnistm", "--precision", "float32", "--engine", "torch"]
RAY = ["--runner", "ray:workers=2,threads=1"]


def translation(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "zoo_core", "translate", *MODEL, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def workers_of(root: int) -> list[int]:
    """Processes below one that are workers which translate."""
    parents, names = {}, {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            names[int(place.name)] = (place / "cmdline").read_text()
        except OSError:
            continue  # it has ended
        parents[int(place.name)] = int(fields[1])
    return [
        pid
        for pid, name in names.items()
        if name.startswith("ray::MapWorker") and _below(pid, root, parents)
    ]


def _below(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid in parents and pid != root:
        pid = parents[pid]
    return pid == root


def test_with_a_worker_killed_no_file_is_missing_and_none_there_twice(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(600):
        pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / f"{number:03}.png")
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    one, many = tmp_path / "one", tmp_path / "many"
    arguments = [str(tmp_path / "in"), "--batch", "1"]
    assert run(["translate", *MODEL, *arguments, "--out", str(one), "--threads", "1"]) == 1
    started = translation(*arguments, "--out", str(many), *RAY)
    end = time.monotonic() + 300
    while len(files(many)) < 40 and started.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    victims = workers_of(started.pid)
    os.kill(victims[0], signal.SIGKILL)
    then = len(files(many))
    said, _ = started.communicate(timeout=300)
    assert 0 < then < 600  # it was killed in the middle
    assert "Wrote 600 files" in said
    assert "1 failed:" in said
    assert "broken.png" in said
    assert started.returncode == 1
    assert files(many) == files(one)
    # A worker that dies while it writes leaves a part, which the first run a day later removes.
    names = {path.name for path in many.iterdir() if not fnmatch(path.name, ".zoo-*.part")}
    assert names == {path.name for path in one.iterdir()}
    lines = (many / "zoo-outputs.jsonl").read_text().splitlines()
    assert len({json.loads(line)["output"] for line in lines}) == 600


def test_shards_of_a_pattern_are_translated_and_kept_the_second_time(
    shard: Path, tmp_path: Path
) -> None:
    (tmp_path / "shards").mkdir()
    for number in range(3):
        (tmp_path / "shards" / f"{number}.tar").write_bytes(shard.read_bytes())
    arguments = [f"{tmp_path}/shards/*.tar", "--out", str(tmp_path / "out"), *RAY]
    said, _ = translation(*arguments).communicate(timeout=300)
    assert "Wrote 3 files" in said
    assert "3 failed:" in said  # the broken picture of each
    found = sorted((tmp_path / "out").glob("*.tar"))
    assert [path.name for path in found] == [f"{number}_mnistm.tar" for number in range(3)]
    with tarfile.open(found[0]) as archive:
        assert sum(name.endswith(".png") for name in archive.getnames()) == 11
    again, _ = translation(*arguments).communicate(timeout=300)
    assert "Kept 3" in again


def test_an_address_where_no_cluster_answers_is_named(pictures: Path, tmp_path: Path) -> None:
    runner = ["--runner", "ray:address=127.0.0.1:9"]
    started = translation(str(pictures), "--out", str(tmp_path / "out"), *runner)
    said, _ = started.communicate(timeout=300)
    assert started.returncode == 2
    assert "runner ray, address 127.0.0.1:9" in said
    assert "Traceback" not in said
