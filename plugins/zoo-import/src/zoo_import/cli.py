"""``zoo import``: foreign checkpoints into a model directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


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
@click.option("--key", help="Name of the state dict, where a file holds several.")
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
    NET=FILE says which net a file holds, where several would fit. Nothing in them is executed.
    """
    from zoo_core.host.plugins import host
    from zoo_import.files import ImportRequest, import_files

    groups = tuple(tuple(name.strip() for name in group.split(",")) for group in exclusive)
    request = ImportRequest(domains, kind, groups, size, crop, licence, origin)
    made = import_files(files, out, request, layout=layout, key=key, host=host())
    options = ", ".join(f"{name}={value}" for name, value in made.config.options.items())
    click.echo(f"{', '.join(dict.fromkeys(made.layouts))}: {made.config.method}, {options}")
    for name, count in made.nets.items():
        click.echo(f"  {name}: {count:,} values")
    click.echo(f"Wrote {out}")
