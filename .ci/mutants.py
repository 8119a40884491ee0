"""Changes one place of a module at a time, and asks whether its tests notice.

    python .ci/mutants.py                       a sample of all modules in mutants.toml
    python .ci/mutants.py --sample 0 schedules  every mutant of the modules whose path has this
    python .ci/mutants.py --list                how many mutants each module has; nothing is run

`mutants.toml` says which tests belong to which module, and which survivors change nothing that can
be observed. Verdicts are kept in ``.venv/mutants.jsonl``, so that an interrupted run goes on: while
the module stays as it is, and of survivors while their tests do. Mutants are judged in a random
order, so that what is judged when the time is over is a sample, too. Ends with 1 if fewer than 95 %
are killed.

Tools for this start Python anew for each mutant and want one package with its tests; here importing
torch would take most of the time. This process imports it once and forks: each child compiles its
mutant in place of the module, which it imports only then, and runs the tests.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import importlib.machinery
import json
import os
import random
import signal
import sys
import time
import tomllib
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from mutations import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[1]
WANTED = 0.95
HEAVY = ("torch", "torch.nn.functional", "torch.utils.data", "lightning_fabric", "torchvision")
HEAVY += ("numpy", "PIL.Image", "pydantic", "safetensors.torch", "yaml", "rich", "click", "pytest")
HEAVY += ("hypothesis", "soundfile", "soxr", "huggingface_hub.hf_api", "torch._dynamo", "timm")
"""What is imported once, since tests take long to import it; none of it imports the zoo."""


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


@dataclass(frozen=True)
class Result:
    """What came of a mutant: ``killed``, ``survived`` or ``timeout``, which counts as killed."""

    verdict: str
    seconds: float


def run(group: Group, path: Path, mutant: Mutant | None, limit: float) -> Result:
    """Runs the tests of a group in a child, where ``path`` is replaced by the mutant, if any."""
    begin = time.monotonic()
    child = os.fork()
    if not child:
        os.setsid()
        try:
            status = _tested(group, path, mutant)
        except BaseException:  # a mutant may end Python itself
            traceback.print_exc()
            status = 99
        os._exit(status)
    while time.monotonic() - begin < limit:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            passed = os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
            return Result("survived" if passed else "killed", time.monotonic() - begin)
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return Result("timeout", limit)


def _tested(group: Group, path: Path, mutant: Mutant | None) -> int:
    """Exit status of pytest; runs in the child, whose output nobody reads."""
    import pytest

    output = ROOT / ".venv" / "mutants.log" if mutant is None else Path(os.devnull)
    with output.open("w") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    if mutant is not None:
        loader = importlib.machinery.SourceFileLoader
        original = loader.get_code

        def get_code(self: Any, name: str) -> Any:
            if Path(self.path) != path:
                return original(self, name)
            return compile(mutant.tree, str(path), "exec")

        loader.get_code = get_code  # type: ignore[assignment]
    options = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "--no-header"]
    select = ["-k", group.select] if group.select else []
    status = int(pytest.main([*options, *select, *group.tests]))
    sys.stdout.flush()
    return status


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


def known(mutant: Mutant, path: Path, table: dict[str, Any]) -> bool:
    """Whether ``mutants.toml`` gives a reason why nothing can notice this mutant."""
    return any(
        fnmatch(str(path.relative_to(ROOT)), f"*{one['module']}")
        and one["old"] == mutant.old
        and one["new"] == mutant.new
        for one in table.get("equivalent", ())
    )


def digest(group: Group) -> str:
    """Of a group's tests."""
    found = hashlib.sha256(repr(group).encode())
    for test in group.tests:
        whole = ROOT / test.split("::")[0]
        for file in sorted(whole.glob("*.py")) if whole.is_dir() else [whole]:
            found.update(file.read_bytes())
    return found.hexdigest()[:16]


def main() -> int:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="parts of paths of modules; all without any")
    parser.add_argument("--sample", type=int, default=300, help="mutants in all; 0 for every one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60, help="begin no mutant after these")
    parser.add_argument("--list", action="store_true", help="count the mutants of each module")
    asked = parser.parse_args()
    os.chdir(ROOT)
    table = tomllib.loads((ROOT / ".ci" / "mutants.toml").read_text(encoding="utf-8"))
    found = [
        (group, path, mutant)
        for group in groups(table)
        for path in modules_of(group, asked.names)
        for mutant in mutants_of(path.read_text(encoding="utf-8"))
    ]
    candidates = [one for one in found if not known(one[2], one[1], table)]
    print(f"{len(candidates)} mutants, and {len(found) - len(candidates)} that change nothing")
    if asked.list:
        for path, count in Counter(path for _, path, _ in candidates).items():
            print(f"{count:6} {path.relative_to(ROOT)}")
        return 0
    chosen = candidates
    if 0 < asked.sample < len(candidates):
        chosen = random.Random(asked.seed).sample(candidates, asked.sample)
    return report(judged(chosen, time.monotonic() + 60 * asked.minutes))


Judged = list[tuple[Path, Mutant, str]]


def judged(chosen: list[tuple[Group, Path, Mutant]], end: float) -> Judged:
    """The verdict on each mutant, from ``.venv/mutants.jsonl`` where it is there."""
    kept = ROOT / ".venv" / "mutants.jsonl"
    lines = kept.read_text().splitlines() if kept.exists() else []
    before = {one["key"]: tuple(one["found"]) for one in map(json.loads, lines)}
    os.environ.update(OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1", PYTHONHASHSEED="0")
    sys.dont_write_bytecode = True
    for name in HEAVY:
        importlib.import_module(name)
    limits: dict[Group, float] = {}
    verdicts = []
    for number, (group, path, mutant) in enumerate(chosen):
        module = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        key = f"{module} {mutant.line} {mutant.number}"
        tests = digest(group)
        if before.get(key) not in (("killed", ""), ("timeout", ""), ("survived", tests)):
            if time.monotonic() > end:
                print(f"the time is over: {len(verdicts)} of {len(chosen)} are judged")
                break
            if group not in limits:
                plain = run(group, path, None, 600)
                if plain.verdict != "survived":
                    raise SystemExit(f"tests fail without a mutant: {' '.join(group.tests)}")
                limits[group] = 10 + 4 * plain.seconds
            result = run(group, path, mutant, limits[group])
            before[key] = result.verdict, tests if result.verdict == "survived" else ""
            with kept.open("a") as out:
                out.write(json.dumps({"key": key, "found": before[key]}) + "\n")
            place = f"{path.relative_to(ROOT)}:{mutant.line}"
            done = f"{number + 1}/{len(chosen)}"
            print(f"{done} {result.verdict:8} {result.seconds:5.1f} s  {place}", flush=True)
        verdicts.append((path, mutant, before[key][0]))
    return verdicts


def report(verdicts: Judged) -> int:
    """Prints the share of each module, and the survivors as differences."""
    for path, mutant, verdict in verdicts:
        if verdict == "survived":
            print(f"\n{path.relative_to(ROOT)}:{mutant.line}\n- {mutant.old}\n+ {mutant.new}")
    print("\n   killed  of  module")
    for path in sorted({path for path, _, _ in verdicts}):
        own = [verdict != "survived" for one, _, verdict in verdicts if one == path]
        print(f"{sum(own) / len(own):9.0%} {len(own):3}  {path.relative_to(ROOT)}")
    killed = sum(verdict != "survived" for _, _, verdict in verdicts)
    share = killed / max(1, len(verdicts))
    print(f"{share:9.1%} {len(verdicts):3}  in all")
    return int(share < WANTED)


if __name__ == "__main__":
    raise SystemExit(main())
