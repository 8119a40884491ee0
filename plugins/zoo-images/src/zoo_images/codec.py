"""The codec of pictures: files and values in, windows for the nets, pictures out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from torch import Tensor

from zoo_core.contracts.codec import (
    Codec,
    InMemorySignal,
    Item,
    SignalStore,
    StreamedOutput,
    Window,
)
from zoo_core.contracts.signals import MIXED, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError
from zoo_images import format_spec, tiles, windows
from zoo_images.format_spec import SUFFIXES
from zoo_images.picture import Pages
from zoo_images.pixels import MAX_PIXELS, bounds, to_bytes
from zoo_images.preprocessing import ASKED, RANGES, Preprocessing, plain, recorded

WINDOW_PIXELS = 1024 * 1024
"""Most pixels of one window by default: keeps the nets' activations near 1 GiB."""


class ImageCodec(Codec):
    """Reads, windows, joins, writes and stores pictures; see `zoo_core.contracts.codec.Codec`.

    Args:
        spec: Form of the signals; 3 channels, or 1 for nets that see grey.
        preprocessing: What the weights were trained with; ``crop_first`` is honoured by `windows`
            where a size is asked for; with ``scale: trained`` the nets see every picture with
            its shorter side as trained, with ``scale: whole`` one that is too large for a window
            scaled down until it fits, and the output has the picture's own size again. What the
            nets see is scaled by the filter ``resample``.

    Raises:
        UsageError: If the spec is not that of a picture.
        WeightsError: If ``preprocessing`` is none of pictures.
    """

    kind: ClassVar[str] = "image"
    suffixes: tuple[str, ...] = SUFFIXES
    noun: ClassVar[str] = "picture"
    Preprocessing: ClassVar[type[Any] | None] = Preprocessing

    def __init__(self, spec: TensorSpec, preprocessing: Mapping[str, Any] | None = None) -> None:
        super().__init__(spec, preprocessing)
        self.suffixes = (*SUFFIXES, *format_spec.suffixes())
        self._largest = MAX_PIXELS
        self._options: dict[str, Any] = {}
        if len(spec.shape) != 3 or spec.channels not in (1, 3):
            raise UsageError(
                "pictures have the shape (3, H, W), or (1, H, W) for grey",
                asked=f"signal of shape {spec.shape}",
            )

    def recognises(self, path: Path) -> bool:
        """Whether a file is a picture by its content; see `zoo_images.opening.recognises`."""
        from zoo_images.opening import recognises

        return recognises(path) or format_spec.format_of_file(path) is not None

    def ask(self, **wishes: Any) -> None:
        """Takes what the user asks for.

        Args:
            wishes: ``range``: ``LOW,HIGH``, the values of black and white; ``largest``: most
                megapixels; ``alpha``: ``keep``, ``white`` or ``black``. All else is for file
                formats that have options, such as ``fps`` for videos.
        """
        from zoo_images.formats import parsed_options  # where nothing is asked it is not needed

        asked = parsed_options(wishes)
        if "range" in asked:
            self.preprocessing[ASKED] = list(asked.pop("range"))
        self._largest = asked.pop("largest", self._largest)
        self._options |= asked

    def output_suffix(self, path: Path) -> str:
        """TIFFs stay TIFFs and animations stay what they are; all else is PNG: nothing is lost."""
        from zoo_images.opening import is_animated

        own = format_spec.own_suffix(path)
        if own is not None:
            return own
        suffix = path.suffix.lower()
        if suffix in (".tif", ".tiff"):
            return suffix
        if suffix == ".pfm":
            return ".tif"
        if any(span.dtype != "uint16" for span in recorded(self.preprocessing).values()):
            return ".tif"  # PNG holds neither floats nor negative values
        return suffix if suffix in (".gif", ".webp") and is_animated(path) else ".png"

    def read(self, path: Path) -> Item:
        """Decodes a file into uint8 (H, W, 3), or into what it holds where that is deeper.

        Animations, and TIFFs of many pages, are opened only: their frames are decoded as windows
        are asked for. See `zoo_images.decode.PictureFile`. Of a large TIFF only the parts that are
        asked for are decoded; see `zoo_images.large.open_striped`.
        """
        path = Path(path)
        if path.suffix.lower() in (".tif", ".tiff"):
            from zoo_images.large import read_striped  # other pictures need none of it

            item = read_striped(path, self._largest)
            if item is not None:
                return item
        from zoo_images.decode import open_file  # pictures in memory need none of it

        return self._item(open_file(path, self._options, largest=self._largest), "path")

    def wrap(self, value: Any) -> list[Item]:
        """Accepts a path, PIL image, uint8 array, float tensor, or a list of them.

        Arrays: (H, W), (H, W, 3), (H, W, 4), (N, H, W, 3). Tensors: (3, H, W), (N, 3, H, W) within
        the spec's range.
        """
        return self._wrap(value, "input")

    def unwrap(self, value: Any, outputs: Sequence[Any]) -> Any:
        """One picture for one, a stack for a batch, a list for a list."""
        return windows.regroup(value, [_in_memory(made) for made in outputs])

    def windows(
        self,
        item: Item,
        *,
        size: int | None = None,
        limit: int | None = None,
        source: str | None = None,
    ) -> Iterator[Window]:
        """Cuts a picture into windows (C, h, w), reflected beyond its border.

        Nets of a fixed size see the whole picture, scaled to that size. A size that is asked for
        scales the shorter side to it, after the centre crop that the weights were trained with.

        Args:
            item: From `read` or `wrap`.
            size: Shorter side of what the nets see and of the output; None: the picture's own.
            limit: Most pixels of a window; None: `WINDOW_PIXELS`.
            source: Its value range, where it has one, is that of deep pictures.

        Raises:
            DataError: If nothing tells which values of a deep picture are black and white.
            UsageError: If ``size`` is out of range.
        """
        if isinstance(item.value, Pages):
            from zoo_images.pages import windows_of  # single pictures need none of it

            yield from windows_of(self, item, size=size, limit=limit, source=source)
            return
        bound = WINDOW_PIXELS if limit is None else limit
        crop = self.preprocessing.get("crop_first")
        if crop and size is not None:
            windows.crop(item, int(crop))
        value, output = windows.working(
            windows.ranged(item, source, self.spec, self.preprocessing),
            size,
            bound,
            self.spec,
            self.preprocessing,
        )
        extra = item.info.get("extra")
        if extra is not None and extra.shape[:2] != output:
            windows.note(item, ["further bands, which are left out: they do not have the new size"])
        height, width = windows.extent_of(value)
        stride = self.spec.stride if self.spec.flexible >= 2 else 1
        if self.spec.flexible < 2:
            bound = height * width
        plan = tiles.plan(height, width, stride=stride, limit=bound, least=self._least)
        yield from windows.cut_all(value, plan, output, self.spec, bound)

    def join(
        self,
        item: Item,
        outputs: Iterable[tuple[Window, Tensor]],
        *,
        target: str | None = None,
    ) -> Any:
        """Blends translated windows and returns what `read` or `wrap` were given.

        Returns:
            A PIL image for a path or PIL image, (H, W, 3) for an array, a tensor of the input's
            type and device for a tensor; `zoo_images.picture.Frames` for many frames or pages,
            `zoo_images.picture.Raster` for what Pillow has no mode for,
            `zoo_images.large.Spool` for a large file.
        """
        if isinstance(item.value, Pages):
            from zoo_images.pages import made_of

            made = made_of(self, item, outputs, target)
            return item.value.joined(made, target, self.identity)
        if windows.is_large(item):
            from zoo_images.large import spooled

            return spooled(item, outputs, self.spec)
        whole, size = tiles.joined(item, outputs)
        return windows.dress(
            item, whole, size, target, spec=self.spec, preprocessing=self.preprocessing
        )

    def write(self, value: Any, path: Path) -> Sequence[str]:
        """Writes a picture atomically, in the format that the suffix names (none: PNG).

        Args:
            value: From `join`; or a uint8 array (H, W, 3) or tensor (C, H, W) within the spec's
                range.
            path: Where to; its folder is made.

        Returns:
            What the format does not hold of what is said of the picture.

        Raises:
            UsageError: If the suffix names no format.
            DataError: If the file cannot be written.
        """
        from zoo_images.large import Spool
        from zoo_images.save import write

        if isinstance(value, StreamedOutput | Spool):
            return value.write(Path(path)) or ()
        return write(value, Path(path), self.spec)

    def open(
        self,
        files: Sequence[Path | InMemorySignal],
        config: TrainConfig,
        *,
        domain: str | None = None,
        cache: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> SignalStore:
        """Decodes pictures once, at working size; see `zoo_images.decoded.open_store`."""
        from zoo_images.decoded import open_store

        span = recorded(self.preprocessing).get(domain or MIXED)
        return open_store(
            self.spec,
            files,
            config,
            domain=domain or MIXED,
            span=span,
            cache=cache,
            progress=progress,
        )

    def sheet(
        self, rows: Sequence[tuple[str, Sequence[Tensor]]], columns: Sequence[str], path: Path
    ) -> None:
        """Writes a labelled grid of signals (C, H, W); see `zoo_images.sheet.draw`."""
        from zoo_images.save import save
        from zoo_images.sheet import draw

        drawn = [
            (title, [Image.fromarray(to_bytes(signal, self.spec)) for signal in signals])
            for title, signals in rows
        ]
        save(draw(drawn, columns), Path(path), "PNG")

    def preview(
        self, rows: Iterable[tuple[str, Sequence[Item]]], columns: Sequence[str], path: Path
    ) -> None:
        """See `zoo_core.contracts.codec.Codec.preview`; a column's domain has its range.

        A deep picture of which nothing tells the range is drawn from its smallest to its largest
        value.
        """
        from zoo_images.sheet import shown

        drawn = [
            (title, [shown(self, *pair) for pair in zip(items, columns, strict=False)])
            for title, items in rows
        ]
        self.sheet(drawn, columns, path)

    @classmethod
    def preprocessing_for(cls, spec: TensorSpec, config: TrainConfig) -> dict[str, Any]:
        """What ``config.yaml`` records: the centre crop, the size, the filter and the range."""
        low, high = bounds(spec)
        return {
            "crop_first": config.crop_first,
            "scale": config.scale,
            "size": list(spec.shape[-2:]),
            "resize": config.resize,
            "resample": config.resample,
            "range": [low, high],
            "alpha": "white",
        }

    def fit_statistics(self, stores: Mapping[str, SignalStore]) -> dict[str, Any]:
        """The value range of each domain whose pictures have more than 8 bits."""
        spans = {name: getattr(store, "span", None) for name, store in stores.items()}
        ranges = plain({name: span for name, span in spans.items() if span is not None})
        return {RANGES: ranges} if ranges else {}

    @property
    def _least(self) -> int:
        """Smallest extent to feed: nets of a fixed size are fed just that."""
        return tiles.LEAST if self.spec.flexible >= 2 else 1

    def _wrap(self, value: Any, name: str) -> list[Item]:
        if isinstance(value, (str, Path)):
            return [self.read(Path(value))]
        if isinstance(value, bytes):
            from zoo_images.decode import PictureFile

            file = PictureFile(value, name=name, largest=self._largest, alpha=self._alpha)
            return [self._item(file, "pil")]
        from zoo_images import convert_inputs  # files need none of it

        if isinstance(value, (list, tuple)):
            if not value:
                raise UsageError("the list is empty", asked=name, hint=convert_inputs.ACCEPTED)
            return [
                item for i, part in enumerate(value) for item in self._wrap(part, f"{name}-{i}")
            ]
        ranged = ASKED in self.preprocessing or RANGES in self.preprocessing
        return convert_inputs.items_of(value, name, self.spec, ranged, self._alpha)

    @property
    def _alpha(self) -> str:
        """What becomes of transparency, as the user asked."""
        return str(self._options.get("alpha", "keep"))

    def _item(self, file: Pages, form: str) -> Item:
        from zoo_images.decode import PictureFile

        item = windows.from_picture(file.picture(), file.asked, form)
        single = isinstance(file, PictureFile) and len(file) == 1
        return item if single else Item(file, file.asked, form, item.info | {"notes": ()})


def _in_memory(made: Any) -> Any:
    """An output that is kept in a file without a name, in memory; any other as it is."""
    if isinstance(made, Image.Image | np.ndarray | Tensor):
        return made
    from zoo_images.large import Spool  # most pictures need none of it

    return made.image() if isinstance(made, Spool) else made
