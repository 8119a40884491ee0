"""Videos and medical pictures: translated where their packages are, named where they are not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

av = pytest.importorskip("av")
pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")

MODEL = "cyclegan-mnist-mnistm"


def zoo(cwd: Path, *arguments: str, plugins: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the command line, with some of the installed plugins only where these are named."""
    more = {} if plugins is None else {"ZOO_PLUGINS": plugins}
    return subprocess.run(
        [sys.executable, "-m", "zoo_core", *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | more,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """A folder of a video, a DICOM slice, a NIfTI volume and a picture of digits."""
    folder = tmp_path / "media"
    folder.mkdir()
    rng = np.random.default_rng(0)
    with av.open(str(folder / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(rng.integers(0, 256, (32, 32, 3), np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    values = rng.integers(-1000, 1000, (32, 32, 2)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), folder / "volume.nii.gz")
    slice_ = pydicom.Dataset()
    slice_.SOPClassUID, slice_.SOPInstanceUID = pydicom.uid.CTImageStorage, "1.2.3.4"
    slice_.SeriesInstanceUID, slice_.PatientName = "1.2.3.5", "Qwertz^Zebulon"
    slice_.RescaleSlope, slice_.RescaleIntercept = 1, -1024
    slice_.file_meta = pydicom.dataset.FileMetaDataset()
    slice_.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    slice_.set_pixel_data(
        (values[..., 0] + 1024).astype(np.uint16), "MONOCHROME2", 12, generate_instance_uid=False
    )
    slice_.save_as(folder / "slice.dcm", enforce_file_format=True)
    Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / "digit.png")
    return tmp_path


def test_case_31_a_folder_with_a_clip_a_slice_and_a_volume_is_translated(media: Path) -> None:
    done = zoo(
        media, "translate", MODEL, "media", "--to", "mnistm", "--from", "mnist",
        "--range", "-1024,1024", "--out", "made", "--precision", "float32",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = sorted(path.name for path in (media / "made").iterdir() if path.suffix != ".jsonl")
    assert made == [
        "clip_mnistm.mp4", "digit_mnistm.png", "slice_mnistm.dcm", "volume_mnistm.nii.gz"
    ]  # fmt: skip
    with av.open(str(media / "made" / "clip_mnistm.mp4")) as clip:
        assert len(list(clip.decode(video=0))) == 3
    after = pydicom.dcmread(media / "made" / "slice_mnistm.dcm")
    assert (after.BitsStored, after.pixel_array.shape) == (12, (32, 32))
    assert nibabel.load(media / "made" / "volume_mnistm.nii.gz").shape == (32, 32, 2)
    assert "Zebulon" not in done.stdout + done.stderr


def test_without_their_packages_each_is_named_with_what_brings_it(media: Path) -> None:
    few = "images,nn,cyclegan"
    command = ("translate", MODEL, "--to", "mnistm", "--precision", "float32", "--out", "made")
    done = zoo(media, *command, "media", plugins=few)
    assert done.returncode == 0, done.stderr
    account = done.stdout
    assert "not a picture that can be read (.mp4; pip install zoo-video): clip.mp4" in account
    assert "(.dcm; pip install zoo-medical): slice.dcm" in account
    assert "(.gz; pip install zoo-medical): volume.nii.gz" in account
    asked = zoo(media, *command, "media/clip.mp4", plugins=few)
    assert asked.returncode == 1
    assert "pip install zoo-video" in asked.stderr


def test_options_of_formats_are_in_the_help_and_refused_where_they_are_wrong(media: Path) -> None:
    shown = zoo(media, "translate", "--help").stdout
    for option in ("--fps", "--start", "--end", "--smoothing", "--range", "--largest"):
        assert option in shown
    wrong = zoo(media, "translate", MODEL, "media/clip.mp4", "--to", "mnistm", "--fps", "many")
    assert wrong.returncode == 2
    assert "fps many" in wrong.stderr
