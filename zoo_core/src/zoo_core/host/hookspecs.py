"""The whole plugin contract: three hooks, each optional. An entry module imports no torch.

Targets of components are lazy strings ``"package.module:Name"``, imported when they are first used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pluggy

from zoo_core.contracts.component import Component

hookspec = pluggy.HookspecMarker("zoo")
hookimpl = pluggy.HookimplMarker("zoo")


@hookspec
def zoo_components() -> Iterable[Component]:  # type: ignore[empty-body]
    """All that the plugin brings: methods, losses, metrics, commands, kinds of its own …

    Called once, when anything asks for a component. ``zoo plugins --kinds`` lists the kinds; what
    a component of each kind must be stands in docs/plugins.md.
    """


@hookspec
def zoo_models() -> Iterable[Path]:  # type: ignore[empty-body]
    """Paths of registry files; embedded weights are named relative to the file."""


@hookspec(firstresult=True)
def zoo_open_reference(
    reference: str | None, entry: Mapping[str, object] | None, file: Path | None
) -> Path | None:
    """Opens weights of a foreign format: the model directory that they were converted to.

    Called for a name on the Hub (``org/repo[@revision][:file]``) before it is taken for a model
    directory; for a ``file`` on this machine that is named as a model, with its path; and for a
    model of the catalogue whose weights have a foreign format, with its registry entry and its
    verified ``file``. None where the plugin does not know it: the next one is asked.
    """
