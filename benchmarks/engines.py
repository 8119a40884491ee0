"""Engines side by side: images per second and distance from float32, on this machine.

    python benchmarks/engines.py stargan     # StarGAN, 128 px, batch 4
    python benchmarks/engines.py cyclegan    # CycleGAN's nine-block generator, 256 px, batch 1
    python benchmarks/engines.py MODEL --batch 8

The plain path is float32, contiguous, eager. Engines take turns, so that other programs disturb all
alike. `cyclegan` has random weights unless --weights names a trained model, since none comes with
the zoo. Prints JSON, a line for each.
"""

import argparse
import contextlib
import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import torch
from benchmarking import psnr, write_pictures
from torch import Tensor

import zoo
from zoo_core.errors import ZooError
from zoo_core.translate.translator import Translator

ENGINES = {
    "plain": ("torch", "float32"),
    "default": ("torch", "auto"),
    "compiled": ("compiled", "auto"),
    "onnxruntime": ("onnxruntime", "float32"),
    "openvino-float32": ("openvino", "float32"),
    "openvino": ("openvino", "auto"),
}
FIGURES = {"stargan": ("stargan-emoji", 4), "cyclegan": (None, 1)}


def untrained(folder: Path) -> Path:
    """CycleGAN at the paper's size with random weights, as a model directory."""
    from zoo_core.catalogue.description import ModelConfig
    from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
    from zoo_core.models.modeldir import build_method
    from zoo_train.card import Card
    from zoo_train.writing import write_model

    torch.manual_seed(0)
    domains, spec = Domains(("a", "b")), TensorSpec(shape=(3, 256, 256), stride=4)
    config = ModelConfig("cyclegan", {"width": 64, "blocks": 9}, domains, spec)
    batch = Batch(
        {name: torch.rand(1, 3, 256, 256) * 2 - 1 for name in domains},
        {name: Condition.of(domains, name, 1) for name in domains},
    )
    card = Card("cyclegan", "CycleGAN with random weights.")
    write_model(folder, build_method(config), config, card=card, sample_batch=batch)
    return folder


@contextlib.contextmanager
def model_of(name: str, weights: str | None) -> Iterator[str]:
    """Name or directory of the model of a figure."""
    with tempfile.TemporaryDirectory() as folder:
        found = weights or FIGURES.get(name, (name, 0))[0]
        yield found or str(untrained(Path(folder) / "cyclegan"))


def call_of(translator: Translator, x: Tensor, target: str) -> Callable[[], Tensor]:
    """Translates ``x`` by the engine of a translator."""
    engine = translator.engine
    label = engine.vector(target)
    source = engine.source(None, label)
    # As it is, whether it agrees or not: random weights exaggerate rounding, and PSNR is printed.
    net: Any = engine if translator._engines is None else translator._engines
    return lambda: net.translate(x, source, label)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", help="stargan, cyclegan, or a model")
    parser.add_argument("--weights", help="a trained model in place of random weights")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--engines", help="just these, with commas")
    parser.add_argument("--threads", type=int, help="CPU threads; 1 measures CPU time")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    with model_of(options.figure, options.weights) as model:
        measure(options, model, clock)


def measure(options: argparse.Namespace, model: str, clock: Callable[[], float]) -> None:
    """Prints a line for each engine."""
    batch = options.batch or FIGURES.get(options.figure, (None, 4))[1]
    calls: dict[str, Callable[[], Tensor]] = {}
    prepared: dict[str, float] = {}
    x = torch.empty(0)
    for name, (engine, precision) in ENGINES.items():
        if options.engines and name not in ("plain", *options.engines.split(",")):
            continue
        begin = time.perf_counter()
        try:
            translator = zoo.load(model, device="cpu", engine=engine, precision=precision)
            target = translator.method.targets[-1]
            if name == "plain":
                x = pictures(translator, batch)
            calls[name] = call_of(translator, x, target)
            calls[name]()
        except ZooError as error:
            print(json.dumps({"engine": name, "error": str(error)}), flush=True)
        prepared[name] = time.perf_counter() - begin
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(options.repeats):
        for name, call in calls.items():
            begin = clock()
            call()
            seconds[name].append(clock() - begin)
    wanted, base = calls["plain"](), median(seconds["plain"])
    facts = {
        "model": options.figure,
        "batch": batch,
        "threads": torch.get_num_threads(),
        "machine": platform.processor() or platform.machine(),
        **{name: metadata.version(name) for name in ("torch", "onnxruntime", "openvino")},
    }
    for name, spent in seconds.items():
        print(
            json.dumps(
                {
                    **facts,
                    "engine": name,
                    "prepared_in_seconds": round(prepared[name], 1),
                    "milliseconds": round(1e3 * median(spent), 1),
                    "ratio": round(base / median(spent), 2),
                    "psnr": round(min(psnr(wanted, calls[name]()), 999), 1),
                }
            )
        )


def pictures(translator: Translator, count: int) -> Tensor:
    """(N, C, H, W) pictures at the model's size."""
    height, width = translator.config.signal.shape[1:]
    with tempfile.TemporaryDirectory() as folder:
        paths = write_pictures(Path(folder), count, (width, height))
        codec = translator.codec
        return torch.stack(
            [
                next(codec.windows(codec.read(path), size=min(height, width))).signal
                for path in paths
            ]
        )


if __name__ == "__main__":
    main()
