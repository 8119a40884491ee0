"""What share of the time of a folder is the nets' own: translation against pure compute.

    python benchmarks/share.py MODEL --to DOMAIN [--count 200] [--size 128] [--threads 1]

Pure compute is the same engine on the same pictures as tensors in memory, in batches as large as
those of the folder; the rest is reading, decoding, writing PNGs, and notes of what they were made
from. The two take turns, in one process, on a model that is loaded. With one thread it is CPU time
of the whole process, which others disturb little and which no overlap hides; with more it is
wall-clock time, in which reading and writing overlap with computing: measure that on a quiet
machine. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from benchmarking import write_pictures

import zoo
from zoo_core.finding import LeftOut
from zoo_core.translate.batch import Tally, TranslateRequest, translate_files
from zoo_core.translate.outputs import expand, plan_outputs
from zoo_core.translate.streaming import EXTENT
from zoo_core.translate.translator import Translator


def batches(translator: Translator, paths: list[Path], most: int) -> list[torch.Tensor]:
    """The pictures (N, C, H, W), as the stream puts them together."""
    codec = translator.codec
    signals = [window.signal for path in paths for window in codec.windows(codec.read(path))]
    together = max(1, min(most, EXTENT // signals[0][0].numel()))
    return [torch.stack(signals[i : i + together]) for i in range(0, len(signals), together)]


def folder_of(translator: Translator, paths: list[Path], to: str, most: int) -> Callable[[], None]:
    """Translates the files, as ``zoo translate`` does."""
    request = TranslateRequest(to, None, None, most, None, overwrite=True)

    def run() -> None:
        with tempfile.TemporaryDirectory() as place:
            root, left_out, tally = Path(place), LeftOut(), Tally()
            sources = expand([str(path) for path in paths], translator.codec, left_out)
            entries = plan_outputs(sources, root, [to], lambda path: ".png", left_out)
            translate_files(translator, request, entries, root, tally)
            if len(tally.written) != len(paths):
                raise SystemExit(f"{len(tally.failed)} files failed: {tally.failed[:1]}")

    return run


def pure_of(translator: Translator, paths: list[Path], to: str, most: int) -> Callable[[], None]:
    """Translates the same pictures, held in memory."""
    held, engine = batches(translator, paths, most), translator.engine
    label = engine.vector(to)
    source = engine.source(None, label)

    def run() -> None:
        net = translator.net or engine
        for x in held:
            net.translate(x, source, label)

    return run


def main() -> None:
    """Prints seconds of both and the share."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--to", required=True)
    parser.add_argument("--engine", default="torch")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    clock = time.process_time if asked.threads == 1 else time.perf_counter
    translator = zoo.load(asked.model, device="cpu", engine=asked.engine, precision=asked.precision)
    spent: dict[str, list[float]] = {"folder": [], "pure": []}
    with tempfile.TemporaryDirectory() as place:
        paths = write_pictures(Path(place), asked.count, (asked.size, asked.size))
        runs = {
            "folder": folder_of(translator, paths, asked.to, asked.batch),
            "pure": pure_of(translator, paths, asked.to, asked.batch),
        }
        folder_of(translator, paths[: asked.batch], asked.to, asked.batch)()  # the first is slower
        for _ in range(asked.repeats):
            for name, run in runs.items():
                begin = clock()
                run()
                spent[name].append(clock() - begin)
    seconds = {name: round(statistics.median(each), 3) for name, each in spent.items()}
    share = round(seconds["pure"] / seconds["folder"], 3)
    print(json.dumps({**vars(asked), "seconds": seconds, "share": share}))


if __name__ == "__main__":
    main()
