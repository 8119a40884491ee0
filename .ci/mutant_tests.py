"""Runs the tests of a module in children where one mutant takes the module's place.

Importing torch, the zoo and the tests takes longer than most tests. So a process collects the tests
once and forks for each mutant: the child puts the mutant's code into the functions that are loaded,
and runs the tests of the files that execute the changed line (`warm`). Where the change is in what
runs on import, such as defaults and class bodies, the child is forked where nothing of the zoo is
loaded yet, imports the mutant in place of the module, and runs all tests (`cold`).
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib.machinery
import inspect
import json
import os
import resource
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest

MEMORY = 6 * 2**30
"""Bytes that a child may hold; a mutant may ask for any size."""

Plain = dict[str, tuple[float, list[str], list[str]]]
"""Of each test, without a mutant, its seconds and the lines of modules that it executed: all, and
those in fixtures that other tests have, too."""


def forked(work: Callable[[], int], limit: float) -> str:
    """Does work in a child; ``passed`` where its status is 0, else ``failed`` or ``timeout``."""
    begin = time.monotonic()
    child = os.fork()
    if not child:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        status = 99
        try:
            status = work()
        except BaseException:  # a mutant may end Python itself
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    while time.monotonic() - begin < limit:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            with contextlib.suppress(ProcessLookupError):  # what the tests left behind
                os.killpg(child, signal.SIGKILL)
            return "failed" if status else "passed"
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


class _Loop:
    """Does something else with the collected tests than running each."""

    def __init__(self, work: Callable[[pytest.Session], object]) -> None:
        self._work = work

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if session.testsfailed:  # a test file could not be imported
            return None
        self._work(session)
        return True


def collected(
    tests: Sequence[str], select: str, scratch: Path, work: Callable[[pytest.Session], object]
) -> int:
    """Collects tests and does work with them; what is printed goes to a file of ``scratch``."""
    with (scratch / "log").open("w") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    options = [
        "-x",
        "-q",
        "-s",
        "--assert=plain",
        "--tb=no",
        "--no-header",
        "-p",
        "no:cacheprovider",
    ]
    options += ["--basetemp", str(scratch / "files"), *(["-k", select] if select else [])]
    return int(pytest.main([*options, *tests], plugins=[_Loop(work)]))


def run(items: Sequence[pytest.Item]) -> int:
    """Runs tests until one fails; 1 then, else 0."""
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if item.session.testsfailed:
            print(f"failed: {item.nodeid}")
            return 1
    return 0


class Lines:
    """The lines of some modules that are executed, as ``path:line``, in new threads, too."""

    def __init__(self, modules: Sequence[Path]) -> None:
        self._names = {str(path) for path in modules}
        self.executed: set[str] = set()
        self.shared: set[str] = set()

    def __enter__(self) -> Lines:
        threading.settrace(self._trace)
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename not in self._names:
            return None
        if event == "line":
            self.executed.add(f"{frame.f_code.co_filename}:{frame.f_lineno}")
        return self._trace

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        """Keeps apart what is executed in a fixture that tests share."""
        before, self.executed = self.executed, set()
        try:
            return (yield)
        finally:
            if fixturedef.scope != "function":
                self.shared |= self.executed
            self.executed |= before


def run_traced(items: Sequence[pytest.Item], modules: Sequence[Path], out: Path) -> int:
    """Runs tests, and writes `Plain` of each into a file."""
    found: Plain = {}
    for item, following in zip(items, [*items[1:], None], strict=True):
        begin = time.monotonic()
        with Lines(modules) as lines:
            item.config.pluginmanager.register(lines)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            item.config.pluginmanager.unregister(lines)
        if item.session.testsfailed:
            return 1
        seconds = time.monotonic() - begin
        found[item.nodeid] = seconds, sorted(lines.executed), sorted(lines.shared)
    out.write_text(json.dumps(found), encoding="utf-8")
    return 0


def relevant(items: Sequence[pytest.Item], plain: Plain, lines: set[str]) -> list[pytest.Item]:
    """The tests that execute one of these lines, in the order of their files, quick first.

    Where a fixture executes it that tests share, the other tests of the file come last: they may
    see what came of it.
    """

    def executes(item: pytest.Item) -> bool:
        return not lines.isdisjoint(plain[item.nodeid][1])

    files = list(dict.fromkeys(item.path for item in items))
    shared = {item.path for item in items if not lines.isdisjoint(plain[item.nodeid][2])}
    return sorted(
        [item for item in items if executes(item) or item.path in shared],
        key=lambda item: (not executes(item), files.index(item.path), plain[item.nodeid][0]),
    )


def swaps(
    old: CodeType, new: CodeType, filename: str
) -> list[tuple[FunctionType, CodeType]] | None:
    """The loaded functions of a module that a mutant changes, each with its code there.

    None where a change is in what runs on import, or in no function that is loaded.
    """
    pairs = list(_changed(old, new))
    if any(_own(one) != _own(other) for one, other in pairs if not _is_function(one)):
        return None
    found = []
    for one, other in pairs:
        for function in _loaded(filename):
            code = function.__code__
            if (code.co_qualname, code.co_firstlineno) == (one.co_qualname, one.co_firstlineno):
                if len(code.co_freevars) != len(other.co_freevars):
                    return None
                found.append((function, other))
    return found or None


@functools.cache
def _loaded(filename: str) -> list[FunctionType]:
    """The functions of a module, closures and methods with them, that exist now."""
    functions = [one for one in gc.get_objects() if type(one) is FunctionType]
    return [one for one in functions if one.__code__.co_filename == filename]


def _changed(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Code that differs between two versions, the outer before the inner."""
    if old != new:
        yield old, new
        inner = [[one for one in code.co_consts if type(one) is CodeType] for code in (old, new)]
        if len(inner[0]) == len(inner[1]):
            for one, other in zip(*inner, strict=True):
                yield from _changed(one, other)


def _own(code: CodeType) -> CodeType:
    """Code without that of functions and classes within."""
    bare = tuple(None if type(one) is CodeType else one for one in code.co_consts)
    return code.replace(co_consts=bare)


def _is_function(code: CodeType) -> bool:
    return bool(code.co_flags & inspect.CO_OPTIMIZED)


def import_instead(path: Path, code: CodeType) -> None:
    """Lets imports of a module, and reloads, execute this code."""
    loader = importlib.machinery.SourceFileLoader
    original = loader.get_code

    def get_code(self: Any, name: str) -> Any:
        return code if Path(self.path) == path else original(self, name)

    loader.get_code = get_code  # type: ignore[method-assign]


def warm(
    items: Sequence[pytest.Item], changes: list[tuple[FunctionType, CodeType]], limit: float
) -> str:
    """Runs tests in a child with other code in some functions; like `forked`."""

    def work() -> int:
        for function, code in changes:
            function.__code__ = code
        return run(items)

    return forked(work, limit) if items else "passed"


def cold(tests: Sequence[str], select: str, scratch: Path, code: CodeType, limit: float) -> str:
    """Runs tests in a child that imports other code for a module; like `forked`."""

    def work() -> int:
        import_instead(Path(code.co_filename), code)
        return collected(tests, select, scratch, lambda session: run(session.items))

    try:
        return forked(work, limit)
    finally:
        shutil.rmtree(scratch / "files", ignore_errors=True)
