"""The whole plugin contract. Every hook is optional; each returns values and imports no torch.

Targets are lazy strings ``"package.module:Name"``, resolved only when something is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

from zoo_core.spec import Component, LossSpec, MethodSpec

if TYPE_CHECKING:
    from zoo_core.hub.reference import Reference
    from zoo_core.spec import Progress

hookspec = pluggy.HookspecMarker("zoo")
hookimpl = pluggy.HookimplMarker("zoo")


@hookspec
def zoo_methods() -> Iterable[MethodSpec]:  # type: ignore[empty-body]
    """Methods that the plugin brings. Called once, when anything asks for the catalogue."""


@hookspec
def zoo_models() -> Iterable[Path]:  # type: ignore[empty-body]
    """Paths of registry files; embedded weights are named relative to the file."""


@hookspec
def zoo_losses() -> Iterable[LossSpec]:  # type: ignore[empty-body]
    """Losses for ``zoo train ... --add``. Called when a run names one."""


@hookspec
def zoo_defences() -> Iterable[Component]:  # type: ignore[empty-body]
    """Defences for ``zoo train ... --defence``; targets are `zoo_core.method.Defence`s.

    The constructor's keyword arguments are the options. Called when a run names one.
    """


@hookspec
def zoo_metrics() -> Iterable[Component]:  # type: ignore[empty-body]
    """Metrics for ``zoo evaluate --metrics``; targets are `zoo_core.evaluate.metrics.Metric`."""


@hookspec
def zoo_datasets() -> Iterable[Component]:  # type: ignore[empty-body]
    """Data sources, named ``NAME:`` in front of a folder.

    A target is a callable ``(root: Path, split: str)`` that gives pairs (signal, class number), or
    a `zoo_core.data.layouts.AttributeSource`, which recognises folders by what lies in them.
    """


@hookspec
def zoo_importers() -> Iterable[Component]:  # type: ignore[empty-body]
    """Foreign layouts of checkpoints; targets are `zoo_core.importing.Importer` classes."""


@hookspec
def zoo_networks() -> Iterable[Component]:  # type: ignore[empty-body]
    """Backbones that options may name; targets make a `zoo_core.nets.backbones.Backbone`."""


@hookspec
def zoo_signals() -> Iterable[Component]:  # type: ignore[empty-body]
    """Kinds of signal; targets are `zoo_core.codec.Codec` classes."""


@hookspec
def zoo_renderers() -> Iterable[Component]:  # type: ignore[empty-body]
    """Ways to make translated signals perceivable, for ``--renderer``: vocoders, for speech.

    Targets are what the codec of their kind takes in place of its own way; the constructor's
    keyword arguments are the options. See `zoo_core.codec.Codec.render_with`.
    """


@hookspec
def zoo_commands() -> Iterable[Component]:  # type: ignore[empty-body]
    """Commands for ``zoo``; targets are `click.Command` objects, imported when called."""


@hookspec
def zoo_benchmarks() -> Iterable[Component]:  # type: ignore[empty-body]
    """Commands of ``zoo bench``; targets are `zoo_core.evaluate.bench.protocol.Benchmark`s."""


@hookspec(firstresult=True)
def zoo_open_reference(
    reference: Reference | None, entry: Mapping[str, object] | None, file: Path | None
) -> Path | None:
    """Opens weights of a foreign format: the model directory that they were converted to.

    Called for a name on the Hub (``reference``) before it is taken for a model directory; and for
    a model of the catalogue whose weights have a foreign format, with its registry entry and its
    verified ``file``. None where the plugin has nothing to do with it: the next one is asked.
    """


@hookspec
def zoo_run_started(directory: Path, config: Mapping[str, object]) -> None:
    """A training run starts or resumes. ``config`` is what its ``config.yaml`` holds."""


@hookspec
def zoo_step_done(directory: Path, progress: Progress, values: Mapping[str, float]) -> None:
    """A step of training that is logged has ended; ``values`` are its losses and rates."""


@hookspec
def zoo_run_finished(directory: Path, model: Path) -> None:
    """A run has ended and written its model directory."""
