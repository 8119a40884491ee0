"""Medical files that would take more than they tell are refused before the memory is taken."""

from __future__ import annotations

import gzip
import io
import os
import struct
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from phantoms import anatomy, save_slice
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless

from zoo_core.errors import DataError
from zoo_medical import bounds
from zoo_medical.dicom import DicomFormat
from zoo_medical.nifti import NiftiFormat


def volume(path: Path, *, offset: float = 352, extension: bytes = b"", more: int = 0) -> Path:
    """A volume of 4 x 4 x 1 whose data begin at ``offset``, if the header is to be believed."""
    header = nibabel.Nifti1Header()
    header.set_data_shape((4, 4, 1))
    header.set_data_dtype(np.int16)
    block = bytearray(header.binaryblock)
    block[108:112], block[344:348] = struct.pack("<f", offset), b"n+1\0"
    content = bytes(block) + bytes([bool(extension), 0, 0, 0]) + extension + bytes(32 + more)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def compressed(path: Path, syntax: str, frame: bytes, **elements: object) -> Path:
    """A slice of 8 x 8 pixels of 8 bits whose frame is this."""
    grey = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    save_slice(path, anatomy(8, 0), **grey)
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    for name, value in elements.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def run_lengths(count: int) -> bytes:
    """A frame in RLE: one plane of ``count`` times 128 zeros."""
    return struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\x00" * count


def test_a_file_that_inflates_beyond_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "HEADER", 1_000_000)
    path = save_slice(tmp_path / "x.dcm", anatomy(8, 0))
    dataset = pydicom.dcmread(path)
    dataset.PixelData += bytes(8_000_000)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError) as caught:
        DicomFormat().open(path, largest=1_000_000)
    assert "inflates to more than 4 MB" in (caught.value.problem or "")
    assert "--largest" in (caught.value.hint or "")
    assert len(DicomFormat().open(path)) == 1


def test_run_lengths_of_more_than_the_frame_are_refused(tmp_path: Path) -> None:
    small = compressed(tmp_path / "a.dcm", RLELossless, run_lengths(1)[:-2] + b"\xc1\x07")
    assert DicomFormat().open(small).picture().values.shape == (8, 8)
    large = compressed(tmp_path / "b.dcm", RLELossless, run_lengths(10_000))
    with pytest.raises(DataError) as caught:
        DicomFormat().open(large).picture()
    assert caught.value.problem == "a frame is larger than its header tells"


@pytest.mark.parametrize("side", [1_000, 14_000])
def test_a_jpeg_of_more_pixels_than_the_header_tells_is_refused(side: int, tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("L", (side, side)).save(stream, "JPEG", quality=5)
    path = compressed(tmp_path / "x.dcm", JPEGBaseline8Bit, stream.getvalue())
    with pytest.raises(DataError) as caught:
        DicomFormat().open(path).picture()
    assert caught.value.problem == "a frame is larger than its header tells"


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = save_slice(tmp_path / "x.dcm", anatomy(8, 0))
    os.truncate(path, 6 * 2**30)  # takes no space: it has a hole
    with pytest.raises(DataError) as caught:
        DicomFormat().open(path)
    assert "more than 424 MB" in (caught.value.problem or "")


@pytest.mark.parametrize(
    ("offset", "extension"),
    [
        (3e9, b""),
        (1e9, struct.pack("<ii", 2**31 - 16, 6)),
        (1e9, struct.pack("<ii", 0, 6)),
        (np.nan, b""),
    ],
)
def test_a_volume_whose_header_takes_gigabytes_is_refused(
    offset: float, extension: bytes, tmp_path: Path
) -> None:
    path = volume(tmp_path / "x.nii.gz", offset=offset, extension=extension, more=8_000_000)
    with pytest.raises(DataError) as caught:
        NiftiFormat().open(path)
    assert "header" in (caught.value.problem or "")


def test_no_more_of_a_packed_volume_is_read_than_it_announces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = volume(tmp_path / "x.nii.gz", more=8_000_000)
    read: list[int] = []
    plain = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        data = plain(self, size)
        read.append(len(data))
        return data

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    assert len(NiftiFormat().open(path)) == 1
    assert sum(read) == 352 + 32


def test_a_volume_whose_size_overflows_is_refused_by_its_size(tmp_path: Path) -> None:
    header = nibabel.Nifti2Header()
    header.set_data_dtype(np.int16)
    block = bytearray(header.binaryblock)
    block[4:8], block[16:80] = b"n+2\0", struct.pack("<8q", 2, 2**32, 2**32, 1, 1, 1, 1, 1)
    (tmp_path / "x.nii").write_bytes(bytes(block) + bytes(100))
    with pytest.raises(DataError) as caught:
        NiftiFormat().open(tmp_path / "x.nii")
    assert "when decoded, more than" in (caught.value.problem or "")


@pytest.mark.parametrize(("name", "form"), [("x.dcm", DicomFormat), ("x.nii", NiftiFormat)])
def test_what_is_no_regular_file_is_not_waited_for(
    name: str, form: type[DicomFormat | NiftiFormat], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError) as caught:
        form().open(tmp_path / name)
    assert caught.value.problem == "it is not a regular file"
