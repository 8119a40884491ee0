"""``zoo bench``: compare methods on the same data by one protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo_core.errors import UsageError, unknown

if TYPE_CHECKING:
    from zoo_evaluate.bench.protocol import Benchmark
    from zoo_evaluate.bench.runner import BenchOutcome


class Benchmarks(click.Group):
    """A command for each benchmark that the core and plugins bring."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the benchmarks."""
        from zoo_core.host.plugins import host

        return list(host().components("benchmark"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a benchmark."""
        from zoo_core.host.plugins import host

        component = host().components("benchmark").get(cmd_name)
        if component is None:
            return None

        def run(**options: Any) -> int:
            return run_benchmark(host().load("benchmark", cmd_name), **options)

        return click.Command(
            cmd_name, params=list(OPTIONS), callback=run, help=f"{component.summary}\n\n{HELP}"
        )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click, with the near match for an unknown benchmark."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            raise unknown("benchmark", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)


HELP = """Trains each method on each task, measures it in each direction, and writes OUT/NAME.json,
OUT/NAME.md and pictures. What is finished is skipped and a training that was stopped goes on. Two
processes may share WORK: each takes trainings that the other is not at."""
OPTIONS = (
    click.Option(["--methods"], metavar="A,B", help="Methods; without it all that fit."),
    click.Option(["--tasks"], metavar="A,B", help="Tasks; without it all."),
    click.Option(["--seeds"], default="0", show_default=True, metavar="0,1", help="Seeds."),
    click.Option(
        ["--steps"], type=click.IntRange(1), help="Steps of each training; else the preset's."
    ),
    click.Option(["--device"], default="auto", show_default=True),
    click.Option(
        ["--data"], type=click.Path(path_type=Path), metavar="ROOT", help="Else ZOO_DATA names it."
    ),
    click.Option(
        ["--work"],
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Judges, runs and cells; runs/bench/NAME without it.",
    ),
    click.Option(
        ["--out"],
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Table and pictures; docs/benchmarks in the repository, else benchmarks.",
    ),
    click.Option(
        ["--judges"],
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Where the judges are; WORK/judges without it. Those that are missing are trained.",
    ),
    click.Option(
        ["--adaptation"],
        type=click.IntRange(1),
        nargs=2,
        metavar="PICTURES STEPS",
        help="What the classifier of the adaptation accuracy learns from, and for how long.",
    ),
    click.Option(["--json", "as_json"], is_flag=True, help="Print the table as JSON."),
    click.Option(["--table-only"], is_flag=True, help="Train nothing; write what is finished."),
)


@click.group(cls=Benchmarks)
def bench() -> None:
    """Compares methods on the same data by one protocol."""


def run_benchmark(
    benchmark: Benchmark,
    *,
    methods: str | None,
    tasks: str | None,
    seeds: str,
    steps: int | None,
    device: str,
    data: Path | None,
    work: Path | None,
    out: Path | None,
    as_json: bool,
    table_only: bool,
    judges: Path | None = None,
    adaptation: tuple[int, int] | None = None,
) -> int:
    """Runs a benchmark and writes its table.

    Returns:
        The exit code: 1 where a cell failed.

    Raises:
        UsageError: If what is asked does not fit the benchmark.
    """
    from zoo_evaluate.bench.plan import BenchRequest
    from zoo_evaluate.bench.runner import BenchOutcome, Runner
    from zoo_evaluate.bench.table import Table
    from zoo_evaluate.bench.work_dir import WorkDir
    from zoo_evaluate.bench.writing import write_table

    if adaptation is not None:
        benchmark = benchmark.with_adaptation(*adaptation)
    folder = WorkDir(work or Path("runs", "bench", benchmark.name), judges)
    asked = BenchRequest(_names(methods), _names(tasks), _seeds(seeds), steps, device, data)
    outcome = BenchOutcome()
    if not table_only:
        outcome = Runner(benchmark, asked, folder, lambda text: click.echo(text, err=True)).run()
    with folder.locked("table", wait=True):
        table = Table(benchmark, folder)
        place = write_table(table, out or _place())
    if as_json:
        click.echo(table.to_json())
    else:
        _show(table.brief())
        click.echo(f"table: {place}")
    return _end(outcome)


def _end(outcome: BenchOutcome) -> int:
    for name, problem in outcome.failed.items():
        click.echo(f"zoo: {name} failed: {problem}", err=True)
    if outcome.elsewhere:
        names = ", ".join(outcome.elsewhere)
        click.echo(f"zoo: left to another process: {names}", err=True)
    return 1 if outcome.failed else 0


def _show(rows: list[list[str]]) -> None:
    from zoo_core.cli import output

    if len(rows) > 1:
        output.table(rows[0], rows[1:], right=rows[0][3:])


def _place() -> Path:
    """Where tables go: into the repository's documents where this is its root."""
    here = Path.cwd()
    repository = (here / "registry.yaml").is_file() and (here / "docs").is_dir()
    return here / "docs" / "benchmarks" if repository else here / "benchmarks"


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _seeds(text: str) -> list[int]:
    try:
        seeds = [int(part) for part in _names(text)]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0:
        raise UsageError(
            "they are whole numbers from 0 on, separated by commas", asked=f"--seeds {text}"
        )
    return list(dict.fromkeys(seeds))
