"""The events of a run: what trackers and other components hear of; none can break the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo_core.contracts.codec import Codec
from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError, ZooError
from zoo_core.host.isolation import fault_text
from zoo_core.host.plugins import host
from zoo_core.translate.engine import Engine
from zoo_train.data.dataset import DataSet
from zoo_train.samples import Samples

DEFAULT_TRACKER = "tensorboard"
"""Name of the tracker of runs that ask for none."""


@dataclass(frozen=True)
class Sampled:
    """The samples of a run after some step.

    Attributes:
        codec: Reads, draws and writes the run's kind of signal.
        engine: Translates as the exported model would.
        data: The run's training data.
        samples: The inputs of the grid.
        outputs: Their translations (N, *S), by source and target.
        sheet: Where the grid is. What belongs to it goes into the folder of its name without
            suffix; a ``sheet.png`` there is shown on the model's card instead of the grid.
    """

    codec: Codec
    engine: Engine
    data: DataSet
    samples: Samples
    outputs: Mapping[str, Mapping[str, Tensor]]
    sheet: Path


class RunEvents:
    """What a component of kind ``run-events`` or ``tracker`` may do; all of it is optional.

    One object is made per run, in its first process, without arguments: of every component of kind
    ``run-events``, and of the trackers that the run asks for.
    """

    def opened(self, directory: Path, data: DataSet) -> Iterable[str]:
        """The data of a run was opened; gives warnings for the user, a sentence each."""
        return ()

    def started(self, directory: Path, config: Mapping[str, object], progress: Progress) -> None:
        """A run starts, or resumes after some steps; ``config`` is that of ``config.yaml``."""

    def step_done(
        self, directory: Path, progress: Progress, values: Mapping[str, float]
    ) -> Iterable[str] | None:
        """A step that is logged has ended; ``values`` are its losses and rates.

        May give warnings, as `sampled` does.
        """
        return None

    def sampled(self, directory: Path, progress: Progress, sampled: Sampled) -> Iterable[str]:
        """Samples were translated and drawn; gives warnings for the user, a sentence each."""
        return ()

    def finished(self, directory: Path, model: Path) -> None:
        """The run has ended and written its model directory."""

    def closed(self, directory: Path) -> None:
        """The loop has ended, be it early: time to close files. No step follows."""


class Listeners:
    """All that hear of one run.

    Args:
        trackers: Names of the trackers that the run asks for; None for `DEFAULT_TRACKER`, where it
            is installed.

    Raises:
        UsageError: If there is no tracker of a name, or one cannot be had.
    """

    def __init__(self, trackers: Iterable[str] | None = None) -> None:
        if trackers is None:
            trackers = {DEFAULT_TRACKER} & host().components("tracker").keys()
        wanted = [("run-events", name) for name in host().components("run-events")]
        wanted += [("tracker", host().find("tracker", name).name) for name in trackers]
        self._problems: list[str] = []
        self._listeners: dict[str, RunEvents] = {}
        for kind, name in wanted:
            label = f"{kind} {name}"
            try:
                self._listeners[label] = host().load(kind, name)()
            except (Exception, SystemExit) as fault:
                if kind == "tracker" and isinstance(fault, UsageError):
                    raise  # it was asked for, and cannot be had
                self._problems.append(_failed(label, "starting", fault))

    def fire(self, event: str, **values: Any) -> list[str]:
        """Tells each listener of one event.

        Args:
            event: Name of a method of `RunEvents`.
            values: Its arguments.

        Returns:
            Warnings: those that listeners gave, and a sentence for each that raised.
        """
        warnings, self._problems = self._problems, []
        for label, listener in self._listeners.items():
            try:
                warnings += getattr(listener, event)(**values) or ()
            except (Exception, SystemExit) as fault:  # a plugin's fault must not end a run
                warnings.append(_failed(label, event, fault))
        return warnings


def _failed(label: str, event: str, fault: BaseException) -> str:
    text = str(fault) if isinstance(fault, ZooError) else fault_text(fault)
    return f"{label} failed in {event}: {text}"
