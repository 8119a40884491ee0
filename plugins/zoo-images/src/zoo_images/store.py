"""Pictures decoded once, at working size, into a memory-mapped array that is read at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import printable
from zoo_images.pixels import to_tensor
from zoo_images.preprocessing import ValueRange
from zoo_images.strip import Pixels, Strip

_SHOWN = 3
_MUCH = 0.05
"""Share of the pictures from which what is cut away is told of."""


@dataclass(frozen=True)
class ImageStoreContents:
    """What is known of a store beside its pixels.

    Attributes:
        kept: Positions of the usable files among those asked for.
        skipped: Why each other file was left out.
        smallest: (height, width) of the smallest picture by area, before scaling.
        largest: (height, width) of the largest.
        formats: Formats of the files, the commonest first.
        notes: What of the files is not used or is doubtful, and in how many.
        unused: Mean share of a picture that is cut away, where nobody asked for it.
        aspect: Mean width of the pictures in their heights.
        plain: Positions of those that are of one colour throughout.
    """

    kept: list[int]
    skipped: list[str]
    smallest: list[int]
    largest: list[int]
    formats: list[str]
    notes: dict[str, int] = field(default_factory=dict)
    unused: float = 0
    aspect: float = 1
    plain: list[int] = field(default_factory=list)


class ImageStore:
    """See `zoo_core.contracts.codec.SignalStore`.

    Args:
        layers: ``crop``: (M, H', W', 3), what augmentation crops from; ``plain``: (M, H, W, 3),
            the deterministic version. They are one array where nothing is cropped. uint8, or
            uint16 where any picture has more than 8 bits.
        strip: What augmentation crops from instead, where pictures keep their shapes.
        contents: What else is known.
        names: Name of each of the M pictures.
        spec: Form of the signals.
        config: Augmentation.
        span: Which values of the files are black and white; None for 8 bits.
        words: Why, for the summary.
    """

    def __init__(
        self,
        layers: Mapping[str, Pixels],
        contents: ImageStoreContents,
        names: Sequence[str],
        spec: TensorSpec,
        config: TrainConfig,
        *,
        strip: Strip | None = None,
        span: ValueRange | None = None,
        words: str = "",
    ) -> None:
        self.span = span
        self.names: Sequence[str] = list(names)
        self.labels: Tensor | None = None
        self.kept: Sequence[int] = contents.kept
        self.skipped: Sequence[str] = contents.skipped
        self.summary = _summary(contents, words, spec)
        self.notes = [*_doubts(contents, self.names), *_advice(contents, spec)]
        self._layers, self._strip = layers, strip
        self._spec, self._config = spec, config
        self._rows = np.asarray(contents.kept, dtype=np.intp)

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, indices: Sequence[int], rng: torch.Generator | None = None) -> Tensor:
        """(N, C, H, W) float32 within the spec's range; see `Store.batch`."""
        rows = self._rows[np.asarray(indices, dtype=np.intp)]
        if rng is None or self._strip is None:
            values = self._layers["plain" if rng is None else "crop"][
                rows
            ]  # (N, H', W', 3), a copy
        else:
            height, width = self._spec.shape[-2:]
            values = self._strip.crops(rows.tolist(), (height, width), rng)  # (N, H, W, 3)
        white = np.iinfo(values.dtype).max
        if values.dtype == np.uint16:
            values = values.astype(np.int32)  # torch gathers no uint16
        pixels = torch.from_numpy(np.array(values, copy=False))  # (N, H', W', 3)
        if rng is not None:
            pixels = self._augment(pixels, rng)  # (N, H, W, 3)
        return to_tensor(pixels, self._spec, int(white))  # (N, C, H, W)

    def _augment(self, pixels: Tensor, rng: torch.Generator) -> Tensor:
        """Crops, shifts and mirrors (N, H', W', 3), all in one gather: (N, H, W, 3)."""
        count, whole = pixels.shape[0], pixels.shape[1:3]
        size = self._spec.shape[-2:]
        shift = self._config.shift
        axes = []
        for extent, wanted in zip(whole, size, strict=True):
            offset = torch.randint(0, extent - wanted + 1, (count, 1), generator=rng)  # (N, 1)
            offset += torch.randint(-shift, shift + 1, (count, 1), generator=rng)  # (N, 1)
            # Clamping repeats the border pixel: the padding of a shift.
            axes.append((torch.arange(wanted) + offset).clamp_(0, extent - 1))  # (N, wanted)
        rows, columns = axes
        if self._config.flip:
            choices = count if self._config.mirror == "each" else 1
            mirrored = torch.rand((choices, 1), generator=rng) < 0.5  # (N, 1) or (1, 1)
            columns = torch.where(mirrored, columns.flip(1), columns)  # (N, W)
        number = torch.arange(count)[:, None, None] * whole[0]  # (N, 1, 1)
        place = (number + rows[:, :, None]) * whole[1] + columns[:, None, :]  # (N, H, W)
        gathered = pixels.reshape(-1, 3).index_select(0, place.flatten())  # (N * H * W, 3)
        return gathered.reshape(*place.shape, 3)  # (N, H, W, 3)


def _summary(contents: ImageStoreContents, words: str, spec: TensorSpec) -> str:
    small, large = ("×".join(map(str, (s[1], s[0]))) for s in (contents.smallest, contents.largest))
    sizes = small if small == large else f"{small} to {large}"
    parts = [f"{sizes} px, {', '.join(contents.formats)}"]
    if words:
        parts.append(words)
    if contents.unused >= _MUCH:
        height, width = spec.shape[-2:]
        share = 100 * contents.unused
        parts.append(f"cut to {width}×{height}, {share:.0f} % of each picture is not used")
    notes = sorted(contents.notes.items(), key=lambda pair: -pair[1])
    parts += [f"{count:,} with {note}" for note, count in notes[:_SHOWN]]
    if len(notes) > _SHOWN:
        parts.append(f"and {len(notes) - _SHOWN} further remarks")
    return "; ".join(parts)


def _doubts(contents: ImageStoreContents, names: Sequence[str]) -> list[str]:
    """What is said of pictures that show nothing.

    Instance normalisation divides by their deviation, which is 0: where its output passes an
    activation with a slope at 0, gradients grow by 300 with each layer.
    """
    if not contents.plain:
        return []
    count, first = len(contents.plain), names[contents.kept.index(contents.plain[0])]
    are = "picture is" if count == 1 else "pictures are"
    return [
        f"warning: {count:,} {are} of one colour throughout, such as {printable(first)}; they "
        "teach nothing, and can make gradients too large to go on: leave them out"
    ]


def _advice(contents: ImageStoreContents, spec: TensorSpec) -> list[str]:
    """The shape of signals that would keep most of what is cut away, where nets take any."""
    height, width = spec.shape[-2:]
    if contents.unused < _MUCH or spec.flexible < 2:
        return []
    if contents.aspect > width / height:
        width = max(1, round(height * contents.aspect / spec.stride)) * spec.stride
    else:
        height = max(1, round(width / contents.aspect / spec.stride)) * spec.stride
    if (height, width) == spec.shape[-2:]:
        return []  # some are wide and some are tall: no one shape keeps them
    shape = f"[{spec.channels},{height},{width}]"
    return [f'to use more of each picture: --set "signal.shape={shape}"']
