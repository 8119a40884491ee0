"""Folders that are splits are no domains, and no test picture enters training unasked."""

import pytest
from PIL import Image

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError, UsageError
from zoo_images.codec import ImageCodec
from zoo_train.data.dataset import open_sources

CODEC = ImageCodec(TensorSpec(shape=(3, 8, 8)))


def pictures(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or ("0", "1"):
        Image.new("RGB", (8, 8), (hash(name) % 256, 0, 0)).save(folder / f"{name}.png")
    return folder


def opened(domains=None, **options):
    return open_sources(domains or {}, codec=CODEC, config=TrainConfig(), **options)


def names(data):
    return {domain: sorted(store.names) for domain, store in data.stores.items()}


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Train", "Test"),
        ("training_set", "test_set"),
        ("TRAIN", "Testing"),
        ("train2017", "test2017"),
        ("Training images", "validation-images"),
    ],
)
def test_case_11_splits_are_recognised_in_any_spelling(tmp_path, train, test):
    for domain in ("cats", "dogs"):
        pictures(tmp_path / train / domain, "train0", "train1")
        pictures(tmp_path / test / domain, "test0")
    data = opened(data=str(tmp_path))
    assert names(data) == {domain: ["train0.png", "train1.png"] for domain in ("cats", "dogs")}
    assert any(f"{train} (train)" in line for line in data.describe())


def test_case_11_splits_within_each_domain_keep_test_pictures_out(tmp_path):
    for domain in ("cats", "dogs"):
        pictures(tmp_path / domain / "Train", "train0", "train1")
        pictures(tmp_path / domain / "Test", "test0")
    sources = {domain: str(tmp_path / domain) for domain in ("cats", "dogs")}
    data = opened(sources)
    assert names(data)["cats"] == ["train0.png", "train1.png"]
    assert "  left out: 1 of the split test: test0.png" in data.describe()
    assert names(opened(sources, split="test"))["dogs"] == ["test0.png"]
    assert names(opened(data=str(tmp_path))) == names(data)


@pytest.mark.parametrize("form", ["{}A {}B", "{}_A {}_B", "{}_cats {}_dogs", "A_{} B_{}"])
def test_folders_that_name_split_and_domain_are_domains(tmp_path, form):
    for split in ("train", "test"):
        for number, folder in enumerate(form.format(split, split).split()):
            pictures(tmp_path / folder, f"{split}{number}")
    first, second = ("cats", "dogs") if "cats" in form else ("A", "B")
    assert names(opened(data=str(tmp_path))) == {first: ["train0.png"], second: ["train1.png"]}
    assert names(opened(data=str(tmp_path), split="test")) == {
        first: ["test0.png"],
        second: ["test1.png"],
    }


def test_a_cyclegan_data_set_as_one_domain_stops_with_a_question(tmp_path):
    for folder in ("trainA", "trainB", "testA", "testB"):
        pictures(tmp_path / folder)
    with pytest.raises(DataError) as caught:
        opened({"a": str(tmp_path), "b": str(tmp_path)})
    assert "are splits of A, B" in caught.value.problem
    assert f"--data {tmp_path}" in caught.value.hint


def test_test_folders_alone_are_no_domains_to_train_on(tmp_path):
    pictures(tmp_path / "testA")
    pictures(tmp_path / "testB")
    with pytest.raises(DataError) as caught:
        opened(data=str(tmp_path))
    assert caught.value.problem == 'it has no split "train"'


def test_one_split_beside_other_folders_stops_with_a_question(tmp_path):
    for folder in ("train", "bus", "car"):  # vehicles
        pictures(tmp_path / folder)
    with pytest.raises(DataError) as caught:
        opened(data=str(tmp_path))
    assert "train is named like a split, bus, car not" in caught.value.problem
    assert "--domain NAME=FOLDER" in caught.value.hint


def test_vehicles_are_domains_when_they_are_named(tmp_path):
    for folder in ("train", "bus"):
        pictures(tmp_path / folder)
    data = opened({"rail": str(tmp_path / "train"), "road": str(tmp_path / "bus")})
    assert {domain: len(store) for domain, store in data.stores.items()} == {"rail": 2, "road": 2}


def test_names_that_only_begin_like_splits_are_domains(tmp_path):
    for folder in ("train_freight", "test_tubes"):
        pictures(tmp_path / folder)
    assert sorted(names(opened(data=str(tmp_path)))) == ["test_tubes", "train_freight"]


def test_test_pictures_deeper_in_a_folder_stay_out(tmp_path):
    pictures(tmp_path / "a" / "site1" / "train", "x")
    pictures(tmp_path / "a" / "site1" / "Test", "y")
    pictures(tmp_path / "a" / "site2", "z")
    data = opened({"a": str(tmp_path / "a")})
    assert names(data)["a"] == ["site1/x.png", "site2/z.png"]
    assert "  left out: 1 of the split test: y.png" in data.describe()


def test_test_pictures_that_a_pattern_matches_stay_out(tmp_path):
    pictures(tmp_path / "train", "x")
    pictures(tmp_path / "test", "y")
    assert names(opened({"a": f"{tmp_path}/**/*.png"}))["a"] == ["x.png"]
    assert names(opened({"a": f"{tmp_path}/test/*.png"}))["a"] == ["y.png"]


def test_a_test_folder_that_is_named_for_training_is_used_with_a_warning(tmp_path):
    folder = pictures(tmp_path / "testA")
    lines = opened({"a": str(folder)}).describe()
    assert f"  warning: {folder} is named like the split test, and is trained on" in lines


def test_an_unknown_split_is_named_with_the_near_match(tmp_path):
    pictures(tmp_path / "a")
    with pytest.raises(UsageError) as caught:
        opened({"a": str(tmp_path / "a")}, split="trian")
    assert '"train"' in str(caught.value)


def test_all_splits_together_keep_their_folders_in_the_names(tmp_path):
    pictures(tmp_path / "train" / "a", "0")
    pictures(tmp_path / "test" / "a", "0")
    data = opened(data=str(tmp_path), split="all")
    assert names(data)["a"] == ["test/a/0.png", "train/a/0.png"]


def test_another_folder_beside_lettered_ones_is_named_as_not_used(tmp_path):
    for folder in ("trainA", "trainB", "samples"):
        pictures(tmp_path / folder)
    data = opened(data=str(tmp_path))
    assert sorted(names(data)) == ["A", "B"]
    assert any("not used: samples" in line for line in data.describe())
