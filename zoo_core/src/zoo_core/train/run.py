"""Starts a run, or goes on with one: the door for the command line and for programs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from zoo_core.errors import UsageError
from zoo_core.train.config import RunConfig
from zoo_core.train.disk import CONFIG, writing

CACHE = "cache"


def train_run(config: RunConfig, out: Path, *, resume: bool = False, quiet: bool = False) -> Path:
    """Trains and exports.

    Args:
        config: What to train; see `zoo_core.train.config.resolve`.
        out: Directory of the run: ``config.yaml``, ``checkpoint/``, ``samples/``, ``log/`` and,
            at the end, ``model/``.
        resume: Whether ``out`` may hold a run already, which then goes on.
        quiet: Whether to tell nothing on standard output.

    Returns:
        The model directory.

    Raises:
        UsageError: If ``out`` is taken, or the run there is another one.
        ZooError: If a source cannot be read, a value is not finite, the disk is full, or a signal
            ended the run.
    """
    from zoo_core.train.launch import launch

    config = prepare_dir(config, Path(out), resume=resume)
    return launch(config, Path(out), quiet=quiet)


def resume_run(
    out: Path,
    *,
    steps: int | None = None,
    device: str | None = None,
    processes: int | None = None,
    quiet: bool = False,
) -> Path:
    """Goes on with the run in ``out`` as its ``config.yaml`` says.

    Args:
        out: Directory of the run.
        steps: A new length; None for the run's own.
        device: Another device; None for the run's own.
        processes: Another number of processes; None for the run's own.
        quiet: Whether to tell nothing on standard output.

    Returns:
        The model directory.

    Raises:
        UsageError: If there is no run in ``out``.
    """
    config = load_config(Path(out))
    train = config.train if steps is None else replace(config.train, steps=steps)
    config = replace(
        config,
        train=train,
        device=device or config.device,
        processes=processes or config.processes,
    )
    return train_run(config, out, resume=True, quiet=quiet)


def load_config(out: Path) -> RunConfig:
    """The configuration of the run in a directory; raises `UsageError` where there is none."""
    if not (out / CONFIG).is_file():
        raise UsageError(
            f"there is no run in it (no {CONFIG})",
            asked=f"directory {out}",
            hint="Give the --out of a run that was started, or start one without --resume.",
        )
    return RunConfig.read(out / CONFIG)


def prepare_dir(config: RunConfig, out: Path, *, resume: bool) -> RunConfig:
    """Makes sure that a directory may become, or is, the home of this run.

    Returns:
        The configuration to train with: on resuming the stored one, with the settings that may
        change taken from ``config``.

    Raises:
        UsageError: If the directory holds something else, or another run.
        TrainingError: If it cannot be written.
    """
    if (out / CONFIG).is_file():
        if not resume and int(os.environ.get("RANK", "0")) == 0:
            raise UsageError(
                "there is a run in it already",
                asked=f"--out {out}",
                hint="Add --resume to go on with it, or choose another directory.",
            )
        return _continued(load_config(out), config, out)
    if out.is_file() or (out.is_dir() and any(p.name != CACHE for p in out.iterdir())):
        raise UsageError(
            "it is neither empty nor a run", asked=f"--out {out}", hint="Choose a new directory."
        )
    with writing("directory", out):
        out.mkdir(parents=True, exist_ok=True)
        _probe(out)
    return config


def _continued(old: RunConfig, new: RunConfig, out: Path) -> RunConfig:
    changed = old.differences(new)
    if changed:
        raise UsageError(
            f"the run there differs: {'; '.join(changed)}",
            asked=f"--out {out} --resume",
            hint=f"Use zoo train --resume {out} to go on with it, or another --out.",
        )
    return new


def _probe(out: Path) -> None:
    """Raises `OSError` where files cannot be made in a directory."""
    probe = out / ".probe"
    probe.write_bytes(b"")
    probe.unlink()
