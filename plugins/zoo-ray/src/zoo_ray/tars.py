"""Tar shards as WebDataset lays them out: a sample's files share a name up to its first dot."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from zoo_core.errors import DataError
from zoo_core.finding import is_hidden
from zoo_ray.containers import Container, Group, Made, Member


@dataclass(frozen=True)
class _File:
    """A file of the archive; ``member`` is its number within the group where it is a signal."""

    info: tarfile.TarInfo
    content: bytes
    member: int | None


class TarShard(Container):
    """A tar archive; what is no signal is kept as it is, except links and devices."""

    def groups(self, count: int) -> Iterator[Group]:
        """See `zoo_ray.containers.Container.groups`."""
        found = False
        members: list[Member] = []
        files: list[_File] = []
        for info, content in self._files():
            signal = self._is_signal(info.name)
            files.append(_File(info, content, len(members) if signal else None))
            if signal:
                found = True
                members.append(Member(info.name, content))
            if len(members) == count or len(files) >= 8 * count:
                yield Group(members, files)
                members, files = [], []
        if not found:
            raise DataError(
                f"it holds no {self.codec.noun} that can be read",
                asked=str(self.path),
                hint=f"Its members end in {', '.join(self.codec.suffixes)}.",
            )
        yield Group(members, files)

    @contextmanager
    def writing(self, path: Path) -> Iterator[_TarWriter]:
        """See `zoo_ray.containers.Container.writing`."""
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
            yield _TarWriter(archive)

    def _files(self) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
        try:
            # Never compressed: what a file unpacks to has no bound.
            with tarfile.open(self.path, "r:") as archive:
                for info in archive:
                    # A sparse file says how large it is, whatever the archive holds of it.
                    if info.isreg() and not info.issparse():
                        file = archive.extractfile(info)
                        assert file is not None  # it is a regular file
                        content = file.read()
                        if len(content) != info.size:
                            raise tarfile.ReadError(f"{info.name} ends too early")
                        yield info, content
                    archive.members = []  # it would keep all of them
        except (OSError, tarfile.TarError, ValueError) as fault:
            raise DataError(
                f"it is no whole tar archive ({fault})",
                asked=str(self.path),
                hint="Fetch or write it again; compressed archives are not read.",
            ) from fault

    def _is_signal(self, name: str) -> bool:
        last = PurePosixPath(name).name
        return last.lower().endswith(tuple(self.codec.suffixes)) and not is_hidden(last)


class _TarWriter:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._names: set[str] = set()

    def add(self, group: Group, made: Sequence[Made]) -> None:
        """See `zoo_ray.containers.Writer.add`; a member that failed is left out."""
        for file in group.rest:
            if file.member is None:
                self._put(file.info, file.info.name, file.content)
            elif (content := made[file.member].content) is not None:
                self._put(file.info, self._named(file.info.name, made[file.member].suffix), content)

    def _named(self, name: str, suffix: str) -> str:
        """The name with the suffix of what was written: of ``a.jpg`` and ``a.png``, both stay."""
        whole = name.lower().endswith(suffix.lower())  # as of .nii.gz
        stem = name[: -len(suffix)] if whole else str(PurePosixPath(name).with_suffix(""))
        other = stem + suffix
        return other if other not in self._names else name + suffix

    def _put(self, info: tarfile.TarInfo, name: str, content: bytes) -> None:
        fresh = copy(info)
        fresh.name, fresh.size = name, len(content)
        fresh.pax_headers = {}
        self._archive.addfile(fresh, io.BytesIO(content))
        self._archive.members = []  # it would keep all of them
        self._names.add(name)
