"""The record of a sweep's trials: Optuna's own, in a file that may be a stranger's or damaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from zoo_core.errors import TrainingError, UsageError
from zoo_runs.sweep.spaces import Space
from zoo_train.own_files import require_own_files

if TYPE_CHECKING:
    from optuna import Study, Trial

RECORD, LOCK = "study.log", ".study.lock"
LARGEST = 100_000_000
"""Bytes of a record that is read: those of some ten thousand trials."""
_REQUEST = "request"
"""Under which name a record says what its trials were asked for."""


class _Lock:
    """A lock that the system lets go of, however its holder ends; Optuna's own would stay."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path)

    def acquire(self) -> bool:
        """Waits until it is had."""
        self._lock.acquire()
        return True

    def release(self) -> None:
        """Lets go of it."""
        self._lock.release()


def open_study(out: Path, seed: int, *, higher: bool, request: dict[str, Any]) -> Study:
    """The study in a sweep's folder, or a new one.

    Args:
        out: The folder; made where there is none.
        seed: Of the search.
        higher: Whether a higher figure is better.
        request: What all trials have in common, as plain values. Trials of another request would
            pass as these.

    Raises:
        UsageError: If Optuna is not installed, or the trials there are of another request.
        TrainingError: If the record is damaged, or a link leads out of the folder.
    """
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise UsageError(
            "Optuna is not installed", asked="zoo sweep", hint='pip install "zoo-runs[sweep]"'
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    out.mkdir(parents=True, exist_ok=True)
    require_own_files(out)
    record = out / RECORD
    try:
        if record.exists() and record.stat().st_size > LARGEST:
            raise ValueError(f"it is larger than {LARGEST:,} bytes")
        study = optuna.create_study(
            study_name="zoo",
            storage=JournalStorage(JournalFileBackend(str(record), lock_obj=_Lock(out / LOCK))),
            direction="maximize" if higher else "minimize",
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
            load_if_exists=True,
        )
        earlier = study.user_attrs.get(_REQUEST)
        if earlier is None:
            study.set_user_attr(_REQUEST, request)
    except Exception as fault:  # whatever a damaged record makes of Optuna
        raise TrainingError(
            f"it is no record of trials that can be read ({str(fault)[:200]})",
            asked=str(record),
            hint="Restore it, or choose another --out.",
        ) from fault
    if earlier not in (None, request):
        raise UsageError(
            f"the trials there are of another request: {earlier}",
            asked=f"--out {out}",
            hint="Choose another --out, or give the request of then.",
        )
    return study


def drawn(spaces: Sequence[Space], study: Study, trial: Trial) -> dict[str, str]:
    """The values of a trial, as text; raises `UsageError` where earlier ones had other choices."""
    from optuna.trial import TrialState

    try:
        return {space.key: space.drawn(trial) for space in spaces}
    except ValueError as fault:
        study.tell(trial, state=TrialState.FAIL)
        raise UsageError(
            f"earlier trials had other values to choose from ({fault})",
            asked="--over of zoo sweep",
            hint="Give those of then, or choose another --out.",
        ) from fault
