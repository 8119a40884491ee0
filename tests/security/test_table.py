"""The table of attacks in docs/security.md names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = re.findall(r"^\| (\d+\w*) \| .+? \| (.+) \|$", (ROOT / "docs/security.md").read_text(), re.M)
FILE = re.compile(r"(?:S|tests|zoo_core|plugins)/[\w/-]*\w+\.py|test_\w+\.py")
TEST = re.compile(r"(?<![\w/])(test_\w+)(…?)`")


def files_of(cell: str) -> str:
    """The text of all test files that a cell names; short names are looked up."""
    found = []
    for name in FILE.findall(cell):
        path = ROOT / name.replace("S/", "tests/security/", 1)
        paths = [path] if "/" in name else list(ROOT.glob(f"plugins/*/tests/{name}"))
        assert [each.is_file() for each in paths] == [True], name
        found.append(paths[0].read_text())
    return "\n".join(found)


def test_every_number_has_a_row() -> None:
    assert {int(re.match(r"\d+", number)[0]) for number, _ in ROWS} == set(range(1, 19))  # type: ignore[index]


@pytest.mark.parametrize("number", sorted({number for number, _ in ROWS}, key=int))
def test_every_test_of_a_row_exists(number: str) -> None:
    cells = [cell for other, cell in ROWS if other == number]
    text = "\n".join(files_of(cell) for cell in cells)
    names = [pair for cell in cells for pair in TEST.findall(cell.replace("::", "`"))]
    missing = [name for name, cut in names if f"def {name}" + ("" if cut else "(") not in text]
    assert missing == []
