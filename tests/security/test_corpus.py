"""The corpus of the fuzzer, with what it has found: each file is read, or one error names it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

FUZZ = Path(__file__).parents[2] / "fuzz"


def test_every_file_of_the_corpus_is_read_or_refused(tmp_path: Path) -> None:
    command = [sys.executable, FUZZ / "fuzz.py", "--corpus", "--faults", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(re.findall(r"^(\w+) +([\d,]+) executions", done.stdout, re.M))
    expected = {path.name: len(list(path.iterdir())) for path in (FUZZ / "corpus").iterdir()}
    assert {name: int(count) for name, count in counts.items()} == expected
    assert len(expected) == 18
