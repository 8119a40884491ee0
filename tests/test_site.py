"""The documentation as a site: it builds strictly, is complete, and asks nothing of other hosts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOADED = re.compile(
    r"<(?:script|img|iframe|source|link)\b[^>]*\b(?:src|href)=\"?((?:https?:)?//[^\" >]+)"
)
"""What a browser fetches when it opens a page; links that a reader may follow are not of these."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_every_page_of_the_documentation_is_in_it(site: Path) -> None:
    sources = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert sources
    for source in sources:
        name = source.with_name("index" if source.stem == "README" else source.stem)
        assert (site / name.with_suffix(".html")).is_file(), source


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert pages
    assert LOADED.search('<script src="https://host/a.js">')
    for page in pages:
        assert LOADED.findall(page.read_text(encoding="utf-8")) == [], page


def test_models_and_docstrings_are_in_it(site: Path) -> None:
    assert (site / "pictures" / "models" / "stargan-emoji.png").stat().st_size > 0
    reference = (site / "reference" / "zoo.html").read_text(encoding="utf-8")
    assert 'id="zoo_train.start.train"' in reference
    assert "Trains a method on unpaired domains" in reference
