"""Hidden information: the score of ``zoo audit``, in a cell of a table."""

from __future__ import annotations

from zoo_core.errors import UsageError
from zoo_evaluate.audit import hidden_score
from zoo_evaluate.bench.measure import BenchCase, chosen

PICTURES = 128
"""Most test pictures that are audited; each is translated some ten times."""


def score(case: BenchCase) -> float | None:
    """The score of the case's direction, 0 (clean) to 1; None where there is no way back."""
    store = case.store(case.source, "test")
    at = chosen(len(store), min(PICTURES, (case.override.inputs or case.benchmark.inputs) // 4))
    try:
        return hidden_score(case.translator, store.batch(at), case.source, case.target)
    except UsageError as error:
        case.notes.append(f"{case.source}->{case.target}: no hidden: {error.problem}")
        return None
