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
from urllib.parse import urlsplit
from urllib.request import url2pathname

from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError, ZooError
from zoo_core.files import replacing
from zoo_core.untrusted import read_text
from zoo_train.events import RunEvents, Sampled

_SECRETS = re.compile(r"KEY|TOKEN|PASSW|SECRET|CREDENTIAL", re.IGNORECASE)
"""In the names of variables of the environment whose values are never told."""
_SHORTEST_SECRET = 6
"""Signs of a value that is looked for; a shorter one would be found in any word."""
_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What services number their runs by. A run may be a stranger's, and its notes end in addresses."""
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
            _note(noted, self.run.id)

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
            number = _noted(noted) if progress.step else None
            if number is None:
                number = self._begun(directory.resolve().name, config)
                _note(noted, number)
            else:
                self.client.update_run(number, status="RUNNING")
            if place.startswith("file:"):
                _require_inside(place, self.client.get_run(number).info.artifact_uri)
            self.id = number

    def step_done(self, directory: Path, progress: Progress, values: Mapping[str, float]) -> None:
        """Hands over the values of a logged step."""
        if not self.id:
            return
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
        if self.id and sampled.sheet.is_file():
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
        for name, value in os.environ.items():
            if _SECRETS.search(name) and len(value) >= _SHORTEST_SECRET:
                text = text.replace(value, "…")
        raise ZooError(text.strip().rstrip("."), asked=f"tracker {service}") from None


def _noted(path: Path) -> str | None:
    """The number of the service's run that an earlier start has noted; None where none is."""
    text = read_text(path, error=ZooError).strip() if path.is_file() else ""
    return text if _NUMBER.fullmatch(text) else None


def _note(path: Path, number: str) -> None:
    with replacing(path) as part:
        part.write_text(number, encoding="utf-8")


def _require_inside(store: str, place: str) -> None:
    """Refuses a run whose files MLflow would put outside of the folder of its store."""
    folder, files = urlsplit(store), urlsplit(place)
    inside = Path(url2pathname(files.path)).resolve().is_relative_to(url2pathname(folder.path))
    if files.scheme not in ("", "file") or files.netloc or not inside:
        raise ValueError(f"its files would go to {place}; remove {url2pathname(folder.path)}")


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
