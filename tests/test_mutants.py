"""`make mutants`: which changes are made, and which of them tests are said to notice."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / ".ci"
MODULE = '''"""Sums."""

LIMIT = 3


def capped(number: int) -> int:
    return min(number, LIMIT)


def unused(number: int) -> int:
    return number + 1
'''
TESTS = """from sums import capped

def test_small(): assert capped(1) == 1
def test_large(): assert capped(5) == 3
"""
SETTINGS = """preload = []
[[group]]
modules = ["sums.py"]
tests = ["test_sums.py"]
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".venv").mkdir()
    for name in ("mutants.py", "mutant_tests.py", "mutations.py"):
        shutil.copy(SCRIPTS / name, tmp_path / ".ci")
    (tmp_path / ".ci" / "mutants.toml").write_text(SETTINGS)
    (tmp_path / "sums.py").write_text(MODULE)
    (tmp_path / "test_sums.py").write_text(TESTS)
    return tmp_path


def mutants(repository: Path, *arguments: str) -> tuple[int, str]:
    """Exit status and output of the script."""
    done = subprocess.run(
        [sys.executable, ".ci/mutants.py", *arguments],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert not done.stderr
    return done.returncode, done.stdout


def test_what_no_test_notices_survives_and_is_shown(repository: Path) -> None:
    status, output = mutants(repository)
    assert status == 1
    assert output.startswith("6 mutants, and 0 that change nothing")
    assert "- return min" not in output
    assert "- LIMIT = 3" not in output
    assert "sums.py:11\n- return number + 1\n+ return number - 1\n" in output
    assert "50.0%   6  in all: 3 killed" in output


def test_verdicts_are_kept_until_the_tests_change(repository: Path) -> None:
    first = mutants(repository)[1]
    again = mutants(repository)[1]
    assert first.count(" s  sums.py") == 6
    assert again.count(" s  sums.py") == 0
    assert again.splitlines()[-1] == first.splitlines()[-1]
    added = "\nfrom sums import unused\ndef test_next(): assert unused(1) == 2\n"
    (repository / "test_sums.py").write_text(TESTS + added)
    status, output = mutants(repository)
    assert (status, output.count(" s  sums.py")) == (0, 3)  # only what had survived


def test_an_interrupted_run_goes_on_where_it_ended(repository: Path) -> None:
    whole = mutants(repository)[1]
    kept = repository / ".ci" / "mutants.jsonl"
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join(lines[:4]))
    again = mutants(repository)[1]
    assert again.count(" s  sums.py") == 2
    assert again.splitlines()[-1] == whole.splitlines()[-1]
    assert kept.read_text() == "".join(lines)


def test_verdicts_on_what_a_module_was_are_dropped(repository: Path) -> None:
    mutants(repository)
    kept = repository / ".ci" / "mutants.jsonl"
    before = set(kept.read_text().splitlines())
    (repository / "sums.py").write_text(MODULE.replace("Sums", "Two sums"))
    assert mutants(repository)[1].count(" s  sums.py") == 6
    after = set(kept.read_text().splitlines())
    assert len(after) == 6
    assert not before & after


SHARED = """import pytest
from sums import unused

@pytest.fixture(scope="module")
def value(): return unused(1)

def test_first(value): pass
def test_second(value): assert value == 2
"""


def test_what_a_shared_fixture_executes_every_test_of_its_file_may_notice(
    repository: Path,
) -> None:
    (repository / "test_sums.py").write_text(TESTS + SHARED)
    assert mutants(repository)[0] == 0


THREADED = """from concurrent.futures import ThreadPoolExecutor
from sums import unused

def test_thread():
    with ThreadPoolExecutor(1) as pool:
        assert list(pool.map(unused, [1])) == [2]
"""


def test_what_runs_in_another_thread_its_test_may_notice(repository: Path) -> None:
    (repository / "test_sums.py").write_text(TESTS + THREADED)
    assert mutants(repository)[0] == 0


def test_a_survivor_with_a_reason_does_not_count(repository: Path) -> None:
    reasons = "".join(
        f'[[equivalent]]\nmodule = "sums.py"\nold = "return number + 1"\nnew = "{new}"\n'
        for new in ("return number - 1", "return number + 2", "return None")
    )
    (repository / ".ci" / "mutants.toml").write_text(SETTINGS + reasons)
    status, output = mutants(repository)
    assert (status, output.splitlines()[0]) == (0, "3 mutants, and 3 that change nothing")


def test_tests_that_fail_by_themselves_judge_nothing(repository: Path) -> None:
    (repository / "test_sums.py").write_text("def test_wrong(): assert False\n")
    done = subprocess.run(
        [sys.executable, ".ci/mutants.py"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "failed: test_sums.py::test_wrong" in done.stdout
    assert "tests fail without a mutant: test_sums.py" in done.stderr
    assert not (repository / ".ci" / "mutants.jsonl").exists()
