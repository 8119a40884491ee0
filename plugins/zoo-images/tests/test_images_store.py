"""The store: decoded once, safe against killed and concurrent writers, augmented at random."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from zoo_core.contracts.codec import InMemorySignal
from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError, UsageError
from zoo_images import scan
from zoo_images.codec import ImageCodec

CODEC = ImageCodec(TensorSpec(shape=(3, 8, 8)))


def folder_of(folder, count, size=(8, 8)):
    rng = np.random.default_rng(0)
    files = []
    for number in range(count):
        files.append(folder / f"{number:03d}.png")
        Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(files[-1])
    return files


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def decodings(monkeypatch):
    """Counts how many files are decoded from now on."""
    seen = []
    real = scan.decode
    monkeypatch.setattr(scan, "decode", lambda file: seen.append(file) or real(file))
    return seen


def test_pictures_are_read_within_the_range_and_in_order(tmp_path):
    files = folder_of(tmp_path, 3)
    store = CODEC.open(files, TrainConfig())
    batch = store.batch([2, 0])
    assert batch.shape == (2, 3, 8, 8)
    for row, file in zip(batch, [files[2], files[0]], strict=True):
        (window,) = ImageCodec(TensorSpec(shape=(3, 8, 8), flexible=0)).windows(CODEC.read(file))
        assert torch.equal(row, window.signal)
    assert list(store.names) == ["000.png", "001.png", "002.png"]


def test_a_second_opening_decodes_nothing(tmp_path, monkeypatch):
    files = folder_of(tmp_path, 4)
    seen = decodings(monkeypatch)
    first = CODEC.open(files, TrainConfig(), cache=tmp_path / "cache")
    assert len(seen) == 4
    second = CODEC.open(files, TrainConfig(), cache=tmp_path / "cache")
    assert len(seen) == 4
    assert torch.equal(first.batch(range(4)), second.batch(range(4)))
    assert second.summary == first.summary


def test_a_changed_file_is_decoded_anew(tmp_path):
    files = folder_of(tmp_path, 2)
    before = CODEC.open(files, TrainConfig(), cache=tmp_path / "cache").batch([0])
    Image.new("RGB", (8, 8), "white").save(files[0])
    os.utime(files[0], (1, 1))
    after = CODEC.open(files, TrainConfig(), cache=tmp_path / "cache").batch([0])
    assert not torch.equal(before, after)
    assert (after == 1).all()


def test_other_preprocessing_is_another_cache(tmp_path):
    files = folder_of(tmp_path, 2, size=(20, 20))
    plain = CODEC.open(files, TrainConfig(), cache=tmp_path / "cache")
    cropped = CODEC.open(files, TrainConfig(crop_first=10), cache=tmp_path / "cache")
    assert not torch.equal(plain.batch([0]), cropped.batch([0]))


@pytest.mark.parametrize("damage", ["pixels", "contents", "shape"])
def test_a_damaged_cache_is_made_anew(tmp_path, damage):
    files = folder_of(tmp_path, 2)
    good = CODEC.open(files, TrainConfig(), cache=tmp_path / "cache").batch([0, 1])
    (folder,) = (tmp_path / "cache" / "pictures").iterdir()
    if damage == "pixels":
        (folder / "crop.npy").write_bytes(b"nothing")
    elif damage == "contents":
        (folder / "contents.json").write_text("{")
    else:
        np.save(folder / "crop.npy", np.zeros((1, 2, 2, 3), np.uint8))
    again = CODEC.open(files, TrainConfig(), cache=tmp_path / "cache").batch([0, 1])
    assert torch.equal(good, again)


def test_a_killed_writer_leaves_no_cache_and_its_remains_are_swept(tmp_path):
    files = folder_of(tmp_path, 2)
    remains = tmp_path / "cache" / "pictures" / ".zoo-1-dead.part"
    remains.mkdir(parents=True)
    (remains / "crop.npy").write_bytes(b"half")
    os.utime(remains, (1, 1))
    CODEC.open(files, TrainConfig(), cache=tmp_path / "cache")
    names = [p.name for p in remains.parent.iterdir()]
    assert len(names) == 1
    assert not names[0].startswith(".zoo")


def test_several_writers_may_open_the_same_cache_at_once(tmp_path):
    files = folder_of(tmp_path, 40)
    start = threading.Barrier(4)

    def run(_):
        start.wait()
        return CODEC.open(files, TrainConfig(), cache=tmp_path / "cache").batch(range(40))

    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(run, range(4)))
    expected = CODEC.open(files, TrainConfig()).batch(range(40))
    assert all(torch.equal(batch, expected) for batch in batches)
    assert len(list((tmp_path / "cache" / "pictures").iterdir())) == 1


def test_broken_pictures_are_left_out_by_name(tmp_path):
    files = folder_of(tmp_path, 3)
    files[1].write_text("oops")
    store = CODEC.open(files, TrainConfig(), cache=tmp_path / "cache")
    assert list(store.kept) == [0, 2]
    assert list(store.names) == ["000.png", "002.png"]
    (fault,) = store.skipped
    assert "001.png" in fault
    assert torch.equal(store.batch([1]), CODEC.open([files[2]], TrainConfig()).batch([0]))


def test_a_folder_of_broken_pictures_is_an_error(tmp_path):
    files = folder_of(tmp_path, 2)
    for file in files:
        file.write_bytes(b"")
    with pytest.raises(DataError, match="none of the 2 pictures"):
        CODEC.open(files, TrainConfig(), cache=tmp_path / "cache")
    assert not list((tmp_path / "cache" / "pictures").iterdir())


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path):
    files = folder_of(tmp_path, 1)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be kept"):
        CODEC.open(files, TrainConfig(), cache=tmp_path / "file")


def test_no_files_are_an_error():
    with pytest.raises(DataError, match="no pictures"):
        CODEC.open([], TrainConfig())


def test_progress_counts_up_to_the_end(tmp_path):
    told = []
    CODEC.open(
        folder_of(tmp_path, 3),
        TrainConfig(),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_arrays_and_images_in_memory_are_stored_like_files(tmp_path):
    arrays = np.random.default_rng(0).integers(0, 256, (3, 8, 8), np.uint8)
    samples = [InMemorySignal("0", arrays[0]), InMemorySignal("1", Image.fromarray(arrays[1]))]
    samples.append(InMemorySignal("2", np.repeat(arrays[2][..., None], 3, -1)))
    store = CODEC.open(samples, TrainConfig(), cache=tmp_path)
    expected = torch.from_numpy(arrays).float()[:, None].expand(-1, 3, -1, -1) / 127.5 - 1
    assert (store.batch([0, 1, 2]) - expected).abs().max() < 1e-6
    arrays[0] = 0
    again = CODEC.open(samples, TrainConfig(), cache=tmp_path)
    assert (again.batch([0]) == -1).all()


def test_without_a_generator_nothing_is_random(tmp_path):
    config = TrainConfig(load_size=12, flip=True, shift=2)
    store = CODEC.open(folder_of(tmp_path, 2, (30, 20)), config)
    assert torch.equal(store.batch([0, 1]), store.batch([0, 1]))
    assert store.batch([0]).shape == (1, 3, 8, 8)


def test_the_same_generator_gives_the_same_pictures(tmp_path):
    config = TrainConfig(load_size=12, flip=True, shift=2)
    store = CODEC.open(folder_of(tmp_path, 2, (30, 20)), config)
    assert torch.equal(store.batch([0, 1], rng(1)), store.batch([0, 1], rng(1)))
    assert not torch.equal(store.batch([0, 1], rng(1)), store.batch([0, 1], rng(2)))


def columns_and_rows(batch):
    values = ((batch + 1) * 127.5).round().long()
    return values[:, 0], values[:, 1]


def crop_store(config, size):
    """A picture whose red is its column and whose green is its row, at 12 × 12."""
    y, x = np.mgrid[:12, :12]
    array = np.stack([x, y, 0 * x], -1).astype(np.uint8)
    return ImageCodec(TensorSpec(shape=(3, size, size))).open(
        [InMemorySignal("ramp", array)], config
    )


def test_crops_are_windows_of_the_larger_picture():
    store = crop_store(TrainConfig(load_size=12), 8)
    columns, rows = columns_and_rows(store.batch([0] * 200, rng()))
    assert (columns.diff(dim=2) == 1).all()
    assert (rows.diff(dim=1) == 1).all()
    assert set(columns[:, 0, 0].tolist()) == set(rows[:, 0, 0].tolist()) == set(range(5))


def test_half_of_the_pictures_are_mirrored():
    store = crop_store(TrainConfig(flip=True), 12)
    columns, rows = columns_and_rows(store.batch([0] * 400, rng()))
    mirrored = columns[:, 0, 0] == 11
    assert 140 < mirrored.sum() < 260
    assert (columns[mirrored].diff(dim=2) == -1).all()
    assert (rows[:, 0] == 0).all()


def test_shifts_repeat_the_border():
    store = crop_store(TrainConfig(shift=3), 12)
    columns, _ = columns_and_rows(store.batch([0] * 300, rng()))
    firsts = {tuple(row[0].tolist()) for row in columns}
    expected = {tuple(np.clip(np.arange(12) + d, 0, 11).tolist()) for d in range(-3, 4)}
    assert firsts == expected


def test_pictures_that_are_not_square_are_cut_at_the_centre():
    array = np.zeros((8, 24, 3), np.uint8)
    array[:, 8:16] = 255
    store = CODEC.open([InMemorySignal("wide", array)], TrainConfig())
    assert (store.batch([0]) == 1).all()


def test_too_small_a_load_size_is_refused(tmp_path):
    with pytest.raises(UsageError, match="load_size"):
        CODEC.open(folder_of(tmp_path, 1), TrainConfig(load_size=4))


def test_the_summary_tells_sizes_and_formats(tmp_path):
    files = folder_of(tmp_path, 1, (30, 20))
    Image.new("RGB", (10, 12)).save(tmp_path / "b.bmp")
    store = CODEC.open([*files, tmp_path / "b.bmp"], TrainConfig())
    assert store.summary.startswith("10×12 to 30×20 px, ")
    assert {"PNG", "BMP"} == set(store.summary.split("px, ")[1].split("; ")[0].split(", "))


@pytest.mark.parametrize("resize", ["cover", "shorter"])
def test_pictures_of_one_colour_are_counted_with_the_first(tmp_path, resize):
    files = folder_of(tmp_path, 4)
    files[0].write_bytes(b"broken")
    for number, colour in ((1, (255, 255, 255)), (3, (9, 0, 200))):
        Image.new("RGB", (8, 8), colour).save(files[number])
    for _ in range(2):  # the second one reads what the first kept
        store = CODEC.open(files, TrainConfig(resize=resize), cache=tmp_path / "cache")
        (said,) = [note for note in store.notes if note.startswith("warning")]
        assert "2 pictures are of one colour" in said
        assert "such as 001.png" in said


def test_a_grey_in_memory_of_one_value_is_of_one_colour():
    signals = [InMemorySignal(f"{value}", np.full((8, 8), value, np.uint8)) for value in (0, 7)]
    signals.append(InMemorySignal("2", np.arange(64, dtype=np.uint8).reshape(8, 8)))
    (said,) = CODEC.open(signals, TrainConfig()).notes
    assert "2 pictures are of one colour" in said


def test_a_batch_of_sixteen_is_drawn_in_milliseconds():
    codec = ImageCodec(TensorSpec(shape=(3, 64, 64)))
    arrays = np.zeros((50, 64, 64, 3), np.uint8)
    store = codec.open(
        [InMemorySignal(str(i), a) for i, a in enumerate(arrays)], TrainConfig(shift=4, flip=True)
    )
    store.batch(range(16), rng())
    start = time.process_time()
    for _ in range(10):
        store.batch(range(16), rng())
    assert (time.process_time() - start) / 10 < 0.05
