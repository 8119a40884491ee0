"""Entry points, and running what plugins wrote so that no fault of theirs reaches anything else."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from zoo_core.contracts.spec import Component
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
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if getattr(error, "exit_code", 0) > 128:  # a signal that came meanwhile: no plugin's fault
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


def found_plugins(
    entries: Iterable[metadata.EntryPoint],
) -> list[tuple[metadata.EntryPoint, Plugin]]:
    """Entry points with whose they are; of one name, first the distribution called after it."""
    pairs = [(entry, Plugin(entry.name, *_distribution(entry))) for entry in entries]
    return sorted(pairs, key=lambda pair: _precedence(pair[1]))


def _precedence(plugin: Plugin) -> tuple[str, bool, str]:
    return (plugin.name, plugin.distribution != f"zoo-{plugin.name}", plugin.distribution)


def _distribution(entry: metadata.EntryPoint) -> tuple[str, str]:
    """Name and version, from the headers alone: metadata holds whole READMEs, parsed each time."""
    if entry.dist is None:
        return entry.name, ""
    lines = (entry.dist.read_text("METADATA") or "").partition("\n\n")[0].splitlines()
    headers = dict(line.split(": ", 1) for line in lines if ": " in line)
    return headers.get("Name") or entry.dist.name, headers.get("Version") or entry.dist.version


def refuse_unmarked(module: object) -> None:
    """Refuses a function that is named like a hook and not marked as one."""
    for name in (name for name in dir(hookspecs) if name.startswith("zoo_")):
        value = getattr(module, name, None)
        if callable(value) and not hasattr(value, "zoo_impl"):
            raise PluginError(f"{name} is not marked with @hookimpl")


def version_of(distribution: str) -> str:
    """Version of an installed distribution."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "0+unknown"
