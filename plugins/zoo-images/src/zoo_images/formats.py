"""File formats beside Pillow's: components of kind ``image-format``, open to any package."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from zoo_core.errors import UsageError
from zoo_core.host.plugins import host
from zoo_images.picture import Frames, Made, Pages
from zoo_images.pixels import MAX_PIXELS


class FormatPages(Pages):
    """Pages of a file of a further format, whose outputs have that format, too; one by default."""

    def __len__(self) -> int:
        return 1

    def joined(self, made: Iterator[Made], target: str | None, identity: Callable[[], str]) -> Any:
        """The pages in memory; see `write`."""

        def write(frames: Frames, path: Path) -> None:
            self.write(frames, path, target=target, identity=identity())

        return Frames([each.picture for each in made], format=self.format, own=write)

    def write(self, frames: Any, path: Path, *, target: str | None, identity: str) -> None:
        """Writes an output of this file's own format, whole or not at all.

        Args:
            frames: `zoo_images.picture.Frames`; ``arrays`` has the values of each page, (H, W) or
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
            `zoo_core.contracts.component.OptionSpec`.
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


def open_pages(
    path: Path,
    name: str,
    options: Mapping[str, Any] | None = None,
    *,
    largest: int = MAX_PIXELS,
) -> Pages:
    """Opens a file of one of these formats.

    Args:
        path: The file.
        name: Its format, as `zoo_images.format_spec.format_of_file` tells it.
        options: Values that the user asked for by name.
        largest: Most pixels (of three bytes) to decode, over all pages in memory.

    Raises:
        DataError: As `ImageFormat.open`.
    """
    form: ImageFormat = host().load("image-format", name)(options)
    pages = form.open(path, largest=largest)
    pages.format = name
    return pages


@lru_cache(maxsize=2)
def opened(path: Path, name: str, state: bytes) -> Pages:
    """The same, kept open for whoever takes the pages of a file one by one.

    Args:
        path: The file.
        name: Its format.
        state: Its `zoo_images.caching.stamp`: a file that has changed is opened anew.
    """
    return open_pages(path, name)


def parsed_options(wishes: Mapping[str, str]) -> dict[str, Any]:
    """Values of options that installed packages declare.

    Raises:
        UsageError: If there is no such option, or its value is wrong.
    """
    return {name: host().load("option", name)(text) for name, text in wishes.items()}
