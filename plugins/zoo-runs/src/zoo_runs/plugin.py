"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """Trackers, what looks at every run, what ends one, and what explains options."""
    return [
        Component(
            "command",
            "options",
            "zoo_runs.options.command:options",
            "Explain what can be set.",
        ),
        Component(
            "tracker",
            "tensorboard",
            "zoo_runs.trackers:TensorBoard",
            "TensorBoard's event files in RUN/log",
        ),
        Component(
            "run-control", "time", "zoo_runs.time_limit:TimeLimit", "End after 90s, 30m or 1h30m."
        ),
        Component(
            "command", "compare", "zoo_runs.compare.command:compare", "Show runs on one page."
        ),
        Component("command", "sweep", "zoo_runs.sweep.command:sweep", "Search for settings."),
        Component("tracker", "csv", "zoo_runs.trackers:Csv", "RUN/log/stats.csv"),
        Component(
            "tracker",
            "wandb",
            "zoo_runs.services:WandB",
            "Weights & Biases, with the samples (extra wandb)",
        ),
        Component(
            "tracker",
            "mlflow",
            "zoo_runs.services:MLflow",
            "MLflow, with the samples (extra mlflow)",
        ),
        Component(
            "run-events",
            "data-checks",
            "zoo_runs.data_checks:DataChecks",
            "Warns of data that is there twice, of few signals and of uneven domains",
        ),
        Component(
            "run-events",
            "alarms",
            "zoo_runs.alarms:Alarms",
            "Warns of inverted colours and of collapse",
        ),
        Component(
            "run-events",
            "lasting-alarms",
            "zoo_runs.lasting:LastingAlarms",
            "Warns of a critic that has won, and of translations that ignore their target",
        ),
        Component(
            "run-events",
            "whole-samples",
            "zoo_runs.whole_samples:WholeSamples",
            "Translates whole inputs, where parts say little",
        ),
    ]
