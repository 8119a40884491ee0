"""Which files are translated, and where their outputs go."""

from pathlib import Path

import pytest

from zoo_core.errors import DataError, UsageError
from zoo_core.finding import LeftOut, find_files
from zoo_core.translate.outputs import (
    InputSource,
    expand,
    plan_outputs,
    prepare,
    prepare_root,
    safe_name,
)


class Pictures:
    """What finding files asks of a codec."""

    suffixes = (".png", ".jpg")
    noun = "picture"

    @staticmethod
    def recognises(path):
        return path.read_bytes().startswith(b"PICTURE")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder with pictures on two levels."""
    for name in ["in/a.png", "in/b.JPG", "in/sub/a.png", "in/.hidden.png", "in/notes.txt"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*arguments):
    return [str(source.path) for source in expand(arguments, Pictures, LeftOut())]


def written(arguments, root="out", targets=("t",), left_out=None):
    left_out = LeftOut() if left_out is None else left_out
    entries = plan_outputs(
        expand(arguments, Pictures, left_out), Path(root), targets, lambda path: ".png", left_out
    )
    return {str(e.source.path): list(e.files) for e in entries}


def test_folders_are_searched_below_without_hidden_and_other_files(tree):
    assert found("in") == ["in/a.png", "in/b.JPG", "in/sub/a.png"]


def test_patterns_are_expanded_here(tree):
    assert found("in/*.png") == ["in/a.png"]
    assert found("in/**/*.png") == ["in/a.png", "in/sub/a.png"]


def test_file_whose_name_looks_like_a_pattern_is_itself(tree):
    (tree / "x[1].png").write_bytes(b"x")
    assert found("x[1].png") == ["x[1].png"]


def test_pattern_without_a_match_is_an_error(tree):
    with pytest.raises(UsageError, match="no file fits"):
        found("in/*.gif")


def test_folder_without_pictures_is_an_error(tree):
    (tree / "empty").mkdir()
    with pytest.raises(DataError, match="holds no picture"):
        found("empty")


def test_structure_of_a_folder_is_kept(tree):
    assert written(["in"]) == {
        "in/a.png": ["out/a_t.png"],
        "in/b.JPG": ["out/b_t.png"],
        "in/sub/a.png": ["out/sub/a_t.png"],
    }


def test_every_target_has_a_file(tree):
    assert written(["in/a.png"], targets=("t", "u")) == {"in/a.png": ["out/a_t.png", "out/a_u.png"]}


def test_same_names_get_distinct_outputs(tree):
    outputs = written(["in/a.png", "in/sub/a.png"])
    assert outputs == {"in/a.png": ["out/a_t.png"], "in/sub/a.png": ["out/a-2_t.png"]}


def test_names_that_differ_in_case_or_suffix_get_distinct_outputs(tree):
    sources = [InputSource(name) for name in ("A.png", "a.png", "a.jpg")]
    entries = plan_outputs(sources, Path("out"), ["t"], lambda path: ".png", LeftOut())
    names = [entry.outputs["t"].name for entry in entries]
    assert len({name.casefold() for name in names}) == 3


def test_numbered_outputs_do_not_meet_numbered_inputs(tree):
    sources = [InputSource(name) for name in ("x/a.png", "y/a.png", "a-2.png")]
    entries = plan_outputs(sources, Path("out"), ["t"], lambda path: ".png", LeftOut())
    assert len({entry.outputs["t"] for entry in entries}) == 3


def test_file_that_is_named_twice_is_translated_once(tree):
    assert len(written(["in/a.png", "in/a.png", "in/../in/a.png"])) == 1


def test_outputs_within_the_input_folder_are_not_translated_again(tree):
    (tree / "in/out").mkdir()
    (tree / "in/out/a_t.png").write_bytes(b"x")
    assert "in/out/a_t.png" not in written(["in"], root="in/out")
    assert len(written(["in"], root="in/out")) == 3


def test_outputs_beside_the_inputs_are_not_translated_again(tree):
    (tree / "in/a_t.png").write_bytes(b"x")
    assert sorted(written(["in"], root="in")) == ["in/a.png", "in/b.JPG", "in/sub/a.png"]


def test_file_that_was_named_is_translated_wherever_it_lies(tree):
    (tree / "out").mkdir()
    (tree / "out/a_t.png").write_bytes(b"x")
    assert written(["out/a_t.png"]) == {"out/a_t.png": ["out/a_t_t.png"]}


def test_outputs_avoid_the_inputs(tree):
    (tree / "in/a_t.png").write_bytes(b"x")
    outputs = written(["in/a.png", "in/a_t.png"], root="in")
    assert outputs["in/a.png"] == ["in/a-2_t.png"]


@pytest.mark.parametrize("name", ["../up", "/etc/x", "a/b", "..", "", "a\\b", "c:d", "\0"])
def test_targets_become_harmless_parts_of_names(name):
    safe = safe_name(name)
    assert safe
    assert safe not in (".", "..")
    assert not set(safe) & set("/\\:\0")


def test_targets_that_become_the_same_name_are_told_apart(tree):
    outputs = written(["in/a.png"], targets=("a/b", "a:b"))["in/a.png"]
    assert len(set(outputs)) == 2


def test_outputs_do_not_follow_links_out_of_the_folder(tree):
    root, elsewhere = tree / "out", tree / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    (root / "sub").symlink_to(elsewhere, target_is_directory=True)
    with pytest.raises(DataError, match="leads out of it"):
        prepare(root / "sub" / "deep" / "a_t.png", root)
    assert list(elsewhere.iterdir()) == []


def test_output_folder_may_itself_be_a_link(tree):
    (tree / "real").mkdir()
    (tree / "link").symlink_to(tree / "real", target_is_directory=True)
    prepare(tree / "link" / "sub" / "a.png", tree / "link")
    assert (tree / "real" / "sub").is_dir()


def test_output_folder_that_is_a_file_is_an_error(tree):
    with pytest.raises(UsageError, match="cannot be made"):
        prepare_root(tree / "in" / "a.png")


def test_a_file_without_a_suffix_is_used_where_its_content_is_recognised(tree):
    (tree / "in" / "scraped").write_bytes(b"PICTURE")
    assert "in/scraped" in found("in")


def test_linked_folders_are_followed_once(tree):
    (tree / "store").mkdir()
    (tree / "store" / "x.png").write_bytes(b"x")
    (tree / "in" / "day").symlink_to(tree / "store")
    (tree / "in" / "again").symlink_to(tree / "store")
    (tree / "in" / "up").symlink_to(tree / "in")
    result = find_files(Path("in"), Pictures.suffixes)
    assert [str(path) for path in result.files].count("in/again/x.png") == 1
    assert len(result.files) == 4
    visited = result.left_out.reasons["linked folders that were visited already"]
    assert {path.name for path in visited} == {"day", "up"}


def test_a_link_to_itself_is_left_out(tree):
    (tree / "in" / "self.png").symlink_to("self.png")
    result = find_files(Path("in"), Pictures.suffixes)
    assert [path.name for path in result.left_out.reasons["links that lead nowhere"]] == [
        "self.png"
    ]


def test_thousands_of_equal_names_are_numbered_without_trying_all_numbers_before(tree, monkeypatch):
    tried = 0

    def counting(path):
        nonlocal tried
        tried += 1
        return str(path).casefold()

    monkeypatch.setattr("zoo_core.translate.outputs._key", counting)
    sources = [InputSource(f"{number}/0001.png") for number in range(500)]
    entries = plan_outputs(sources, Path("out"), ["t"], lambda path: ".png", LeftOut())
    assert len({path for entry in entries for path in entry.files}) == 500
    assert tried < 10 * len(sources)
