"""A phantom of known tissues: trained on, and translated through the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from phantoms import PATIENT, TISSUES, anatomy, save_slice

from zoo_core.cli import run

TRAIN = ("--preset", "32px", "--batch", "2", "--precision", "float32")


def values_of(path: Path) -> np.ndarray:
    dataset = pydicom.dcmread(path)
    return dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)


def named(folder: Path) -> list[str]:
    """Files of a folder whose name or content tells who the patient is."""
    words = [part.encode() for value in PATIENT.values() for part in value.split("^")]
    return [
        path.name
        for path in folder.rglob("*")
        if any(word in path.name.encode() for word in words)
        or (path.is_file() and any(word in path.read_bytes() for word in words))
    ]


@pytest.mark.slow
def test_a_phantom_is_trained_on_and_translated_with_one_scaling_for_all_slices(
    phantom: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(phantom)
    save_slice(phantom / "damaged.dcm", anatomy(32, 0))
    damaged = (phantom / "damaged.dcm").read_bytes()[:-300]
    (phantom / "ct" / "damaged.dcm").write_bytes(damaged)
    (phantom / "damaged.dcm").unlink()
    sources = ("--domain", "ct=ct", "--domain", "other=other")
    assert run(["train", "cyclegan", *sources, *TRAIN, "--steps", "50", "--out", "run"]) == 0
    trained = capsys.readouterr()
    assert "int16, -1,000 to 1,200 used: black -1,000, white 1,200" in trained.out + trained.err

    command = ["translate", "run", "ct", "--to", "other", "--from", "ct", "--out", "made"]
    assert run([*command, "--grid", "sheet.png", "--precision", "float32"]) == 1  # one is damaged
    translated = capsys.readouterr()
    outputs = sorted((phantom / "made").glob("*.dcm"))
    assert len(outputs) == 12

    # The first and the last slice hold the same, at other places: so do their translations.
    first, last = values_of(outputs[0]), values_of(outputs[11])
    assert np.array_equal(first, last)
    assert outputs[0].name == "000_other.dcm"
    for number, path in enumerate(outputs):
        before = pydicom.dcmread(phantom / "ct" / f"{number:03}.dcm")
        after = pydicom.dcmread(path)
        assert (after.BitsAllocated, after.BitsStored) == (16, 12)
        assert after.PixelSpacing == before.PixelSpacing
        assert after.ImagePositionPatient == before.ImagePositionPatient
        assert after.PatientName == before.PatientName  # the header is kept, the file is theirs
    assert len({pydicom.dcmread(path).SeriesInstanceUID for path in outputs}) == 1

    said = trained.out + trained.err + translated.out + translated.err
    for value in PATIENT.values():
        for part in value.split("^"):
            assert part not in said
    assert "damaged.dcm" in said
    assert named(phantom / "run") == []
    assert named(phantom / "made") == [path.name for path in (phantom / "made").glob("*.dcm")]


def test_equal_tissue_is_equal_for_the_nets_in_every_slice_and_comes_back_to_one_unit(
    phantom: Path,
) -> None:
    """Slices with and without bone: a stretch for each alone would tell them apart."""
    from zoo_core.contracts.signals import TensorSpec
    from zoo_core.contracts.spec import TrainConfig
    from zoo_images.codec import ImageCodec

    soft = anatomy(32, 3)
    soft[soft == TISSUES["bone"]] = TISSUES["muscle"]
    paths = sorted((phantom / "ct").iterdir())
    save_slice(paths[0], soft)
    codec = ImageCodec(TensorSpec(shape=(3, 32, 32), stride=4))
    store = codec.open(paths, TrainConfig(), domain="ct")
    codec.preprocessing |= codec.fit_statistics({"ct": store})
    seen: dict[str, set[float]] = {name: set() for name in TISSUES}
    for number, path in enumerate(paths):
        before = values_of(path)
        item = codec.read(path)
        (window,) = codec.windows(item, source="ct")
        for name, hounsfield in TISSUES.items():
            seen[name] |= set(window.signal[0].numpy()[before == hounsfield].tolist())
        assert (store.batch([number])[0] - window.signal).abs().max() < 1e-4
        codec.write(
            codec.join(item, [(window, window.signal)], target="ct"), path.with_name("o.dcm")
        )
        assert np.abs(values_of(path.with_name("o.dcm")) - before).max() <= 1
    assert all(len(values) == 1 for values in seen.values())
