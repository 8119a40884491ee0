"""How time and memory of ``zoo translate`` grow with the number of pictures.

    python benchmarks/growth.py [--sizes 100,1000,10000,100000] [--ways one,again,shards,ray]
                                [--json FILE] [--plot FILE]

The pictures are 32 pixels wide: hard links to 200 files, which the zoo takes for as many pictures
as there are names. Each run is a process of its own with one thread, in float32 by torch. ``one``
translates a folder, ``again`` finds all outputs there and keeps them, ``shards`` are four
processes with ``--shard I/4`` at once, ``ray`` is a local cluster of two workers. Every way has to
make the same files: none missing, none twice in the records, each equal to the translation of the
file that it is a link to.

Time is CPU time, which other programs disturb less than wall-clock time; what another picture
costs is the difference between two sizes, so that the start of the program does not count. It is
the shortest of ``--repeats`` runs where a run has at most 10,000 pictures. Memory is the peak of a
process, of the largest where there are several.

With ``--json`` the figures are added to those that the file holds, and the verdict and the plot
are of all of them: the largest size may be run apart.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from benchmarking import Peak, peak_of_zoo
from PIL import Image, ImageDraw, ImageFont

from zoo_core.errors import ZooError
from zoo_core.translate.provenance import RECORDS

KINDS, SIDE, SHARDS, WORKERS = 200, 32, 4, 2
BOUND = 0.10
"""By how much a picture may cost more in a large run, and memory may grow."""
WAYS = ("one", "again", "shards", "ray")
COLOURS = {"one": "#0060a8", "again": "#c05000", "shards": "#008050", "ray": "#803090"}
Row = dict[str, Any]


def write_links(folder: Path, kinds: Path, count: int) -> None:
    """Fills a folder with ``count`` links to the pictures in ``kinds``, which it draws."""
    rng = np.random.default_rng(0)
    kinds.mkdir()
    folder.mkdir()
    for number in range(KINDS):
        coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(kinds / f"{number}.png")
    for number in range(count):
        os.link(kinds / f"{number % KINDS}.png", folder / f"{number:06}.png")


def run(way: str, model: str, to: str, root: Path) -> Peak:
    """Translates ``root/in`` in one way; CPU time is summed over its processes.

    Raises:
        ZooError: If a run fails.
    """
    out = root / ("one" if way == "again" else way)
    command = ["translate", model, str(root / "in"), "--to", to, "--out", str(out)]
    command += ["--precision", "float32", "--engine", "torch"]
    if way == "ray":
        return peak_of_zoo([*command, "--runner", f"ray:workers={WORKERS},threads=1"])
    command += ["--threads", "1"]
    if way != "shards":
        return peak_of_zoo(command)
    with ThreadPoolExecutor(SHARDS) as pool:
        shards = [[*command, "--shard", f"{i}/{SHARDS}"] for i in range(1, SHARDS + 1)]
        peaks = list(pool.map(peak_of_zoo, shards))
    return Peak(
        max(peak.mebibytes for peak in peaks),
        max(peak.seconds for peak in peaks),
        sum(peak.cpu for peak in peaks),
    )


def check(folder: Path, to: str, count: int) -> None:
    """Holds the outputs of ``count`` pictures against what they have to be.

    Raises:
        ZooError: If a file is missing, there twice, or another than it should be.
    """
    wanted = {f"{number:06}_{to}.png" for number in range(count)}
    noted = Counter(json.loads(line)["output"] for line in (folder / RECORDS).open())
    made = {path.name for path in folder.iterdir()} - {RECORDS}
    if made != wanted or noted != Counter(wanted):
        raise ZooError(f"{len(made)} files and {noted.total()} records", asked=f"{count} pictures")
    for number in range(count):
        first, this = (folder / f"{n:06}_{to}.png" for n in (number % KINDS, number))
        if digest(this) != digest(first):
            raise ZooError("two translations of one picture differ", asked=str(this))


def digest(path: Path) -> str:
    """Hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def measured(asked: argparse.Namespace, count: int) -> list[Row]:
    """The figures of one size, in all ways."""
    rows = []
    repeats = asked.repeats if count <= 10_000 else 1
    with tempfile.TemporaryDirectory(dir=asked.scratch) as place:
        root = Path(place)
        write_links(root / "in", root / "kinds", count)
        best: dict[str, Peak] = {}
        for turn in range(repeats):
            for way in asked.ways.split(","):
                peak = run(way, asked.model, asked.to, root)
                if way not in best or peak.cpu < best[way].cpu:
                    best[way] = peak
                check(root / ("one" if way == "again" else way), asked.to, count)
            if turn + 1 < repeats:
                for folder in root.glob("[osr]*"):
                    folder.rename(root / f"old-{turn}-{folder.name}")
    for way, peak in best.items():
        row = {"way": way, "pictures": count, "cpu": round(peak.cpu, 2)}
        row |= {"seconds": round(peak.seconds, 2), "mebibytes": round(peak.mebibytes, 1)}
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def of_way(rows: list[Row], way: str) -> list[Row]:
    """The rows of one way, by size."""
    return sorted((row for row in rows if row["way"] == way), key=lambda row: row["pictures"])


def verdict(rows: list[Row], way: str) -> str:
    """What another picture costs, how much memory grows, and whether that is within the bound."""
    found = of_way(rows, way)
    costs = [
        1000 * (b["cpu"] - a["cpu"]) / (b["pictures"] - a["pictures"]) for a, b in pairwise(found)
    ]
    text = f"{way}: {', '.join(f'{cost:.2f}' for cost in costs)} ms of CPU for another picture"
    large = [cost for cost, row in zip(costs, found[1:], strict=False) if row["pictures"] >= 10_000]
    if len(large) > 1:
        growth = large[-1] / large[0] - 1
        text += f", {growth:+.1%} from 10,000 on: {'' if growth <= BOUND else 'not '}linear"
    if len(found) > 1:
        growth = found[-1]["mebibytes"] / found[0]["mebibytes"] - 1
        each = 1024 * (found[-1]["mebibytes"] - found[0]["mebibytes"]) / found[-1]["pictures"]
        text += f"; memory {growth:+.1%} ({each:.2f} KiB a picture): "
        text += f"{'' if growth <= BOUND else 'not '}flat"
    return text


def plot(rows: list[Row], path: Path) -> None:
    """Draws CPU time and memory against the number of pictures."""
    image = Image.new("RGB", (1240, 520), "white")
    draw = ImageDraw.Draw(image)
    panel(draw, rows, 90, "cpu", "CPU time (s)")
    panel(draw, rows, 700, "mebibytes", "peak memory of a process (MiB)")
    image.save(path, optimize=True)


def panel(draw: ImageDraw.ImageDraw, rows: list[Row], left: int, column: str, title: str) -> None:
    """One pair of axes: the number of pictures on a logarithmic axis, and so is time."""
    font = ImageFont.load_default(18)
    width, top, height = 480, 60, 380
    sizes = [row["pictures"] for row in rows]
    low, high = np.log10(min(sizes)), np.log10(max(sizes))
    values = [row[column] for row in rows]
    logarithmic = column == "cpu"
    floor = np.floor(np.log10(min(values))) if logarithmic else 0.0
    ceiling = np.ceil(np.log10(max(values))) if logarithmic else 1.25 * max(values)

    def at(pictures: float, value: float) -> tuple[float, float]:
        x = left + width * (np.log10(pictures) - low) / max(high - low, 1e-9)
        y = (np.log10(value) if logarithmic else value) - floor
        return float(x), float(top + height * (1 - y / (ceiling - floor)))

    draw.text((left, 20), title, fill="black", font=font)
    marks = (
        [10.0**power for power in range(int(floor), int(ceiling) + 1)]
        if logarithmic
        else list(np.arange(0.0, ceiling, 200.0))
    )
    for mark in marks:
        y = at(min(sizes), mark)[1]
        draw.line((left, y, left + width, y), fill="#dddddd")
        draw.text((left - 8, y), f"{mark:,.0f}", fill="black", font=font, anchor="rm")
    for size in sorted(set(sizes)):
        x = at(size, marks[-1])[0]
        draw.text((x, top + height + 10), f"{size:,}", fill="black", font=font, anchor="mt")
    draw.text((left + width / 2, top + height + 36), "pictures", "black", font, anchor="mt")
    for number, (way, colour) in enumerate(COLOURS.items()):
        points = [at(row["pictures"], row[column]) for row in of_way(rows, way)]
        if not points:
            continue
        draw.line(points, fill=colour, width=3)
        for x, y in points:
            draw.ellipse((x - 5, y - 5, x + 5, y + 5), fill=colour)
        legend = top + 6 if logarithmic else top + height - 120
        draw.text((left + 10, legend + 24 * number), way, fill=colour, font=font)


def main() -> None:
    """Prints a line of JSON for each way and size, and the verdict of each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="shallow-mnist-mnistm")
    parser.add_argument("--to", default="mnistm")
    parser.add_argument("--sizes", default="100,1000,10000", help="numbers, with commas")
    parser.add_argument("--ways", default=",".join(WAYS), help="with commas; one before again")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--scratch", help="folder for the pictures")
    parser.add_argument("--json", type=Path, help="file to add the figures to")
    parser.add_argument("--plot", type=Path, help="PNG to draw")
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    rows: list[Row] = []
    if asked.json and asked.json.is_file():
        rows = json.loads(asked.json.read_text())
    for count in map(int, filter(None, asked.sizes.split(","))):
        for row in measured(asked, count):
            same = (row["way"], row["pictures"])
            rows = [r for r in rows if (r["way"], r["pictures"]) != same] + [row]
        if asked.json:
            asked.json.write_text(json.dumps(rows, indent=1) + "\n")
    for way in WAYS:
        if of_way(rows, way):
            print(verdict(rows, way))
    if asked.plot and rows:
        plot(rows, asked.plot)


if __name__ == "__main__":
    main()
