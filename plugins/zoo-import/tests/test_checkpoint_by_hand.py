"""Reading checkpoints, with the values that must come out written by hand."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_importing import alone

from zoo_core.errors import UsageError, WeightsError
from zoo_core.host.plugins import host
from zoo_import.checkpoint import _reason, checkpoint_sha256, read_checkpoint, read_state, what
from zoo_import.files import ImportRequest, import_files

X = torch.ones(1)


def saved(path: Path, value: object) -> Path:
    torch.save(value, path)
    return path


def refused(path: Path, key: str | None = None) -> WeightsError | UsageError:
    with pytest.raises((WeightsError, UsageError)) as caught:
        read_checkpoint(path, key)
    return caught.value


def arrays(folder: Path, **values: Any) -> Path:
    folder.mkdir()
    for name, value in values.items():
        np.save(folder / f"{name}.npy", value)
    return folder


def test_a_folder_of_arrays_is_a_state_dict(tmp_path: Path) -> None:
    folder = arrays(tmp_path / "net", **{"module.a": [1.0, 2.0], "module.b": [3]})
    (folder / "notes.txt").write_text("none of it")
    state = read_checkpoint(folder).state
    assert {name: value.tolist() for name, value in state.items()} == {"a": [1, 2], "b": [3]}


def test_a_folder_without_arrays_is_refused(tmp_path: Path) -> None:
    assert refused(arrays(tmp_path / "net")).problem == "the folder holds no .npy arrays"


def test_the_numbers_of_a_folder_are_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_MAX_PARAMETERS", "5")
    assert len(read_state(arrays(tmp_path / "five", a=np.ones(3), b=np.ones(2)))) == 2
    error = refused(arrays(tmp_path / "six", a=np.ones(3), b=np.ones(3)))
    assert "6 parameters" in error.problem


def test_a_hash_is_of_the_file_or_of_sorted_names_and_hashes(tmp_path: Path) -> None:
    folder = arrays(tmp_path / "net", b=[1], a=[2])
    hashes = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in ("a.npy", "b.npy")}
    assert checkpoint_sha256(folder / "a.npy") == hashes["a.npy"]
    lines = f"a.npy {hashes['a.npy']}\nb.npy {hashes['b.npy']}\n"
    assert checkpoint_sha256(folder) == hashlib.sha256(lines.encode()).hexdigest()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "absent.pth") in str(refused(tmp_path / "absent.pth"))


def test_a_file_beyond_two_billion_bytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.pth").open("wb") as file:
        file.truncate(2_000_000_001)
    error = refused(tmp_path / "large.pth")
    assert error.problem == ("it asks for 2,000,000,001 bytes, more than the 2,000,000,000 allowed")


@pytest.mark.parametrize(
    "value", [torch.eye(2).to_sparse(), torch.empty(2, device="meta")], ids=["sparse", "meta"]
)
def test_what_is_no_plain_tensor_is_refused(value: torch.Tensor, tmp_path: Path) -> None:
    error = refused(saved(tmp_path / "w.pth", {"x": value}))
    assert error.asked == f"checkpoint {tmp_path / 'w.pth'}"


def test_the_numbers_of_a_file_are_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "w.pth", {"a": torch.ones(3), "b": torch.ones(3)})
    monkeypatch.setenv("ZOO_MAX_PARAMETERS", "6")
    assert len(read_state(path)) == 2
    monkeypatch.setenv("ZOO_MAX_PARAMETERS", "5")
    assert "6 parameters" in refused(path).problem


def test_five_of_the_names_that_there_are_are_shown(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.pth", dict.fromkeys("abcdef", 1))
    assert refused(path, "g").problem == "it holds a, b, c, d, e"
    shown = ", ".join(f"{name} (a number)" for name in "abcde")
    assert refused(path).problem == f"it holds no state dict, but {shown}"


def test_of_keys_with_dots_the_longest_is_meant(tmp_path: Path) -> None:
    value = {"a": {"b": {"x": X}}, "a.b": {"x": 2 * X}}
    assert read_state(saved(tmp_path / "w.pth", value), "a.b")["x"].item() == 2


def nested(levels: int) -> dict[str, Any]:
    return {"x": X} if levels == 0 else {"in": nested(levels - 1)}


def test_a_state_dict_lies_four_levels_deep_at_most(tmp_path: Path) -> None:
    assert list(read_state(saved(tmp_path / "w.pth", nested(4)))) == ["x"]
    assert "no state dict" in refused(saved(tmp_path / "w.pth", nested(5))).problem


def test_a_mapping_with_numbers_for_names_is_no_state_dict(tmp_path: Path) -> None:
    value = {"net": {"x": X}, "odd": {1: X, "a": X}}
    found = read_checkpoint(saved(tmp_path / "w.pth", value))
    assert list(found.state) == ["x"]
    assert found.left_out == ("odd (a mapping of 2)",)


@pytest.mark.parametrize(
    ("names", "bare"),
    [
        (["module.a", "module.b"], ["a", "b"]),
        (["module._orig_mod.module.a"], ["a"]),
        (["module.a", "b"], ["module.a", "b"]),
        (["module.a", "n_averaged"], ["a"]),
    ],
)
def test_prefixes_that_all_share_are_taken_off(
    names: list[str], bare: list[str], tmp_path: Path
) -> None:
    state = read_state(saved(tmp_path / "w.pth", dict.fromkeys(names, X)))
    assert list(state) == bare


class Other:
    """A class of another project."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1], "a list of 1"),
        ((1, 2), "a tuple of 2"),
        ({1}, "a set of 1"),
        (OrderedDict(a=1), "a mapping of 1"),
        (True, "yes or no"),
        (1, "a number"),
        (0.5, "a number"),
        ("", "a text"),
        (b"", "bytes"),
        (None, "nothing"),
        (X, "a tensor"),
        (1j, "complex"),
    ],
)
def test_values_have_a_word(value: object, expected: str) -> None:
    assert what(value) == expected


def test_a_class_beside_the_weights_is_named(tmp_path: Path) -> None:
    found = read_checkpoint(saved(tmp_path / "w.pth", {"net": {"x": X}, "of": Other}))
    assert found.left_out == (f"of ({Other.__module__}.Other)",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("First. Second. Third\nline", "ValueError: First"),
        ("Weights only load failed.\nWeightsUnpickler error: gist\nmore", "ValueError: gist"),
        ("", "ValueError"),
        ("x" * 500, f"ValueError: {'x' * 148}"),
    ],
)
def test_of_a_fault_the_gist_is_told(text: str, expected: str) -> None:
    assert _reason(ValueError(text)) == expected


def test_a_place_that_is_taken_is_refused_before_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError) as caught:
        import_files(["absent.pth"], tmp_path, ImportRequest(("a", "b")), host=host())
    assert caught.value.asked == f"output {tmp_path}"


def test_an_import_counts_parameters_and_says_where_they_come_from(tmp_path: Path) -> None:
    net = alone()
    path = saved(tmp_path / "G.pth", net.state_dict())
    request = ImportRequest(("a", "b"), provenance="From an old disk.")
    made = import_files([str(path)], tmp_path / "model", request, host=host())
    assert made.nets == {"generator_b": sum(each.numel() for each in net.parameters())}
    card = (tmp_path / "model" / "README.md").read_text()
    assert "From an old disk.\nImported by `zoo import` from" in card
