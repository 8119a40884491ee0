"""A phantom: slices of tissues of known Hounsfield units, as DICOM files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

TISSUES = {"air": -1000, "lung": -700, "fat": -100, "water": 0, "muscle": 45, "bone": 1200}
"""Hounsfield units."""
PATIENT = {
    "PatientName": "Qwertz^Zebulon",
    "PatientID": "PID-77443",
    "PatientBirthDate": "19010203",
}
"""Who must never be named."""


def anatomy(size: int, seed: int) -> np.ndarray:
    """(size, size) int16 HU: a body with organs, which lie elsewhere for every seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size - 0.5
    values = np.full((size, size), TISSUES["air"], np.int16)
    values[x**2 + y**2 < 0.2] = TISSUES["fat"]
    values[x**2 + y**2 < 0.15] = TISSUES["muscle"]
    for name in ("lung", "water", "bone"):
        a, b = rng.uniform(-0.2, 0.2, 2)
        values[(x - a) ** 2 + (y - b) ** 2 < 0.008] = TISSUES[name]
    return values


def save_slice(
    path: Path, hounsfield: np.ndarray, number: int = 0, series: str | None = None, **more
) -> Path:
    """A CT slice of 12 bits, 0 to 4,095, whose intercept is -1,024."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    slice_ = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    slice_.SOPClassUID, slice_.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    slice_.StudyInstanceUID = "1.2.3.4"
    slice_.SeriesInstanceUID = series or "1.2.3.4.5"
    slice_.Modality, slice_.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    slice_.Rows, slice_.Columns = hounsfield.shape
    slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
    slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit = 16, 12, 11
    slice_.PixelRepresentation = 0
    slice_.RescaleSlope, slice_.RescaleIntercept, slice_.RescaleType = 1, -1024, "HU"
    slice_.PixelSpacing, slice_.SliceThickness = [0.7, 0.7], 2.5
    slice_.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    slice_.ImagePositionPatient = [-100, -100, 2.5 * number]
    slice_.InstanceNumber = number + 1
    slice_.WindowCenter, slice_.WindowWidth = 40, 400
    slice_.PixelData = (hounsfield.astype(np.int32) + 1024).astype("<u2").tobytes()
    for name, value in {**PATIENT, **more}.items():
        setattr(slice_, name, value)
    slice_.save_as(path, enforce_file_format=True)
    return path
