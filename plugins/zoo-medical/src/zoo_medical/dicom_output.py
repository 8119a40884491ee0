"""Writes a translated DICOM: the header of the input, new pixels, and that they are derived."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from zoo_core.files import replacing
from zoo_medical.quiet import unquoted
from zoo_medical.scaling import Array, Scaling

_STALE = (
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "IconImageSequence",
    "DigitalSignaturesSequence",
    "MACParametersSequence",
    "FloatPixelData",
    "DoubleFloatPixelData",
)
"""What is said of the input's pixels and does not hold for others."""
_GREY_ONLY = (
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "WindowCenter",
    "WindowWidth",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
)


def write(
    source: Dataset, arrays: Sequence[Array], path: Path, *, target: str | None, identity: str
) -> None:
    """Writes a file like the input, with other pixels.

    Args:
        source: The input.
        arrays: The values of each frame, (H, W) or (H, W, 3), in the input's units.
        path: Where to.
        target: The domain that they are of, where they are of one.
        identity: Hash of the model that made them.

    Raises:
        DataError: If it cannot be written.
    """
    with unquoted(str(path), "the input's header holds what cannot be written"):
        dataset = copy.deepcopy(source)
        for name in _STALE:
            if name in dataset:
                delattr(dataset, name)
        _rescale_geometry(dataset, arrays[0].shape[:2])
        if arrays[0].ndim == 3:
            _set_colour(dataset, np.stack(arrays))
        else:
            _set_grey(dataset, arrays)
        _set_derived(dataset, target, identity)
        for _ in dataset.iterall():  # what was read in another order of bytes is taken as numbers
            pass
        with replacing(path) as part:
            dcmwrite(part, dataset, enforce_file_format=True)


def _set_grey(dataset: Dataset, arrays: Sequence[Array]) -> None:
    scalings = [Scaling.of(dataset, frame) for frame in range(len(arrays))]
    stored = [scaling.to_stored(a) for scaling, a in zip(scalings, arrays, strict=True)]
    colour = dataset.PhotometricInterpretation
    fits = all(scaling.holds(s) for scaling, s in zip(scalings, stored, strict=True))
    if colour.startswith("MONOCHROME") and fits and "BitsStored" in dataset:
        kind = np.dtype(f"{'i' if dataset.PixelRepresentation else 'u'}{_bytes_of(dataset)}")
        _set_pixels(dataset, np.stack(stored).astype(kind), colour, int(dataset.BitsStored))
        return
    # Values that the input's bits cannot hold: 16 bits of their own, whole numbers as they are.
    values = np.stack(arrays).astype(np.float64)
    whole = np.array_equal(values, np.rint(values)) and np.abs(values).max() < 2**15
    low = float(values.min())
    slope = 1.0 if whole else max(float(values.max()) - low, 1e-6) / 65535
    intercept = 0.0 if whole else low
    numbers = np.rint((values - intercept) / slope).astype(np.int16 if whole else np.uint16)
    _set_rescale(dataset, slope, intercept)
    for name in ("WindowCenter", "WindowWidth", "PixelPaddingValue", "PixelPaddingRangeLimit"):
        if name in dataset:
            delattr(dataset, name)
    _set_pixels(dataset, numbers, "MONOCHROME2", 16)


def _set_colour(dataset: Dataset, pixels: Array) -> None:
    """Colours, which only general kinds of picture may have."""
    if int(dataset.get("SamplesPerPixel") or 1) == 1:
        dataset.SOPClassUID = SecondaryCaptureImageStorage
        dataset.ConversionType = "WSD"
    for name in _GREY_ONLY:
        if name in dataset:
            delattr(dataset, name)
    for name in [e.keyword for e in dataset if "PaletteColorLookupTable" in e.keyword]:
        delattr(dataset, name)
    _set_pixels(dataset, pixels, "RGB", 8 * pixels.dtype.itemsize)


def _set_pixels(dataset: Dataset, pixels: Array, colour: str, bits: int) -> None:
    """Sets the elements that describe pixels (N, H, W) or (N, H, W, 3), and the pixels."""
    several = pixels.ndim == 4
    dataset.SamplesPerPixel = 3 if several else 1
    dataset.PhotometricInterpretation = colour
    if several:
        dataset.PlanarConfiguration = 0
    elif "PlanarConfiguration" in dataset:
        del dataset.PlanarConfiguration
    dataset.Rows, dataset.Columns = pixels.shape[1:3]
    if "NumberOfFrames" in dataset:
        dataset.NumberOfFrames = len(pixels)
    dataset.BitsAllocated, dataset.BitsStored = 8 * pixels.dtype.itemsize, bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    data = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    dataset["PixelData"].is_undefined_length = False
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian


def _set_rescale(dataset: Dataset, slope: float, intercept: float) -> None:
    places: list[Any] = [dataset]
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for groups in dataset.get(name) or []:
            places += groups.get("PixelValueTransformationSequence") or []
    for place in places:
        place.RescaleSlope, place.RescaleIntercept = _decimal(slope), _decimal(intercept)


def _set_derived(dataset: Dataset, target: str | None, identity: str) -> None:
    """Says that the picture is derived, from what and how, and gives it names of its own.

    One series of the input becomes one series for each model and target, however often it runs.
    """
    old = str(dataset.get("SOPInstanceUID") or "")
    origin = Dataset()
    origin.ReferencedSOPClassUID = dataset.get("SOPClassUID")
    origin.ReferencedSOPInstanceUID = old
    rest = list(dataset.get("ImageType") or [])[2:]
    dataset.ImageType = ["DERIVED", "SECONDARY", *rest]
    dataset.SourceImageSequence = [origin]
    words = f"Translated to {target}" if target else "Translated"
    dataset.DerivationDescription = f"{words} by a learned model (zoo); not for diagnosis"[:1024]
    made = [str(dataset.get("SeriesInstanceUID") or old), identity, target or ""]
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["series", *made])
    pixels = hashlib.sha256(dataset.PixelData).hexdigest()
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=["instance", old, *made, pixels])
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID")


def _rescale_geometry(dataset: Dataset, size: tuple[int, int]) -> None:
    """Distances between pixels, where an output of another size was asked for."""
    factors = [int(dataset.Rows) / size[0], int(dataset.Columns) / size[1]]
    if factors == [1.0, 1.0]:
        return
    places: list[Any] = [dataset]
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for groups in dataset.get(name) or []:
            places += groups.get("PixelMeasuresSequence") or []
    for place in places:
        for name in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
            old = place.get(name)
            if old is not None:
                new = [_decimal(float(o) * f) for o, f in zip(old, factors, strict=True)]
                setattr(place, name, new)


def _decimal(value: float) -> str:
    """A decimal string of at most 16 characters, as DICOM asks for."""
    for digits in range(15, 0, -1):
        text = f"{value:.{digits}g}"
        if len(text) <= 16:
            return text
    return text


def _bytes_of(dataset: Dataset) -> int:
    return max(1, int(dataset.BitsAllocated) // 8)
