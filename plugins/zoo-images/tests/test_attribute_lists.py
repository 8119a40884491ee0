"""Lists of attributes and splits in CelebA's layout; tables of labels are in tests/cases."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import DataError, UsageError
from zoo_images.codec import ImageCodec
from zoo_images.sources.attribute_lists import AttributeLists, parse_partition
from zoo_images.sources.labelled import LabelledPictures
from zoo_images.sources.meanings import meanings
from zoo_images.sources.tables import parse_celeba

GOOD = "3\nMale Young\na.png  1 -1\nb.png -1  1\nc.png  1  1\n"
CODEC = ImageCodec(TensorSpec(shape=(3, 8, 8)))


def test_a_list_is_parsed():
    said = meanings(parse_celeba(GOOD, asked="list"))
    assert said.attributes == ("Male", "Young")
    assert said.rows == {"a.png": (True, False), "b.png": (False, True), "c.png": (True, True)}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "0 lines"),
        ("3\nMale\n", "2 lines"),
        ("three\nMale\na.png 1\n", "not the number of pictures"),
        ("Male Young\na.png 1 1\nb.png 1 1", "not the number of pictures"),
        ("2\nMale\na.png 1\n", "says 2 pictures, but 1 rows"),
        ("1\nMale Male\na.png 1 1\n", "there twice"),
        ("2\nMale Young\na.png 1 1\nb.png 1\n", "row 2 has 2 values for 3 columns"),
        ("2\nMale\na.png 1\na.png 1\n", "names 1 pictures again: a.png"),
    ],
)
def test_a_malformed_list_is_an_error_that_names_the_line(text, fault):
    with pytest.raises(DataError, match=fault) as caught:
        parse_celeba(text, asked="some/list.txt")
    assert caught.value.asked == "some/list.txt"


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_mutated_list_means_something_or_is_a_data_error(data):
    text = list(GOOD)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.text(alphabet="01-+ \n\t.aM²\0é", max_size=3)
        )
    try:
        said = meanings(parse_celeba("".join(text), asked="list"))
    except DataError:
        return
    assert all(len(row) == len(said.attributes) for row in said.rows.values())


@pytest.mark.slow
@given(text=st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_partition_or_a_data_error(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "list_eval_partition.txt"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        parts = parse_partition(path)
    except DataError:
        return
    assert set(parts.values()) <= {"train", "val", "test"}


def test_a_wrong_split_number_is_named(tmp_path):
    (tmp_path / "parts.txt").write_text("a.png 0\nb.png 3\n")
    with pytest.raises(DataError) as caught:
        parse_partition(tmp_path / "parts.txt")
    assert '1 rows say no split, such as "3" for b.png' in caught.value.problem


def layout(root, *, text=GOOD, parts="a.png 0\nb.png 1\nc.png 2\n", files="abc"):
    (root / "img_align").mkdir()
    for name in files:
        Image.new("RGB", (4, 4)).save(root / "img_align" / f"{name}.png")
    (root / "list_attr.txt").write_text(text)
    if parts is not None:
        (root / "list_eval_partition.txt").write_text(parts)
    return AttributeLists.recognise(root)


def names(found, split):
    return list(found.select("", split, CODEC).names)


def test_splits_are_those_of_the_partition(tmp_path):
    found = layout(tmp_path)
    assert names(found, "train") == ["a.png"]
    assert names(found, "val") == ["b.png"]
    assert names(found, "test") == ["c.png"]
    assert names(found, "all") == ["a.png", "b.png", "c.png"]


def test_without_a_partition_all_is_for_training(tmp_path):
    found = layout(tmp_path, parts=None)
    assert len(names(found, "train")) == 3
    with pytest.raises(DataError) as caught:
        names(found, "test")
    assert "no splits" in caught.value.problem
    assert "list_eval_partition.txt" in caught.value.hint


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"files": "a"}, "2 of its 3 rows have no picture .*: b.png, c.png"),
        ({"parts": "a.png 0\nb.png 1\n"}, "no split for 1 pictures: c.png"),
        ({"parts": "a.png 1\nb.png 1\nc.png 1\n"}, 'no picture belongs to the split "train"'),
    ],
)
def test_lists_that_contradict_the_pictures_are_errors(tmp_path, options, fault):
    with pytest.raises(DataError, match=fault):
        names(layout(tmp_path, **options), "train")


def test_a_list_that_is_not_text_is_an_error(tmp_path):
    layout(tmp_path)
    (tmp_path / "list_attr.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError) as caught:
        names(AttributeLists.recognise(tmp_path), "train")
    assert "cannot be read as text" in caught.value.problem


def test_a_list_without_pictures_beside_it_is_an_error(tmp_path):
    (tmp_path / "list_attr.txt").write_text(GOOD)
    with pytest.raises(DataError) as caught:
        names(AttributeLists.recognise(tmp_path), "train")
    assert caught.value.problem.startswith("3 of its 3 rows have no picture")
    assert AttributeLists.recognise(tmp_path.parent) is None


def test_hair_colours_and_attributes_that_never_meet_exclude_each_other():
    attributes = ("Black_Hair", "Blond_Hair", "Young", "Senior", "Male")
    rows = [(i % 2 == 0, i % 3 == 0, i % 4 == 0, i % 4 == 1, i % 5 == 0) for i in range(400)]
    pictures = LabelledPictures("list", attributes, [], [], rows, "", None)
    assert pictures.exclusive_groups(attributes) == (
        ("Black_Hair", "Blond_Hair"),
        ("Young", "Senior"),
    )
    assert pictures.exclusive_groups(("Young", "Male")) == ()


def test_an_unknown_attribute_is_named_with_the_near_match(tmp_path):
    with pytest.raises(UsageError) as caught:
        layout(tmp_path).select("Mael", "train", CODEC)
    assert '"Male"' in str(caught.value)


def test_the_lists_themselves_are_not_left_out(tmp_path):
    found = layout(tmp_path)
    (tmp_path / "img_align" / "notes.txt").write_text("x")
    lines = found.read("train", CODEC).left_out.lines()
    assert not [line for line in lines if "list_" in line]
    assert any("notes.txt" in line for line in lines)
