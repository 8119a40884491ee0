"""``zoo export-run``: the model of a run as one of its checkpoints has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from zoo_core.errors import UsageError, printable


@click.command(epilog="zoo export-run out/run --out out/model")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The model's directory."
)
@click.option("--step", type=click.IntRange(1), help="Of this checkpoint; without it, the newest.")
def export_run(run: Path, out: Path, step: int | None) -> None:
    """Writes the model of RUN, be it stopped or still going on, from one of its checkpoints.

    The run itself stays as it is. Its data must be where it was.
    """
    click.echo(printable(f"model: {export_from_checkpoint(run, out, step=step)}"))


def export_from_checkpoint(run: Path, out: Path, *, step: int | None = None) -> Path:
    """Writes a run's model as a checkpoint has it.

    Args:
        run: Directory of the run.
        out: Where the model directory shall be; there must be nothing.
        step: After which step; None for the newest checkpoint.

    Returns:
        ``out``.

    Raises:
        UsageError: If there is no run or no such checkpoint, or ``out`` is taken.
        ZooError: If the checkpoint is damaged, or the data cannot be read or has changed.
    """
    from zoo_train.checkpoint import Checkpoints
    from zoo_train.devices import make_fabric
    from zoo_train.directory import load_config
    from zoo_train.guard import enough_memory
    from zoo_train.logs import Display
    from zoo_train.own_files import require_own_files
    from zoo_train.request import with_settings
    from zoo_train.run import Run

    config = with_settings(load_config(run), {})  # which refuses what is out of its range
    steps = Checkpoints(run / "checkpoint").steps()
    if not steps or (step is not None and step not in steps):
        raise UsageError(
            f"there is none; there are {', '.join(map(str, steps)) or 'no checkpoints yet'}",
            asked=f"checkpoint{'' if step is None else f' of step {step}'} of {run}",
            hint=f"A run writes one every {config.train.checkpoint_every} steps and when it is "
            "stopped, and keeps the last two.",
        )
    if out.exists():
        raise UsageError("it exists", asked=f"--out {out}", hint="Choose a new directory.")
    require_own_files(run)  # decoded signals may be kept in it
    fabric = make_fabric(config.device, 1, config.train.precision)
    fabric.launch()
    with enough_memory(run):
        training = Run(fabric, replace(config, processes=1, controls={}), run, Display())
        training.restore(step)
        training.export(out)
    return out
