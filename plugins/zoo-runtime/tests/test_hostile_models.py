"""What zoo-run makes of files that a stranger wrote: a sentence, and nothing that they ask for."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from zoo_runtime.command import main
from zoo_runtime.model import LARGEST_FILE, ExportedModel, RunError
from zoo_runtime.pictures import decode, read

SAID = {
    "model": "tiny",
    "domains": '["a", "b"]',
    "domains_kind": "domains",
    "target": "b",
    "targets": '["b"]',
    "trained_size": "[16, 16]",
    "any_size": "true",
    "stride": "4",
    "least_size": "8",
    "scale": "own",
    "crop_first": "null",
    "exclusive": "[]",
    "window": "1048576",
}


def graph(nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto]) -> onnx.GraphProto:
    """A graph that takes pictures of any size and batch, and gives some."""
    shape = ["batch", "height", "width", 3]
    given = helper.make_tensor_value_info("picture", TensorProto.UINT8, shape)
    made = helper.make_tensor_value_info("translated", TensorProto.UINT8, None)
    return helper.make_graph(nodes, "g", [given], [made], constants)


def written(
    path: Path,
    said: Mapping[str, str] = SAID,
    nodes: list[onnx.NodeProto] | None = None,
    constants: list[onnx.TensorProto] | None = None,
) -> Path:
    """An exported model; without nodes, pictures stay as they are."""
    same = [helper.make_node("Identity", ["picture"], ["translated"])]
    model = helper.make_model(
        graph(nodes or same, constants or []),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    helper.set_model_props(model, dict(said))
    path.write_bytes(model.SerializeToString())
    return path


def drawn(path: Path) -> Path:
    """A picture of 16 x 16 pixels."""
    Image.fromarray(np.arange(768, dtype=np.uint8).reshape(16, 16, 3)).save(path)
    return path


def test_the_model_of_these_tests_is_one(tmp_path: Path) -> None:
    model = written(tmp_path / "m.onnx")
    picture = drawn(tmp_path / "cat.png")
    assert main([str(model), str(picture), "--out", str(tmp_path / "out")]) == 0
    assert read(tmp_path / "out/cat_b.png").pixels.tolist() == read(picture).pixels.tolist()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("window", "0"), ("window", "-5"), ("window", "1e400"), ("window", "9" * 5_000),
        ("stride", "0"), ("stride", "1000000000"), ("stride", "true"), ("least_size", "null"),
        ("trained_size", "[1000000, 1000000]"), ("trained_size", "[8192, 8192]"),
        ("trained_size", "16"), ("trained_size", "[16]"), ("crop_first", "-1"),
        ("crop_first", "[]"), ("domains", "{}"), ("domains", "[1, 2]"), ("domains", '["a", "a"]'),
        ("domains", "[" * 100_000), ("domains", '["' + "x" * 1_000 + '"]'), ("scale", "bomb"),
        ("resample", "box"), ("domains_kind", "other"),
        ("exclusive", '[["c"]]'), ("exclusive", "7"),
        ("target", "x" * 1_000), ("any_size", "perhaps"),
    ],
)  # fmt: skip
def test_what_a_model_cannot_say_of_itself_is_refused(key: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        ExportedModel(written(tmp_path / "m.onnx", {**SAID, key: value}))
    assert f'"{key}"' in caught.value.problem


@pytest.mark.parametrize("key", [key for key in SAID if key != "crop_first"])
def test_a_model_that_leaves_something_out_is_refused(key: str, tmp_path: Path) -> None:
    said = {name: value for name, value in SAID.items() if name != key}
    if key == "targets":
        said["target"] = ""
    with pytest.raises(RunError) as caught:
        ExportedModel(written(tmp_path / "m.onnx", said))
    assert f'"{key}"' in caught.value.problem


@pytest.mark.parametrize("place", ["beside.bin", "../private.bin", "whole", "link.bin"])
def test_no_other_file_is_read_into_a_graph(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for path in (folder / "beside.bin", tmp_path / "private.bin"):
        path.write_bytes(b"a private file!!")
    (folder / "link.bin").symlink_to(tmp_path / "private.bin")
    numbers = TensorProto(name="w", data_type=TensorProto.UINT8, dims=[16])
    numbers.data_location = TensorProto.EXTERNAL
    location = str(tmp_path / "private.bin") if place == "whole" else place
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        numbers.external_data.add(key=key, value=value)
    nodes = [helper.make_node("Identity", ["w"], ["translated"])]
    with pytest.raises(RunError) as caught:
        ExportedModel(written(folder / "m.onnx", nodes=nodes, constants=[numbers]))
    assert "cannot be read" in caught.value.problem


def test_operators_of_others_are_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Run", ["picture"], ["translated"], domain="evil")]
    with pytest.raises(RunError) as caught:
        ExportedModel(written(tmp_path / "m.onnx", nodes=nodes))
    assert "cannot be read" in caught.value.problem


@pytest.mark.parametrize(
    "nodes",
    [
        [helper.make_node("Concat", ["picture", "picture"], ["translated"], axis=1)],
        [helper.make_node("Reshape", ["picture", "wrong"], ["translated"])],
    ],
)
def test_a_graph_that_gives_no_pictures_is_a_failure_of_its_inputs(
    nodes: list[onnx.NodeProto], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    constants = [helper.make_tensor("wrong", TensorProto.INT64, [1], [5])]
    model = written(tmp_path / "m.onnx", nodes=nodes, constants=constants)
    given = [str(model), str(drawn(tmp_path / "cat.png")), "--out", str(tmp_path / "out")]
    assert main(given) == 1
    assert "the graph" in capsys.readouterr().err
    assert not list(tmp_path.glob("out/**/*.png"))


def test_names_cannot_leave_the_output_folder_or_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "../../\x1b]0;owned\x07\u202eb"
    model = written(tmp_path / "m.onnx", {**SAID, "target": name})
    picture = drawn(tmp_path / "c\x1b[2Jat.png")
    (tmp_path / "no\x1b[2J.png").write_bytes(b"")
    given = [str(model), str(picture), str(tmp_path / "no\x1b[2J.png")]
    assert main([*given, "--out", str(tmp_path / "out")]) == 1
    assert main([*given, "--to", "other"]) == 2
    said = capsys.readouterr()
    assert not {"\x1b", "\x07", "\u202e"} & set(said.out + said.err)
    assert "\\x1b[2J" in said.err
    assert [path.parent for path in tmp_path.rglob("*_*b.png")] == [tmp_path / "out"]


def test_a_name_that_is_no_text_is_printed_escaped(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / os.fsdecode(b"\xff.png")
    try:
        path.write_bytes(b"no picture")
    except OSError:
        pytest.skip("this file system holds text only")
    model = written(tmp_path / "m.onnx")
    assert main([str(model), str(path), "--out", str(tmp_path / "out")]) == 1
    assert "\\xff.png" in capfd.readouterr().err


def sparse(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def test_a_model_beyond_the_bound_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        ExportedModel(sparse(tmp_path / "m.onnx", LARGEST_FILE + 1))
    assert "more than the" in caught.value.problem


def test_a_picture_beyond_the_bounds_is_not_decoded(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        read(sparse(tmp_path / "x.png", 6_000_000_000))
    assert "bytes, more than" in caught.value.problem
    stream = io.BytesIO()
    Image.new("1", (8, 8)).save(stream, "PNG")
    data = bytearray(stream.getvalue())
    data[16:24] = struct.pack(">II", 12_000, 12_000)
    with pytest.raises(RunError) as caught:
        decode(bytes(data))
    assert "more pixels" in caught.value.problem or "no picture" in caught.value.problem


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_that_is_named_as_a_picture_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(RunError) as caught:
        read(tmp_path / "x.png")
    assert caught.value.problem == "it is no regular file"


def with_profile(profile: bytes) -> Callable[[Path], None]:
    return lambda path: Image.new("RGB", (16, 16)).save(path, icc_profile=profile)


def with_exif(block: bytes) -> Callable[[Path], None]:
    return lambda path: Image.new("RGB", (16, 16)).save(path, exif=block)


def exif() -> bytes:
    tags = Image.Exif()
    tags[274], tags[315] = 6, "A person of a long name"
    return tags.tobytes()


@pytest.mark.parametrize(
    ("save", "said"),
    [
        (with_profile(b"no profile"), "colour profile"),
        (with_exif(b"Exif\0\0\xff\xff\xff\xff\xff\xff\xff\xff"), "EXIF"),
        (with_exif(exif()[:20]), "EXIF"),
        (with_exif(exif()[:-12]), "EXIF"),
        (with_exif(b"Exif\0\0II*\0\xff\xff\xff\x7f"), "EXIF"),
        (with_exif(exif()), ""),
    ],
)
def test_a_damaged_profile_or_exif_block_is_told(
    save: Callable[[Path], None],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save(tmp_path / "cat.jpg")
    model = written(tmp_path / "m.onnx")
    assert main([str(model), str(tmp_path / "cat.jpg"), "--out", str(tmp_path / "out")]) == 0
    found = capsys.readouterr().err
    assert f"{said} " in found and "damaged" in found if said else found == ""
    assert (tmp_path / "out" / "cat_b.png").is_file()
