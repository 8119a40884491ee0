"""Has a Ray cluster translate: pieces of work go to workers, and again where a worker dies."""

from __future__ import annotations

import itertools
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from zoo_core.contracts.codec import Codec
from zoo_core.errors import UsageError, ZooError
from zoo_core.translate.batch import Runner, Tally, TranslateRequest
from zoo_core.translate.outputs import Entry
from zoo_core.translate.threads import allowed_cores
from zoo_core.translate.translator import Translator
from zoo_ray.containers import Reading, is_container
from zoo_ray.worker import Order, Worker, lost

_MOST = 32
"""Batches of a piece at most."""
_STORE = 256 * 1024**2
"""Bytes of a local cluster's shared memory: only names and accounts pass through it."""
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # it would tell its makers
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what a user can use, its exceptions say, too
}


class RayRunner(Runner):
    """The runner ``ray``.

    Args:
        address: Address of a cluster, such as ``auto`` on one of its machines, or
            ``ray://HOST:10001``. None starts one on this machine, which ends with the command.
        workers: Processes that translate; None for as many as the cluster has room for.
        threads: CPU threads of each; None for up to two.
        column: Column of bytes of Parquet files; None where there is one only.

    Raises:
        UsageError: If a number is below 1.
    """

    def __init__(
        self,
        address: str | None = None,
        workers: int | None = None,
        threads: int | None = None,
        column: str | None = None,
    ) -> None:
        for name, value in (("workers", workers), ("threads", threads)):
            if value is not None and value < 1:
                raise UsageError("it must be at least 1", asked=f"{name} {value} of runner ray")
        self.address, self.workers, self.threads = address, workers, threads
        self.column = column

    def codec(self, codec: Codec) -> Any:
        """Tar shards and Parquet files are inputs, too."""
        return Reading(codec)

    def run(
        self,
        translator: Translator,
        request: TranslateRequest,
        entries: Sequence[Entry],
        root: Path,
        tally: Tally,
        *,
        opening: Callable[..., Translator],
        progress: Callable[[float], None],
    ) -> None:
        """See `zoo_core.translate.batch.Runner.run`.

        Raises:
            UsageError: If there is no cluster at the address.
            ZooError: If a worker cannot open the model as it was opened here.
        """
        engine = translator.choose(request.to, request.source, len(entries))
        before = {file for entry in entries for file in entry.files if Path(file).exists()}
        with (
            _cluster(self.address, self.workers, self.threads) as (workers, threads),
            TemporaryDirectory(prefix=".zoo-ray-", dir=root) as scratch,
        ):
            gpus = 1 if translator.device.type == "cuda" else 0
            order = Order(
                partial(opening, engine=engine),
                translator.fingerprint,
                request,
                root,
                Path(scratch),
                Path.cwd(),
                threads,
                self.column,
            )
            pieces = list(split(entries, request.batch, workers))
            done: dict[int, Tally] = {}
            for number, account in _accounts(order, pieces, min(workers, len(pieces)), gpus):
                if isinstance(account, ZooError):
                    raise account
                done[number] = account
                progress(len(pieces[number]))
        for number, piece in enumerate(pieces):
            _join(tally, done.get(number) or lost(piece), before)


def split(entries: Sequence[Entry], batch: int, workers: int) -> Iterator[list[Entry]]:
    """Pieces of work, in order: whole batches of files, so that the same ones meet as in one run.

    A file that holds many signals is a piece of its own.
    """
    wished = len(entries) // (batch * workers * 4)  # so that workers end at about the same time
    size = batch * max(1, min(_MOST, wished))
    for many, group in itertools.groupby(entries, lambda entry: is_container(entry.source.path)):
        yield from map(list, _batched(group, 1 if many else size))


def _batched(entries: Iterator[Entry], size: int) -> Iterator[list[Entry]]:
    while piece := list(itertools.islice(entries, size)):
        yield piece


@contextmanager
def _cluster(
    address: str | None, workers: int | None, threads: int | None
) -> Iterator[tuple[int, int]]:
    """A cluster while the block lasts; gives the number of workers, and of the threads of each."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with _without_stderr():
        import ray
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    local = {
        "num_cpus": (threads or 1) * (workers or 1) if workers else allowed_cores(),
        "object_store_memory": _STORE,
        "include_dashboard": False,
        "_node_ip_address": "127.0.0.1",
    }
    try:
        if address is not None:
            _reach(address)
        with _without_stderr():  # where Ray says which variables it has read
            ray.init(address or "local", **({} if address else local), **quiet)
    except (OSError, RuntimeError, ValueError) as fault:  # what Ray raises for an address
        raise UsageError(
            f"there is no cluster that answers ({str(fault).splitlines()[0]})",
            asked=f"runner ray, address {address}",
            hint="ray status shows a cluster, on its own machines; without an address one starts.",
        ) from fault
    try:
        found = ray.cluster_resources()
        cores = max(1, int(found.get("CPU", 1)))
        threads = threads or max(1, min(2, cores // (workers or 1)))
        yield workers or max(1, cores // threads), threads
    finally:
        ray.shutdown()


def _accounts(
    order: Order, pieces: Sequence[Sequence[Entry]], workers: int, gpus: int
) -> Iterator[tuple[int, Tally | ZooError]]:
    """The number and the account of each piece that was done, as they come."""
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # the command has its own
    context.max_errored_blocks = -1  # who is missing at the end is named
    rows = [{"number": number} for number in range(len(pieces))]
    made = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        Worker,
        fn_constructor_args=(order, [list(piece) for piece in pieces]),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=order.threads,
        num_gpus=gpus,
    )
    for row in made.iter_rows():
        yield row["number"], row["account"]


def _reach(address: str) -> None:
    """Raises `OSError` where nothing answers at an address: Ray would try for minutes."""
    host, mark, port = address.removeprefix("ray://").rpartition(":")
    if mark and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Keeps C++ code from writing to the standard error while the block lasts."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _join(tally: Tally, part: Tally, before: set[str]) -> None:
    """Adds the account of a piece.

    What a worker found there, and was not there at the start, is the work of one that died.
    """
    tally.written += [*(file for file in part.kept if file not in before), *part.written]
    tally.kept += [file for file in part.kept if file in before]
    tally.remade += part.remade
    tally.failed += part.failed
    tally.notes.extend(part.notes)
