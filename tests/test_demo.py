"""What `make demo` draws."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "examples" / "demo.py"


def test_the_demo_says_what_it_does_and_writes_the_sheet(tmp_path: Path) -> None:
    sheet = tmp_path / "out" / "emoji.png"
    done = subprocess.run(
        [sys.executable, DEMO, sheet],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "ZOO_STRICT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Loading stargan-emoji")
    assert len([line for line in lines if re.search(r"\d of 12: .* → ", line)]) == 12
    assert lines[-1] == f"Wrote {sheet}"
    with Image.open(sheet) as drawn, Image.open(ROOT / "docs" / "pictures" / "emoji.png") as shown:
        assert drawn.size == shown.size


def test_the_demo_speaks_before_the_library_is_imported(tmp_path: Path) -> None:
    code = (
        "import runpy, sys; sys.modules['zoo'] = None; sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, DEMO, tmp_path / "emoji.png"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("Loading stargan-emoji")
    assert "import of zoo halted" in done.stderr


def test_every_example_is_drawn_by_each_vendor_at_the_models_size() -> None:
    vendors = sorted(path for path in (ROOT / "examples" / "emoji").iterdir() if path.is_dir())
    assert [path.name for path in vendors] == ["fluent", "noto", "openmoji", "twemoji"]
    names = [{path.name for path in vendor.glob("*.png")} for vendor in vendors]
    assert len(names[0]) == 12
    assert all(found == names[0] for found in names)
    for vendor in vendors:
        for path in vendor.glob("*.png"):
            with Image.open(path) as picture:
                assert picture.size == (128, 128)
