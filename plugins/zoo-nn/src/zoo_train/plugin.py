"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component, Kind, LossSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """The kinds of component that a run uses, and the command that starts one."""
    return [
        Kind(
            "loss", "zoo_core.contracts.method:Loss", "Losses for zoo train --loss", spec=LossSpec
        ),
        Kind("defence", "zoo_core.contracts.method:Defence", "Defences for zoo train --defence"),
        Kind("source", "", "Kinds of data source, named NAME: in front of a source"),
        Kind("run-events", "zoo_train.events:RunEvents", "Objects that follow every run"),
        Kind(
            "tracker",
            "zoo_train.events:RunEvents",
            "Where the losses of a run are noted, for zoo train --tracker",
        ),
        Kind(
            "step-runner",
            "zoo_train.step_runner:StepRunner",
            "How the steps of a run are made, for --set train.speed",
        ),
        Kind(
            "run-control",
            "zoo_train.controls:RunControl",
            "What measures a run on its way or ends it: zoo train --NAME",
        ),
        Component(
            "command", "train", "zoo_train.command:train", "Train a method on unpaired domains."
        ),
        Component(
            "command",
            "export-run",
            "zoo_train.export_run:export_run",
            "Write the model of a checkpoint.",
        ),
        Component("public", "train", "zoo_train.start:train", "Train a method, as zoo train does"),
    ]
