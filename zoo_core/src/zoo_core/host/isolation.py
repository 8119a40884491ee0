"""Entry points, and running what plugins wrote so that no fault of theirs reaches anything else."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

from zoo_core.contracts.component import Component
from zoo_core.errors import PluginError, ZooError
from zoo_core.host import hookspecs

T = TypeVar("T")


@dataclass(frozen=True)
class Plugin:
    """A plugin that was found.

    Attributes:
        name: Name of its entry point.
        distribution: Name of the installed distribution, as pip knows it.
        version: Version of the distribution.
        problem: Why it was skipped; None where it works.
        components: What it brings; empty where it was skipped.
        registries: Its registry files.
    """

    name: str
    distribution: str
    version: str
    problem: str | None = None
    components: tuple[Component, ...] = field(default=(), repr=False)
    registries: tuple[Path, ...] = field(default=(), repr=False)

    @property
    def label(self) -> str:
        """Name with the distribution, for messages: ``cyclegan (zoo-cyclegan 0.1.0)``."""
        where = f"{self.distribution} {self.version}".strip()
        return f"{self.name} ({where})" if where else self.name


def isolated(act: Callable[[], T], seconds: float) -> T:
    """The result of ``act``, which may raise anything, print, or never end.

    It runs in a thread of its own, so that a plugin's ``KeyboardInterrupt`` is told from the
    user's. What it prints goes to stderr, since stdout may be read by a program.

    Args:
        act: What to run.
        seconds: How long it may take.

    Raises:
        PluginError: If it raises anything or does not end in time.
    """
    results: list[T] = []
    faults: list[BaseException] = []

    def work() -> None:
        try:
            results.append(act())
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=work, name="zoo-plugin", daemon=True)
    with contextlib.redirect_stdout(sys.stderr):
        thread.start()
        thread.join(seconds)
    if results:
        return results[0]
    if not faults:
        raise PluginError(f"it did not end within {seconds:g} seconds")
    raise PluginError(fault_text(faults[0])) from faults[0]


def resolve(target: str, *, owner: str = "") -> Any:
    """Imports what a lazy target names.

    Args:
        target: ``package.module:Name``.
        owner: Distribution that brings it, for the error.

    Raises:
        PluginError: If the target is malformed or its import fails.
    """
    module, _, name = target.partition(":")
    asked = f"target {target}" + (f" of plugin {owner}" if owner else "")
    if not name:
        raise PluginError('it is not of the form "package.module:Name"', asked=asked)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return getattr(importlib.import_module(module), name)
    except BaseException as error:  # a signal that came meanwhile is no plugin's fault
        if isinstance(error, KeyboardInterrupt) or getattr(error, "exit_code", 0) > 128:
            raise
        raise PluginError(
            f"it cannot be imported: {fault_text(error)}",
            asked=asked,
            hint="Mend or uninstall the plugin.",
        ) from error


def fault_text(fault: BaseException) -> str:
    """What a fault says, in one line, with its type unless it is one of ours."""
    text = " ".join(str(fault).split()).rstrip(".")
    if isinstance(fault, ZooError):
        return text
    return f"{type(fault).__name__}: {text}" if text else type(fault).__name__


def restriction() -> frozenset[str] | None:
    """The plugins that ``ZOO_PLUGINS`` names; None where it is not set."""
    wanted = os.environ.get("ZOO_PLUGINS")
    if wanted is None:
        return None
    return frozenset(name.strip() for name in wanted.split(",") if name.strip())


def installed(group: str) -> Iterator[metadata.EntryPoint]:
    """As `importlib.metadata.entry_points`, which parses what every group of every package says."""
    seen = set()
    for distribution in metadata.distributions():
        text = distribution.read_text("entry_points.txt") or ""
        if f"[{group}]" in text and (name := _headers(distribution)[0]) not in seen:
            seen.add(name)  # of one that is installed twice, what Python would import
            yield from distribution.entry_points.select(group=group)


def found_plugins(
    entries: Iterable[metadata.EntryPoint],
) -> list[tuple[metadata.EntryPoint, Plugin]]:
    """Entry points with whose they are; of one name, first the distribution called after it."""
    pairs = [
        (entry, Plugin(entry.name, *(_headers(entry.dist) if entry.dist else (entry.name, ""))))
        for entry in entries
    ]
    return sorted(pairs, key=lambda pair: _precedence(pair[1]))


def _precedence(plugin: Plugin) -> tuple[str, bool, str]:
    return (plugin.name, plugin.distribution != f"zoo-{plugin.name}", plugin.distribution)


def _headers(distribution: metadata.Distribution) -> tuple[str, str]:
    """Name and version, from the headers alone: metadata holds whole READMEs, parsed each time."""
    lines = (distribution.read_text("METADATA") or "").partition("\n\n")[0].splitlines()
    headers = dict(line.split(": ", 1) for line in lines if ": " in line)
    return headers.get("Name") or distribution.name, headers.get("Version") or distribution.version


def hooks(module: object) -> SimpleNamespace:
    """Functions marked as hooks, found faster than by pluggy; refuses what is only named so."""
    functions = {name: f for name in dir(module) if callable(f := getattr(module, name))}
    marked = {name: f for name, f in functions.items() if hasattr(f, "zoo_impl")}
    for name in functions.keys() - marked:
        if name.startswith("zoo_") and hasattr(hookspecs, name):
            raise PluginError(f"{name} is not marked with @hookimpl")
    return SimpleNamespace(**marked)


def version_of(distribution: str) -> str:
    """Version of an installed distribution."""
    try:
        return _headers(metadata.distribution(distribution))[1]
    except metadata.PackageNotFoundError:
        return "0+unknown"
