"""Starts a run, or goes on with one: here, in several processes, or in those of torchrun."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from zoo_core.errors import UsageError
from zoo_core.translate.threads import computing_threads
from zoo_train.config import RunConfig
from zoo_train.data.folders import SourceFiles
from zoo_train.data.memory import by_domain, is_path, signals_of, source_text
from zoo_train.devices import launched_outside, make_fabric
from zoo_train.directory import (
    forget_progress,
    load_config,
    require_usable,
    save_config,
    sole_writer,
)
from zoo_train.guard import StopFlag, StoppedError, enough_memory
from zoo_train.logs import Display, Terminal
from zoo_train.processes import launch
from zoo_train.request import resolve, with_settings
from zoo_train.run import Run

_PER_CORE = 16
"""Processes, or threads of each, that a run may have for every core."""


def train(
    method: str | None = None,
    *,
    out: str | Path,
    domains: Mapping[str, Any] | None = None,
    data: str | Path | Mapping[str, Any] | None = None,
    attributes: Sequence[str] = (),
    preset: str | None = None,
    config: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    size: int | None = None,
    steps: int | None = None,
    losses: Sequence[str] = (),
    defence: Sequence[str] = (),
    device: str | None = None,
    processes: int | None = None,
    threads: int | None = None,
    trackers: Sequence[str] = (),
    pretrained: str | Path | None = None,
    controls: Mapping[str, str] | None = None,
    resume: bool = False,
    restart: bool = False,
    quiet: bool = False,
) -> Path:
    """Trains a method on unpaired domains, as ``zoo train`` does: the same request, the same bytes.

    Several processes import the calling script again: it needs ``if __name__ == "__main__":``.

    Args:
        method: Name of the method; None goes on with the run in ``out`` (with ``resume``), of
            which only ``steps``, ``device``, ``processes``, ``threads``, ``controls`` and some
            ``settings`` may change: learning rates, ``train.batch`` and ``train.accumulate``.
        out: Directory of the run.
        domains: Data of each domain by name: a folder, a text as for ``--domain``, or signals in
            memory (an array, a tensor, a list, a data set of torch or Hugging Face; see
            `zoo_train.data.memory.signals_of`), each of which is read once, before training.
        data: A folder that holds all domains, or attributes; or the same as ``domains``.
        attributes: Attributes to learn from the lists of ``data``.
        preset: Name of a preset; None for the method's first.
        config: YAML file of settings.
        settings: Options of the method, ``train.KEY`` and ``signal.KEY``, as for ``--set``.
        size: Width and height of the signals; None for the preset's.
        steps: Length of the run; None for the preset's.
        losses: Losses to add, each ``NAME:key=value,...``.
        defence: Defences of the way back, each ``NAME:key=value,...``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        processes: Processes that share each batch.
        threads: Threads of each process on the CPU; None for as many as there are cores for.
        trackers: Names of trackers; none for the default one, where it is installed.
        pretrained: The model whose weights the run starts from: anything that `zoo.load` opens, of
            the same method. It gives all options, and the form of the signals, that nothing sets.
        controls: What measures the run on its way or ends it, such as ``{"time": "30m"}`` for
            ``--time 30m``.
        resume: Whether ``out`` may hold a run already, which then goes on.
        restart: Whether a run that is there begins at step 0, whatever was done.
        quiet: Whether to tell nothing on standard output.

    Returns:
        The model directory, which `zoo.load` opens.

    Raises:
        UsageError: If the request does not fit, ``out`` is taken, or the run there is another one.
        ZooError: As `train_run`.
    """
    domains, data = by_domain(domains, data)
    memory = {
        name: signals_of(name, given) for name, given in domains.items() if not is_path(given)
    }
    if resume and method is None and config is None:
        named = len(domains) > len(memory)
        shaping = (named, data, attributes, preset, size, losses, defence, trackers, pretrained)
        if any(shaping):
            raise UsageError(
                "a run goes on as it began; only settings, steps, device, processes, threads and "
                "controls may change, and domains be given that were given in memory",
                asked=f"resuming the run {out}",
                hint="Give the method, too, to compare the run with all that is asked.",
            )
        return resume_run(
            Path(out),
            settings=settings,
            steps=steps,
            device=device,
            processes=processes,
            threads=threads,
            controls=controls,
            memory=memory,
            restart=restart,
            quiet=quiet,
        )
    asked = resolve(
        method,
        file=None if config is None else Path(config),
        preset=preset,
        settings={**(settings or {}), **({} if steps is None else {"train.steps": steps})},
        size=size,
        domains={name: source_text(given) for name, given in domains.items()},
        data=data,
        attributes=attributes,
        extra_losses=losses,
        defence=defence,
        device=device,
        processes=processes,
        threads=threads,
        trackers=trackers,
        pretrained=None if pretrained is None else str(pretrained),
        controls=dict(controls or {}),
    )
    return train_run(asked, Path(out), memory=memory, resume=resume, restart=restart, quiet=quiet)


def train_run(
    config: RunConfig,
    out: Path,
    *,
    memory: Mapping[str, SourceFiles] | None = None,
    resume: bool = False,
    restart: bool = False,
    quiet: bool = False,
    cache: Path | None = None,
    said: Sequence[str] = (),
) -> Path:
    """Trains and exports.

    Args:
        config: What to train; see `zoo_train.request.resolve`.
        out: Directory of the run: ``config.yaml``, ``progress.json``, ``checkpoint/``,
            ``samples/``, ``log/`` and, at the end, ``model/``.
        memory: Signals of the domains that are given in memory.
        resume: Whether ``out`` may hold a run already, which then goes on.
        restart: Whether a run that is there begins at step 0, whatever was done.
        quiet: Whether to tell nothing on standard output.
        cache: Folder for decoded signals, which several runs may share; None: one in ``out``.
        said: What is told ahead of all else.

    Returns:
        The model directory.

    Raises:
        UsageError: If ``out`` is taken, or the run there is another one.
        ZooError: If another process trains into ``out``, a source cannot be read, a value is not
            finite, the disk is full, or a signal ended the run.
    """
    _require_few(config)
    act = partial(
        _work,
        config=config,
        out=Path(out),
        memory=memory,
        resume=resume,
        restart=restart,
        quiet=quiet,
        cache=cache,
        said=said,
    )
    if int(os.environ.get("RANK", "0")) == 0:
        require_usable(config, Path(out), resume=resume or restart)
    fabric = make_fabric(config.device, config.processes, config.train.precision)
    if config.processes == 1 or launched_outside():
        fabric.launch()
        return act(fabric)
    return launch(fabric, act, Path(out))


def _require_few(config: RunConfig) -> None:
    """Refuses processes and threads beyond use, which would bring the machine down."""
    most = _PER_CORE * (os.cpu_count() or 1)
    for name, count in (("processes", config.processes), ("threads", config.threads or 1)):
        if not 1 <= count <= most:
            raise UsageError(
                f"it must be 1 to {most} on this machine",
                asked=f"{name} {count}",
                hint=f"Give another number with --{name}.",
            )


def resume_run(
    out: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    steps: int | None = None,
    device: str | None = None,
    processes: int | None = None,
    threads: int | None = None,
    controls: Mapping[str, str] | None = None,
    memory: Mapping[str, SourceFiles] | None = None,
    restart: bool = False,
    quiet: bool = False,
) -> Path:
    """Goes on with the run in ``out`` as its ``config.yaml`` says.

    Args:
        out: Directory of the run.
        settings: Learning rates, ``train.batch``, ``train.accumulate`` and what does not change
            the steps; see `zoo_train.request.with_settings`. Changes are noted in the run and on
            the card of its model.
        steps: A new length; None for the run's own.
        device: Another device; None for the run's own.
        processes: Another number of processes; None for the run's own.
        threads: Another number of threads; None for the run's own.
        controls: What replaces the run's own controls of the same names, or joins them.
        memory: Signals of the domains that were given in memory, which must be the same.
        restart: Whether it begins at step 0, whatever was done.
        quiet: Whether to tell nothing on standard output.

    Returns:
        The model directory.

    Raises:
        UsageError: If there is no run in ``out``, more steps than ``steps`` are done, or another
            setting is to change.
        ZooError: As `train_run`.
    """
    config = with_settings(load_config(Path(out)), settings or {})
    config = replace(
        config,
        train=config.train if steps is None else replace(config.train, steps=steps),
        device=device or config.device,
        processes=processes or config.processes,
        threads=threads or config.threads,
        controls={**config.controls, **(controls or {})},
    )
    return train_run(
        config,
        out,
        memory=memory,
        resume=True,
        restart=restart,
        quiet=quiet,
        said=config.uses(),
    )


def _work(
    fabric: Fabric,
    config: RunConfig,
    out: Path,
    *,
    memory: Mapping[str, SourceFiles] | None,
    resume: bool,
    restart: bool,
    quiet: bool,
    cache: Path | None,
    said: Sequence[str],
) -> Path:
    """What each process does; the first one alone writes."""
    display = Display() if quiet else Terminal()
    first = fabric.global_rank == 0
    with (
        enough_memory(out),
        sole_writer(out) if first else nullcontext(),
        computing_threads(config.threads, fabric.world_size),
    ):
        if first:
            require_usable(config, out, resume=resume or restart)  # now that nobody else can write
            for line in said:
                display.note(line)
        if first and restart:
            forget_progress(out)
        with StopFlag().listening(partial(_abandon, out)):
            run = Run(fabric, config, out, display, memory, cache=cache)
            run.restore()
            if first:
                save_config(run.config, out)
        return run.go()


def _abandon(out: Path, number: int) -> None:
    raise StoppedError(number, None, out)
