"""Which files are pictures, by their names: light, so that entry modules may import it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from zoo_core.contracts.component import Component
from zoo_core.errors import PluginError
from zoo_core.host.plugins import host

SUFFIXES = (
    ".png", ".apng", ".jpg", ".jpeg", ".jfif", ".jp2", ".webp", ".avif", ".bmp", ".gif",
    ".tif", ".tiff", ".ppm", ".pgm",
)  # fmt: skip
"""Suffixes, in lower case, of the files that count as pictures wherever zoo-images is."""
_HEAD = 512


@dataclass(frozen=True)
class ImageFormatSpec(Component):
    """A file format of pictures, beside those that Pillow reads.

    Attributes:
        name: Unique name, such as ``dicom``.
        target: Lazy target of a `zoo_images.formats.ImageFormat` class.
        suffixes: What its files end in, in lower case, with the dot.
        signatures: (place, bytes) of what its files hold there, in their first 512 bytes; any of
            them tells a file of another suffix, or of none.
        writes: Whether outputs have this format, too; else they are PNG or TIFF.
    """

    kind: str = field(default="image-format", init=False)
    suffixes: tuple[str, ...] = ()
    signatures: tuple[tuple[int, bytes], ...] = ()
    writes: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        suffixes = isinstance(self.suffixes, tuple) and all(
            isinstance(text, str) and text.startswith(".") and text == text.lower()
            for text in self.suffixes
        )
        if not suffixes:
            raise PluginError(f"its suffixes are {self.suffixes!r}", asked=self._asked)

    def signed(self, head: bytes) -> bool:
        """Whether the first bytes of a file tell that it has this format."""
        return any(head[place : place + len(sign)] == sign for place, sign in self.signatures)


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
