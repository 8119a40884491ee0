"""What the stored numbers of a DICOM frame mean: bits, slope and intercept, padding, inversion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Scaling:
    """From stored numbers to values, and back.

    Attributes:
        slope: Value per stored unit.
        intercept: Value of a stored 0.
        low: Smallest number that can be stored.
        high: Largest one.
        inverted: Whether small numbers are bright (MONOCHROME1): values are turned over.
        nothing: Stored numbers, both ends included, that stand for no data.
        notes: What of the header was not applied.
    """

    slope: float
    intercept: float
    low: float
    high: float
    inverted: bool = False
    nothing: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, dataset: Dataset, frame: int) -> Scaling:
        """The scaling of one frame."""
        slope, intercept = rescale_of(dataset, frame)
        bits = int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 16)
        signed = bool(dataset.get("PixelRepresentation"))
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        notes = ()
        if "ModalityLUTSequence" in dataset:
            notes = ("a table of its modality, which is not applied: values are as stored",)
        return cls(
            slope,
            intercept,
            low,
            high,
            dataset.PhotometricInterpretation == "MONOCHROME1",
            _padding_of(dataset),
            notes,
        )

    @property
    def span(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        ends = [end * self.slope + self.intercept for end in (self.low, self.high)]
        return min(ends), max(ends)

    @property
    def kind(self) -> np.dtype[Any]:
        """The type of values: the smallest that holds all of them, alike for all slices."""
        if not (self.slope.is_integer() and self.intercept.is_integer()):
            return np.dtype(np.float32)
        ends = [*self.span, *(n * self.slope + self.intercept for n in self.nothing or ())]
        for name in ("uint8", "uint16", "int16", "int32"):
            limits = np.iinfo(name)
            if limits.min <= min(ends) and max(ends) <= limits.max:
                return np.dtype(name)
        return np.dtype(np.float32)

    def padding(self, stored: Array) -> npt.NDArray[np.bool_]:
        """(H, W) where the stored numbers stand for no data."""
        if self.nothing is None:
            return np.zeros(stored.shape, np.bool_)
        return (stored >= self.nothing[0]) & (stored <= self.nothing[1])

    def to_values(self, stored: Array) -> Array:
        """(H, W) of `kind` from stored numbers (H, W)."""
        if stored.dtype.kind == "f":
            return stored  # float pixels are values already
        values = stored.astype(np.float64) * self.slope + self.intercept
        return self._turned(values, self.padding(stored)).astype(self.kind)

    def to_stored(self, values: Array) -> Array:
        """(H, W) float64 whole numbers from values (H, W)."""
        numbers = values.astype(np.float64)
        padding = self.padding(np.rint((numbers - self.intercept) / self.slope))
        return np.rint((self._turned(numbers, padding) - self.intercept) / self.slope)

    def holds(self, stored: Array) -> bool:
        """Whether numbers can be stored in the bits that there are."""
        inside = (stored >= self.low) & (stored <= self.high)
        return bool((inside | self.padding(stored)).all())

    def _turned(self, values: Array, padding: npt.NDArray[np.bool_]) -> Array:
        return np.where(padding, values, sum(self.span) - values) if self.inverted else values


def rescale_of(dataset: Dataset, frame: int) -> tuple[float, float]:
    """Slope and intercept of a frame, from the head or from its functional groups."""
    places = [dataset]
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    each = dataset.get("PerFrameFunctionalGroupsSequence") or []
    for groups in (*shared[:1], *each[frame : frame + 1]):
        places += list(groups.get("PixelValueTransformationSequence") or [])[:1]
    slope, intercept = 1.0, 0.0
    for place in places:
        slope = float(place.get("RescaleSlope") or slope)  # a slope of 0 is no slope
        found = place.get("RescaleIntercept")
        intercept = intercept if found is None else float(found)
    return slope, intercept


def _padding_of(dataset: Dataset) -> tuple[float, float] | None:
    value = dataset.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    other = limit if isinstance(limit, int) else value
    bits = int(dataset.get("BitsAllocated") or 16)
    if dataset.get("PixelRepresentation"):  # some write the bits of a signed number as unsigned
        value, other = ((n + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1) for n in (value, other))
    return min(value, other), max(value, other)
