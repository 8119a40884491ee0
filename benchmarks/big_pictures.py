"""A picture in windows set against the run on the whole: difference, borders, time and memory.

    python benchmarks/big_pictures.py [MODEL ...] [--size 1696x2304] [--ways own,fast,exact]
        [--megapixels 1] [--precision float32] [--keep FOLDER]

MODEL is a name or a directory, or ``resnet-9``: CycleGAN's generator with nine blocks and random
weights. Each way runs in a process of its own. ``own`` is what tiling usually does: each window by
its own statistics. Differences are means in grey levels of 255; the border is how much steeper the
steepest 16 columns are than in the run on the whole, 1 where there is none.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from benchmarking import Peak, peak_of_zoo
from PIL import Image

import zoo
from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.models.modeldir import build_method
from zoo_testing.photos import apart, photo, steps
from zoo_train.card import Card
from zoo_train.writing import write_model

RESNET = "resnet-9"
WHOLE = "whole"
_ENOUGH = 1_000_000  # megapixels that no picture has


def random_resnet(folder: Path) -> Path:
    """A model directory of CycleGAN's published generator, untrained."""
    torch.manual_seed(0)
    signal = TensorSpec(shape=(3, 256, 256), stride=4)
    config = ModelConfig("cyclegan", {}, Domains(("a", "b")), signal)
    x = torch.rand(1, *signal.shape) * 2 - 1  # (1, 3, 256, 256)
    labels = {name: Condition.of(config.domains, name, 1) for name in config.domains}
    write_model(
        folder,
        build_method(config),
        config,
        card=Card("random", "Untrained."),
        sample_batch=Batch(dict.fromkeys(config.domains, x), labels),
    )
    return folder


def measure(
    model: str, picture: Path, way: str, out: Path, options: argparse.Namespace
) -> tuple[Peak, Image.Image]:
    """Time and memory of one way, and what it made."""
    translator = zoo.load(model)
    bound = _ENOUGH if way == WHOLE else options.megapixels
    command = ["translate", model, str(picture), "--to", translator.domains.names[-1]]
    if translator.method.needs_source:
        command += ["--from", translator.domains.names[0]]
    command += ["--max-megapixels", str(bound), "--precision", options.precision]
    if way != WHOLE:
        command += ["--windows", way]
    peak = peak_of_zoo([*command, "--out", str(out), "--overwrite"])
    with Image.open(out) as image:
        return peak, image.convert("RGB")


def main() -> None:
    """Prints a table per model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["cyclegan-mnist-mnistm", RESNET])
    parser.add_argument("--size", default="1696x2304", help="height x width")
    parser.add_argument("--ways", default="own,fast,exact")
    parser.add_argument("--megapixels", type=float, default=1.0, help="most of one window")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--keep", help="folder for the pictures")
    options = parser.parse_args()
    height, width = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory() as place:
        root = Path(options.keep or place)
        root.mkdir(parents=True, exist_ok=True)
        picture = root / "photo.png"
        Image.fromarray(photo(height, width)).save(picture)
        for name in options.models:
            model = str(random_resnet(Path(place) / RESNET)) if name == RESNET else name
            print(f"\n{name}, {height}×{width}, windows of {options.megapixels} MP,", end=" ")
            print(f"{options.precision}, {torch.get_num_threads()} threads")
            print("| way | difference | border | seconds | times the whole | MiB |")
            print("|---|---|---|---|---|---|", flush=True)
            whole: tuple[Peak, Image.Image] | None = None
            for way in (WHOLE, *options.ways.split(",")):
                peak, made = measure(model, picture, way, root / f"{name}-{way}.png", options)
                whole = whole or (peak, made)
                border = max(_steepest(made, whole[1]), _steepest(_turned(made), _turned(whole[1])))
                print(
                    f"| {way} | {apart(made, whole[1]):.2f} | {border:.2f} | {peak.seconds:.0f} "
                    f"| {peak.seconds / whole[0].seconds:.2f} | {peak.mebibytes:,.0f} |",
                    flush=True,
                )


def _steepest(made: Image.Image, whole: Image.Image) -> float:
    return float(np.max(steps(made, whole, 16)))


def _turned(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.ROTATE_90)


if __name__ == "__main__":
    main()
