"""Trainings and translations that share everything, killed at random: is ever a file wrong?

    python benchmarks/soak.py --kills 200

Two trainings (in two run directories) and ten translations (of two models of a local Hub and of two
folders with the same file names, into one output folder, through one cache) are started at random
and ended at random: by SIGKILL, now and then by SIGTERM or SIGINT. What each must give is known
from undisturbed runs before. Every ``--check`` kills all are left to end, and then

- every picture in the output folder is one of the right ones, and what the records say of it holds;
- a translation that ended well has left just its own pictures, none of another model or folder;
- a training that ended well has left the model of its own configuration, byte for byte;
- every file of the cache is the Hub's.

Some processes, ``--real``, are started as a user starts them: a new interpreter each, which may be
killed while it imports. The others are forked from one that has imported everything, so that more
of them are killed at work. Nets are tiny: what is tested is files.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TRAININGS, TRANSLATIONS = 2, 10
STEPS = 30
TARGETS = ("dark", "light")
FOLDERS = ("p", "q")
MODELS = ("org/one", "org/two")
PICTURES = 6
SIGNALS = (signal.SIGKILL,) * 8 + (signal.SIGTERM, signal.SIGINT)
_NET = {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 3}


@dataclass(frozen=True)
class Job:
    """One command, its process, and when it began."""

    arguments: tuple[str, ...]
    pid: int
    log: Path


@dataclass
class Soak:
    """The state of a soak.

    Args:
        root: Folder of everything.
        seed: Of what is random.
        real: Share of commands that are started in an interpreter of their own.
    """

    root: Path
    seed: int
    real: float
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    right: dict[tuple[str, str, str], dict[str, str]] = field(default_factory=dict)
    trained: dict[str, str] = field(default_factory=dict)
    hub: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def prepare(self) -> None:
        """Makes pictures, models and a Hub, and learns what undisturbed commands give."""
        rng = np.random.default_rng(self.seed)
        for folder, base in zip((*FOLDERS, *TARGETS), (20, 150, 40, 120), strict=True):
            (self.root / folder).mkdir()
            for number in range(PICTURES):
                pixels = rng.integers(0, 100, (16, 16, 3)) + base
                path = self.root / folder / f"{number}.png"
                Image.fromarray(pixels.astype(np.uint8)).save(path)
        for run in ("0", "1"):
            self._require(self.training(run, out=f"reference/{run}"))
            assert not self.faults, self.faults[0]
            weights = self.root / f"reference/{run}/model/model.safetensors"
            self.trained[run] = sha256(weights.read_bytes()).hexdigest()
        self._serve()
        for model, folder, target in itertools.product(MODELS, FOLDERS, TARGETS):
            self._require(self.translation(model, folder, target, out="reference/out"))
            out = self.root / "reference/out"
            self.right[model, folder, target] = _hashes(out, target)
            shutil.rmtree(out)
        sets = [tuple(sorted(hashes.items())) for hashes in self.right.values()]
        assert len(set(sets)) == len(sets), "two translations give the same pictures"

    def training(self, run: str, *, out: str | None = None, seed: str | None = None) -> Any:
        """The command that trains, or goes on."""
        nets = [text for key, value in _NET.items() for text in ("--set", f"{key}={value}")]
        loop = ["--set", "train.checkpoint_every=5", "--set", "train.sample_every=10"]
        domains = [t for name in TARGETS for t in ("--domain", f"{name}={self.root / name}")]
        place = str(self.root / (out or f"runs/{run}"))
        return (
            "train", "stargan", "--preset", "32px", "--size", "16", "--batch", "2", "--steps",
            str(STEPS), "--seed", seed or run, "--precision", "float32", "--device", "cpu",
            "--threads", "1", "--quiet", "--resume", *nets, *loop, *domains, "--out", place,
        )  # fmt: skip

    def translation(self, model: str, folder: str, target: str, *, out: str = "out") -> Any:
        """The command that translates a folder."""
        return (
            "translate", model, str(self.root / folder), "--to", target, "--out",
            str(self.root / out), "--batch", "1", "--precision", "float32", "--device", "cpu",
            "--threads", "1",
        )  # fmt: skip

    def start(self, arguments: Sequence[str], *, real: float = 0.0) -> Job:
        """Runs a command in a process of its own, with this chance in an interpreter of its own."""
        log = self.root / "logs" / f"{self.counts['started']}.txt"
        self.counts["started"] += 1
        self.counts[f"{arguments[0]} started"] += 1
        if self.rng.random() < real:
            self.counts["started in interpreters of their own"] += 1
            pid = _spawned(arguments, log)
        else:
            pid = os.fork()
            if pid == 0:
                _become(arguments, log)
        job = Job(tuple(arguments), pid, log)
        self.jobs.append(job)
        return job

    def fill(self) -> None:
        """Starts what is missing of the trainings and translations."""
        running = [job.arguments for job in self.jobs]
        for run in ("0", "1"):
            command = self.training(run)
            if command not in running:
                self.start(command, real=self.real)
            elif self.rng.random() < 0.05:  # a second writer, with another seed: it must be refused
                self.start(self.training(run, seed="7"), real=self.real)
        while sum(job.arguments[0] == "translate" for job in self.jobs) < TRANSLATIONS:
            choice = (self.rng.choice(MODELS), self.rng.choice(FOLDERS), self.rng.choice(TARGETS))
            self.start(self.translation(*choice), real=self.real)

    def reap(self, *, wait: bool = False) -> None:
        """Takes leave of processes that have ended, and looks at how."""
        for job in list(self.jobs):
            pid, status = os.waitpid(job.pid, 0 if wait else os.WNOHANG)
            if pid:
                self.jobs.remove(job)
                self._ended(job, os.waitstatus_to_exitcode(status))

    def kill(self) -> None:
        """Ends one process."""
        self.reap()
        if not self.jobs:
            return
        job, number = self.rng.choice(self.jobs), self.rng.choice(SIGNALS)
        os.kill(job.pid, number)
        self.counts["kills"] += 1
        self.counts[f"killed by {signal.Signals(number).name}"] += 1
        self.counts[f"{job.arguments[0]} killed"] += 1

    def check(self) -> None:
        """Lets everything end, then holds all files against what they must be."""
        while self.jobs:
            self.reap(wait=True)
        self.counts["checks"] += 1
        self._check_outputs()
        for key, expected in self.right.items():
            model, folder, target = key
            self._require(self.translation(model, folder, target))
            if _hashes(self.root / "out", target) != expected:
                self.faults.append(f"a stale or wrong picture after {' '.join(key)}")
            self.counts["finished translations compared"] += 1
        for file in (self.root / "cache" / "hub").rglob("*"):
            if file.is_file() and not file.name.endswith(".part"):
                digest = sha256(file.read_bytes()).hexdigest()
                if digest not in self.hub.values():
                    self.faults.append(f"{file} is not the Hub's")
        shutil.rmtree(self.root / "cache")  # so that downloads are killed, too
        if self.rng.random() < 0.5:
            shutil.rmtree(self.root / "out")

    def _ended(self, job: Job, code: int) -> None:
        kind = job.arguments[0]
        said = job.log.read_text(errors="replace") if job.log.exists() else ""
        if "Traceback" in said and code != -signal.SIGKILL:
            self.faults.append(f"{' '.join(job.arguments)}: {said[-2000:]}")
        if code == 0:
            self.counts[f"{kind} finished"] += 1
            if kind == "train":
                self._check_run(job)
        elif code > 0 and code < 128:
            line = said.strip().splitlines()[-1][:200] if said.strip() else ""
            refused = kind == "train" and ("is training into it" in line or "differs" in line)
            if refused:
                self.counts["second writers refused"] += 1
            elif code != 130:  # interrupted before it had begun to listen
                self.faults.append(f"{' '.join(job.arguments[:4])} ended with {code}: {line}")
        job.log.unlink(missing_ok=True)

    def _check_run(self, job: Job) -> None:
        """Compares the model of a finished run with that of an undisturbed one."""
        run = Path(job.arguments[-1])
        seed = job.arguments[job.arguments.index("--seed") + 1]
        try:
            weights = sha256((run / "model/model.safetensors").read_bytes()).hexdigest()
            config = (run / "config.yaml").read_text()
            same = f"seed: {seed}\n" in config or f"seed: {seed}" in config
            if seed == "7":
                # The other seed had the directory first: a right run of its own.
                self.counts["finished runs of another seed"] += 1
            elif weights != self.trained[run.name] or not same:
                self.faults.append(f"{run} is another model than its configuration gives")
            else:
                self.counts["finished runs compared"] += 1
        except OSError as error:
            self.faults.append(f"{run} ended well without a model: {error}")
        shutil.rmtree(run, ignore_errors=True)

    def _check_outputs(self) -> None:
        """Holds every picture in the output folder against what it may be."""
        out = self.root / "out"
        allowed = {
            (name, digest) for right in self.right.values() for name, digest in right.items()
        }
        for path in out.glob("*.png") if out.is_dir() else ():
            digest = sha256(path.read_bytes()).hexdigest()
            if (path.name, digest) not in allowed:
                self.faults.append(f"{path.name} is no right picture")
            self.counts["pictures compared"] += 1
        records = out / "zoo-outputs.jsonl"
        lines = records.read_text().splitlines() if records.is_file() else []
        for line in lines:
            try:
                json.loads(line)
            except ValueError:
                self.counts["damaged lines of records, passed over"] += 1
        parts = [p for p in self.root.rglob(".zoo-*.part") if "reference" not in p.parts]
        self.counts["files left aside by killed writers, now"] = len(parts)

    def _require(self, arguments: Sequence[str]) -> None:
        """Runs a command undisturbed; it must succeed."""
        job = self.start(arguments)
        self.jobs.remove(job)
        code = os.waitstatus_to_exitcode(os.waitpid(job.pid, 0)[1])
        if code:
            self.faults.append(f"{' '.join(arguments)}: {code}\n{job.log.read_text()[-2000:]}")

    def _serve(self) -> None:
        """Starts the Hub, in a process of its own, with the two models."""
        address = self.root / "address"
        pid = os.fork()
        if pid == 0:
            _serve_models(self.root, address)
        self.hub_pid = pid
        while not address.exists() or not address.read_text():
            time.sleep(0.05)
        os.environ["HF_ENDPOINT"] = address.read_text()
        for run in ("0", "1"):
            for path in (self.root / f"reference/{run}/model").iterdir():
                self.hub[f"{run}/{path.name}"] = sha256(path.read_bytes()).hexdigest()


def _hashes(folder: Path, target: str) -> dict[str, str]:
    """The hash of every picture of a target, by name."""
    paths = sorted(folder.glob(f"*_{target}.png"))
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in paths}


def _serve_models(root: Path, address: Path) -> None:
    """The process of the Hub; never returns."""
    from zoo_testing.hub_server import HubServer

    with HubServer() as server:
        for model, run in zip(MODELS, ("0", "1"), strict=True):
            files = {path.name: path for path in (root / f"reference/{run}/model").iterdir()}
            server.add(model, files)
        address.write_text(server.url)
        while os.getppid() != 1:
            time.sleep(1)
    os._exit(0)


def _spawned(arguments: Sequence[str], log: Path) -> int:
    """The process of ``zoo`` as a user starts it, its output in a file."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    output = [(os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)]
    zoo = str(Path(sys.executable).with_name("zoo"))
    return os.posix_spawn(zoo, [zoo, *arguments], os.environ, file_actions=output)


def _become(arguments: Sequence[str], log: Path) -> None:
    """Runs a command in this forked process; never returns."""
    code = 99
    with contextlib.suppress(BaseException):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else _interrupt)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        from zoo_core.cli import run

        try:
            code = run(list(arguments))
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            traceback.print_exc()
            code = 70
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


_interrupt: Callable[..., Any] = signal.default_int_handler


def main() -> int:
    """Soaks, and says what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--check", type=int, default=20, help="kills between two checks")
    parser.add_argument("--pause", type=float, default=1.0, help="longest seconds between kills")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after so long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", type=float, default=0.25, help="share of new interpreters")
    given = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_XET": "1", "ZOO_HUB_TIMEOUT": "60"}
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="zoo-soak-") as folder:
        root = Path(folder)
        os.environ |= {"ZOO_CACHE": str(root / "cache"), "HF_HOME": str(root / "hf")}
        (root / "logs").mkdir()
        import torch

        import zoo_train.command
        import zoo_train.start  # noqa: F401

        torch.set_num_threads(1)
        soak = Soak(root, given.seed, given.real)
        soak.prepare()
        soak.counts.clear()
        try:
            while soak.counts["kills"] < given.kills and time.monotonic() - start < given.seconds:
                soak.fill()
                time.sleep(soak.rng.uniform(0.02, given.pause))
                soak.kill()
                if soak.counts["kills"] % given.check == 0:
                    soak.check()
                    print(f"{soak.counts['kills']} kills, {len(soak.faults)} faults", flush=True)
            soak.check()
        finally:
            for job in soak.jobs:
                os.kill(job.pid, signal.SIGKILL)
            os.kill(soak.hub_pid, signal.SIGKILL)
    print(f"{time.monotonic() - start:,.0f} s, seed {given.seed}")
    for name, count in sorted(soak.counts.items()):
        print(f"{count:7,}  {name}")
    for fault in soak.faults:
        print(f"FAULT: {fault}")
    print(f"{len(soak.faults)} faults")
    return 1 if soak.faults else 0


if __name__ == "__main__":
    sys.exit(main())
