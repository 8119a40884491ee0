"""``zoo-run``: files, folders and patterns through an exported model."""

from __future__ import annotations

import argparse
import io
import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from zoo_runtime.text import printable

if TYPE_CHECKING:
    from zoo_runtime.model import ExportedModel
    from zoo_runtime.pictures import Picture


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line; 0 where all is done, 1 where files failed, 2 where nothing began."""
    options = _parser().parse_args(arguments)
    from zoo_runtime.model import ExportedModel, RunError  # the help needs none of it

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a console may lack letters
    warnings.filterwarnings("ignore", module=r"PIL\.")  # what is damaged is told in notes
    try:
        model = ExportedModel(options.model, threads=options.threads)
        return _translate(model, options)
    except RunError as fault:
        _say(f"Error: {fault}", sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _say(text: str, stream: TextIO | None = None) -> None:
    """Prints a line; foreign names in it cannot steer the terminal."""
    print(printable(text), file=stream or sys.stdout, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo-run",
        description="Translate pictures with a model that zoo export wrote. Outputs are named "
        "STEM_TARGET.png; those of a folder keep its structure. Broken files are reported at the "
        "end; all others are done.",
    )
    number, text = {"type": _positive, "metavar": "N"}, {"metavar": "NAME"}
    parser.add_argument("model", help="NAME.onnx, or NAME.xml for OpenVINO")
    parser.add_argument("inputs", nargs="+", help="files, folders, patterns")
    parser.add_argument("--to", **text, help="target; 'all'; for attributes also A,B=0")
    parser.add_argument("--out", default="translated", help="output folder (%(default)s)")
    parser.add_argument("--size", **number, help="working and output size, the shorter side")
    parser.add_argument("--batch", **number, default=8, help="inputs at once (%(default)s)")
    parser.add_argument("--threads", **number, help="CPU threads")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that are there")
    parser.add_argument("--max-megapixels", type=float, help="of a picture as the nets see it")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return value


def _translate(model: ExportedModel, options: argparse.Namespace) -> int:
    import numpy as np

    from zoo_runtime.model import RunError
    from zoo_runtime.pictures import finished, write
    from zoo_runtime.places import expand, planned

    to = options.to or (model.targets[0] if len(model.targets) == 1 else None)
    if to is None:
        hint = f"Choose one of {', '.join(model.targets)}."
        raise RunError("it is not said where to", asked="--to", hint=hint)
    targets = model.targets if to == "all" and "all" not in model.domains else [to]
    for target in targets:
        model.target(target)  # a wrong one is said before anything is read
    names = {_described(target): target for target in targets}
    written, kept = 0, 0
    failed: list[str] = []
    notes: list[str] = []
    todo, left_out = [], []
    inputs = list(expand(options.inputs, left_out))
    for path, outputs in planned(inputs, Path(options.out), list(names)):
        missing = {n: p for n, p in outputs.items() if options.overwrite or not p.exists()}
        kept += len(outputs) - len(missing)
        todo += [(path, missing)] if missing else []
    for batch in _batches(model, todo, options, failed, notes):
        pixels = np.stack([each[2] for each in batch])  # (N, h, w, 3)
        try:
            made = {name: model.translate(pixels, target) for name, target in names.items()}
        except RunError as fault:
            failed += [f"{path}: {fault}" for outputs, *_ in batch for path in outputs.values()]
            continue
        for row, (outputs, picture, _) in enumerate(batch):
            for name, path in outputs.items():
                try:
                    image = finished(picture, made[name][row], model, options.size)
                    write(image, path, picture.options)
                    written += 1
                except RunError as fault:
                    failed.append(str(fault))
    _say(f"Wrote {written} files to {options.out}/")
    if kept:
        _say(f"Kept {kept} that were there already (--overwrite replaces them).")
    if left_out:
        first = ", ".join(str(path) for path in left_out[:3])
        more = ", ..." if len(left_out) > 3 else ""
        _say(f"Left out {len(left_out)} that are no picture read here: {first}{more}")
    for line in notes:
        _say(f"Note: {line}", sys.stderr)
    for line in [f"{len(failed)} failed:", *failed] if failed else []:
        _say(line, sys.stderr)
    return 1 if failed else 0


def _batches(
    model: ExportedModel,
    todo: Sequence[tuple[Path, dict[str, Path]]],
    options: argparse.Namespace,
    failed: list[str],
    notes: list[str],
) -> Iterator[list[tuple[dict[str, Path], Picture, object]]]:
    """Pictures of one size that go through the nets together, with the files of their outputs."""
    from zoo_runtime.model import RunError
    from zoo_runtime.pictures import read, seen

    asked = options.max_megapixels
    bound = model.window if asked is None else max(1, round(asked * 1e6))
    batch: list[tuple[dict[str, Path], Picture, object]] = []
    before: tuple[int, ...] = ()
    for path, outputs in todo:
        try:
            picture = read(path)
            pixels = seen(picture, model, options.size, bound)
        except RunError as fault:
            failed.append(f"{path}: {fault.problem}. {fault.hint}".rstrip())
            continue
        notes += [f"{path}: {note}" for note in picture.notes]
        most = max(1, min(options.batch, model.window // math.prod(pixels.shape[:2])))
        if batch and (pixels.shape != before or len(batch) >= most):
            yield batch
            batch = []
        batch.append((outputs, picture, pixels))
        before = pixels.shape
    if batch:
        yield batch


def _described(target: str) -> str:
    """A name for a target, as files carry it: ``Blond_Hair+no-Male``."""
    pairs = (part.partition("=")[::2] for part in target.split(","))
    values = ((name.strip(), float(value or 1)) for name, value in pairs)
    return "+".join(
        name if value == 1 else f"no-{name}" if value == 0 else f"{name}-{value:g}"
        for name, value in values
    )
