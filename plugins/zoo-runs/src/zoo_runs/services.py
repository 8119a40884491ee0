"""Trackers that hand a run to a service, or to files that its programs read later."""

from __future__ import annotations

import importlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError, ZooError
from zoo_train.events import RunEvents, Sampled

_SECRETS = ("WANDB_API_KEY", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
"""Variables of the environment whose values are never told."""
_MOST_PARAMETERS = 100
"""Parameters that MLflow takes at once."""


class WandB(RunEvents):
    """A run of Weights & Biases, which resumes where the run does.

    ``WANDB_MODE=offline`` keeps it in ``RUN/log/wandb``, for ``wandb sync``; ``WANDB_PROJECT``
    names the project. Neither the code nor what is printed is sent.
    """

    def __init__(self) -> None:
        self.wandb = _package("wandb", "wandb")
        self.run: Any = None

    def started(self, directory: Path, config: Mapping[str, object], progress: Progress) -> None:
        """Begins a run of the service, or goes on with that of this directory."""
        noted = directory / "log" / "wandb-run.txt"
        with _told("wandb"):
            self.run = self.wandb.init(
                project=os.environ.get("WANDB_PROJECT", "zoo"),
                name=directory.resolve().name,
                id=_noted(noted) if progress.step else None,
                resume="allow",
                dir=str(directory / "log"),
                config=dict(config),
                settings=self.wandb.Settings(console="off", disable_git=True, save_code=False),
            )
            # Steps that a killed run repeats would be refused as steps of the service's own count.
            self.run.define_metric("*", step_metric="step")
            noted.write_text(self.run.id, encoding="utf-8")

    def step_done(self, directory: Path, progress: Progress, values: Mapping[str, float]) -> None:
        """Hands over the values of a logged step."""
        self._log({"step": progress.step, **values})

    def sampled(self, directory: Path, progress: Progress, sampled: Sampled) -> Iterable[str]:
        """Hands over the sheet of samples, where it is a picture."""
        if sampled.sheet.is_file():
            self._log({"step": progress.step, "samples": self.wandb.Image(str(sampled.sheet))})
        return ()

    def closed(self, directory: Path) -> None:
        """Ends the service's run, which waits until all is handed over."""
        if self.run is not None:
            with _told("wandb"):
                self.run.finish()
            self.run = None

    def _log(self, values: Mapping[str, object]) -> None:
        if self.run is not None:
            with _told("wandb"):
                self.run.log(dict(values))


class MLflow(RunEvents):
    """A run of MLflow, which resumes where the run does.

    It is written where ``MLFLOW_TRACKING_URI`` says, which may be a folder or a server, and else in
    ``RUN/log/mlruns``; ``MLFLOW_EXPERIMENT_NAME`` names the experiment.
    """

    def __init__(self) -> None:
        self.mlflow = _package("mlflow", "mlflow")
        self.client: Any = None
        self.id = ""

    def started(self, directory: Path, config: Mapping[str, object], progress: Progress) -> None:
        """Begins a run of the service, or goes on with that of this directory."""
        noted = directory / "log" / "mlflow-run.txt"
        place = os.environ.get("MLFLOW_TRACKING_URI")
        if not place:
            place = (directory / "log" / "mlruns").resolve().as_uri()
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # folders are asked for by it
        with _told("mlflow"):
            self.client = self.mlflow.MlflowClient(place)
            earlier = _noted(noted) if progress.step else None
            if earlier is None:
                self.id = self._begun(directory.resolve().name, config)
                noted.write_text(self.id, encoding="utf-8")
            else:
                self.id = earlier
                self.client.update_run(self.id, status="RUNNING")

    def step_done(self, directory: Path, progress: Progress, values: Mapping[str, float]) -> None:
        """Hands over the values of a logged step."""
        now = int(time.time() * 1000)
        with _told("mlflow"):
            self.client.log_batch(
                self.id,
                metrics=[
                    self.mlflow.entities.Metric(_key(name), value, now, progress.step)
                    for name, value in values.items()
                ],
            )

    def sampled(self, directory: Path, progress: Progress, sampled: Sampled) -> Iterable[str]:
        """Hands over the sheet of samples, where it is a picture."""
        if sampled.sheet.is_file():
            with _told("mlflow"):
                self.client.log_artifact(self.id, str(sampled.sheet), "samples")
        return ()

    def closed(self, directory: Path) -> None:
        """Ends the service's run, as killed where `finished` does not follow."""
        self._end("KILLED")

    def finished(self, directory: Path, model: Path) -> None:
        """Says that the run has come to its end."""
        self._end("FINISHED")

    def _begun(self, name: str, config: Mapping[str, object]) -> str:
        experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", "zoo")
        known = self.client.get_experiment_by_name(experiment)
        number = self.client.create_experiment(experiment) if known is None else known.experiment_id
        run: str = self.client.create_run(number, run_name=name).info.run_id
        parameters = [
            self.mlflow.entities.Param(_key(key), str(value)) for key, value in _leaves(config)
        ]
        for begin in range(0, len(parameters), _MOST_PARAMETERS):
            self.client.log_batch(run, params=parameters[begin : begin + _MOST_PARAMETERS])
        return run

    def _end(self, status: str) -> None:
        if self.id:
            with _told("mlflow"):
                self.client.set_terminated(self.id, status)


def _package(name: str, extra: str) -> Any:
    """A package that only one tracker needs; raises `UsageError` where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as fault:
        raise UsageError(
            f"the package {name} is not installed",
            asked=f"tracker {name}",
            hint=f'Install it: pip install "zoo-runs[{extra}]".',
        ) from fault


@contextmanager
def _told(service: str) -> Iterator[None]:
    """Turns what a service's package raises into a sentence without secrets."""
    try:
        yield
    except Exception as fault:
        text = str(fault) or type(fault).__name__
        for name in _SECRETS:
            if secret := os.environ.get(name):
                text = text.replace(secret, "…")
        raise ZooError(text.strip().rstrip("."), asked=f"tracker {service}") from None


def _noted(path: Path) -> str | None:
    """The number of the service's run that an earlier start has noted."""
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def _key(name: str) -> str:
    """A name as MLflow takes it: ``loss/generator/a->b`` has a sign that it does not."""
    return re.sub(r"[^\w\-. :/]+", "-", name)


def _leaves(values: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """The settings of a configuration by their dotted names."""
    if not isinstance(values, Mapping):
        yield prefix, values
        return
    for key, value in values.items():
        yield from _leaves(value, f"{prefix}.{key}" if prefix else str(key))
