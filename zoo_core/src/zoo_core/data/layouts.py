"""Folders whose signals have attributes, as data sources recognise them by what lies in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from zoo_core.errors import DataError, PluginError


class AttributeTable(Protocol):
    """Which attributes each signal of a folder has."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the attributes."""

    @property
    def rows(self) -> Mapping[str, tuple[bool, ...]]:
        """For each file's name, whether each attribute holds."""

    def column(self, name: str) -> int:
        """Position of an attribute; an unknown one is an error with the near match."""

    def exclusive_groups(self, wanted: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Groups of the wanted attributes of which at most one can hold."""


class Layout(Protocol):
    """A folder that a data source has recognised."""

    @property
    def root(self) -> Path:
        """The folder."""

    @property
    def signals(self) -> Path:
        """Folder of the signals' files."""

    def read(self, split: str, suffixes: Sequence[str]) -> tuple[AttributeTable, list[Path]]:
        """The attributes, and the files of one split.

        Args:
            split: ``train``, ``val``, ``test``, or ``all``.
            suffixes: Suffixes of the files that count.

        Raises:
            DataError: If the folder contradicts itself.
        """


class AttributeSource(Protocol):
    """A data source that recognises folders of its own layout."""

    def recognise(self, root: Path) -> Layout | None:
        """The parts of a folder in this layout; None where the folder is in another one.

        Raises:
            DataError: If the folder is in this layout, but lacks a part of it.
        """


def find_layout(root: Path) -> Layout | None:
    """The layout that one of the installed data sources recognises in a folder, or None."""
    for source in _sources().values():
        layout = source.recognise(root)
        if layout is not None:
            return layout
    return None


def require_layout(root: Path) -> Layout:
    """As `find_layout`.

    Raises:
        DataError: If no data source recognises the folder.
    """
    layout = find_layout(root)
    if layout is None:
        raise DataError(
            "it has no list of attributes",
            asked=f"folder {root}",
            hint=f"Layouts with attributes: {_known()}.",
        )
    return layout


def _sources() -> dict[str, AttributeSource]:
    """The installed data sources that recognise folders, by name."""
    from zoo_core.plugins import host

    found: dict[str, AttributeSource] = {}
    for name in host().components("zoo_datasets"):
        try:
            source = host().component("zoo_datasets", name)
        except PluginError:
            continue  # said where the source is asked for by its name
        if hasattr(source, "recognise"):
            found[name] = source
    return found


def _known() -> str:
    from zoo_core.plugins import host

    known = host().components("zoo_datasets")
    return "; ".join(known[name].summary for name in _sources()) or "none installed"
