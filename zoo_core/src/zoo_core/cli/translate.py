"""``zoo translate``: files, folders and patterns from one domain to another."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo_core.cli import complete
from zoo_core.cli.output import say
from zoo_core.contracts.component import OptionSpec
from zoo_core.errors import UsageError, ZooError
from zoo_core.finding import LeftOut, names
from zoo_core.host.named import open_named
from zoo_core.host.plugins import host
from zoo_core.translate.batch import Runner, Tally, TranslateRequest
from zoo_core.translate.outputs import Entry, expand, plan_outputs, prepare_root

if TYPE_CHECKING:
    from zoo_core.contracts.codec import Codec, Item
    from zoo_core.translate.translator import Translator

_SHOWN = 20
"""Failures that are named one by one."""
_ROWS = 64
"""Inputs that a sheet shows at most."""
_POSITIVE = click.IntRange(min=1)


class _WithOptions(click.Command):
    """A command with the options that installed packages declare, after its own."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own parameters, and an option for each component of kind ``option``."""
        own = super().get_params(ctx)
        taken = {name for parameter in own for name in parameter.opts}
        declared: list[click.Parameter] = [
            click.Option([f"--{name}"], metavar=option.metavar, help=option.summary)
            for name, option in host().components("option").items()
            if isinstance(option, OptionSpec) and f"--{name}" not in taken
        ]
        return [*own, *declared]


@click.command(cls=_WithOptions)
@click.argument("model", shell_complete=complete.models)
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "--to",
    shell_complete=complete.domains,
    help="Target domain, unless there is one only; 'all'; for attributes also A,B=0.",
)
@click.option(
    "--from",
    "source",
    shell_complete=complete.domains,
    help="Domain (or attributes) of the inputs, where it matters.",
)
@click.option(
    "--out",
    default="translated",
    show_default=True,
    help="Output folder; or a file, for one input and one target.",
)
@click.option("--grid", help="Also write one labelled sheet of inputs and outputs to this file.")
@click.option(
    "--size", type=_POSITIVE, help="Working and output size; default: as the model was made for."
)
@click.option("--batch", type=_POSITIVE, default=8, show_default=True, help="Inputs at once.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option(
    "--precision", default="auto", show_default=True, help="auto, float32 (exact) or bfloat16."
)
@click.option("--threads", type=_POSITIVE, help="CPU threads (default: the cores there are).")
@click.option("--overwrite", is_flag=True, help="Replace outputs that are there already.")
@click.option(
    "--max-megapixels",
    type=click.FloatRange(min=0, min_open=True),
    help="Most megapixels (for speech: million frames) at once; larger inputs are tiled.",
)
@click.option(
    "--windows",
    metavar="fast|exact|own",
    default="fast",
    show_default=True,
    help="How parts of larger inputs are made to fit: by the statistics of a reduced copy (fast), "
    "of the whole (exact: several times as long), or not (own).",
)
@click.option(
    "--engine",
    default="auto",
    show_default=True,
    help="What computes: torch, one that `zoo plugins --kinds` names, or auto, the fastest that "
    "pays for as many files.",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Only every N-th input, from the I-th on: N machines share a folder, each with its I.",
)
@click.option("--renderer", help="Another way to make outputs, NAME:key=value: a vocoder, say.")
@click.option("--runner", help="Where to compute, NAME:key=value: ray (zoo-ray), many machines.")
def translate(
    *,
    model: str,
    inputs: tuple[str, ...],
    to: str | None,
    source: str | None,
    out: str,
    grid: str | None,
    size: int | None,
    batch: int,
    device: str,
    precision: str,
    threads: int | None,
    overwrite: bool,
    max_megapixels: float | None,
    windows: str,
    engine: str,
    shard: str | None,
    renderer: str | None,
    runner: str | None,
    **wishes: str | None,
) -> int:
    """Translate INPUTS (files, folders, patterns) with MODEL.

    MODEL is a name from `zoo list`, a model directory, or the directory of a training run. Outputs
    are named STEM_TARGET.png; those of a folder keep its structure. Broken files are reported at
    the end; all others are done.
    """
    from zoo_core.translate.loading import load
    from zoo_core.translate.threads import computing_threads

    opening = partial(
        load, model, device=device, precision=precision, engine=engine, renderer=renderer
    )
    translator, running = opening(), open_named("runner", runner, host()) if runner else Runner()
    wished = {name: wish for name, wish in wishes.items() if wish is not None}
    translator.codec.ask(**wished)
    targets = translator.method.targets
    to = targets[0] if to is None and len(targets) == 1 else to
    if to is None:
        raise UsageError(
            "it is not said where to", asked="--to", hint=f"Choose one of {', '.join(targets)}."
        )
    extent = None if max_megapixels is None else max(1, round(max_megapixels * 1e6))
    request = TranslateRequest(
        parse_target(to, translator),
        None if source is None else parse_target(source, translator),
        size,
        batch,
        extent,
        overwrite,
        wished,
        windows,
    )
    tally = Tally()
    entries, root = _planned(
        translator, running, request, inputs, out=out, grid=grid, left_out=tally.left_out
    )
    _refuse_overwriting(grid, entries)
    count = len(entries)
    entries = _sharded(entries, shard)
    with computing_threads(threads):
        chosen = translator.choose(request.to, request.source, count)
    if engine == "auto" and chosen != "torch":
        say(f"Computed by {chosen} (--engine torch does without).")
    with _progress(len(entries)) as advance, computing_threads(threads):
        running.run(translator, request, entries, root, tally, opening=opening, progress=advance)
    if grid is not None:
        _grid(translator, entries, Path(grid), overwrite)
    _report(tally, root)
    return 1 if tally.failed else 0


def parse_target(text: str, translator: Translator) -> Any:
    """A domain, ``all``, or attributes with their values as a mapping.

    ``Blond_Hair,Male=0`` asks for the first and rules out the second.

    Raises:
        UsageError: If a value is not a number, or an attribute is named twice.
    """
    several = "," in text and translator.domains.kind == "attributes"
    if text in translator.domains or ("=" not in text and not several):
        return text
    values: dict[str, float] = {}
    for part in text.split(","):
        name, mark, value = part.partition("=")
        name = name.strip()
        if name in values:
            raise UsageError(f"{name} is there twice", asked=f"--to {text}")
        try:
            values[name] = float(value) if mark else 1.0
        except ValueError:
            raise UsageError(
                f'"{value}" is not a number', asked=f"--to {text}", hint="Write A,B=0."
            ) from None
    return values


def _planned(
    translator: Translator,
    runner: Runner,
    request: TranslateRequest,
    inputs: Sequence[str],
    *,
    out: str,
    grid: str | None,
    left_out: LeftOut,
) -> tuple[list[Entry], Path]:
    """The inputs with the files of their outputs, and the output folder."""
    codec = runner.codec(translator.codec)
    suffixes = codec.suffixes
    targets = translator.targets(request.to, request.source)
    sheet = os.path.realpath(grid) if grid else None
    sources = [
        source
        for source in expand(inputs, codec, left_out)
        if source.found is None or os.path.realpath(source.file) != sheet
    ]
    path = Path(out)
    if path.name.lower().endswith(tuple(suffixes)) and not path.is_dir():
        if len(sources) != 1 or len(targets) != 1:
            raise UsageError(
                f"one file cannot hold {len(sources)} inputs in {len(targets)} domains",
                asked=f"--out {out}",
                hint="Give a folder.",
            )
        prepare_root(path.parent)
        return [Entry(sources[0], targets, [str(path)])], path.parent
    prepare_root(path)
    entries = plan_outputs(sources, path, targets, codec.output_suffix, left_out)
    if not entries:
        raise UsageError(
            "every file found is an output of this command",
            asked=f"input {' '.join(inputs)}",
            hint="Choose another output folder with --out.",
        )
    return entries, path


def _sharded(entries: Sequence[Entry], shard: str | None) -> list[Entry]:
    """The inputs of one shard; all have their outputs by now, named as one run names them."""
    if shard is None:
        return list(entries)
    number, _, count = shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UsageError(
            "it is no shard", asked=f"--shard {shard}", hint="Write I/N, from 1/N to N/N."
        )
    found = list(entries[int(number) - 1 :: int(count)])
    say(f"Shard {shard}: {len(found)} of {len(entries)} inputs.")
    return found


def _refuse_overwriting(grid: str | None, entries: Sequence[Entry]) -> None:
    """No output and no sheet may replace an input."""
    inputs = {os.path.realpath(entry.source.file) for entry in entries}
    outputs = [file for entry in entries for file in entry.files]
    for path in [*outputs, *([grid] if grid else [])]:
        if os.path.realpath(path) in inputs:
            raise UsageError(
                "it is an input, and inputs are never replaced",
                asked=f"output {path}",
                hint="Choose another name.",
            )


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """A progress bar on the terminal's standard error; nothing where there is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    done = TextColumn("{task.completed:.4g}/{task.total:.0f}")  # of a video also a part of it
    columns = (TextColumn("{task.description}"), BarColumn(), done, TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal or not total) as bar:
        task = bar.add_task("Translating", total=total)
        yield lambda part: bar.advance(task, part)


def _grid(translator: Translator, entries: Sequence[Entry], path: Path, overwrite: bool) -> None:
    """Writes the sheet: a row per input whose outputs are there, as the codec draws them."""
    if path.exists() and not overwrite:
        click.echo(f"Kept {path}, which was there already (--overwrite replaces it).")
        return
    done = [e for e in entries if all(path.is_file() for path in e.outputs.values())]
    if not done:
        return
    # Without the crop that the weights were trained with: the sheet shows whole pictures.
    known = {k: v for k, v in translator.codec.preprocessing.items() if k != "crop_first"}
    codec = type(translator.codec)(translator.codec.spec, known)
    codec.preview(_rows(codec, done[:_ROWS]), ["input", *done[0].outputs], path)
    note = f" of the first {_ROWS} of {len(done)} inputs" if len(done) > _ROWS else ""
    click.echo(f"Sheet{note}: {path}")


def _rows(codec: Codec, entries: Sequence[Entry]) -> Iterator[tuple[str, list[Item]]]:
    for entry in entries:
        try:
            items = [codec.read(p) for p in (entry.source.path, *entry.outputs.values())]
        except (ZooError, OSError):
            continue  # it was reported when it was translated
        yield entry.source.path.stem, items


def _report(tally: Tally, root: Path) -> None:
    """The account: what was written, kept, made anew, left out, and what failed."""
    count = len(tally.written)
    if count == 1:
        say(f"Wrote {tally.written[0]}")
    elif count:
        say(f"Wrote {count} files to {root}/")
    if tally.remade:
        say(f"{len(tally.remade)} of them replace outputs of other inputs, models or options: "
            f"{names([*map(Path, tally.remade)])}")  # fmt: skip
    if tally.kept:
        say(f"Kept {len(tally.kept)} that were there already (--overwrite replaces them).")
    if tally.left_out:
        say(f"Left out {len(tally.left_out)}:")
        for line in tally.left_out.lines():
            say(f"  {line}")
    for line in tally.notes.lines():
        say(f"Note: {line}")
    if tally.failed:
        say(f"{len(tally.failed)} failed:", err=True)
        for error in tally.failed[:_SHOWN]:
            say(f"  {error}", err=True)
        if len(tally.failed) > _SHOWN:
            say(f"  … and {len(tally.failed) - _SHOWN} more.", err=True)
