"""The notebook of the documentation runs, in minutes; ZOO_NOTEBOOK=FILE keeps it as it ran."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
RUN = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3").execute()
for cell in notebook.cells:
    cell.metadata.clear()
    for output in cell.get("outputs", ()):
        output.get("data", {}).pop("image/jpeg", None)  # the same picture as PNG is there, too
nbformat.write(notebook, sys.argv[2])
"""
"""In a process of its own: the libraries of kernels warn of themselves."""


def drawn(path: Path) -> list[int]:
    """Places of the cells that drew a picture."""
    cells = nbformat.read(path, as_version=4).cells
    return [
        place
        for place, cell in enumerate(cells)
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", ()))
    ]


@pytest.mark.slow
def test_the_notebook_runs_and_draws_what_the_page_shows(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    ran = Path(os.environ.get("ZOO_NOTEBOOK", tmp_path / "ran.ipynb"))
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(NOTEBOOK), str(ran.resolve())],
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert drawn(ran)
    assert drawn(ran) == drawn(NOTEBOOK)
