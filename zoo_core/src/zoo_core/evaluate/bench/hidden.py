"""Hidden information: the score of ``zoo audit``, in a cell of a table."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

from zoo_core.errors import UsageError
from zoo_core.evaluate.bench.measure import Case, chosen

AUDIT = "zoo_core.evaluate.audit"
"""Where the audit is."""
PICTURES = 256
"""Test pictures that are audited."""


def score(case: Case) -> float | None:
    """The audit's score, 0 to 1; None where the model knows no way back."""
    if find_spec(AUDIT) is None:
        case.notes.append("no hidden: this version has no audit")
        return None
    at = chosen(
        len(case.store(case.source, "test")), min(PICTURES, case.override.inputs or PICTURES)
    )
    try:
        x = case.store(case.source, "test").batch(at)  # (N, C, H, W)
        value = importlib.import_module(AUDIT).hidden_score(
            case.translator, x, case.source, case.target
        )
    except UsageError as error:
        case.notes.append(f"no hidden: {error.problem}")
        return None
    return None if value is None else float(value)
