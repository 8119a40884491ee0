"""What a run may be asked for that measures it on its way, keeps models, or ends it early."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo_core.contracts.codec import Codec
from zoo_core.contracts.spec import Progress
from zoo_core.host.named import make_named, parse_named
from zoo_core.host.plugins import host
from zoo_core.translate.engine import Engine
from zoo_train.config import RunConfig
from zoo_train.data.dataset import DataSet


@dataclass(frozen=True)
class Moment:
    """A run after some step, and what a control may do with it.

    Attributes:
        directory: Directory of the run.
        config: The run's configuration.
        progress: How far it is.
        codec: Reads the run's kind of signal as the exported model will.
        data: The training data.
        engine: Gives what translates as the model would, were it exported now.
        export: Writes the model as it is now into a directory; what is there is replaced.
        record: Notes values of this step, such as ``{"validation/l1": 0.3}``, in
            ``log/stats.jsonl`` and for the run's trackers.
        note: Tells the user something.
    """

    directory: Path
    config: RunConfig
    progress: Progress
    codec: Codec
    data: DataSet
    engine: Callable[[], Engine]
    export: Callable[[Path], None]
    record: Callable[[Mapping[str, float]], None]
    note: Callable[[str], None]


class RunControl:
    """What a component of kind ``run-control`` may do; keyword arguments are its options.

    ``--NAME key=value,…`` of ``zoo train`` makes one for the run, in its first process; of a text
    without ``=`` the first option takes the whole. Nothing that it does may change what the steps
    compute. It was asked for, so that whatever it raises ends the run.
    """

    def started(self, moment: Moment) -> None:
        """The run begins, or goes on; raises a `ZooError` where it does not fit the run."""

    def stepped(self, moment: Moment) -> str | None:
        """A step was made. A text ends the run after it, as its last, and says why."""
        return None


def make_controls(asked: Mapping[str, str]) -> list[RunControl]:
    """The controls of a run.

    Args:
        asked: The text of each control's options, by name.

    Raises:
        UsageError: For an unknown name or option, or a value that does not fit.
    """
    return [_made(host().find("run-control", name).name, text) for name, text in asked.items()]


def _made(name: str, text: str) -> RunControl:
    cls: type[RunControl] = host().load("run-control", name)
    if "=" in text:
        _, values = parse_named(f"{name}:{text}", "run control")
    else:
        _, first, *_ = inspect.signature(cls.__init__).parameters
        values = {first: text}
    return make_named(cls, values, asked=f"--{name} {text}")
