"""What a file is, told by bytes that are written out: where each kind begins and ends."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from zoo_import.file_kinds import file_kind, is_safetensors

WHOLE = save({"x": torch.ones(4), "y": torch.ones(2)})
HEADER = 8 + int.from_bytes(WHOLE[:8], "little")
"""Bytes ahead of the tensors."""


def old_torch() -> bytes:
    buffer = io.BytesIO()
    torch.save({"x": torch.ones(2)}, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def safetensors(header: dict[str, object]) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(name, b"")
    return buffer.getvalue()


def cut(at: int) -> str:
    return f"a safetensors file that is cut off: {at} of {len(WHOLE)} bytes"


ONNX, TEXT, XML = "an ONNX model", "a text that begins with ", "an XML file"
TENSORFLOW = "a part of a TensorFlow model"
KINDS: dict[str, tuple[bytes, str | None]] = {
    "whole safetensors": (WHOLE, None),
    "safetensors without tensors": (safetensors({}), None),
    "tensors that end beyond the file": (WHOLE[:-1], cut(len(WHOLE) - 1)),
    "the second tensor cut off": (WHOLE[: HEADER + 17], cut(HEADER + 17)),
    "the header alone": (WHOLE[:HEADER], cut(HEADER)),
    "tensors of odd ends": (safetensors({"x": {"data_offsets": [0, "a"]}}), None),
    "torch.save of old": (old_torch(), None),
    "the end of a table": (bytes.fromhex("57fb808b247547db"), TENSORFLOW),
    "the beginning of ONNX": (b"\x08\x07\x12", ONNX),
    "less than ONNX": (b"\x08\x07", None),
    "the last version of ONNX": (b"\x08\x1f\x12", ONNX),
    "no version of ONNX": (b"\x08\x20\x12", None),
    "far from a version of ONNX": (b"\x08\x40\x12", None),
    "no field of ONNX": (b"\x08\x07\x13", None),
    "arrays in a folder": (archive("a/", "a/x.npy"), "an archive of 1 NumPy arrays (.npz)"),
    "arrays and a text": (archive("x.npy", "b.txt"), "a zip archive that holds x.npy, b.txt"),
    "an empty archive": (archive(), "a zip archive that holds nothing"),
    "a character that the end of the head cuts": (b"a" * 511 + b"\xc3", TEXT + f'"{"a" * 60}"'),
    "no UTF-8": (b"abc\xff", None),
    "control characters": (b"ab\x00cd", None),
    "white space": (b" \n\t", None),
    "lines": (b"a\tb\r\n c", TEXT + '"a b c"'),
    "a net of OpenVINO": (b'<net name="G">', XML + ", such as an OpenVINO model"),
}


@pytest.mark.parametrize("case", KINDS)
def test_bytes_are_of_their_kind(case: str, tmp_path: Path) -> None:
    content, expected = KINDS[case]
    (tmp_path / "file").write_bytes(content)
    kind = file_kind(tmp_path / "file")
    assert (None if kind is None else kind.name) == expected


def test_a_header_that_is_cut_off_counts_for_what_it_would_have_been(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(WHOLE[: HEADER - 4])
    kind = file_kind(tmp_path / "file")
    assert kind is not None
    assert kind.name.endswith(f"{HEADER - 4} of {HEADER} bytes")


@pytest.mark.parametrize(("length", "expected"), [(8_000_000, True), (8_000_001, False)])
def test_a_header_is_of_eight_million_bytes_at_most(
    length: int, expected: bool, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(length.to_bytes(8, "little") + b"{")
    assert is_safetensors(tmp_path / "file") is expected
