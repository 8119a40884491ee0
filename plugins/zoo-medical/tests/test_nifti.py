"""NIfTI: slices of a volume, turned as DICOM's are, and back into the same header."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError
from zoo_images.codec import ImageCodec

SPEC = TensorSpec(shape=(3, 16, 16), stride=4)
AFFINE = np.array([[0, -2.0, 0, 20], [1.5, 0, 0, -12], [0, 0, 3.0, 5], [0, 0, 0, 1]])
"""First axis to the front, second to the left."""
RNG = np.random.default_rng(0)


def save(path: Path, values: np.ndarray, slope: float | None = None) -> Path:
    image = nibabel.Nifti1Image(values, AFFINE)
    image.header["descrip"] = b"from a test"
    image.header.set_xyzt_units("mm", "sec")
    if slope is None:
        nibabel.save(image, path)
        return path
    header = image.header
    header.set_slope_inter(slope, 10)
    with path.open("wb") as file:
        header.write_to(file)
        file.write(b"\0" * (352 - file.tell()))
        file.write(values.tobytes(order="F"))
    return path


def through(path: Path, out: Path, low: float = -1000, high: float = 3000, **options):
    codec = ImageCodec(SPEC)
    codec.ask(range=f"{low},{high}")
    item = codec.read(path)
    pairs = [(window, window.signal) for window in codec.windows(item, **options)]
    codec.write(codec.join(item, pairs), out)
    return nibabel.load(out)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("shape", [(20, 18, 5), (20, 18), (20, 18, 3, 2)])
def test_nets_that_change_nothing_give_the_volume_back(
    suffix: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    values = RNG.integers(-1000, 3000, shape).astype(np.int16)
    path = save(tmp_path / f"x{suffix}", values)
    made = through(path, tmp_path / f"out{suffix}")
    assert made.get_data_dtype() == np.int16
    assert np.abs(np.asarray(made.dataobj) - values).max() <= 1
    before = nibabel.load(path)
    assert np.array_equal(made.affine, before.affine)
    for name in ("pixdim", "descrip", "xyzt_units", "qform_code", "sform_code"):
        assert np.array_equal(made.header[name], before.header[name]), name


def test_slices_lie_as_those_of_dicom(tmp_path: Path) -> None:
    values = np.zeros((20, 18, 5), np.int16)
    values[19, :, :] = 1000  # the front
    values[:, 17, :] = 2000  # the left
    codec = ImageCodec(SPEC)
    picture = codec.read(save(tmp_path / "x.nii", values)).value.picture(2).values
    assert picture.shape == (20, 18)
    assert (picture[0, :-1] == 1000).all()  # the front is above
    assert (picture[:, -1] == 2000).all()  # the patient's left is on the right
    assert (picture[-1, :-1] == 0).all()


def test_scaled_numbers_are_values_and_are_stored_as_they_were(tmp_path: Path) -> None:
    stored = RNG.integers(0, 1000, (16, 16, 3)).astype(np.int16)
    path = save(tmp_path / "x.nii", stored, slope=0.5)
    assert ImageCodec(SPEC).read(path).value.picture().values.dtype == np.float32
    made = through(path, tmp_path / "out.nii", 0, 600)
    assert (made.dataobj.slope, made.dataobj.inter) == (0.5, 10)
    assert np.abs(made.dataobj.get_unscaled().astype(int) - stored).max() <= 1


def test_nan_stays_nan(tmp_path: Path) -> None:
    values = RNG.random((16, 16, 3)).astype(np.float32)
    values[:4] = np.nan
    made = np.asarray(through(save(tmp_path / "x.nii", values), tmp_path / "o.nii", 0, 1).dataobj)
    assert np.isnan(made[:4]).all()
    assert np.abs(made[4:] - values[4:]).max() < 1e-6


def test_big_endian_volumes_stay_so(tmp_path: Path) -> None:
    values = RNG.integers(-1000, 3000, (16, 16, 3)).astype(">i2")
    image = nibabel.Nifti1Image(values, AFFINE, nibabel.Nifti1Header(endianness=">"))
    image.header.set_data_dtype(">i2")
    nibabel.save(image, tmp_path / "x.nii")
    made = through(tmp_path / "x.nii", tmp_path / "out.nii")
    assert made.header.endianness == ">"
    assert np.abs(np.asarray(made.dataobj).astype(int) - values).max() <= 1


def test_every_slice_is_a_training_picture(tmp_path: Path) -> None:
    values = RNG.integers(-1000, 3000, (20, 18, 5)).astype(np.int16)
    first = save(tmp_path / "a.nii", values)
    second = save(tmp_path / "b.nii.gz", values[..., :2])
    store = ImageCodec(SPEC).open([first, second], TrainConfig(), domain="ct")
    assert len(store) == 7
    assert list(store.kept) == [0, 0, 0, 0, 0, 1, 1]
    assert store.names[5] == "b.nii.gz#1"
    assert store.batch([0]).std() > 0


def test_equal_volumes_make_equal_files(tmp_path: Path) -> None:
    path = save(tmp_path / "x.nii.gz", RNG.integers(0, 100, (16, 16, 2)).astype(np.int16))
    first, second = tmp_path / "one.nii.gz", tmp_path / "two.nii.gz"
    through(path, first)
    through(path, second)
    assert first.read_bytes() == second.read_bytes()


def test_slices_of_another_size_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "x.nii", RNG.integers(0, 100, (16, 16, 2)).astype(np.int16))
    with pytest.raises(DataError) as caught:
        through(path, tmp_path / "out.nii", size=8)
    assert "--size" in (caught.value.hint or "")
    assert not (tmp_path / "out.nii").exists()


def test_damaged_and_strange_volumes_are_named(tmp_path: Path) -> None:
    whole = save(tmp_path / "x.nii", RNG.integers(0, 100, (16, 16, 2)).astype(np.int16))
    (tmp_path / "short.nii").write_bytes(whole.read_bytes()[:-200])
    (tmp_path / "text.nii").write_text("nothing of the kind")
    save(tmp_path / "line.nii", np.zeros((5, 4, 3, 2, 2), np.int16))
    for name in ("short.nii", "text.nii", "line.nii", "absent.nii"):
        with pytest.raises(DataError) as caught:
            ImageCodec(SPEC).read(tmp_path / name)
        assert caught.value.asked == str(tmp_path / name)
