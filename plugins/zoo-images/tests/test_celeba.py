"""Lists of attributes and splits in CelebA's layout."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo_core.errors import DataError, UsageError, ZooError
from zoo_images.sources.celeba import (
    AttributeList,
    CelebA,
    parse_attributes,
    parse_partition,
)

GOOD = "3\nMale Young\na.png  1 -1\nb.png -1  1\nc.png  1  1\n"


def test_a_list_is_parsed():
    table = parse_attributes(GOOD, asked="list")
    assert table.attributes == ("Male", "Young")
    assert table.rows == {"a.png": (True, False), "b.png": (False, True), "c.png": (True, True)}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "0 lines"),
        ("3\nMale\n", "2 lines"),
        ("three\nMale\na.png 1\n", "not the number of pictures"),
        ("Male Young\na.png 1 1\nb.png 1 1", "not the number of pictures"),
        ("2\nMale\na.png 1\n", "says 2 pictures, but 1 rows"),
        ("1\nMale Male\na.png 1 1\n", "named twice"),
        ("1\nMale Young\na.png 1\n", "line 3 has 1 values for 2"),
        ("1\nMale\na.png 0\n", 'line 3 holds "0"'),
        ("2\nMale\na.png 1\na.png 1\n", "line 4 repeats"),
    ],
)
def test_a_malformed_list_is_an_error_that_names_the_line(text, fault):
    with pytest.raises(DataError, match=fault) as caught:
        parse_attributes(text, asked="some/list.txt")
    assert "some/list.txt" in str(caught.value)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_mutated_list_parses_or_is_a_data_error(data):
    text = list(GOOD)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.text(alphabet="01-+ \n\t.aM²\0é", max_size=3)
        )
    try:
        table = parse_attributes("".join(text), asked="list")
    except DataError:
        return
    assert all(len(row) == len(table.attributes) for row in table.rows.values())


@pytest.mark.slow
@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_partition_or_a_data_error(text):
    try:
        parts = parse_partition(text, asked="list")
    except DataError:
        return
    assert set(parts.values()) <= {0, 1, 2}


def test_a_wrong_split_number_is_named():
    with pytest.raises(DataError, match="line 2"):
        parse_partition("a.png 0\nb.png 3\n", asked="list")


def layout(root, *, text=GOOD, parts="a.png 0\nb.png 1\nc.png 2\n", files="abc"):
    (root / "img_align").mkdir()
    for name in files:
        Image.new("RGB", (4, 4)).save(root / "img_align" / f"{name}.png")
    (root / "list_attr.txt").write_text(text)
    if parts is not None:
        (root / "list_eval_partition.txt").write_text(parts)
    return CelebA.recognise(root)


def names(found, split):
    return [path.name for path in found.read(split, [".png"])[1]]


def test_splits_are_those_of_the_partition(tmp_path):
    found = layout(tmp_path)
    assert names(found, "train") == ["a.png"]
    assert names(found, "val") == ["b.png"]
    assert names(found, "test") == ["c.png"]
    assert names(found, "all") == ["a.png", "b.png", "c.png"]
    with pytest.raises(UsageError, match='Did you mean "test"'):
        names(found, "tests")


def test_without_a_partition_all_is_for_training(tmp_path):
    found = layout(tmp_path, parts=None)
    assert len(names(found, "train")) == 3
    with pytest.raises(DataError, match="no list_eval_partition"):
        names(found, "test")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"files": "ab"}, "1 pictures that are not in .* such as c.png"),
        ({"parts": "a.png 0\nb.png 1\n"}, "no split for c.png"),
        ({"parts": "a.png 1\nb.png 1\nc.png 1\n"}, 'no picture belongs to the split "train"'),
    ],
)
def test_lists_that_contradict_the_pictures_are_errors(tmp_path, options, fault):
    with pytest.raises(DataError, match=fault):
        names(layout(tmp_path, **options), "train")


def test_a_list_that_is_not_text_is_an_error(tmp_path):
    found = layout(tmp_path)
    (tmp_path / "list_attr.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read as text"):
        names(found, "train")


def test_a_list_without_pictures_beside_it_is_an_error(tmp_path):
    (tmp_path / "list_attr.txt").write_text(GOOD)
    with pytest.raises(ZooError, match="no folder img_align"):
        CelebA.recognise(tmp_path)
    assert CelebA.recognise(tmp_path.parent) is None


def test_hair_colours_and_attributes_that_never_meet_exclude_each_other():
    attributes = ("Black_Hair", "Blond_Hair", "Young", "Senior", "Male")
    rows = {
        f"{i}": (i % 2 == 0, i % 3 == 0, i % 4 == 0, i % 4 == 1, i % 5 == 0) for i in range(400)
    }
    table = AttributeList(attributes, rows)
    assert table.exclusive_groups(attributes) == (
        ("Black_Hair", "Blond_Hair"),
        ("Young", "Senior"),
    )
    assert table.exclusive_groups(("Young", "Male")) == ()
