"""Speed, agreement and memory of translation, on a trained model.

    python benchmarks/inference.py MODEL [--inputs FOLDER] [--skip-memory]

Prints images per second in plain float32 and in the default precision of this machine, the PSNR
between their outputs, and the peak memory of 100 and 1,000 pictures and of a 4,000×3,000 one.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from benchmarking import fastest, peak_of_zoo, psnr, write_pictures

import zoo
from zoo_core.finding import find_files
from zoo_core.translate.translator import Translator


def signals(translator: Translator, folder: Path, count: int) -> torch.Tensor:
    """(N, C, H, W) pictures of a folder at the model's size, as the nets see them."""
    size = min(translator.config.signal.shape[1:])
    found = []
    for path in find_files(folder, translator.codec.suffixes).files:
        window = next(translator.codec.windows(translator.codec.read(path), size=size))
        if window.signal.shape == translator.config.signal.shape:
            found.append(window.signal)
        if len(found) == count:
            break
    return torch.stack(found)


def speed(model: str, folder: Path, batch: int, repeats: int) -> None:
    """Prints images per second and PSNR."""
    exact = zoo.load(model, device="cpu", precision="float32")
    default = zoo.load(model)
    x = signals(exact, folder, batch)
    targets = exact.engine.targets(exact.domains.names[-1], None)
    target = next(iter(targets.values()))
    source = exact.engine.source(exact.domains.names[0], target)
    calls = {
        "float32 eager": lambda: exact.engine.translate(x, source, target),
        "default": lambda: default.engine.translate(x, source, target),
    }
    seconds = fastest(calls, repeats)
    rates = {name: len(x) / value for name, value in seconds.items()}
    dtype = str(default.precision).removeprefix("torch.")
    print(f"model               {model}, {tuple(x.shape[1:])}, batch {len(x)}")
    print(f"threads             {torch.get_num_threads()}")
    print(f"float32 eager       {rates['float32 eager']:8.1f} images/s")
    print(f"default             {rates['default']:8.1f} images/s ({dtype} on {default.device})")
    print(f"ratio               {rates['default'] / rates['float32 eager']:8.2f}")
    quick = zoo.load(model, device="cpu", precision="bfloat16")
    outputs = {"default": calls["default"](), "bfloat16": quick.engine.translate(x, source, target)}
    for name, output in outputs.items():
        print(f"PSNR to float32     {psnr(calls['float32 eager'](), output):8.1f} dB ({name})")


def memory(model: str, few: int, many: int) -> None:
    """Prints the peak memory of folders and of one large picture."""
    translator = zoo.load(model)
    height, width = translator.config.signal.shape[1:]
    target = translator.domains.names[-1]
    extra = ["--from", translator.domains.names[0]] if translator.method.needs_source else []
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        peaks = []
        for count in (few, many):
            write_pictures(root / str(count), count, (width, height))
            out = ["--to", target, *extra, "--out", str(root / f"out{count}")]
            peaks.append(peak_of_zoo(["translate", model, str(root / str(count)), *out]))
            print(f"{count:5} pictures      {peaks[-1].mebibytes:8.0f} MiB")
        print(f"ratio               {peaks[1].mebibytes / peaks[0].mebibytes:8.2f}")
        large = write_pictures(root / "large", 1, (4000, 3000))[0]
        out = ["--to", target, *extra, "--out", str(root / "out")]
        peak = peak_of_zoo(["translate", model, str(large), *out])
        print(f"4000x3000           {peak.mebibytes:8.0f} MiB, {peak.seconds:.0f} s")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="name from `zoo list`, or a directory")
    parser.add_argument("--inputs", type=Path, help="folder of pictures; default: made ones")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--few", type=int, default=100)
    parser.add_argument("--many", type=int, default=1000)
    parser.add_argument("--skip-memory", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = options.inputs or Path(place)
        if options.inputs is None:
            height, width = zoo.load(options.model).config.signal.shape[1:]
            write_pictures(folder, options.batch, (width, height))
        speed(options.model, folder, options.batch, options.repeats)
    if not options.skip_memory:
        memory(options.model, options.few, options.many)


if __name__ == "__main__":
    main()
