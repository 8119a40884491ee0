"""Distances to the reference, to the input itself, and retrieval of the reference.

The untranslated input's own distance to the reference stands beside each value: a translation is
worth something where it is nearer to the truth than what it was made from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from zoo_evaluate.context import Direction, TranslatedBatch
from zoo_evaluate.metrics import Average, Metric

PSNR_MOST = 100.0
"""Cap of a picture's PSNR in dB, which is infinite for equal pictures."""


def l1(x: Tensor, y: Tensor) -> Tensor:
    """(N,) mean absolute difference of each signal, in the signals' units."""
    return (x - y).abs().flatten(1).mean(1)


def psnr(x: Tensor, y: Tensor, span: float) -> Tensor:
    """(N,) peak signal-to-noise ratio of each picture in dB, at most `PSNR_MOST`."""
    error = (x - y).square().flatten(1).mean(1)  # (N,)
    return (10 * torch.log10(span**2 / error.clamp(min=1e-20))).clamp(max=PSNR_MOST)


def ssim(x: Tensor, y: Tensor, span: float) -> Tensor:
    """(N,) structural similarity of each picture (11x11 Gaussian window; Wang et al. 2004)."""
    value = structural_similarity_index_measure(x, y, data_range=span, reduction="none")
    return value.reshape(-1)  # type: ignore[union-attr]


class CycleMetric(Metric):
    """How far the translation, translated back, is from the input."""

    name = "cycle"
    headline = ("cycle_l1",)

    def __init__(self, direction: Direction) -> None:
        super().__init__(direction)
        self.distance = Average()

    def update(self, sample: TranslatedBatch) -> None:
        """Compares input and restored input."""
        self.distance.add(l1(sample.restored, sample.source).tolist())

    def compute(self) -> dict[str, float]:
        """``cycle_l1``."""
        return {"cycle_l1": self.distance.value}

    def protocol(self) -> dict[str, object]:
        """Units."""
        return {"unit": f"mean absolute difference, range {self.direction.span:g} wide"}


class ReferenceMetric(Metric):
    """A distance or similarity to the reference, of translation and untranslated input."""

    needs = frozenset({"reference"})

    def __init__(self, direction: Direction) -> None:
        super().__init__(direction)
        self.translated, self.untranslated = Average(), Average()

    def measure(self, x: Tensor, reference: Tensor) -> Tensor:
        """(N,) the measure of each picture."""
        raise NotImplementedError

    def update(self, sample: TranslatedBatch) -> None:
        """Compares translation and input with the reference."""
        self.translated.add(self.measure(sample.translated, sample.reference).tolist())
        self.untranslated.add(self.measure(sample.source, sample.reference).tolist())

    def compute(self) -> dict[str, float]:
        """The value under the metric's name, and ``…_untranslated``."""
        return {
            self.name: self.translated.value,
            f"{self.name}_untranslated": self.untranslated.value,
        }

    def protocol(self) -> dict[str, object]:
        """How references were found, and how many."""
        references = self.direction.references
        return {"references": len(references or ()), "rule": references.rule if references else ""}


class ReferenceL1(ReferenceMetric):
    """Mean absolute difference to the reference; ``l1_ratio`` below 1 is better than nothing."""

    name = "l1"
    headline = ("l1", "l1_ratio")

    def measure(self, x: Tensor, reference: Tensor) -> Tensor:
        """(N,) L1 distances."""
        return l1(x, reference)

    def compute(self) -> dict[str, float]:
        """``l1``, ``l1_untranslated`` and their ratio."""
        return self._with_ratio(super().compute())

    @classmethod
    def mean(cls, directions: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """Mean distances, and the ratio of the means."""
        return cls._with_ratio(super().mean(directions))

    @staticmethod
    def _with_ratio(values: dict[str, float]) -> dict[str, float]:
        before = values.get("l1_untranslated", 0.0)
        if before > 0:
            values["l1_ratio"] = values["l1"] / before
        return values


class ReferencePsnr(ReferenceMetric):
    """Peak signal-to-noise ratio against the reference, in dB."""

    signals = ("image",)
    name = "psnr"
    headline = ("psnr",)
    higher_is_better = True

    def measure(self, x: Tensor, reference: Tensor) -> Tensor:
        """(N,) PSNR in dB."""
        return psnr(x, reference, self.direction.span)


class ReferenceSsim(ReferenceMetric):
    """Structural similarity to the reference, at most 1."""

    signals = ("image",)
    name = "ssim"
    headline = ("ssim",)
    higher_is_better = True

    def measure(self, x: Tensor, reference: Tensor) -> Tensor:
        """(N,) SSIM."""
        return ssim(x, reference, self.direction.span)


class Retrieval(Metric):
    """How often the reference is the nearest by L1 among all real pictures of the target.

    The gallery is streamed for each batch, so memory does not grow with its size.
    """

    name = "retrieval"
    needs = frozenset({"reference"})
    headline = ("retrieval", "retrieval_untranslated")
    higher_is_better = True

    def __init__(self, direction: Direction) -> None:
        super().__init__(direction)
        self.hits = {"retrieval": Average(), "retrieval_untranslated": Average()}

    def update(self, sample: TranslatedBatch) -> None:
        """Looks for the reference of each translation and of each input."""
        queries = torch.cat([sample.translated, sample.source]).flatten(1)  # (2N, D)
        own = torch.cat([sample.reference, sample.reference]).flatten(1)  # (2N, D)
        limit = (queries - own).abs().sum(1)  # (2N,)
        positions = sample.reference_positions.repeat(2).to(queries.device)  # (2N,)
        nearer = torch.zeros_like(limit, dtype=torch.bool)  # (2N,) another one is nearer
        for at, pictures in self.direction.target.batches(256):
            rest = torch.nonzero(~nearer)[:, 0]  # (R,) those that are still open
            if not len(rest):
                break
            gallery = pictures.to(queries.device).flatten(1)  # (G, D)
            distance = torch.cdist(queries[rest], gallery, p=1)  # (R, G)
            other = at.to(queries.device)[None, :] != positions[rest, None]  # (R, G)
            nearer[rest] = ((distance < limit[rest, None]) & other).any(1)
        hits = (~nearer).float().tolist()
        count = len(sample.source)
        self.hits["retrieval"].add(hits[:count])
        self.hits["retrieval_untranslated"].add(hits[count:])

    def compute(self) -> dict[str, float]:
        """``retrieval`` and ``retrieval_untranslated``, shares from 0 to 1."""
        return {name: average.value for name, average in self.hits.items()}

    def protocol(self) -> dict[str, object]:
        """Size of the gallery."""
        return {"gallery": len(self.direction.target), "distance": "L1"}
