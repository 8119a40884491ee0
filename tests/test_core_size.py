"""The core stays small enough to read in an afternoon; what does not fit is a plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[1] / "zoo_core" / "src"
MOST_LINES, MOST_FILES, LONGEST = 8000, 60, 350


@pytest.fixture(scope="module")
def lines() -> dict[str, int]:
    """Lines of each module of the core."""
    return {
        str(path.relative_to(SOURCES)): len(path.read_text(encoding="utf-8").splitlines())
        for path in SOURCES.rglob("*.py")
    }


def test_the_core_has_few_lines(lines: dict[str, int]) -> None:
    assert 0 < sum(lines.values()) <= MOST_LINES


def test_the_core_has_few_files(lines: dict[str, int]) -> None:
    assert 0 < len(lines) <= MOST_FILES


def test_no_file_of_the_core_is_long(lines: dict[str, int]) -> None:
    assert not {name: count for name, count in lines.items() if count > LONGEST}
