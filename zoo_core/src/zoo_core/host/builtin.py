"""What the core itself brings, through the same hook as every plugin."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.spec import Component, Kind, LossSpec, MethodSpec, OptionSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """The kinds of component that the core uses, and its commands."""
    own = Component(
        "windows", "own", "zoo_core.contracts.windows:WindowStatistics", "Each window by itself"
    )
    return [*_kinds(), own, *_commands()]


def _kinds() -> Iterable[Kind]:
    return [
        Kind("method", "zoo_core.contracts.method:Method", "Ways to translate", spec=MethodSpec),
        Kind(
            "loss", "zoo_core.contracts.method:Loss", "Losses for zoo train --loss", spec=LossSpec
        ),
        Kind("defence", "zoo_core.contracts.method:Defence", "Defences for zoo train --defence"),
        Kind(
            "codec",
            "zoo_core.contracts.codec:Codec",
            "Kinds of signal: how they are read and written",
        ),
        Kind(
            "model-source",
            "zoo_core.models.sources:ModelSource",
            "Where models come from that are not on this machine",
        ),
        Kind("renderer", "", "Ways to make translated signals perceivable, for --renderer"),
        Kind("option", "", "What a user may ask of zoo translate: --NAME VALUE", spec=OptionSpec),
        Kind("source", "", "Kinds of data source, named NAME: in front of a source"),
        Kind("run-events", "zoo_core.train.events:RunEvents", "Objects that follow every run"),
        Kind(
            "tracker",
            "zoo_core.train.events:RunEvents",
            "Where the losses of a run are noted, for zoo train --tracker",
        ),
        Kind(
            "step-runner",
            "zoo_core.train.step_runner:StepRunner",
            "How the steps of a run are made, for --set train.speed",
        ),
        Kind(
            "windows",
            "zoo_core.contracts.windows:WindowStatistics",
            "What windows of large signals are normalised by, for --windows",
        ),
        Kind(
            "engine",
            "zoo_core.translate.engines:EngineChoice",
            "What computes translations, for zoo translate --engine",
        ),
        Kind("command", "click:Command", "Commands of zoo"),
    ]


def _commands() -> Iterable[Component]:
    here = "zoo_core.cli"
    return [
        Component("command", "list", f"{here}.catalogue:list_command", "List models or methods."),
        Component("command", "info", f"{here}.catalogue:info", "Describe a model or a method."),
        Component("command", "translate", f"{here}.translate:translate", "Translate files."),
        Component("command", "train", f"{here}.train:train", "Train a method on unpaired domains."),
        Component("command", "plugins", f"{here}.plugins:plugins", "List plugins and problems."),
    ]
