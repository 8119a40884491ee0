"""A run's ``config.yaml``, and faults of the disk in words: what could not be written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo_core.errors import TrainingError, ZooError
from zoo_core.train.config import RunConfig

CONFIG = "config.yaml"


@contextmanager
def writing(what: str, run: Path) -> Iterator[None]:
    """Turns faults of the disk within the block into a `TrainingError`.

    Args:
        what: What is written, such as ``samples``.
        run: Directory of the run.
    """
    try:
        yield
    except TrainingError:
        raise
    except (OSError, RuntimeError, ZooError) as fault:
        cause = disk_fault(fault)
        if cause is None:
            raise
        raise TrainingError(
            f"cannot be written: {cause}; earlier checkpoints are intact",
            asked=f"{what} of run {run}",
            hint=f"Free space or mend the permissions, then zoo train --resume {run}.",
        ) from fault


def disk_fault(fault: BaseException | None) -> str | None:
    """In words, why a file could not be written; None where the fault is of another kind."""
    while fault is not None:
        if isinstance(fault, OSError):
            return fault.strerror or str(fault)
        if "PytorchStreamWriter" in str(fault):  # torch wraps a failed write
            return "the disk may be full"
        fault = fault.__cause__ or fault.__context__
    return None


def save_config(config: RunConfig, out: Path) -> None:
    """Writes a run's ``config.yaml``, whole or not at all."""
    with writing(CONFIG, out):
        aside = out / f".{CONFIG}.part"
        aside.write_text(config.to_yaml(), encoding="utf-8")
        aside.replace(out / CONFIG)
