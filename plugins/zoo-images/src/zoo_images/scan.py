"""Looks through the files of a domain before they are decoded: which values do they use?"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from zoo_core.contracts.codec import InMemorySignal
from zoo_core.errors import DataError, ZooError
from zoo_core.files import replacing
from zoo_images import convert_inputs, deep
from zoo_images.caching import stamp
from zoo_images.decode import decode
from zoo_images.format_spec import format_of_file
from zoo_images.formats import opened
from zoo_images.gaps import Gaps
from zoo_images.picture import Pages, Picture
from zoo_images.preprocessing import Array, ValueRange
from zoo_images.values import Used, choose, measure, parse_range

_VERSION = 3  # of what is kept of a scan


@dataclass(frozen=True)
class PageOfFile:
    """A page of a file of a further format: each of them is a training picture."""

    path: Path
    number: int

    @property
    def name(self) -> str:
        """Name of the file and number of the page, from 1."""
        return f"{self.path.name}#{self.number + 1}"


File = Path | InMemorySignal | PageOfFile


def pages_of(files: Sequence[Path | InMemorySignal]) -> tuple[list[File], list[int]]:
    """The training pictures that files hold, and the position of the file of each.

    A file of a further format gives all its pages; any other is one picture.
    """
    pictures: list[File] = []
    positions: list[int] = []
    for position, file in enumerate(files):
        found: list[File] = [file]
        if isinstance(file, Path) and format_of_file(file) is not None:
            with contextlib.suppress(ZooError):  # decoding it says what is wrong
                count = _opened(file).count_to_train_on
                found = [PageOfFile(file, number) for number in range(count)]
        pictures += found
        positions += [position] * len(found)
    return pictures, positions


def deep_range(
    files: Sequence[File],
    cache: Path | None,
    *,
    asked: str | None = None,
    recorded: ValueRange | None = None,
) -> tuple[ValueRange | None, str]:
    """The value range of a domain, and why, in words; None where all its pictures have 8 bits.

    Args:
        files: Files, or pictures in memory.
        cache: Folder in which the outcome is kept; None for none.
        asked: ``LOW,HIGH`` as the user asked for it.
        recorded: What a model recorded of the domain, which is used then.

    Raises:
        UsageError: If ``asked`` is no range.
    """
    wanted = None if asked is None else parse_range(asked)
    if recorded is not None:
        return recorded, f"black {recorded.low:g}, white {recorded.high:g}, as the model was made"
    used = _cached(files, cache)
    return (None, "") if used is None else choose(used, wanted, len(files))


def picture_of(file: File) -> Picture:
    """A training picture, decoded.

    Raises:
        ZooError: If it is no picture, or damaged.
    """
    if isinstance(file, PageOfFile):
        return _opened(file.path).picture(file.number)
    if isinstance(file, Path):
        if format_of_file(file) is not None:
            _ = _opened(file).count_to_train_on  # says why there is none
        return decode(file)
    if isinstance(file.value, np.ndarray):
        (item, *rest) = convert_inputs.from_array(file.value, file.name, ranged=True)
        if rest:
            raise DataError("it is a batch, not one picture", asked=file.name)
        form = "arrays"
    elif isinstance(file.value, Image.Image):
        item, form = convert_inputs.from_pil(file.value, file.name), "images in memory"
    else:
        raise convert_inputs.refuse(file.value, file.name)
    if item.value.dtype == np.uint8:
        return Picture(Image.fromarray(item.value), form, "RGB")
    gaps = item.info.get("gaps")
    return Picture(None, form, item.value.dtype.name, values=item.value, gaps=gaps)


def notes_of(picture: Picture) -> tuple[str, ...]:
    """What of a training picture is not used, or is doubtful."""
    if picture.extra is None:
        return picture.notes
    values = picture.values
    colours = 1 if values is not None and values.ndim == 2 else 3
    used = "the first is" if colours == 1 else "the first three are"
    return (f"a TIFF of {colours + picture.extra.shape[-1]} bands, of which only {used} used",)


def files_key(files: Sequence[File], more: Any) -> str:
    """A hash of the files' paths, times and sizes (of what is in memory: its values)."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps(more, sort_keys=True).encode())
    for file in files:
        if isinstance(file, Path):
            digest.update(stamp(file))
        elif isinstance(file, PageOfFile):
            digest.update(stamp(file.path) + f"{file.number}\n".encode())
        else:
            values: npt.NDArray[Any] = np.asarray(file.value)
            digest.update(f"{file.name}\0{values.dtype.str}\0{values.shape}\n".encode())
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _cached(files: Sequence[File], cache: Path | None) -> Used | None:
    if cache is None or all(isinstance(file, InMemorySignal) for file in files):
        return measure(_deep_values(files))
    path = Path(cache) / "values" / f"{files_key(files, [_VERSION])}.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return None if known is None else Used(**known)
    except (OSError, ValueError, TypeError, RecursionError):
        used = measure(_deep_values(files))
    with contextlib.suppress(OSError), replacing(path) as part:  # it only spares the next scan
        part.write_text(json.dumps(None if used is None else asdict(used)), encoding="utf-8")
    return used


def _deep_values(files: Sequence[File]) -> Iterator[tuple[Array, Gaps | None]]:
    """The values of each picture of more than 8 bits; broken files are named later on."""
    for file in files:
        if not _may_be_deep(file):
            continue
        try:
            picture = picture_of(file)
        except ZooError:
            continue
        if picture.values is not None:
            yield picture.values, picture.gaps


def _opened(path: Path) -> Pages:
    name = format_of_file(path)
    assert name is not None  # (it was found before)
    return opened(path, name, stamp(path))


def _may_be_deep(file: File) -> bool:
    if isinstance(file, PageOfFile):
        return True
    if isinstance(file, Path):
        return deep.may_be_deep(file)
    value = file.value
    if isinstance(value, np.ndarray):
        return bool(value.dtype != np.uint8)
    return isinstance(value, Image.Image) and value.mode.startswith(("I", "F"))
