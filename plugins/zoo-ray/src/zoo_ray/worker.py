"""What a worker of the cluster does: it opens the model once, and translates what it is handed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from zoo_core.contracts.codec import Codec
from zoo_core.errors import DataError, UsageError, ZooError, explained
from zoo_core.translate.batch import Tally, TranslateRequest, translate_files
from zoo_core.translate.outputs import Entry
from zoo_core.translate.provenance import Outputs
from zoo_core.translate.translator import Translator
from zoo_ray.containers import Container, is_container, translate_container

TRIES = 4
"""How often a piece of work is begun before its files count as what kills the workers."""


@dataclass(frozen=True)
class Order:
    """What all workers are told.

    Attributes:
        opening: Opens the model.
        fingerprint: Hash of the model, and of how it is computed, where the run was started.
        request: What is asked of it.
        root: The output folder.
        scratch: A folder in it for what is not finished.
        home: The folder that relative paths start from.
        threads: Threads of a worker.
        column: Column of Parquet files; None where there is one only.
    """

    opening: Callable[[], Translator]
    fingerprint: str
    request: TranslateRequest
    root: Path
    scratch: Path
    home: Path
    threads: int
    column: str | None


class Worker:
    """Translates pieces of work; made once in each process.

    Args:
        order: What is asked.
        pieces: The files of each piece of work.
    """

    def __init__(self, order: Order, pieces: Sequence[Sequence[Entry]]) -> None:
        self.order, self.pieces = order, pieces
        self._opened: tuple[Translator, Outputs] | None = None

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Translates one piece.

        Args:
            row: ``number`` of the piece.

        Returns:
            The same ``number``, and the ``account``: a `Tally`, or a `ZooError` where the
            model cannot be opened on this machine.
        """
        entries = self.pieces[row["number"]]
        account: Tally | ZooError
        try:
            account = self._translated(entries) if self._begun(row["number"]) else lost(entries)
        except ZooError as error:
            account = error
        return {"number": row["number"], "account": account}

    def _begun(self, number: int) -> bool:
        """Notes that a piece is begun; whether it may be, after all the times before."""
        with (self.order.scratch / f"{number}.begun").open("ab") as file:
            file.write(b".")
            return file.tell() <= TRIES

    def _translated(self, entries: Sequence[Entry]) -> Tally:
        if self._opened is None:
            self._opened = self._open(), Outputs(self.order.root)
        translator, known = self._opened
        order, tally = self.order, Tally()
        files = [entry for entry in entries if not is_container(entry.source.path)]
        if files:
            translate_files(translator, order.request, files, order.root, tally, known=known)
        for entry in entries:
            if not is_container(entry.source.path):
                continue
            try:
                container = open_container(entry.source.path, translator.codec, order.column)
                translate_container(
                    container, translator, order.request, entry, root=order.root, tally=tally,
                    known=known, scratch=order.scratch,
                )  # fmt: skip
            except (ZooError, OSError, MemoryError) as fault:
                tally.failed.append(explained(fault, entry.source.file))
        return tally

    def _open(self) -> Translator:
        order = self.order
        try:
            os.chdir(order.home)
        except OSError as fault:
            raise DataError(
                f"a worker does not see this folder ({fault.strerror})",
                asked=str(order.home),
                hint="All machines of the cluster have to see the files under the same paths.",
            ) from fault
        torch.set_num_threads(order.threads)
        translator = order.opening()
        translator.codec.ask(**order.request.wishes)
        translator.choose(order.request.to, order.request.source, 1)
        if translator.fingerprint != order.fingerprint:
            raise UsageError(
                "a worker computes it in another way, or has another version of it",
                asked=f"model {translator.name}",
                hint="Install the same packages everywhere, and give --precision and --engine.",
            )
        return translator


def lost(entries: Sequence[Entry]) -> Tally:
    """The account of files that no worker survived; of those whose outputs are there, of these."""
    tally = Tally()
    for entry in entries:
        if all(path.exists() for path in entry.outputs.values()):
            tally.kept += entry.files
            continue
        error = DataError(
            "the workers that translated it, or what they had with it, died",
            asked=entry.source.file,
            hint="See whether memory ran out, and translate it alone to find the cause.",
        )
        tally.failed.append(error)
    return tally


def open_container(path: Path, codec: Codec, column: str | None) -> Container:
    """A container, by its suffix.

    Raises:
        DataError: If it is damaged.
        UsageError: If it has no such column.
    """
    if path.suffix.lower() == ".tar":
        from zoo_ray.tars import TarShard

        return TarShard(path, codec)
    from zoo_ray.parquet import ParquetFile

    return ParquetFile(path, codec, column)
