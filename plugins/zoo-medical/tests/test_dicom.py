"""DICOM: values in the header's units, and back into a file of the same header."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from phantoms import TISSUES, anatomy, save_slice
from pydicom.dataset import Dataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    JPEGLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError
from zoo_images.codec import ImageCodec

SPEC = TensorSpec(shape=(3, 32, 32), stride=4)


def codec(low: float = -1024, high: float = 3071) -> ImageCodec:
    made = ImageCodec(SPEC)
    made.ask(range=f"{low},{high}")
    return made


def through(path: Path, out: Path, made: ImageCodec | None = None, change=lambda x: x, **options):
    """What is written of a file through nets that change its windows, and what is noted."""
    made = made or codec()
    item = made.read(path)
    pairs = [(window, change(window.signal)) for window in made.windows(item, **options)]
    made.write(made.join(item, pairs, target=options.get("source")), out)
    return pydicom.dcmread(out), item.info["notes"]


def hounsfield(dataset: Dataset) -> np.ndarray:
    return dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)


def edited(path: Path, **elements) -> Path:
    dataset = pydicom.dcmread(path)
    for name, value in elements.items():
        setattr(dataset, name, value)
    dataset.save_as(path)
    return path


def test_values_are_hounsfield_units(tmp_path: Path) -> None:
    body = anatomy(32, 0)
    path = save_slice(tmp_path / "x.dcm", body)
    picture = codec().read(path).value.picture()
    assert picture.values.dtype == np.int16
    assert np.array_equal(picture.values, body)
    assert set(np.unique(picture.values)) <= set(TISSUES.values())


def test_nets_that_change_nothing_keep_every_unit_and_the_depth(tmp_path: Path) -> None:
    body = anatomy(32, 0)
    made, notes = through(save_slice(tmp_path / "x.dcm", body), tmp_path / "out.dcm")
    assert np.abs(hounsfield(made) - body).max() <= 1
    assert (made.BitsAllocated, made.BitsStored, made.RescaleIntercept) == (16, 12, -1024)
    assert notes == ()


def test_the_header_is_kept_and_says_that_the_picture_is_derived(tmp_path: Path) -> None:
    path = save_slice(tmp_path / "x.dcm", anatomy(32, 0), 3)
    before = pydicom.dcmread(path)
    after, _ = through(path, tmp_path / "out.dcm")
    for name in (
        "PatientName", "StudyInstanceUID", "PixelSpacing", "SliceThickness", "WindowCenter",
        "ImageOrientationPatient", "ImagePositionPatient", "InstanceNumber", "SOPClassUID",
    ):  # fmt: skip
        assert after[name].value == before[name].value, name
    assert list(after.ImageType) == ["DERIVED", "SECONDARY", "AXIAL"]
    assert after.SourceImageSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert after.SOPInstanceUID != before.SOPInstanceUID
    assert after.SeriesInstanceUID != before.SeriesInstanceUID
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID
    assert "not for diagnosis" in after.DerivationDescription


def test_one_series_stays_one_and_another_model_makes_another(tmp_path: Path) -> None:
    paths = [save_slice(tmp_path / f"{n}.dcm", anatomy(32, n), n) for n in range(2)]
    first, second = (through(path, tmp_path / f"out-{path.name}")[0] for path in paths)
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    other = codec()
    other.identity = lambda: "another model"
    third, _ = through(paths[0], tmp_path / "third.dcm", other)
    assert third.SeriesInstanceUID != first.SeriesInstanceUID
    again, _ = through(paths[0], tmp_path / "again.dcm", other)
    assert again.SOPInstanceUID == third.SOPInstanceUID


def test_frames_of_one_file_are_slices_of_one_range(tmp_path: Path) -> None:
    bodies = np.stack([anatomy(32, n) for n in range(3)])
    path = save_slice(tmp_path / "x.dcm", bodies[0])
    stored = (bodies.astype(np.int32) + 1024).astype("<u2")
    edited(path, NumberOfFrames=3, PixelData=stored.tobytes())
    made, _ = through(path, tmp_path / "out.dcm")
    assert made.NumberOfFrames == 3
    assert np.abs(hounsfield(made) - bodies).max() <= 1


def test_a_slope_of_each_frame_is_applied(tmp_path: Path) -> None:
    path = save_slice(tmp_path / "x.dcm", anatomy(32, 0))
    groups = []
    for slope in (1, 2):
        transformation, group = Dataset(), Dataset()
        transformation.RescaleSlope, transformation.RescaleIntercept = slope, 0
        group.PixelValueTransformationSequence = [transformation]
        groups.append(group)
    stored = np.full((2, 32, 32), 100, "<u2")
    edited(
        path, NumberOfFrames=2, PixelData=stored.tobytes(), PerFrameFunctionalGroupsSequence=groups
    )
    pages = codec().read(path).value
    assert [int(pages.picture(n).values[0, 0]) for n in range(2)] == [100, 200]
    made, _ = through(path, tmp_path / "out.dcm")
    assert np.array_equal(made.pixel_array, stored)


def test_monochrome1_is_turned_over_for_the_nets_and_back(tmp_path: Path) -> None:
    body = anatomy(32, 0)
    path = save_slice(tmp_path / "x.dcm", body, PhotometricInterpretation="MONOCHROME1")
    assert codec().read(path).value.picture().values[0, 0] == -1024 + 3071 - TISSUES["air"]
    made, _ = through(path, tmp_path / "out.dcm")
    assert made.PhotometricInterpretation == "MONOCHROME1"
    assert np.abs(hounsfield(made) - body).max() <= 1


def test_padding_is_no_data_and_stays(tmp_path: Path) -> None:
    body = anatomy(32, 0)
    body[:2] = -1024 + 5
    path = save_slice(tmp_path / "x.dcm", body)
    dataset = pydicom.dcmread(path)
    dataset.add_new("PixelPaddingValue", "US", 5)
    dataset.save_as(path)
    made, (note,) = through(path, tmp_path / "out.dcm", change=lambda x: -x)
    assert (made.pixel_array[:2] == 5).all()
    assert note.startswith("64 pixels (6.2 %) without data")


def test_values_beyond_the_bits_of_the_input_get_16_of_their_own(tmp_path: Path) -> None:
    path = save_slice(tmp_path / "x.dcm", anatomy(32, 0))
    made, _ = through(path, tmp_path / "out.dcm", codec(-20000, 20000), lambda x: x * 0 - 0.9)
    assert (made.BitsStored, made.PixelRepresentation, made.RescaleSlope) == (16, 1, 1)
    assert np.abs(hounsfield(made) + 18000).max() <= 1


def test_a_size_asked_for_changes_the_distance_of_pixels(tmp_path: Path) -> None:
    made, _ = through(save_slice(tmp_path / "x.dcm", anatomy(32, 0)), tmp_path / "o.dcm", size=16)
    assert (made.Rows, made.Columns) == (16, 16)
    assert [float(value) for value in made.PixelSpacing] == [1.4, 1.4]


def test_models_of_coloured_pictures_make_secondary_captures(tmp_path: Path) -> None:
    made = codec()
    drawn = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    np.save(tmp_path / "x.npy", drawn)
    body = save_slice(tmp_path / "x.dcm", anatomy(32, 0))
    plain = ImageCodec(SPEC)
    stores = {
        "ct": plain.open([body], TrainConfig(), domain="ct"),
        "drawn": plain.open([tmp_path / "x.npy"], TrainConfig(), domain="drawn"),
    }
    made = ImageCodec(SPEC, plain.fit_statistics(stores))
    item = made.read(body)
    pairs = [(w, w.signal) for w in made.windows(item, source="ct")]
    made.write(made.join(item, pairs, target="drawn"), tmp_path / "out.dcm")
    after = pydicom.dcmread(tmp_path / "out.dcm")
    assert after.SOPClassUID == SecondaryCaptureImageStorage
    assert (after.PhotometricInterpretation, after.pixel_array.shape) == ("RGB", (32, 32, 3))
    assert "RescaleSlope" not in after


def test_grey_of_8_bits_stays_grey(tmp_path: Path) -> None:
    path = save_slice(tmp_path / "x.dcm", anatomy(32, 0))
    dataset = pydicom.dcmread(path)
    before = np.random.default_rng(0).integers(0, 256, (32, 32)).astype(np.uint8)
    del dataset.RescaleSlope, dataset.RescaleIntercept
    dataset.set_pixel_data(before, "MONOCHROME2", 8, generate_instance_uid=False)
    dataset.save_as(path)
    plain = ImageCodec(SPEC)
    item = plain.read(path)
    plain.write(plain.join(item, [(w, w.signal) for w in plain.windows(item)]), tmp_path / "o.dcm")
    after = pydicom.dcmread(tmp_path / "o.dcm")
    assert (after.BitsAllocated, after.PhotometricInterpretation) == (8, "MONOCHROME2")
    assert np.array_equal(after.pixel_array, before)


def test_run_length_coded_pixels_are_read_and_written_plainly(tmp_path: Path) -> None:
    body = anatomy(32, 0)
    path = save_slice(tmp_path / "x.dcm", body)
    dataset = pydicom.dcmread(path)
    dataset.compress(RLELossless)
    dataset.save_as(path)
    made, _ = through(path, tmp_path / "out.dcm")
    assert not made.file_meta.TransferSyntaxUID.is_compressed
    assert np.abs(hounsfield(made) - body).max() <= 1


def test_a_compression_without_a_decoder_is_refused_by_name(tmp_path: Path, monkeypatch) -> None:
    path = save_slice(tmp_path / "x.dcm", anatomy(32, 0))
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = JPEGLossless
    dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8nothing\xff\xd9"])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    with pytest.raises(DataError) as caught:
        codec().read(path)
    assert caught.value.asked == str(path)
    assert "JPEG Lossless" in caught.value.problem
    assert "pylibjpeg" in (caught.value.hint or "")


def test_big_endian_files_are_read(tmp_path: Path) -> None:
    body = anatomy(32, 0)
    path = save_slice(tmp_path / "x.dcm", body)
    dataset = pydicom.dcmread(path)
    list(dataset.iterall())
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.PixelData = (body.astype(np.int32) + 1024).astype(">u2").tobytes()
    pydicom.dcmwrite(path, dataset)
    made, _ = through(path, tmp_path / "out.dcm")
    assert np.abs(hounsfield(made) - body).max() <= 1


def test_files_without_a_suffix_are_told_by_their_first_bytes(tmp_path: Path) -> None:
    path = save_slice(tmp_path / "IM000001", anatomy(32, 0))
    made = codec()
    assert made.recognises(path)
    assert made.output_suffix(path) == ".dcm"


def test_a_file_without_pixels_and_one_that_is_no_dicom_are_named(tmp_path: Path) -> None:
    path = save_slice(tmp_path / "x.dcm", anatomy(32, 0))
    dataset = pydicom.dcmread(path)
    del dataset.PixelData
    dataset.save_as(path)
    (tmp_path / "y.dcm").write_bytes(b"nothing of the kind")
    for name in ("x.dcm", "y.dcm"):
        with pytest.raises(DataError) as caught:
            codec().read(tmp_path / name)
        assert caught.value.asked == str(tmp_path / name)


@pytest.mark.parametrize(
    "broken", [{"PhotometricInterpretation": None}, {"RescaleSlope": None, "Rows": None}]
)
def test_a_header_that_lacks_something_is_named_and_not_quoted(broken, tmp_path: Path) -> None:
    path = save_slice(tmp_path / "x.dcm", anatomy(32, 0))
    dataset = pydicom.dcmread(path)
    for name in broken:
        delattr(dataset, name)
    dataset.save_as(path)
    with pytest.raises(DataError) as caught:
        codec().read(path)
    assert caught.value.asked == str(path)
    assert "Zebulon" not in str(caught.value)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = save_slice(tmp_path / "x.dcm", anatomy(32, 0))
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DataError) as caught:
        codec().read(path)
    assert caught.value.asked == str(path)
