"""A run's directory: who may write into it, what it says of the run, and what was left behind.

``config.yaml`` says what the run is; ``progress.json`` what its checkpoints were trained with.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zoo_core.errors import TrainingError, UsageError
from zoo_core.files import replacing
from zoo_core.models.modeldir import MODEL
from zoo_core.schema import fill, plain
from zoo_core.untrusted import read_text
from zoo_train.checkpoint import Checkpoints, writing
from zoo_train.config import RunConfig
from zoo_train.data.trained_on import TRAINED_ON
from zoo_train.own_files import CACHE, LARGE, require_own_files

CONFIG, PROGRESS = "config.yaml", "progress.json"
LOCK, WRITER = ".lock", ".writer.json"
_LEFTOVERS = (".*.part", ".part-*", ".*.new-*")


@dataclass(frozen=True)
class _Fingerprint:
    """What the data of a domain was."""

    count: int
    digest: str


@dataclass(frozen=True)
class _Progress:
    """The content of ``progress.json``; see `save_progress`."""

    steps: int
    config: dict[str, Any]
    data: dict[str, _Fingerprint]


@contextmanager
def sole_writer(out: Path) -> Iterator[None]:
    """Makes a run's directory and holds it against other writers while the block lasts.

    The system lets go of it however the process ends. What killed writers left half-written is
    removed. Where no run has begun when the block ends, nothing stays.

    Raises:
        TrainingError: If another process holds it, or it cannot be written.
    """
    made = not out.exists()
    with writing("directory", out):
        require_own_files(out)
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise _taken(out) from None
    try:
        with writing("directory", out):
            _remove_leftovers(out)
            writer = {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "since": datetime.now().astimezone().isoformat(timespec="seconds"),
            }
            (out / WRITER).write_text(json.dumps(writer), encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            (out / WRITER).unlink()
        if not (out / CONFIG).is_file():
            shutil.rmtree(out / CACHE, ignore_errors=True)
            (out / LOCK).unlink(missing_ok=True)
        lock.release()
        if made and not any(out.iterdir()):
            out.rmdir()


def require_usable(config: RunConfig, out: Path, *, resume: bool) -> None:
    """Makes sure that a directory may become, or is, the home of this run; writes nothing.

    Raises:
        UsageError: If the directory holds something else, a run where none may be, or another run.
    """
    if (out / CONFIG).is_file():
        changed = load_config(out).differences(config)
        if not resume:
            raise UsageError(
                "there is a run in it already",
                asked=f"--out {out}",
                hint="Add --resume to go on with it, or choose another directory.",
            )
        if changed:
            raise UsageError(
                f"the run there differs: {'; '.join(changed)}",
                asked=f"--out {out} --resume",
                hint=f"Use zoo train --resume {out} to go on with it, or another --out.",
            )
    elif out.is_file() or (out.is_dir() and not all(map(_may_come_first, out.iterdir()))):
        raise UsageError(
            "it is neither empty nor a run", asked=f"--out {out}", hint="Choose a new directory."
        )


def _may_come_first(path: Path) -> bool:
    """Whether a run may begin beside it: what killed ones leave, and links made for it."""
    if path.name in (CACHE, LOCK, WRITER):
        return True
    return path.name in LARGE and path.is_dir() and not any(path.iterdir())


def load_config(out: Path) -> RunConfig:
    """The configuration of the run in a directory; raises `UsageError` where there is none."""
    if (out / MODEL).is_file():
        raise UsageError(
            "it is a model, not a run",
            asked=f"directory {out}",
            hint=f"Give the run's own directory, or start a new run from the model's weights: zoo "
            f"train METHOD --pretrained {out} … --out RUN.",
        )
    if not (out / CONFIG).is_file():
        raise UsageError(
            f"there is no run in it (no {CONFIG})",
            asked=f"directory {out}",
            hint="Give the --out of a run that was started, or start one without --resume; "
            "--pretrained MODEL starts it from the weights of a model.",
        )
    return RunConfig.read(out / CONFIG)


def save_config(config: RunConfig, out: Path) -> None:
    """Writes a run's ``config.yaml``, whole or not at all."""
    with writing(CONFIG, out), replacing(out / CONFIG) as part:
        part.write_text(config.to_yaml(), encoding="utf-8")


def save_progress(
    out: Path, steps: int, config: RunConfig, data: Mapping[str, Mapping[str, object]]
) -> None:
    """Notes what the newest checkpoint was trained with.

    Args:
        out: Directory of the run.
        steps: Steps done.
        config: The run's configuration.
        data: `zoo_train.data.dataset.DataSet.fingerprint`.
    """
    values = {"steps": steps, "config": plain(config), "data": data}
    with writing(PROGRESS, out), replacing(out / PROGRESS) as part:
        part.write_text(json.dumps(values), encoding="utf-8")


def save_trained_on(out: Path, text: str) -> None:
    """Writes which signals a run trains on: their names and hashes of their contents."""
    with writing(TRAINED_ON, out), replacing(out / TRAINED_ON) as part:
        part.write_text(text, encoding="utf-8")


def require_resumable(
    out: Path, done: int | None, config: RunConfig, data: Mapping[str, Mapping[str, Any]]
) -> RunConfig | None:
    """Refuses to go on with other data or settings, or without the checkpoints that there were.

    Args:
        out: Directory of the run.
        done: Steps of the checkpoint that was found; None for none.
        config: The configuration to go on with.
        data: `zoo_train.data.dataset.DataSet.fingerprint` of the data to go on with.

    Returns:
        The configuration that the steps were made with; None where none are done.

    Raises:
        TrainingError: That says what changed.
    """
    if not (out / PROGRESS).is_file():
        return None
    before = _read_progress(out / PROGRESS)
    if done is None:
        raise TrainingError(
            f"its checkpoints are gone, though {before.steps} steps were done",
            asked=f"run {out}",
            hint="Put them back, or add --restart to begin at step 0.",
        )
    earlier = RunConfig.of(before.config, asked=str(out / PROGRESS))
    changed = earlier.differences(config)
    for name in sorted({*before.data, *data}):
        old, new = before.data.get(name), data.get(name)
        if old is None or new is None:
            changed.append(f"{name} is {'new' if old is None else 'gone'}")
        elif old.count != new["count"]:
            changed.append(f"{name} had {old.count:,} signals and has {new['count']:,}")
        elif plain(old) != new:
            changed.append(f"{name} has other signals, as many as before")
    if changed:
        raise TrainingError(
            f"what it was trained with has changed: {'; '.join(changed)}",
            asked=f"run {out}",
            hint="Undo the change, train into another directory, or add --restart to begin anew.",
        )
    return earlier


def _read_progress(path: Path) -> _Progress:
    """What the newest checkpoint was trained with; raises `TrainingError` where it is damaged."""
    hint = "Restore it, or add --restart to begin at step 0."
    try:
        values = json.loads(read_text(path, error=TrainingError))
    except (ValueError, RecursionError) as fault:
        raise TrainingError("it is damaged", asked=str(path), hint=hint) from fault
    return fill(_Progress, values, asked=str(path), error=TrainingError, hint=hint)


def forget_progress(out: Path) -> None:
    """Removes checkpoints and the note of what they were trained with, to begin at step 0."""
    with writing("checkpoint", out):
        Checkpoints(out / "checkpoint").clear()
        (out / PROGRESS).unlink(missing_ok=True)


def _taken(out: Path) -> TrainingError:
    try:
        writer = json.loads((out / WRITER).read_text(encoding="utf-8"))
        who = f"process {writer['pid']} on {writer['host']} since {writer['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it is just being written
        who = "another process"
    return TrainingError(
        f"{who} is training into it",
        asked=f"run {out}",
        hint="Wait for its end, or train into another directory.",
    )


def _remove_leftovers(out: Path) -> None:
    """Removes files and folders that were half-written when their writer was killed."""
    linked = [out / name for name in LARGE if (out / name).is_symlink()]
    for folder in (out, *linked):  # what lies behind a link is not found from above it
        for pattern in _LEFTOVERS:
            for path in list(folder.rglob(pattern)):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
