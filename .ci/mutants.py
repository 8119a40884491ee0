"""Changes one place of a module at a time, and asks whether its tests notice.

    python .ci/mutants.py                       every mutant of all modules in mutants.toml
    python .ci/mutants.py --sample 300          some of them
    python .ci/mutants.py schedules             of the modules whose path has this
    python .ci/mutants.py --list                how many mutants each module has; nothing is run

`mutants.toml` says which tests belong to which module, and which survivors change nothing that can
be observed. Verdicts are kept in `mutants.jsonl`, which is committed, so that an interrupted run
goes on, on any machine: while the module stays as it is, and of survivors while their tests do.
Ends with 1 if fewer than 95 % of what is judged are killed. How a mutant is judged is in
`mutant_tests.py`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import math
import os
import random
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mutant_tests import (
    Lines,
    Plain,
    cold,
    collected,
    forked,
    relevant,
    run,
    run_traced,
    swaps,
    warm,
)
from mutations import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[1]
WANTED = 0.95
VERDICTS = ROOT / ".ci" / "mutants.jsonl"


@dataclass(frozen=True)
class Group:
    """Modules and the tests that should notice a change of them.

    Attributes:
        modules: Patterns of paths.
        tests: Test files, or single tests, in the order in which they are asked.
        select: Expression for pytest's ``-k``.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    select: str = ""


def groups(table: dict[str, Any]) -> list[Group]:
    """The groups of ``mutants.toml``."""
    return [
        Group(tuple(one["modules"]), tuple(one["tests"]), one.get("select", ""))
        for one in table["group"]
    ]


def modules_of(group: Group, names: list[str]) -> Iterator[Path]:
    """The files of a group whose path contains one of the names; all where there are none."""
    for pattern in group.modules:
        found = sorted(ROOT.glob(pattern))
        if not found:
            raise SystemExit(f"mutants.toml: no module is {pattern}")
        for path in found:
            if not names or any(name in str(path.relative_to(ROOT)) for name in names):
                yield path


@dataclass(frozen=True)
class Candidate:
    """A mutant of a module; ``key`` names it while the module stays as it is."""

    path: Path
    mutant: Mutant
    key: str

    @property
    def place(self) -> str:
        """Path and line."""
        return f"{self.path.relative_to(ROOT)}:{self.mutant.line}"


@cache
def candidates_of(path: Path) -> list[Candidate]:
    """All mutants of a module."""
    source = path.read_text(encoding="utf-8")
    module = hashlib.sha256(source.encode()).hexdigest()[:12]
    found = []
    for one in mutants_of(source):
        change = hashlib.sha256(f"{one.old}\n{one.new}".encode()).hexdigest()[:8]
        found.append(Candidate(path, one, f"{module} {one.line} {change}"))
    return found


def known(candidate: Candidate, table: dict[str, Any]) -> bool:
    """Whether ``mutants.toml`` gives a reason why nothing can notice this mutant."""
    return any(
        str(candidate.path).endswith(one["module"])
        and candidate.mutant.old == one["old"]
        and candidate.mutant.new in ([one["new"]] if isinstance(one["new"], str) else one["new"])
        for one in table.get("equivalent", ())
    )


def digest(group: Group) -> str:
    """Of a group's tests."""
    found = hashlib.sha256(repr(group).encode())
    for test in group.tests:
        whole = ROOT / test.split("::")[0]
        for file in sorted(whole.glob("*.py")) if whole.is_dir() else [whole]:
            found.update(file.read_bytes())
    return found.hexdigest()[:12]


class Verdicts:
    """What is known of mutants, in a file to which children add.

    A verdict is ``failed`` or ``timeout``, which both count as killed, or ``passed``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._screen = os.dup(1)  # children send the output of tests elsewhere

    def read(self, tests: str) -> dict[str, str]:
        """Verdicts by key; of survivors those of these tests, by their digest."""
        return {
            one["key"]: one["verdict"]
            for one in self._lines()
            if one["verdict"] != "passed" or one["tests"] == tests
        }

    def _lines(self) -> list[dict[str, str]]:
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return [json.loads(line) for line in lines]

    def add(self, one: Candidate, verdict: str, tests: str, seconds: float) -> None:
        """Keeps a verdict, and says it."""
        with self._path.open("a") as out:
            out.write(json.dumps({"key": one.key, "verdict": verdict, "tests": tests}) + "\n")
        os.write(self._screen, f"{verdict:8} {seconds:6.1f} s  {one.place}\n".encode())

    def tidy(self, keys: list[str]) -> None:
        """Leaves one verdict of each of these mutants, in this order, and drops all others.

        That is the last; but what was killed once stays killed.
        """
        lines = sorted(self._lines(), key=lambda one: one["verdict"] != "passed")
        last = {one["key"]: json.dumps(one) + "\n" for one in lines}
        self._path.write_text("".join(last[key] for key in keys if key in last))


def judge(group: Group, chosen: list[Candidate], verdicts: Verdicts, end: float) -> None:
    """Judges the mutants of a group that are not judged yet, until the time is over."""
    tests = digest(group)
    todo = [one for one in chosen if one.key not in verdicts.read(tests)]
    if not todo or time.monotonic() > end:
        return
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        times = scratch / "plain.json"
        root = os.getpid()

        def serve() -> int:
            with Lines([one.path for one in todo]) as lines:
                return collected(group.tests, group.select, scratch, partial(work, lines))

        def work(imported: Lines, session: pytest.Session) -> None:
            sys.settrace(None)
            plain = measured(session, [one.path for one in todo], times)
            if plain is None:
                return
            for one in todo:
                if time.monotonic() > end or os.getppid() != root:
                    return
                begin = time.monotonic()
                verdict = judged_warm(one, session, plain, imported.executed)
                if verdict is not None:
                    verdicts.add(one, verdict, tests, time.monotonic() - begin)

        forked(serve, math.inf)
        if not times.exists():
            print((scratch / "log").read_text()[-2000:])
            raise SystemExit(f"tests fail without a mutant: {' '.join(group.tests)}")
        limit = limit_of(json.loads(times.read_text()))
        judged = verdicts.read(tests)
        for one in todo:
            if one.key not in judged and time.monotonic() < end:
                begin = time.monotonic()
                code = compile(one.mutant.make(), str(one.path), "exec")
                verdict = cold(group.tests, group.select, scratch, code, limit)
                verdicts.add(one, verdict, tests, time.monotonic() - begin)


def measured(session: pytest.Session, modules: list[Path], times: Path) -> Plain | None:
    """What the tests need and execute without a mutant; None where they fail, in either order."""
    backwards = forked(lambda: run(session.items[::-1]), 900)
    if backwards == "passed":
        forked(lambda: run_traced(session.items, modules, times), 900)
    return dict(json.loads(times.read_text())) if times.exists() else None


def limit_of(plain: Plain) -> float:
    """Seconds after which tests that this mutant slows down are ended."""
    return 10 + 4 * sum(seconds for seconds, *_ in plain.values())


def judged_warm(
    one: Candidate, session: pytest.Session, plain: Plain, imported: set[str]
) -> str | None:
    """The verdict on a change of functions that are loaded and do not run on import; else None."""
    mutant, name = one.mutant, str(one.path)
    lines = {f"{name}:{line}" for line in range(mutant.line, mutant.end + 1)}
    if lines & imported:
        return None
    old = compile(one.path.read_text(encoding="utf-8"), name, "exec")
    changes = swaps(old, compile(mutant.make(), name, "exec"), name)
    if changes is None:
        return None
    return warm(relevant(session.items, plain, lines), changes, limit_of(plain))


def main() -> int:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="parts of paths of modules; all without any")
    parser.add_argument("--sample", type=int, default=0, help="mutants in all; 0 for every one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60, help="begin no mutant after these")
    parser.add_argument("--list", action="store_true", help="count the mutants of each module")
    asked = parser.parse_args()
    os.chdir(ROOT)
    table = tomllib.loads((ROOT / ".ci" / "mutants.toml").read_text(encoding="utf-8"))
    found = {
        group: [one for path in modules_of(group, asked.names) for one in candidates_of(path)]
        for group in groups(table)
    }
    count = sum(map(len, found.values()))
    chosen = [one for own in found.values() for one in own if not known(one, table)]
    print(f"{len(chosen)} mutants, and {count - len(chosen)} that change nothing")
    if asked.list:
        for path, number in Counter(one.path for one in chosen).items():
            print(f"{number:6} {path.relative_to(ROOT)}")
        return 0
    if 0 < asked.sample < len(chosen):
        chosen = random.Random(asked.seed).sample(chosen, asked.sample)
    os.environ.update(OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1", PYTHONHASHSEED="0")
    sys.dont_write_bytecode = True
    for name in table["preload"]:
        importlib.import_module(name)
    verdicts = Verdicts(VERDICTS)
    end = time.monotonic() + 60 * asked.minutes
    judged: list[tuple[Candidate, str]] = []
    for group, all_of_group in found.items():
        own = [one for one in all_of_group if one in chosen]
        judge(group, own, verdicts, end)
        known_now = verdicts.read(digest(group))
        judged += [(one, known_now[one.key]) for one in own if one.key in known_now]
    everything = {path for group in groups(table) for path in modules_of(group, [])}
    verdicts.tidy([one.key for path in sorted(everything) for one in candidates_of(path)])
    if len(judged) < len(chosen):
        print(f"the time is over: {len(judged)} of {len(chosen)} are judged")
    return report(judged)


def report(judged: list[tuple[Candidate, str]]) -> int:
    """Prints the survivors as differences, and the share of each module."""
    for one, verdict in judged:
        if verdict == "passed":
            print(f"\n{one.place}\n- {one.mutant.old}\n+ {one.mutant.new}")
    print("\n   killed  of  module")
    for path in dict.fromkeys(one.path for one, _ in judged):
        own = [verdict != "passed" for one, verdict in judged if one.path == path]
        print(f"{sum(own) / len(own):9.0%} {len(own):3}  {path.relative_to(ROOT)}")
    killed = sum(verdict != "passed" for _, verdict in judged)
    late = sum(verdict == "timeout" for _, verdict in judged)
    share = killed / max(1, len(judged))
    print(
        f"{share:9.1%} {len(judged):3}  in all: {killed} killed, {late} of them by the time limit"
    )
    return int(share < WANTED)


if __name__ == "__main__":
    raise SystemExit(main())
