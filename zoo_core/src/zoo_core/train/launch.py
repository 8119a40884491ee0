"""The processes of a run: one here, several by Fabric, or those that torchrun has made."""

from __future__ import annotations

import json
import logging
import multiprocessing
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from lightning_fabric import Fabric

from zoo_core import errors
from zoo_core.errors import TrainingError, ZooError
from zoo_core.train.config import RunConfig
from zoo_core.train.devices import launched_outside, make_fabric
from zoo_core.train.disk import save_config
from zoo_core.train.guard import StoppedError
from zoo_core.train.logs import Display, Silent, Terminal
from zoo_core.train.process import Run


def launch(config: RunConfig, out: Path, *, quiet: bool = False) -> Path:
    """Runs a configuration in its processes and waits for the end.

    Raises:
        ZooError: As the run raised it, from whichever process.
    """
    fabric = make_fabric(config.device, config.processes, config.train.precision)
    if config.processes == 1 or launched_outside():
        fabric.launch()
        return run_worker(fabric, config, out, quiet)
    with tempfile.TemporaryDirectory(prefix="zoo-train-") as faults, _relayed() as signals:
        try:
            act = partial(_reporting, config=config, out=out, quiet=quiet, faults=Path(faults))
            model: Path = fabric.launch(act)
        except Exception as fault:  # torch wraps a child's fault in one of several types
            raise _reported(Path(faults), fault, signals) from None
    return model


def run_worker(fabric: Fabric, config: RunConfig, out: Path, quiet: bool) -> Path:
    """What each process does.

    Returns:
        The model directory.
    """
    display: Display = Silent() if quiet else Terminal()
    run = Run(fabric, config, out, display)
    run.restore()
    if run.first:
        save_config(config, out)
    return run.go()


def _reporting(fabric: Fabric, config: RunConfig, out: Path, quiet: bool, faults: Path) -> Path:
    """`run_worker`, leaving word of an error that the user can understand."""
    try:
        return run_worker(fabric, config, out, quiet)
    except ZooError as error:
        (faults / f"{fabric.global_rank:04d}.json").write_text(json.dumps(_packed(error)))
        raise


def _packed(error: ZooError) -> dict[str, Any]:
    fields = ("problem", "asked", "hint", "number", "step", "run")
    return {"type": type(error).__name__, **{f: getattr(error, f, None) for f in fields}}


def _reported(faults: Path, fault: Exception, signals: list[int]) -> Exception:
    """The error of the first process that left word of one, or the fault as it came.

    Args:
        faults: Where the processes leave word.
        fault: What Fabric raised.
        signals: Signals that were passed on to the processes.
    """
    for path in sorted(faults.iterdir()):
        values = json.loads(path.read_text())
        if values["type"] == StoppedError.__name__:
            return StoppedError(values["number"], values["step"], values["run"])
        kind = getattr(errors, values["type"], TrainingError)
        error: ZooError = kind(values["problem"], asked=values["asked"], hint=values["hint"])
        return error
    if signals:
        return TrainingError(
            f"stopped by {signal.Signals(signals[0]).name} before the first step", asked="run"
        )
    return fault


def _hush() -> None:
    """Silences what libraries say about processes; what matters to the user is said by the run."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)


@contextmanager
def _relayed() -> Iterator[list[int]]:
    """Within the block, signals that would end this process ask its children to end instead.

    Yields:
        The signals that came, in their order.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def relay(number: int, frame: FrameType | None) -> None:
        came.append(number)
        for child in multiprocessing.active_children():
            child.terminate()

    before = {number: signal.signal(number, relay) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_hush()  # at import: in a child, Fabric speaks before it calls anything of ours
