"""What the core itself brings, through the same hook as every plugin."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component, Kind, MethodSpec, OptionSpec
from zoo_core.host.hookspecs import hookimpl

PUBLIC = (
    Component("public", "Translator", "zoo_core.translate.translator:Translator", "An open model"),
    Component("public", "hookimpl", "zoo_core.host.hookspecs:hookimpl", "Marks a plugin's hooks"),
    Component("public", "list_models", "zoo_core.translate.loading:list_models", "Ids of models"),
    Component("public", "load", "zoo_core.translate.loading:load", "Open a model"),
)
"""The core's own names of ``import zoo``."""


@hookimpl
def zoo_components() -> Iterable[Component]:
    """The kinds of component that the core uses, and its commands."""
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
