"""A plugin of pytest for ``make parity``: a line per method and size of the batch.

Use: ``pytest -m parity -p zoo_testing.parity_report``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from zoo_core.host.plugins import host
from zoo_testing.parity import AGREEMENTS, Agreement

SIZES = 2
"""Sizes of the batch at which every installed method is held against its restatement: 1 and 2, or
the smallest with which it can be trained (batch normalisation may need more than one signal)."""


def lines(agreements: Sequence[Agreement]) -> list[str]:
    """A heading, and per method and batch the steps and the largest differences found."""
    rows = [f"{'method':<20} batch  steps  losses   weights"]
    for name, batch in sorted({(name_of(one), one.batch) for one in agreements}):
        found = [one for one in agreements if (name_of(one), one.batch) == (name, batch)]
        steps, losses, tensors = (
            pick(getattr(one, field) for one in found)
            for pick, field in ((min, "steps"), (max, "losses"), (max, "tensors"))
        )
        rows.append(f"{name:<20} {batch:>5}  {steps:>5}  {losses:.1e}  {tensors:.1e}")
    return rows


def missing(agreements: Sequence[Agreement]) -> list[str]:
    """Installed methods that were compared at fewer sizes of the batch, in words."""
    held = {(name_of(one), one.batch) for one in agreements}
    sizes = {name: sum(one == name for one, _ in held) for name in sorted(host().methods())}
    return [
        f"{name} was compared at {count} of {SIZES} sizes of the batch"
        for name, count in sizes.items()
        if count < SIZES
    ]


def name_of(agreement: Agreement) -> str:
    """Name under which the method is installed; its class where it is not."""
    target = f"{agreement.method.__module__}:{agreement.method.__name__}"
    specs = host().methods().items()
    return next((name for name, spec in specs if spec.target == target), target)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the session where a method was not compared."""
    if session.exitstatus == pytest.ExitCode.OK and missing(AGREEMENTS):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints the lines, and what is missing."""
    terminalreporter.section("step parity, largest differences")
    for line in lines(AGREEMENTS):
        terminalreporter.write_line(line)
    for what in missing(AGREEMENTS):
        terminalreporter.write_line(what)
