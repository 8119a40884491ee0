"""Feeds mutated files and answers to everything that reads those of strangers.

    python fuzz/fuzz.py --seconds 60                   all targets, two at a time
    python fuzz/fuzz.py --seconds 60 --only image      some of them
    python fuzz/fuzz.py --corpus                       the files of the corpus, once each
    python fuzz/fuzz.py --replay fuzz/corpus/image/x   one file, with its traceback

With atheris installed (Linux and macOS, Python 3.11 to 3.13) mutations are guided by the code that
they reach; else files are cut, doubled, joined and sprinkled at random. A fault is an exception
other than ZooError, an execution of more than 5 s of the CPU, or more than 1 GiB of memory. Each
kind is kept once, in the folder of --faults; the exit code is 1 where there are any.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import mmap
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SLOWEST = 5.0
"""Seconds of the CPU that one execution may take."""
MOST = 2**30
"""Bytes that one execution may take, and that all together may leave behind."""
LONGEST = 1 << 20
"""Bytes of one input."""
PARALLEL = 2
_LONGEST_MESSAGE = 20_000
_STATUS = Path("/proc/self/status")
_MAXRSS = 1 if sys.platform == "darwin" else 1024


class Watch:
    """Counts executions and keeps the current input where the parent process finds it.

    Args:
        name: The target.
        folder: Where faults go.
    """

    def __init__(self, name: str, folder: Path) -> None:
        from targets import TARGETS, prepare

        prepare(name)
        self.target, self.folder, self.name = TARGETS[name], folder, name
        self.seen: set[str] = set()
        file = (folder / f"{name}.now").open("w+b")
        file.truncate(16 + LONGEST)
        self.now = mmap.mmap(file.fileno(), 16 + LONGEST)
        self.count = 0
        self.held = _held()

    def run(self, data: bytes) -> None:
        """Executes the target once; a fault of a new kind is written down."""
        from zoo_core.errors import ZooError

        data = bytes(data[:LONGEST])
        self.count += 1
        self.now[:16] = struct.pack("<QQ", self.count, len(data))
        self.now[16 : 16 + len(data)] = data
        before = _forget_peak()
        signal.setitimer(signal.ITIMER_PROF, SLOWEST)  # ends the process, and the parent notes it
        try:
            self.target(data)
        except ZooError as error:
            message = str(error)
            if len(message) > _LONGEST_MESSAGE or any(ord(sign) < 9 for sign in message):
                self.fault("message", data, message[:500])
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            places = traceback.extract_tb(error.__traceback__)
            kind = f"{type(error).__name__} at {Path(places[-1].filename).name}:{places[-1].lineno}"
            self.fault(kind, data, traceback.format_exc()[-3000:])
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        if (taken := _peak() - before) > MOST:
            self.fault("memory", data, f"it took {taken / 2**30:.2f} GiB")
        if (kept := _held() - self.held) > MOST:
            self.fault("leak", data, f"{kept / 2**30:.2f} GiB are held after {self.count} inputs")

    def fault(self, kind: str, data: bytes, text: str) -> None:
        """Writes a fault down, once per kind."""
        if kind not in self.seen:
            self.seen.add(kind)
            _keep(self.folder, self.name, kind, data, text)


def work(name: str, seconds: float, folder: Path, seed: int) -> None:
    """Executes one target for a while, in this process."""
    sys.path.insert(0, str(HERE))
    seeds = sorted((HERE / "corpus" / name).iterdir())
    try:
        import atheris
    except ImportError:
        atheris = None
    if atheris is not None:
        with atheris.instrument_imports(include=_packages(), enable_loader_override=False):
            import targets

            _import_all(targets.TARGETS[name], seeds)
    watch = Watch(name, folder)
    _import_all(watch.target, seeds)  # so that no execution is charged with imports
    for path in seeds:
        watch.run(path.read_bytes())
    watch.held = _held()
    if atheris is None:
        _mutate(watch.run, [path.read_bytes() for path in seeds], seconds, seed)
        return
    grown = folder / f"{name}.grown"
    grown.mkdir(exist_ok=True)
    options = [f"-max_total_time={max(1, round(seconds))}", f"-max_len={1 << 16}", f"-seed={seed}"]
    options += ["-print_final_stats=0", "-rss_limit_mb=0", "-timeout=3600", "-verbosity=0"]
    options += [f"-artifact_prefix={folder}/"]  # what libFuzzer keeps of its own goes there too
    atheris.Setup([sys.argv[0], *options, str(grown), str(HERE / "corpus" / name)], watch.run)
    atheris.Fuzz()


def _mutate(run: Callable[[bytes], None], seeds: list[bytes], seconds: float, seed: int) -> None:
    """Executes mutations of the seeds at random until the time is over."""
    rng, end = random.Random(seed), time.monotonic() + seconds
    pool = list(seeds)
    while time.monotonic() < end:
        data = bytearray(rng.choice(pool))
        for _ in range(rng.choice((1, 1, 2, 4, 16))):
            _change(data, pool, rng)
        run(bytes(data))
        if rng.random() < 0.001:
            pool.append(bytes(data[: 1 << 16]))


def _change(data: bytearray, pool: list[bytes], rng: random.Random) -> None:
    """One change: a bit, a number, a part cut, doubled, exchanged or taken from another file."""
    at = rng.randrange(len(data) + 1)
    length = rng.choice((1, 1, 2, 4, 8, 64, 1024))
    match rng.randrange(6):
        case 0 if data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        case 1:
            form = rng.choice(("<B", "<H", "<I", "<Q", ">H", ">I"))
            bits = 8 * struct.calcsize(form)
            value = rng.choice((0, 1, 2 ** (bits - 1), 2**bits - 1, rng.getrandbits(bits)))
            data[at : at + bits // 8] = struct.pack(form, value)
        case 2:
            del data[at : at + length]
        case 3:
            data[at:at] = data[at : at + length] * rng.choice((1, 2, 50))
        case 4:
            other = rng.choice(pool)
            start = rng.randrange(len(other) + 1)
            data[at : at + length] = other[start : start + length]
        case _:
            data[at:at] = rng.choice(_TOKENS)


_TOKENS = (
    b"\0", b"\n", b" ", b"-1", b"1e999", b".nan", b"9" * 40, b"[", b"{", b"&a ", b"*a", b"null",
    b"true", b"'", b'"', b"../", b"/", b"\xff\xfe", b"\x1b[2J", b"!!python/object:os.system x",
    "\u202e".encode(), b"F64", b"shape", b"\n--\n", b"\n\n", b"200", b"404", b"X-Repo-Commit: ",
)  # fmt: skip


def _import_all(target: Callable[[bytes], Any], seeds: list[Path]) -> None:
    """Runs a target on what it understands, so that all of its modules are imported."""
    for path in seeds:
        try:
            target(path.read_bytes())
        except Exception:  # the run proper reports it
            continue


def _packages() -> list[str]:
    return [path.name for path in HERE.parent.glob("**/src/zoo_*") if path.is_dir()]


def _forget_peak() -> int:
    """Has `_peak` begin anew; the bytes that the process holds now."""
    if not _STATUS.exists():
        return _peak()
    Path("/proc/self/clear_refs").write_text("5")
    return _held()


def _peak() -> int:
    """The most bytes that the process has held since `_forget_peak`; without /proc, ever."""
    if not _STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS
    return _status("VmHWM")


def _held() -> int:
    """The bytes that the process holds; without /proc, 0, as nothing tells."""
    return _status("VmRSS") if _STATUS.exists() else 0


def _status(key: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{key}:"))
    return int(line.split()[1]) << 10


def _keep(folder: Path, name: str, kind: str, data: bytes, text: str) -> None:
    path = folder / f"{name}-{hashlib.sha256(kind.encode()).hexdigest()[:12]}"
    path.write_bytes(data)
    row = {"target": name, "kind": kind, "input": str(path), "text": text}
    with (folder / "faults.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def corpus(names: list[str], folder: Path) -> int:
    """Executes every file of the corpus once, in this process."""
    from targets import close

    for name in names:
        watch = Watch(name, folder)
        for path in sorted((HERE / "corpus" / name).iterdir()):
            watch.run(path.read_bytes())
        print(f"{name:12} {watch.count:9,} executions", flush=True)
    close()
    for row in _faults(folder):
        print(f"\n{row['target']}: {row['kind']}\n{row['input']}\n{row['text']}")
    return 1 if _faults(folder) else 0


def _faults(folder: Path) -> list[dict[str, str]]:
    found = folder / "faults.jsonl"
    return [json.loads(line) for line in found.read_text().splitlines()] if found.exists() else []


def watch_over(name: str, seconds: float, folder: Path, seed: int) -> int:
    """Runs one target in processes of its own until the time is over; how often it ran."""
    end, count = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 1:
        command = [sys.executable, __file__, "--work", name, "--seconds", f"{left:.0f}"]
        command += ["--faults", str(folder), "--seed", str(seed + count)]
        log = folder / f"{name}.log"
        with log.open("w") as out:
            done = subprocess.run(command, stdout=out, stderr=out, check=False, env=_quiet())
        ran, data = _last(folder, name)
        count += ran
        if done.returncode == 0:
            break
        slow = done.returncode == -signal.SIGPROF
        kind = "slow" if slow else f"ended with {done.returncode}"
        text = f"more than {SLOWEST:g} s" if slow else log.read_text(errors="replace")[-3000:]
        _keep(folder, name, kind, data, text)
        if ran == 0:
            break
    return count


def _last(folder: Path, name: str) -> tuple[int, bytes]:
    path = folder / f"{name}.now"
    if not path.exists():
        return 0, b""
    content = path.read_bytes()
    path.unlink()
    count, length = struct.unpack("<QQ", content[:16])
    return count, content[16 : 16 + length]


def _quiet() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def main() -> int:
    """Runs the targets and says how often each ran and what was found."""
    from concurrent.futures import ThreadPoolExecutor

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    parser.add_argument("--only", action="append", default=[], help="name of a target")
    parser.add_argument("--faults", type=Path, default=Path("build/fuzz"), help="folder")
    parser.add_argument("--corpus", action="store_true", help="execute the corpus and nothing else")
    parser.add_argument("--replay", type=Path, help="execute one file of a target's folder")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    given = parser.parse_args()
    sys.path.insert(0, str(HERE))
    if given.work:
        work(given.work, given.seconds, given.faults, given.seed or 0)
        return 0
    from targets import TARGETS, close

    if given.replay:
        name = given.replay.parent.name
        name = name if name in TARGETS else given.replay.name.partition("-")[0]
        print(TARGETS[name](given.replay.read_bytes()))
        close()
        return 0
    names = given.only or list(TARGETS)
    if unknown := [name for name in names if name not in TARGETS]:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    folder = given.faults.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "faults.jsonl").unlink(missing_ok=True)
    if given.corpus:
        return corpus(names, folder)
    seed = random.SystemRandom().getrandbits(30) if given.seed is None else given.seed
    each = given.seconds * PARALLEL / max(PARALLEL, len(names))
    print(f"{len(names)} targets, {each:.0f} s each, seed {seed}", flush=True)
    with ThreadPoolExecutor(PARALLEL) as pool:
        counts = dict(
            zip(names, pool.map(lambda n: watch_over(n, each, folder, seed), names), strict=True)
        )
    rows = _faults(folder)
    for name, count in counts.items():
        mine = [row["kind"] for row in rows if row["target"] == name]
        print(f"{name:12} {count:9,} executions  {'; '.join(mine) or 'no fault'}")
    for row in rows:
        print(f"\n{row['target']}: {row['kind']}\n{row['input']}\n{row['text']}")
    return 1 if rows or not all(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
