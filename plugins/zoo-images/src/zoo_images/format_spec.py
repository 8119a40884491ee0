"""The description of a file format of pictures: light, so that entry modules may import it."""

from __future__ import annotations

from dataclasses import dataclass, field

from zoo_core.contracts.spec import Component
from zoo_core.errors import PluginError


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
