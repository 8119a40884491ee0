"""Pictures decoded once, at working size, into a memory-mapped array that is read at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_images.pixels import Bytes, to_tensor


@dataclass(frozen=True)
class ImageStoreContents:
    """What is known of a store beside its pixels.

    Attributes:
        kept: Positions of the usable files among those asked for.
        skipped: Why each other file was left out.
        smallest: (height, width) of the smallest picture by area, before scaling.
        largest: (height, width) of the largest.
        formats: Formats of the files, the commonest first.
    """

    kept: list[int]
    skipped: list[str]
    smallest: list[int]
    largest: list[int]
    formats: list[str]


class ImageStore:
    """See `zoo_core.contracts.codec.SignalStore`.

    Args:
        layers: ``crop``: uint8 (M, H', W', 3), what augmentation crops from; ``plain``: uint8
            (M, H, W, 3), the deterministic version. They are one array where nothing is cropped.
        contents: What else is known.
        names: Name of each of the M pictures.
        spec: Form of the signals.
        config: Augmentation.
    """

    def __init__(
        self,
        layers: Mapping[str, Bytes],
        contents: ImageStoreContents,
        names: Sequence[str],
        spec: TensorSpec,
        config: TrainConfig,
    ) -> None:
        self.names: Sequence[str] = list(names)
        self.labels: Tensor | None = None
        self.kept: Sequence[int] = contents.kept
        self.skipped: Sequence[str] = contents.skipped
        self.summary = _summary(contents)
        self._layers, self._spec, self._config = layers, spec, config
        self._rows = np.asarray(contents.kept, dtype=np.intp)

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, indices: Sequence[int], rng: torch.Generator | None = None) -> Tensor:
        """(N, C, H, W) float32 within the spec's range; see `Store.batch`."""
        rows = self._rows[np.asarray(indices, dtype=np.intp)]
        layer = self._layers["plain" if rng is None else "crop"]
        pixels = torch.from_numpy(np.array(layer[rows]))  # (N, H', W', 3), a copy
        if rng is not None:
            pixels = self._augment(pixels, rng)  # (N, H, W, 3)
        return to_tensor(pixels, self._spec)  # (N, C, H, W)

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
            mirrored = torch.rand((count, 1), generator=rng) < 0.5  # (N, 1)
            columns = torch.where(mirrored, columns.flip(1), columns)  # (N, W)
        number = torch.arange(count)[:, None, None] * whole[0]  # (N, 1, 1)
        place = (number + rows[:, :, None]) * whole[1] + columns[:, None, :]  # (N, H, W)
        gathered = pixels.reshape(-1, 3).index_select(0, place.flatten())  # (N * H * W, 3)
        return gathered.reshape(*place.shape, 3)  # (N, H, W, 3)


def _summary(contents: ImageStoreContents) -> str:
    small, large = ("×".join(map(str, (s[1], s[0]))) for s in (contents.smallest, contents.largest))
    sizes = small if small == large else f"{small} to {large}"
    return f"{sizes} px, {', '.join(contents.formats)}"
