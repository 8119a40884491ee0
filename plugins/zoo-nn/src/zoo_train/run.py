"""One run in one of its processes: trainer, logs, samples, checkpoints and the export."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from zoo_core.errors import UsageError, printable
from zoo_core.schema import plain
from zoo_core.translate.engine import Engine, resolve_precision
from zoo_train.assembly import make_codec, make_players, open_data
from zoo_train.checkpoint import Checkpoints, writing
from zoo_train.config import RunConfig
from zoo_train.controls import Moment, make_controls
from zoo_train.data.dataset import DataSet
from zoo_train.data.folders import SourceFiles
from zoo_train.directory import require_resumable, save_progress, save_trained_on
from zoo_train.events import Listeners, Sampled
from zoo_train.export import export
from zoo_train.guard import StopFlag, StoppedError
from zoo_train.logs import Display, Stats, last_losses
from zoo_train.loop import Trainer
from zoo_train.samples import Samples, engine_of, translate, write_sheet

STOP_EVERY = 10
"""Steps between two looks at each other's signals, where there are several processes."""
ENDED = 1_000
"""Stands beside the numbers of signals for a run that one of its controls ends."""


class Run:
    """A run in one process.

    Args:
        fabric: Devices, precision and processes, launched.
        config: The run's configuration.
        directory: Its directory.
        display: Where messages go; silent in all processes but the first.
        memory: Signals of the domains that are given in memory.
        cache: Folder for decoded signals; None: one in ``directory``.

    Raises:
        ZooError: If a source, an option or the batch does not fit.
    """

    def __init__(
        self,
        fabric: Fabric,
        config: RunConfig,
        directory: Path,
        display: Display,
        memory: Mapping[str, SourceFiles] | None = None,
        *,
        cache: Path | None = None,
    ) -> None:
        self.memory, self.cache = memory, cache or directory / "cache"
        self.fabric, self.config, self.directory = fabric, config, directory
        self.first = fabric.global_rank == 0
        self.display = display if self.first else Display()
        self.controls = make_controls(config.controls) if self.first else []
        self.listeners = Listeners(config.trackers) if self.first else None
        self.codec = make_codec(config)
        self.data = self._in_turn(self._open)
        self.fingerprint = self.data.fingerprint() if self.first else {}
        self.statistics = self.codec.fit_statistics(self.data.stores)
        self.codec.preprocessing |= self.statistics
        for line in self.data.describe():
            self.display.note(line)
        self.checkpoints = Checkpoints(directory / "checkpoint")
        method, players = make_players(
            config,
            self.data,
            self.statistics,
            directory=directory,
            begins=not self.checkpoints.steps(),
            display=self.display,
        )
        sampler = self.data.sampler(config.train.batch, method.sampling, config.train.seed)
        self.trainer = Trainer(
            method, sampler, config.train, players=players, fabric=fabric, notify=self.display.note
        )
        self.samples = Samples.of(self.data.stores, self.data.domains, method.targets)
        self.dtype = resolve_precision(fabric.device, config.train.precision)

    def restore(self, step: int | None = None) -> None:
        """Goes on from the newest checkpoint that is whole, or that of a step, where there is one.

        Raises:
            UsageError: If the run is to have fewer steps than are done.
            TrainingError: If there is no whole checkpoint though some were written, or the data
                or the configuration is not what the run was trained with.
        """
        state = self.checkpoints.load(step)
        for message in self.checkpoints.messages:
            self.display.warn(message)
        done = None if state is None else int(state["step"])
        if self.first:
            earlier = require_resumable(self.directory, done, self.config, self.fingerprint)
            self._note_changes(earlier, done or 0)
        if state is None or done is None:
            return
        if done > self.trainer.steps:
            raise UsageError(
                f"{done} steps are done already",
                asked=f"--steps {self.trainer.steps}",
                hint="Ask for as many or more.",
            )
        self.trainer.load_state(state)
        self.display.note(f"resumed after step {done}")

    def _note_changes(self, earlier: RunConfig | None, done: int) -> None:
        """Takes into the configuration what it has changed since the steps that were done."""
        known = () if earlier is None else earlier.changes
        self.config = (
            replace(self.config, changes=())
            if earlier is None
            else self.config.continued(earlier, done)
        )
        for change in self.config.changes[len(known) :]:
            self.display.note(str(change))

    def go(self) -> Path:
        """Trains to the end and exports.

        Raises:
            StoppedError: If a signal ended it early, after a checkpoint.
            TrainingError: If a value is not finite or the disk is full.
        """
        trainer = self.trainer
        self.display.note(self._plan())
        stats = Stats(self.directory, trainer.done) if self.first else None
        if self.first:
            save_trained_on(self.directory, self.data.trained_on(named=True))
        try:
            self._fire("opened", data=self.data)
            self._fire("started", config=plain(self.config), progress=trainer.progress())
            for control in self.controls:
                control.started(self._moment({}))
            self.display.start(trainer.done, trainer.steps)
            with StopFlag().listening() as stop:
                self._loop(stop, stats)
        finally:
            self.display.stop()
            if stats is not None:
                stats.close()
            self._fire("closed")
        return self._finish()

    def _loop(self, stop: StopFlag, stats: Stats | None) -> None:
        trainer, settings, reason = self.trainer, self.config.train, ""
        begin, first_done, seen = time.perf_counter(), trainer.done, trainer.seen
        while trainer.done < trainer.steps:
            trainer.step()
            done, last = trainer.done, trainer.done == trainer.steps
            recorded: dict[str, float] = {}
            reason = self._controlled(recorded) or reason
            values: dict[str, float] | None = None
            if done % settings.log_every == 0 or last:
                losses = trainer.take_losses()
                seconds = time.perf_counter() - begin
                values = {f"loss/{name}": value for name, value in losses.items()}
                values |= {f"lr/{name}": rate for name, rate in trainer.rates().items()}
                values["images_per_second"] = (trainer.seen - seen) / seconds
                values["steps_per_second"] = (done - first_done) / seconds
            noted = {**(values or {}), **recorded}
            if noted and stats is not None:
                stats.write(done, noted)
            if noted:
                self._fire("step_done", progress=trainer.progress(), values=noted)
            self.display.tick(done, values)
            if done % settings.sample_every == 0 or last:
                self._sample()
            if settings.snapshot_every and done % settings.snapshot_every == 0 and not last:
                self.export(self.directory / "snapshots" / f"{done:06d}")
            stopping = self._stopping(stop, reason)
            if done % settings.checkpoint_every == 0 or last or stopping:
                self._checkpoint()
            if stopping == ENDED:
                if not last:
                    self.display.note(self._ended(reason))
                return
            if stopping:
                raise StoppedError(stopping, done, self.directory)
            if values is not None:
                begin, first_done, seen = time.perf_counter(), done, trainer.seen

    def _controlled(self, recorded: dict[str, float]) -> str:
        """Tells the controls of a step; why the run shall end, if it shall, and what they noted."""
        moment = self._moment(recorded)
        reasons = [control.stepped(moment) for control in self.controls]
        return "; ".join(filter(None, reasons))

    def _moment(self, recorded: dict[str, float]) -> Moment:
        return Moment(
            directory=self.directory,
            config=self.config,
            progress=self.trainer.progress(),
            codec=self.codec,
            data=self.data,
            engine=self._engine,
            export=self.export,
            record=recorded.update,
            note=self.display.note,
        )

    def _ended(self, reason: str) -> str:
        return (
            f"ended after step {self.trainer.done} of {self.trainer.steps}: {reason}; "
            f"zoo train --resume {printable(str(self.directory))} goes on"
        )

    def _engine(self) -> Engine:
        """What translates as the model would, were it exported now."""
        self.trainer.check()
        with self.trainer.exported() as method:
            return engine_of(method, self.fabric.device)

    def _checkpoint(self) -> None:
        """Writes a checkpoint; all processes must call it together."""
        state = self.trainer.state()
        if self.first:
            self.checkpoints.save(self.trainer.done, state)
            save_progress(self.directory, self.trainer.done, self.config, self.fingerprint)
        self.fabric.barrier()

    def _sample(self) -> None:
        """Translates the samples and draws their grid; only the first process does."""
        if not self.first:
            return
        engine = self._engine()
        outputs = translate(engine, self.samples)
        sheet = self._sheet()
        with writing("samples", self.directory):
            write_sheet(self.codec, self.samples, outputs, sheet)
        sampled = Sampled(self.codec, engine, self.data, self.samples, outputs, sheet)
        self._fire("sampled", progress=self.trainer.progress(), sampled=sampled)

    def _sheet(self) -> Path:
        """Where the grid after the steps done so far is."""
        return self.directory / "samples" / f"{self.trainer.done:06d}.png"

    def _finish(self) -> Path:
        model = self.directory / "model"
        if self.first:
            if not self._sheet().is_file():
                self._sample()
            self.export(model)
            self._fire("finished", model=model)
        self.fabric.barrier()
        return model

    def export(self, target: Path) -> None:
        """Writes the model as it is now; only the first process does."""
        trainer = self.trainer
        if not self.first:
            return
        sheet = self._sheet()
        whole = sheet.with_suffix("") / "sheet.png"
        trainer.check()
        with trainer.exported() as method, writing("model", self.directory):
            export(
                target,
                method,
                self.config,
                self.data,
                title=self.directory.resolve().name,
                samples=self.samples,
                sheet=whole if whole.is_file() else sheet,
                facts={
                    "steps": trainer.done,
                    "losses": last_losses(self.directory, trainer.done),
                    "device": self.fabric.device.type,
                    "precision": str(self.dtype).removeprefix("torch."),
                    "processes": self.fabric.world_size,
                },
                statistics=self.statistics,
            )

    def _stopping(self, stop: StopFlag, reason: str) -> int:
        """Number of the signal that any process has got, or `ENDED`; 0 for none.

        All processes get the same answer.
        """
        wanted = stop.signal or (ENDED if reason else 0)
        if self.fabric.world_size == 1:
            return wanted
        if self.trainer.done % STOP_EVERY:
            return 0
        number = torch.tensor(wanted, device=self.fabric.device)
        highest = self.fabric.all_reduce(number, reduce_op="max")
        return int(highest) if isinstance(highest, torch.Tensor) else 0

    def _open(self) -> DataSet:
        return open_data(
            self.config,
            self.codec,
            cache=self.cache,
            memory=self.memory,
            progress=self.display.decoding,
        )

    def _in_turn(self, act: Callable[[], DataSet]) -> DataSet:
        """The first process opens (and caches) the data before the others do."""
        if not self.first:
            self.fabric.barrier()
            return act()
        result = act()
        self.fabric.barrier()
        return result

    def _plan(self) -> str:
        trainer = self.trainer
        left = trainer.steps - trainer.done
        where = f"{self.fabric.world_size} x {self.fabric.device.type}"
        precision = str(self.dtype).removeprefix("torch.")
        count = torch.get_num_threads()
        threads = f"{count} thread{'' if count == 1 else 's'}"
        return (
            f"{left} of {trainer.steps} steps to go on {where} in {precision} with {threads} "
            f"(--threads), into {printable(str(self.directory))}"
        )

    def _fire(self, event: str, **values: Any) -> None:
        if self.listeners is not None:
            for warning in self.listeners.fire(event, directory=self.directory, **values):
                self.display.warn(warning)
