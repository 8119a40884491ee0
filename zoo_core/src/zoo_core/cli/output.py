"""What the catalogue's commands share: tables that fit the terminal, sizes, and broken plugins."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from zoo_core.catalogue.registry import Registry
from zoo_core.errors import printable
from zoo_core.host.plugins import PluginHost

if TYPE_CHECKING:
    from rich.console import Console

_NARROWEST = 40
"""Columns below which nothing is wrapped any further."""


def say(text: str, *, err: bool = False) -> None:
    """Prints a line; what came from files, servers or plugins cannot steer the terminal."""
    click.echo(printable(text), err=err)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[str] = ()) -> None:
    """Prints rows under headings, wrapped between words to the width of the terminal.

    Args:
        columns: Headings.
        rows: One text per column.
        right: Headings of columns that are aligned to the right.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    texts = [[printable(cell) for cell in row] for row in rows]
    result = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, header_style="bold")
    console = _console()
    room = console.width - 3 * len(columns) + 1  # what padding and rules leave
    widths = _widths([columns, *texts], [column in right for column in columns], room)
    for column, width in zip(columns, widths, strict=True):
        justify: Any = "right" if column in right else "left"
        result.add_column(column, justify=justify, overflow="fold", width=width)
    for row in texts:
        result.add_row(*map(Text, row))
    console.print(result)


def _widths(rows: Sequence[Sequence[str]], whole: Sequence[bool], room: int) -> list[int]:
    """Widths of columns within ``room``: the widest gives way, down to its longest word.

    Args:
        rows: Texts of the cells, headings included.
        whole: Columns that are not broken between words either, such as numbers with units.
        room: Columns of the terminal that there are.
    """
    from rich.cells import cell_len

    columns = [
        [line for cell in column for line in cell.split("\n")] for column in zip(*rows, strict=True)
    ]
    widths = [max(map(cell_len, column)) for column in columns]
    spare = [
        0 if keep else width - max(cell_len(word) for line in column for word in line.split(" "))
        for column, width, keep in zip(columns, widths, whole, strict=True)
    ]
    while sum(widths) > room and any(spare):
        widest = max((n for n, left in enumerate(spare) if left), key=lambda n: widths[n])
        widths[widest] -= 1
        spare[widest] -= 1
    return widths


def facts(rows: Iterable[tuple[str, str]]) -> None:
    """Prints names and values, one pair a line, leaving out the empty ones."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        if value:
            grid.add_row(Text(printable(name)), Text(printable(value)))
    _console().print(grid)


def _console() -> Console:
    """A console as wide as the terminal, but never too narrow for names beside their values."""
    from rich.console import Console

    console = Console(highlight=False)
    console.width = max(_NARROWEST, console.width)
    return console


def as_json(value: Any) -> None:
    """Prints JSON on the standard output, escaped where that cannot hold any text."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    is_utf8 = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    safe = is_utf8 and printable(text) == text
    click.echo(text if safe else json.dumps(value, indent=2))


def report_broken(host: PluginHost, registry: Registry | None = None) -> None:
    """Names every broken plugin and registry on the standard error."""
    for plugin in host.problems:
        say(f"zoo: plugin {plugin.label} is skipped: {plugin.problem}", err=True)
    for problem in registry.problems if registry else ():
        say(f"zoo: models of {problem.distribution} are skipped: {problem.text}", err=True)


def size_text(size: int | None) -> str:
    """A size in bytes for people: ``4.3 MB``."""
    if size is None:
        return "?"
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
