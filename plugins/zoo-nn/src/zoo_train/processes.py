"""A run in several processes of this machine: started, ended together, and their errors told."""

from __future__ import annotations

import logging
import multiprocessing
from functools import partial
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from zoo_core.errors import ZooError
from zoo_train.guard import StopFlag, StoppedError

# What libraries say about processes is said by the run. At import: in a child, Fabric speaks
# before it calls anything of ours.
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)


def launch(fabric: Fabric, act: partial[Path], out: Path) -> Path:
    """Runs ``act`` in the processes of Fabric and waits for the end.

    Raises:
        ZooError: As the run raised it, in whichever process.
    """
    errors = multiprocessing.get_context("spawn").SimpleQueue()
    with StopFlag().listening(_end_children) as stop:
        try:
            model: Path = fabric.launch(partial(_reporting, act=act, errors=errors))
        except Exception as fault:  # torch wraps a child's fault in one of several types
            error = None if errors.empty() else errors.get()
            if stop.signal and (error is None or isinstance(error, StoppedError)):
                # The children were asked by SIGTERM, whatever this process was asked by.
                raise StoppedError(stop.signal, error.step if error else None, out) from None
            raise (error or fault) from None
    return model


def _end_children(number: int) -> None:
    for child in multiprocessing.active_children():
        child.terminate()


def _reporting(fabric: Fabric, act: Any, errors: Any) -> Path:
    """``act`` in a process of its own, which hands over an error that the user can understand."""
    try:
        model: Path = act(fabric)
    except ZooError as error:
        errors.put(error)
        raise
    return model
