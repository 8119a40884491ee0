"""What a run is, fully resolved: method, options, sources and loop settings.

Importing this module imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo_core.catalogue.description import Pretrained
from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError, printable
from zoo_core.schema import fill, plain, write_yaml
from zoo_core.untrusted import read_yaml_file
from zoo_train.changes import CHANGEABLE, Change

FORMAT = 1
"""Version of a run's ``config.yaml``."""
EVERY = ("log_every", "sample_every", "checkpoint_every", "snapshot_every")
FREE = ("device", "processes", "speed", "threads", "trackers", "steps", *EVERY)
"""Settings that a resumed run may change, since what its steps compute does not depend on them."""


@dataclass(frozen=True)
class RunConfig:
    """All that a run needs, fully resolved; a run's ``config.yaml`` holds it.

    Attributes:
        method: Name of the method.
        preset: Name of the preset that it started from.
        options: All options of the method as plain values.
        domains: Source of each domain, by name.
        data: Root that holds all domains, or attributes, in one layout; None for none.
        order: Names in whose order the domains of ``data`` are taken, where it has just these:
            those of the model whose weights the run starts from; empty for the alphabet's.
        attributes: Attributes to learn, where ``data`` has attribute lists.
        signal: Form of the signals.
        train: The loop's settings.
        extra_losses: Losses added to the method's, each as ``NAME:key=value,...``.
        defence: What translations go through on their way back, in order, each in the same form.
        device: Device as the user named it.
        processes: Processes that share each batch.
        threads: Threads of each process on the CPU; None for as many as there are cores for.
        trackers: Names of the trackers that note how the run goes; None for the default one, where
            it is installed.
        pretrained: The model whose weights the run starts from; None where they are drawn.
        controls: What measures the run on its way or ends it: options as text, by name.
        changes: What was changed on its way; the other settings are those of its last steps.
    """

    method: str
    preset: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    domains: dict[str, str] = field(default_factory=dict)
    data: str | None = None
    order: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    signal: TensorSpec = field(default_factory=TensorSpec)
    train: TrainConfig = field(default_factory=TrainConfig)
    extra_losses: tuple[str, ...] = ()
    defence: tuple[str, ...] = ()
    device: str = "auto"
    processes: int = 1
    threads: int | None = None
    trackers: tuple[str, ...] | None = None
    pretrained: Pretrained | None = None
    controls: dict[str, str] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()

    def to_yaml(self) -> str:
        """The text of ``config.yaml``."""
        return write_yaml({"format": FORMAT, **plain(self)})

    @classmethod
    def read(cls, path: Path) -> RunConfig:
        """Reads a run's ``config.yaml``.

        Raises:
            UsageError: If it is missing, damaged, or of another format.
        """
        return cls.of(read_settings(path), asked=str(path))

    @classmethod
    def of(cls, values: Mapping[str, Any], *, asked: str) -> RunConfig:
        """From plain values; raises `UsageError` where they do not fit."""
        return fill(cls, values, asked=asked, lenient=True)

    def uses(self) -> list[str]:
        """In words, what of this machine the run reads, and what it hands its progress to.

        A run may be a stranger's, whose configuration then decides that.
        """
        reads = [f"{name} from {source}" for name, source in self.domains.items()]
        reads += [] if self.data is None else [f"data from {self.data}"]
        reads += [] if self.pretrained is None else [f"weights of {self.pretrained.model}"]
        reads += [
            f"{key} from {value}"
            for key, value in _leaves(self.options)
            if isinstance(value, str) and Path(value).name != value
        ]
        takes = [f"--{name} {text}" for name, text in self.controls.items()]
        takes += [f"--loss {text}" for text in self.extra_losses]
        takes += [f"--tracker {name}" for name in self.trackers or ()]
        parts = {"reads": reads, "takes": takes}
        return [
            printable(f"as its config.yaml says, it {what} {', '.join(each)}")
            for what, each in parts.items()
            if each
        ]

    def differences(self, other: RunConfig) -> list[str]:
        """In words, what another configuration has changed, apart from `FREE` and `CHANGEABLE`.

        Sources may lie elsewhere: a resumed run compares what they hold.
        """
        return [
            f"{key} is {mine!r}, asked is {theirs!r}"
            for key, (mine, theirs) in self._unequal(other).items()
            if not CHANGEABLE.fullmatch(key)
        ]

    def continued(self, earlier: RunConfig, step: int) -> RunConfig:
        """The same with all that was changed on its way.

        Args:
            earlier: The run's configuration for its last steps.
            step: How many steps were done.
        """
        before = [replace(change, step=min(step, change.step)) for change in earlier.changes]
        now = [
            Change(step, key, *values)
            for key, values in earlier._unequal(self).items()
            if CHANGEABLE.fullmatch(key)
        ]
        return replace(self, changes=(*before, *now))

    def _unequal(self, other: RunConfig) -> dict[str, tuple[Any, Any]]:
        """The values that differ and are not `FREE`, here and there, by key."""
        mine, theirs = dict(_leaves(plain(self))), dict(_leaves(plain(other)))
        free = {key for key in mine | theirs if key.rpartition(".")[2] in (*FREE, "data")}
        free |= {"pretrained.model", "pretrained.name"}  # it may lie elsewhere, too
        free |= {key for key in mine.keys() & theirs.keys() if key.startswith("domains.")}
        free |= {key for key in mine | theirs if key.partition(".")[0] in ("controls", "changes")}
        return {
            key: (mine.get(key), theirs.get(key))
            for key in sorted((mine | theirs).keys() - free)
            if mine.get(key) != theirs.get(key)
        }


def read_settings(path: Path) -> dict[str, Any]:
    """The plain values of a ``config.yaml``, or of a part of one."""
    values = read_yaml_file(path, error=UsageError)
    version = values.pop("format", FORMAT)
    if version != FORMAT:
        raise UsageError(f"its format is {version!r}, this version reads {FORMAT}", asked=str(path))
    return values


def _leaves(values: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if not isinstance(values, dict):
        return [(prefix, values)]
    return [
        leaf
        for key, value in values.items()
        for leaf in _leaves(value, f"{prefix}.{key}" if prefix else key)
    ]
