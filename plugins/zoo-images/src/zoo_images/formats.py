"""File formats beside Pillow's: components of kind ``image-format``, open to any package."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.errors import UsageError
from zoo_core.host.plugins import host
from zoo_images.format_spec import ImageFormatSpec
from zoo_images.opening import SUFFIXES

if TYPE_CHECKING:
    from zoo_images.picture import Picture
    from zoo_images.save import Made

MAX_PIXELS = 120_000_000
"""Largest picture that is decoded, in pixels of three bytes (360 MB); beyond it a file is taken for
a decompression bomb, unless the user allows more."""
_HEAD = 512


class Pages(ABC):
    """A file that was opened: its pages (slices, frames) are decoded as they are asked for.

    Attributes:
        asked: What the file is called in errors.
        format: Name of the component that opened it; empty for what Pillow reads.
    """

    asked: str
    format: str = ""

    @abstractmethod
    def __len__(self) -> int:
        """Number of pages."""

    @abstractmethod
    def picture(self, number: int = 0) -> Picture:
        """One page.

        Raises:
            DataError: If it cannot be decoded in full.
        """

    def pictures(self) -> Iterator[tuple[int, Picture]]:
        """All pages with their numbers, one after the other."""
        for number in range(len(self)):
            yield number, self.picture(number)

    @property
    def count_to_train_on(self) -> int:
        """How many of its pages, from the first on, are training pictures.

        Raises:
            DataError: If it is none to train on.
        """
        return len(self)

    def shown(self) -> Picture:
        """The page that stands for the file where one is shown."""
        return self.picture()

    @abstractmethod
    def joined(self, made: Iterator[Made], target: str | None, identity: Callable[[], str]) -> Any:
        """The output made of the translated pages, which come in order as they are computed.

        Args:
            made: The pages.
            target: The domain that they are of, where they are of one.
            identity: Gives the hash of the model that makes them.
        """


class FormatPages(Pages):
    """Pages of a file of a further format, whose outputs have that format, too; one by default."""

    def __len__(self) -> int:
        return 1

    def joined(self, made: Iterator[Made], target: str | None, identity: Callable[[], str]) -> Any:
        """The pages in memory; see `write`."""
        from zoo_images.save import Frames

        def write(frames: Frames, path: Path) -> None:
            self.write(frames, path, target=target, identity=identity())

        return Frames([each.picture for each in made], format=self.format, own=write)

    def write(self, frames: Any, path: Path, *, target: str | None, identity: str) -> None:
        """Writes an output of this file's own format, whole or not at all.

        Args:
            frames: `zoo_images.save.Frames`; ``arrays`` has the values of each page, (H, W) or
                (H, W, C), in the units of `picture`.
            path: Where to.
            target: The domain that they are of, where they are of one.
            identity: Hash of the model that made them; empty where there is none.
        """
        raise UsageError(
            "outputs of this format cannot be written", asked=str(path), hint="Choose .tif or .png."
        )


class ImageFormat(ABC):
    """Opens the files of one format.

    Args:
        options: Values that the user asked for by name; see
            `zoo_core.contracts.spec.OptionSpec`.
    """

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self.options = dict(options or {})

    @abstractmethod
    def open(self, path: Path, *, largest: int = MAX_PIXELS) -> Pages:
        """Opens a file; `FormatPages` is what to return for most formats.

        Args:
            path: The file.
            largest: Most pixels (of three bytes) to decode, over all pages in memory.

        Raises:
            DataError: If there is no such file, it is damaged, or it is too large.
        """


def specs() -> dict[str, ImageFormatSpec]:
    """The formats that installed packages bring, by name."""
    found = host().components("image-format")
    return {name: spec for name, spec in found.items() if isinstance(spec, ImageFormatSpec)}


def suffixes() -> tuple[str, ...]:
    """What the files of all these formats end in."""
    return tuple(suffix for spec in specs().values() for suffix in spec.suffixes)


def format_by_suffix(path: Path) -> str | None:
    """The format that a name ends as; None for any other."""
    name = path.name.lower()
    return next((n for n, spec in specs().items() if name.endswith(spec.suffixes)), None)


def format_of_file(path: Path) -> str | None:
    """The format of a file by its suffix, or by its first bytes; None for any other."""
    if path.suffix.lower() in SUFFIXES:
        return None
    known = format_by_suffix(path)
    signed = {name: spec for name, spec in specs().items() if spec.signatures}
    if known is not None or not signed:
        return known
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except (OSError, ValueError):
        return None  # reading it says what is wrong
    return next((name for name, spec in signed.items() if spec.signed(head)), None)


def own_suffix(path: Path) -> str | None:
    """Suffix of outputs of a format that is written, too: the input's; None for any other."""
    name = format_of_file(path)
    if name is None or not specs()[name].writes:
        return None
    known = specs()[name].suffixes
    ending = path.name.lower()
    return next((suffix for suffix in known if ending.endswith(suffix)), known[0] if known else "")


def open_pages(
    path: Path, options: Mapping[str, Any] | None = None, *, largest: int = MAX_PIXELS
) -> Pages | None:
    """Opens a file of one of these formats; None for any other.

    Raises:
        DataError: As `ImageFormat.open`.
    """
    name = format_of_file(path)
    if name is None:
        return None
    form: ImageFormat = host().load("image-format", name)(options)
    pages = form.open(path, largest=largest)
    pages.format = name
    return pages


@lru_cache(maxsize=2)
def opened(path: Path, state: bytes) -> Pages | None:
    """The same, kept open for whoever takes the pages of a file one by one.

    Args:
        path: The file.
        state: Its `zoo_core.files.stamp`: a file that has changed is opened anew.
    """
    return open_pages(path)


def parsed_options(wishes: Mapping[str, str]) -> dict[str, Any]:
    """Values of options that installed packages declare.

    Raises:
        UsageError: If there is no such option, or its value is wrong.
    """
    return {name: host().load("option", name)(text) for name, text in wishes.items()}
