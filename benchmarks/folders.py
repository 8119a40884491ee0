"""CPU time of translating a folder of ordinary pictures, here and in another environment.

    python benchmarks/folders.py MODEL --to DOMAIN [--against PYTHON] [--pngs 80] [--jpegs 24]
        [--pairs 7]

The folder holds PNGs and JPEGs of 8 bits, of 64 to 256 pixels. Each run is ``zoo translate`` in a
process of its own, in float32 with one thread; the environments take turns, and which begins
changes, so that another process that disturbs one disturbs both. ``--against`` is the interpreter
of the other one, such as that of an older checkout.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from benchmarking import peak_of_zoo
from PIL import Image


def write_folder(folder: Path, pngs: int, jpegs: int) -> None:
    """Writes PNGs and JPEGs of 8 bits, of many shapes."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(pngs + jpegs):
        height, width = (int(side) for side in rng.integers(64, 257, 2))
        coarse = rng.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:04}{'.png' if number < pngs else '.jpg'}")


def main() -> None:
    """Prints the CPU time of each run and, for two environments, the ratio of each pair."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--to", required=True)
    parser.add_argument("--against", metavar="PYTHON")
    parser.add_argument("--pngs", type=int, default=80)
    parser.add_argument("--jpegs", type=int, default=24)
    parser.add_argument("--pairs", type=int, default=7)
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    pythons = {"here": sys.executable} | ({"against": asked.against} if asked.against else {})
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        write_folder(root / "pictures", asked.pngs, asked.jpegs)
        command = ["translate", asked.model, str(root / "pictures"), "--to", asked.to]
        command += ["--precision", "float32", "--overwrite", "--out"]

        def seconds(name: str) -> float:
            return peak_of_zoo([*command, str(root / name)], pythons[name]).cpu

        for name in pythons:
            seconds(name)  # compiled modules and files are in the caches from here on
        times: dict[str, list[float]] = {name: [] for name in pythons}
        for pair in range(asked.pairs):
            for name in list(pythons)[:: -1 if pair % 2 else 1]:
                times[name].append(seconds(name))
            print("  ".join(f"{name} {run[-1]:6.2f} s" for name, run in times.items()), flush=True)
    for name, run in times.items():
        print(f"{name:8} median {statistics.median(run):6.2f} s of CPU, fastest {min(run):6.2f} s")
    if asked.against:
        ratios = [a / b for a, b in zip(times["here"], times["against"], strict=True)]
        print(f"ratio    median {statistics.median(ratios):6.3f} of {len(ratios)} pairs")


if __name__ == "__main__":
    main()
