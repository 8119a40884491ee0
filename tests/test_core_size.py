"""The core stays small enough to read in an afternoon; what does not fit is a plugin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "zoo_core" / "src"
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


def test_the_table_of_layers_has_their_lines(lines: dict[str, int]) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = re.findall(r"\| `zoo_core\.(\w+)` \| ([\d,]+) \|", page)
    assert {name for name, _ in table} == {
        path.name for path in (SOURCES / "zoo_core").iterdir() if (path / "__init__.py").is_file()
    }
    for name, said in table:
        found = sum(n for path, n in lines.items() if path.startswith(f"zoo_core/{name}/"))
        assert abs(found - int(said.replace(",", ""))) < 100, name
