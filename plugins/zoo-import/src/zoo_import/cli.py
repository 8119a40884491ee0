"""``zoo import``: foreign checkpoints into a model directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

SHOWN = 8
"""Things left out of a file that are named."""


@click.command("import")
@click.argument("files", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Model directory.")
@click.option("--format", "layout", default="auto", show_default=True, help="Layout of the files.")
@click.option(
    "--domain",
    "domains",
    multiple=True,
    help="Name of a domain or attribute, once for each, in the order of the training; a file of "
    "one direction leads from the first to the second. Some layouts have names of their own.",
)
@click.option("--kind", type=click.Choice(["domains", "attributes"]), help="What they are.")
@click.option("--exclusive", multiple=True, help="Attributes that exclude each other: A,B,C.")
@click.option("--size", type=click.IntRange(min=1), help="Size of the pictures as trained.")
@click.option("--crop", type=click.IntRange(min=1), help="Centre crop ahead of it (CelebA: 178).")
@click.option("--key", help="The state dict in each file that says no other by FILE:KEY.")
@click.option("--licence", default="not stated", show_default=True, help="Of the weights.")
@click.option("--origin", default="", help="Where the weights come from, for the card.")
def import_command(
    *,
    files: tuple[str, ...],
    out: Path,
    layout: str,
    domains: tuple[str, ...],
    kind: Any,
    exclusive: tuple[str, ...],
    size: int | None,
    crop: int | None,
    key: str | None,
    licence: str,
    origin: str,
) -> None:
    """Make a model directory of checkpoints that others trained.

    FILES are state dicts of torch, wrapped or not, safetensors, or folders of .npy arrays;
    NET=FILE says which net a file holds, where several would fit, FILE:KEY which state dict of a
    file is meant, with dots between the names of its levels. Nothing in them is executed.
    """
    from zoo_core.cli.output import say
    from zoo_core.host.plugins import host
    from zoo_import.files import ImportRequest, import_files

    groups = tuple(tuple(name.strip() for name in group.split(",")) for group in exclusive)
    request = ImportRequest(domains, kind, groups, size, crop, licence, origin)
    made = import_files(files, out, request, layout=layout, key=key, host=host())
    options = ", ".join(f"{name}={value}" for name, value in made.config.options.items())
    say(f"{', '.join(dict.fromkeys(made.layouts))}: {made.config.method}, {options}")
    for name, count in made.nets.items():
        say(f"  {name}: {count:,} values")
    for name, things in made.left_out.items():
        rest = f" and {len(things) - SHOWN} more" if len(things) > SHOWN else ""
        say(f"  left out of {name}: {', '.join(things[:SHOWN])}{rest}")
    say(f"Wrote {out}; it was loaded again and translated a signal")
