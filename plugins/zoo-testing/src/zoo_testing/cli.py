"""``zoo check``, the conformance kit without a test file, and ``zoo new``, to begin a plugin."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo_core.errors import UsageError

if TYPE_CHECKING:
    from zoo_core.host.plugins import PluginHost
    from zoo_testing.run import ConformanceCase, ConformanceOutcome


@click.command("new")
@click.argument("name")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Folder in which to write the package zoo-NAME; the current one by default.",
)
def new(name: str, directory: Path) -> None:
    """Write a new plugin package, ready to install.

    NAME is the method's name, such as my-method.
    """
    from zoo_core.host.plugins import host
    from zoo_testing.scaffold import method_name, write_plugin

    method = method_name(name, host())
    folder = write_plugin(method, directory)
    click.echo(f"Wrote {folder}. Next:")
    click.echo(f"  pip install -e {folder}")
    click.echo(f"  zoo check {method}")


@click.command()
@click.argument("methods", metavar="METHOD...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Check all methods and all embedded models.")
@click.option("--only", metavar="CHECK", multiple=True, help="Run just this check; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON.")
def check(methods: Sequence[str], every: bool, only: Sequence[str], as_json: bool) -> int:
    """Run the conformance kit on a method and on its models.

    Every check runs even where another has failed. The exit code is 1 where any failed.
    """
    from zoo_core.host.plugins import host

    if bool(methods) == every:
        raise UsageError(
            "name methods, or ask for all of them",
            asked="zoo check",
            hint=f"Use --all, or any of {', '.join(sorted(host().methods()))}.",
        )
    cases = _cases(sorted(host().methods()) if every else methods, host(), only)
    outcomes = _json(cases) if as_json else _report(cases)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def _cases(methods: Iterable[str], host: PluginHost, only: Sequence[str]) -> list[ConformanceCase]:
    for name in methods:
        host.method(name)  # an unknown name is said before anything heavy is imported
    from zoo_core.errors import unknown
    from zoo_testing.run import METHOD_CHECKS, MODEL_CHECKS, method_cases, model_cases

    for name in only:
        if name not in {*METHOD_CHECKS, *MODEL_CHECKS}:
            raise unknown("check", name, {*METHOD_CHECKS, *MODEL_CHECKS})
    found = [
        case for name in methods for case in [*method_cases(name, host), *model_cases(host, name)]
    ]
    return [case for case in found if not only or case.check in only]


def _json(cases: Iterable[ConformanceCase]) -> list[ConformanceOutcome]:
    from zoo_testing.run import run_cases

    outcomes = list(run_cases(cases))
    rows = [asdict(outcome) | {"passed": outcome.passed} for outcome in outcomes]
    click.echo(json.dumps(rows, indent=2))
    return outcomes


def _report(cases: Iterable[ConformanceCase]) -> list[ConformanceOutcome]:
    from rich.console import Console
    from rich.markup import escape

    from zoo_testing.run import run_cases

    console = Console(highlight=False)
    outcomes: list[ConformanceOutcome] = []
    heading = ("", "")
    for outcome in run_cases(cases):
        if heading != (outcome.name, outcome.kind):
            heading = (outcome.name, outcome.kind)
            console.print(f"\n[bold]{escape(outcome.name)}[/bold] ({outcome.kind})")
        mark = "[green]passed[/green]" if outcome.passed else "[red]FAILED[/red]"
        console.print(f"  {mark}  {outcome.check}", f"[dim]{outcome.seconds:.1f} s[/dim]")
        if outcome.message is not None:
            console.print(f"          {escape(outcome.message)}")
        outcomes.append(outcome)
    failed = sum(not outcome.passed for outcome in outcomes)
    console.print(f"\n{len(outcomes)} checks, {failed} failed.")
    return outcomes
