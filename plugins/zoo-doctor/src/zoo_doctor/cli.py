"""``zoo doctor``: what is broken or unsafe here, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from zoo_core.errors import unknown
from zoo_doctor.finding import Finding

CHECKS = ("versions", "plugins", "devices", "weights", "leftovers", "places", "safety")


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--only", metavar="CHECK", multiple=True, help="Just this check; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(folders: Sequence[Path], only: Sequence[str], as_json: bool) -> int:
    """Say what is broken or unsafe here, and how to mend it. Changes and fetches nothing.

    FOLDERs with runs or outputs are searched for what killed processes left. The exit code is 1
    where something is wrong.
    """
    from zoo_core.cli import output

    for name in only:
        if name not in CHECKS:
            raise unknown("check", name, CHECKS)
    findings = [found for name in only or CHECKS for found in _checks(folders)[name]()]
    wrong = sum(finding.state == "wrong" for finding in findings)
    if as_json:
        output.as_json([asdict(finding) for finding in findings])
    else:
        _report(findings)
        output.say(f"{len(findings)} facts, {wrong} wrong." if wrong else "Nothing is wrong.")
    return 1 if wrong else 0


def _checks(folders: Sequence[Path]) -> dict[str, Callable[[], Iterator[Finding]]]:
    from zoo_core.host.plugins import host
    from zoo_doctor import places, software

    return {
        "versions": software.versions,
        "plugins": lambda: software.plugins(host()),
        "devices": software.devices,
        "weights": places.weights,
        "leftovers": lambda: places.leftovers(folders),
        "places": places.writable,
        "safety": places.safety,
    }


def _report(findings: Sequence[Finding]) -> None:
    from zoo_core.cli.output import table

    shown = [f for f in findings if f.state != "ok" or f.check not in ("versions", "plugins")]
    rows = [
        (f.state.upper() if f.state == "wrong" else f.state, f.check, f.subject, _said(f))
        for f in shown
    ]
    fine = [f for f in findings if f not in shown]
    for name in dict.fromkeys(f.check for f in fine):
        count = sum(f.check == name for f in fine)
        rows.append(("ok", name, f"{count} {name}", "nothing to mend"))
    table(("STATE", "CHECK", "WHAT", "FOUND"), rows)


def _said(finding: Finding) -> str:
    return f"{finding.found}\n{finding.mend}" if finding.mend else finding.found
