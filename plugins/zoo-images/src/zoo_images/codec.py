"""The codec of pictures: files and values in, windows for the nets, pictures out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zoo_core.contracts.codec import Codec, InMemorySignal, Item, SignalStore, Window
from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import PluginError, UsageError, WeightsError
from zoo_images import convert_inputs, tiles
from zoo_images.decode import MAX_PIXELS, SUFFIXES, decode, recognises, to_rgb
from zoo_images.pixels import (
    RESAMPLE,
    bounds,
    centre_crop,
    largest_within,
    resize,
    to_bytes,
    to_tensor,
    working_size,
)
from zoo_images.save import format_of, save

WINDOW_PIXELS = 1024 * 1024
"""Most pixels of one window by default: keeps the nets' activations near 1 GiB."""


@dataclass(frozen=True)
class TilePosition:
    """Where a window belongs: in a row and a column of its plan.

    Attributes:
        plan: The whole picture's tiles.
        row: The window's rows.
        column: The window's columns.
        size: (height, width) of the output.
    """

    plan: tiles.TilePlan
    row: tiles.Span
    column: tiles.Span
    size: tuple[int, int]


class ImageCodec(Codec):
    """Reads, windows, joins, writes and stores pictures; see `zoo_core.contracts.codec.Codec`.

    Args:
        spec: Form of the signals; 3 channels, or 1 for nets that see grey.
        preprocessing: What the weights were trained with; ``crop_first`` is honoured by `windows`
            where a size is asked for; with ``scale: trained`` the nets see every picture with
            its shorter side as trained, with ``scale: whole`` one that is too large for a window
            scaled down until it fits, and the output has the picture's own size again.

    Raises:
        UsageError: If the spec is not that of a picture.
    """

    kind: ClassVar[str] = "image"
    suffixes: ClassVar[tuple[str, ...]] = SUFFIXES
    noun: ClassVar[str] = "picture"

    def __init__(self, spec: TensorSpec, preprocessing: Mapping[str, Any] | None = None) -> None:
        super().__init__(spec, preprocessing)
        if len(spec.shape) != 3 or spec.channels not in (1, 3):
            raise UsageError(
                "pictures have the shape (3, H, W), or (1, H, W) for grey",
                asked=f"signal of shape {spec.shape}",
            )

    def recognises(self, path: Path) -> bool:
        """Whether a file is a picture by its content; see `zoo_images.decode.recognises`."""
        return recognises(path)

    def output_suffix(self, path: Path) -> str:
        """Outputs are PNG, which loses nothing."""
        return ".png"

    def read(self, path: Path) -> Item:
        """Decodes a file into uint8 (H, W, 3); see `zoo_images.decode.decode`."""
        picture = decode(Path(path))
        pixels = np.asarray(picture.image)  # (H, W, 3)
        info = {
            "size": pixels.shape[:2],
            "format": picture.format,
            "mode": picture.mode,
            "alpha": picture.alpha,
            "notes": picture.notes,
        }
        return Item(pixels, str(path), "path", info)

    def wrap(self, value: Any) -> list[Item]:
        """Accepts a path, PIL image, uint8 array, float tensor, or a list of them.

        Arrays: (H, W), (H, W, 3), (H, W, 4), (N, H, W, 3). Tensors: (3, H, W), (N, 3, H, W) within
        the spec's range.
        """
        return self._wrap(value, "input")

    def unwrap(self, value: Any, outputs: Sequence[Any]) -> Any:
        """One picture for one, a stack for a batch, a list for a list."""
        return _regroup(value, list(outputs))

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
            source: Not looked at: pictures of all domains are prepared alike.

        Raises:
            UsageError: If ``size`` is out of range.
        """
        bound = WINDOW_PIXELS if limit is None else limit
        value, output = self._working(item, size, bound)
        height, width = _extent(value)
        stride = self.spec.stride if self.spec.flexible >= 2 else 1
        if self.spec.flexible < 2:
            bound = height * width
        plan = tiles.plan(height, width, stride=stride, limit=bound, least=self._least)
        for row in plan.rows:
            for column in plan.columns:
                signal = self._cut(value, row, column)
                yield Window(signal, TilePosition(plan, row, column, output))

    def join(
        self,
        item: Item,
        outputs: Iterable[tuple[Window, Tensor]],
        *,
        target: str | None = None,
    ) -> Any:
        """Blends translated windows and returns what `read` or `wrap` were given.

        Returns:
            A PIL image for a path or PIL image, uint8 (H, W, 3) for an array, a tensor of the
            input's type and device for a tensor.
        """
        whole: Tensor | None = None
        place: TilePosition | None = None
        for window, output in outputs:
            place = window.position
            if tuple(output.shape) != tuple(window.signal.shape):
                raise PluginError(
                    f"the net made shape {tuple(output.shape)} of {tuple(window.signal.shape)}",
                    asked=item.name,
                )
            if not torch.isfinite(output).all():
                raise WeightsError(
                    "the nets gave values that are not finite numbers",
                    asked=item.name,
                    hint="Try float32 precision; if that fails too, the weights are damaged.",
                )
            if whole is None:
                whole = torch.zeros(output.shape[0], place.plan.height, place.plan.width)
            _add(whole, place, output)
        if whole is None or place is None:
            raise UsageError("there is nothing to join", asked=item.name)
        return self._dress(item, whole, place.size)

    def write(self, value: Any, path: Path) -> None:
        """Writes a picture atomically, in the format that the suffix names (none: PNG).

        Args:
            value: PIL image, uint8 array (H, W, 3) or tensor (C, H, W) within the spec's range.
            path: Where to; its folder is made.

        Raises:
            UsageError: If the suffix names no format.
            DataError: If the file cannot be written.
        """
        path = Path(path)
        form = format_of(path)
        save(self._to_pil(value, path), path, form)

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

        return open_store(self.spec, files, config, cache=cache, progress=progress)

    def sheet(
        self, rows: Sequence[tuple[str, Sequence[Tensor]]], columns: Sequence[str], path: Path
    ) -> None:
        """Writes a labelled grid of signals (C, H, W); see `zoo_images.sheet.draw`."""
        from zoo_images.sheet import draw

        drawn = [
            (title, [Image.fromarray(to_bytes(signal, self.spec)) for signal in signals])
            for title, signals in rows
        ]
        save(draw(drawn, columns), Path(path), "PNG")

    @classmethod
    def preprocessing_for(cls, spec: TensorSpec, config: TrainConfig) -> dict[str, Any]:
        """What ``config.yaml`` records: the centre crop, the size, the filter and the range."""
        low, high = bounds(spec)
        return {
            "crop_first": config.crop_first,
            "scale": config.scale,
            "size": list(spec.shape[-2:]),
            "resample": "bicubic",
            "range": [low, high],
            "alpha": "white",
        }

    @property
    def _least(self) -> int:
        """Smallest extent to feed: nets of a fixed size are fed just that."""
        return tiles.LEAST if self.spec.flexible >= 2 else 1

    def _wrap(self, value: Any, name: str) -> list[Item]:
        if isinstance(value, (str, Path)):
            return [self.read(Path(value))]
        if isinstance(value, Image.Image):
            return [convert_inputs.from_pil(value, name)]
        if isinstance(value, np.ndarray):
            return convert_inputs.from_array(value, name)
        if isinstance(value, Tensor):
            return convert_inputs.from_tensor(value, name, self.spec)
        if isinstance(value, (list, tuple)):
            if not value:
                raise UsageError("the list is empty", asked=name, hint=convert_inputs.ACCEPTED)
            return [
                item for i, part in enumerate(value) for item in self._wrap(part, f"{name}-{i}")
            ]
        raise convert_inputs.refuse(value, name)

    def _working(self, item: Item, size: int | None, bound: int) -> tuple[Any, tuple[int, int]]:
        """The picture as the nets shall see it, and the size of the output."""
        value = item.value
        height, width = int(self.spec.shape[-2]), int(self.spec.shape[-1])
        if size is not None and size < 1:
            raise UsageError("a size must be at least 1 pixel", asked=f"size {size}")
        if self.spec.flexible < 2:
            if size not in (None, min(height, width)):
                raise UsageError(
                    f"these nets work at {height}×{width} pixels only", asked=f"size {size}"
                )
            output = _extent(value) if size is None else (height, width)
            return resize(value, (height, width)), output
        if size is None:
            return self._scaled(value, bound), _extent(value)
        crop = self.preprocessing.get("crop_first")
        if crop:
            value = centre_crop(value, int(crop), int(crop))
        working = working_size(_extent(value), size)
        if working[0] * working[1] > MAX_PIXELS:
            raise UsageError(
                f"the picture would have {working[0]}×{working[1]} pixels", asked=f"size {size}"
            )
        return resize(value, working), working

    def _scaled(self, value: Any, bound: int) -> Any:
        """The picture at its own size, as trained, or as a whole, as the model asks."""
        scale, extent = self.preprocessing.get("scale"), _extent(value)
        if scale == "trained":
            return resize(value, working_size(extent, min(self.spec.shape[-2:])))
        if scale == "whole" and extent[0] * extent[1] > bound:
            return resize(value, largest_within(extent, bound, self.spec.stride))
        return value

    def _cut(self, value: Any, row: tiles.Span, column: tiles.Span) -> Tensor:
        """(C, h, w) one window within the spec's range."""
        if isinstance(value, Tensor):
            rows, columns = torch.from_numpy(row.source), torch.from_numpy(column.source)
            return value[:, rows][:, :, columns].contiguous()
        pixels = value[row.source][:, column.source]  # (h, w, 3)
        return to_tensor(torch.from_numpy(pixels), self.spec)

    def _dress(self, item: Item, whole: Tensor, size: tuple[int, int]) -> Any:
        """Gives a joined float picture (C, H, W) the item's form, and the size asked for."""
        if item.form == "tensor":
            scaled = resize(whole, size)
            return scaled.to(dtype=item.info["dtype"], device=item.info["device"])
        pixels = resize(to_bytes(whole, self.spec), size)
        if item.form == "numpy":
            return pixels
        picture = Image.fromarray(pixels)
        alpha = item.info.get("alpha")
        if alpha is not None:  # colours are translated, the input's transparency is put back
            picture.putalpha(alpha.resize(picture.size, RESAMPLE))
        return picture

    def _to_pil(self, value: Any, path: Path) -> Image.Image:
        if isinstance(value, Image.Image):
            keeps = value.mode == "RGBA" and format_of(path) in ("PNG", "WEBP", "TIFF", "GIF")
            return value if keeps else to_rgb(value)
        if isinstance(value, Tensor) and value.ndim == 3:
            return Image.fromarray(to_bytes(value, self.spec))
        if isinstance(value, np.ndarray):
            return Image.fromarray(convert_inputs.from_array(value, str(path))[0].value)
        raise convert_inputs.refuse(value, str(path))


def _extent(value: Any) -> tuple[int, int]:
    height, width = value.shape[-2:] if isinstance(value, Tensor) else value.shape[:2]
    return int(height), int(width)


def _add(whole: Tensor, place: TilePosition, output: Tensor) -> None:
    """Adds a window's weighted output (C, h, w) to the whole picture (C, H, W)."""
    used = output.detach()[:, place.row.used, place.column.used].float().cpu()  # (C, h', w')
    target = whole[:, place.row.written, place.column.written]
    if len(place.plan) == 1:
        target.copy_(used)
        return
    rows = torch.from_numpy(place.row.weight)[:, None]  # (h', 1)
    target.add_(used * rows * torch.from_numpy(place.column.weight))


def _regroup(value: Any, rest: list[Any]) -> Any:
    """Takes as many outputs off ``rest`` as ``value`` had items, in the form of ``value``."""
    if isinstance(value, (list, tuple)):
        return [_regroup(part, rest) for part in value]
    if isinstance(value, (Tensor, np.ndarray)) and value.ndim == 4:
        parts = [rest.pop(0) for _ in range(len(value))]
        return torch.stack(parts) if isinstance(value, Tensor) else np.stack(parts)
    return rest.pop(0)
