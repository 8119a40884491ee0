"""The whole plugin contract: three hooks, each optional; and what the core itself brings by them.

An entry module imports no torch: targets of components are lazy strings ``"package.module:Name"``,
imported when they are first used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pluggy

from zoo_core.contracts.component import Component, Kind, MethodSpec, OptionSpec

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


PUBLIC = (
    Component("public", "Translator", "zoo_core.translate.translator:Translator", "An open model"),
    Component("public", "hookimpl", "zoo_core.host.hookspecs:hookimpl", "Marks a plugin's hooks"),
    Component("public", "list_models", "zoo_core.translate.loading:list_models", "Ids of models"),
    Component("public", "load", "zoo_core.translate.loading:load", "Open a model"),
)
"""The core's own names of ``import zoo``."""


@hookimpl(specname="zoo_components")
def core_components() -> Iterable[Component]:
    """What the core itself brings: the kinds of component that it uses, and its commands."""
    own = Component(
        "windows", "own", "zoo_core.contracts.windows:WindowStatistics", "Each window by itself"
    )
    return [*_kinds(), own, *_commands(), *PUBLIC]


def _kinds() -> Iterable[Kind]:
    return [
        Kind("method", "zoo_core.contracts.method:Method", "Ways to translate", spec=MethodSpec),
        Kind("codec", "zoo_core.contracts.codec:Codec", "Kinds of signal: reading and writing"),
        Kind("model-source", "zoo_core.contracts.model_source:ModelSource", "Whence models come"),
        Kind("renderer", "", "Ways to make translated signals perceivable, for --renderer"),
        Kind("option", "", "What a user may ask of zoo translate: --NAME VALUE", spec=OptionSpec),
        Kind("windows", "zoo_core.contracts.windows:WindowStatistics", "What --windows shares"),
        Kind("engine", "zoo_core.translate.engines:EngineChoice", "What computes, for --engine"),
        Kind("runner", "zoo_core.translate.batch:Runner", "Where zoo translate --runner computes"),
        Kind("command", "click:Command", "Commands of zoo"),
        Kind("public", "", "Names of import zoo"),
    ]


def _commands() -> Iterable[Component]:
    here = "zoo_core.cli"
    return [
        Component("command", "list", f"{here}.catalogue:list_command", "List models or methods."),
        Component("command", "info", f"{here}.catalogue:info", "Describe a model or a method."),
        Component("command", "translate", f"{here}.translate:translate", "Translate files."),
        Component("command", "plugins", f"{here}.plugins:plugins", "List plugins and problems."),
    ]
