"""The events of a run, of which components of kind ``run-events`` hear; none can break the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.errors import ZooError
from zoo_core.host.isolation import fault_text
from zoo_core.host.plugins import PluginHost, host

if TYPE_CHECKING:
    from zoo_core.contracts.spec import Progress


class RunEvents:
    """What a component of kind ``run-events`` may do; a subclass overrides what it cares for.

    One object is made per run, in its first process, without arguments.
    """

    def started(self, directory: Path, config: Mapping[str, object]) -> None:
        """A run starts or resumes. ``config`` is what its ``config.yaml`` holds."""

    def step_done(self, directory: Path, progress: Progress, values: Mapping[str, float]) -> None:
        """A step that is logged has ended; ``values`` are its losses and rates."""

    def finished(self, directory: Path, model: Path) -> None:
        """The run has ended and written its model directory."""


class Listeners:
    """All that hear of one run.

    Args:
        plugins: The host; None for the process's own.

    Attributes:
        problems: What went wrong since it was last emptied, one sentence per fault.
    """

    def __init__(self, plugins: PluginHost | None = None) -> None:
        self.problems: list[str] = []
        self._listeners: dict[str, RunEvents] = {}
        known = plugins or host()
        for name in known.components("run-events"):
            made = self._guarded(name, "starting", partial(_made, known, name))
            if made is not None:
                self._listeners[name] = made

    def fire(self, event: str, **values: Any) -> list[str]:
        """Tells each listener of one event.

        Args:
            event: Name of a method of `RunEvents`.
            values: Its arguments.

        Returns:
            What went wrong since the last call, one sentence per listener that raised.
        """
        for name, listener in self._listeners.items():
            method = getattr(listener, event)
            self._guarded(name, event, partial(method, **values))
        problems, self.problems = self.problems, []
        return problems

    def _guarded(self, name: str, event: str, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except (Exception, SystemExit) as fault:  # a plugin's fault must not end a run
            text = str(fault) if isinstance(fault, ZooError) else fault_text(fault)
            self.problems.append(f"run-events {name} failed in {event}: {text}")
            return None


def _made(known: PluginHost, name: str) -> RunEvents:
    listener: RunEvents = known.load("run-events", name)()
    return listener
