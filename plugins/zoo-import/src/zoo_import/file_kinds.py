"""What a file is that someone takes for a checkpoint, told by its first bytes."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from zoo_core.finding import names

ARRAYS = "Give a folder of .npy arrays, each named after its tensor."
_AGAIN = "Fetch it again."
_UNPACK = "Unpack it, and give the checkpoint within."
_CONVERT = (
    "Load it in the program that wrote it, and save its tensors as safetensors under the names "
    "that the published PyTorch net gives them."
)
_HEAD = 512
_LARGEST_HEADER = 8_000_000
_STARTS = {
    b"version https://git-lfs": (
        "a Git LFS pointer, which only stands for the file",
        "Fetch the file itself: git lfs pull, or the download link on its page.",
    ),
    b"\x89HDF\r\n\x1a\n": ("an HDF5 file, as Keras and TensorFlow write them", _CONVERT),
    b"\x93NUMPY": ("a single NumPy array", ARRAYS),
    b"GGUF": ("a GGUF file, as language models come in", "Look for the model's safetensors."),
    b"\x1f\x8b": ("a gzip archive", _UNPACK),
    b"BZh": ("a bzip2 archive", _UNPACK),
    b"\xfd7zXZ\x00": ("an xz archive", _UNPACK),
    b"\x28\xb5\x2f\xfd": ("a zstandard archive", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", _UNPACK),
    b"Rar!\x1a\x07": ("a RAR archive", _UNPACK),
    b"\x89PNG\r\n": ("a PNG picture", "Give the checkpoint; zoo translate takes pictures."),
    b"\xff\xd8\xff": ("a JPEG picture", "Give the checkpoint; zoo translate takes pictures."),
    b"%PDF": ("a PDF document", "Give the checkpoint."),
}
"""What begins with these bytes, and what to do about it."""
_TENSORFLOW = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5}|pb)$")
_TABLE_END = bytes.fromhex("57fb808b247547db")
"""What ends a table of LevelDB, which the index of a TensorFlow checkpoint is."""
_TORCH_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How torch.save began its files before it wrote archives."""
_ONNX_SECOND = frozenset(b"\x12\x1a\x22\x28\x32\x3a\x42")
"""Tags of the fields that may follow the version in an ONNX file."""


@dataclass(frozen=True)
class FileKind:
    """What a file is.

    Attributes:
        name: In words, with an article: ``a Git LFS pointer``.
        hint: What to do about it, a full sentence.
    """

    name: str
    hint: str


PLAIN_PICKLE = FileKind(
    "a Python pickle that torch.save did not write",
    "Save the state dict with torch.save, or as safetensors.",
)


def file_kind(path: Path) -> FileKind | None:
    """What a file is that is no whole checkpoint; None where it may be one.

    Args:
        path: A file that is there.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(max(0, size - len(_TABLE_END)))
        end = file.read()
    if not size:
        return FileKind("empty: it has no bytes at all", _AGAIN)
    if is_safetensors(path):
        return _cut_safetensors(path, size)
    if head.startswith(b"PK"):
        return _zip_kind(path)
    for start, (name, hint) in _STARTS.items():
        if head.startswith(start):
            return FileKind(name, hint)
    if head.startswith(b"\x80"):
        return None if head.startswith(_TORCH_MAGIC) else PLAIN_PICKLE
    if end == _TABLE_END or _TENSORFLOW.search(path.name):
        return FileKind("a part of a TensorFlow model", _CONVERT)
    if head[4:8] == b"TFL3":
        return FileKind("a TensorFlow Lite model", _CONVERT)
    if head[257:262] == b"ustar":
        return FileKind("a tar archive", _UNPACK)
    if head[0] == 8 and len(head) > 2 and head[1] < 32 and head[2] in _ONNX_SECOND:
        return FileKind(
            "an ONNX model", "Give the checkpoint that it was exported from: a state dict."
        )
    return _text_kind(path, head)


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: a length, then the brace of the header."""
    with path.open("rb") as file:
        head = file.read(9)
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") <= _LARGEST_HEADER


def _cut_safetensors(path: Path, size: int) -> FileKind | None:
    """A safetensors file that ends before its tensors do; None where it is whole or odd."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            tensors = json.loads(file.read(length)) if length + 8 <= size else {}
            ends = [part["data_offsets"][1] for part in tensors.values() if "data_offsets" in part]
            whole = 8 + length + max(ends, default=0)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            return None  # who reads it will say what is wrong
    if not isinstance(whole, int) or whole <= size:
        return None
    return FileKind(f"a safetensors file that is cut off: {size:,} of {whole:,} bytes", _AGAIN)


def _zip_kind(path: Path) -> FileKind | None:
    """What an archive holds that is none of torch.save's."""
    try:
        with zipfile.ZipFile(path) as archive:
            held = [name for name in archive.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        size = path.stat().st_size
        return FileKind(f"an archive that is cut off or damaged, of {size:,} bytes", _AGAIN)
    ends = {name.rpartition("/")[2] for name in held}
    if "constants.pkl" in ends:
        return FileKind(
            "a TorchScript program",
            "Load it with torch.jit.load where it comes from, and save its state_dict().",
        )
    if "archive_format" in ends:
        return FileKind("a program of torch.export", "Give the state dict that it came from.")
    if "data.pkl" in ends:
        return None
    if held and all(name.endswith(".npy") for name in held):
        return FileKind(
            f"an archive of {len(held)} NumPy arrays (.npz)",
            "Unzip it into a folder, and give the folder: arrays are named after their tensors.",
        )
    if "model.weights.h5" in ends:
        return FileKind("a Keras model", _CONVERT)
    shown = names([Path(name) for name in held]) or "nothing"
    return FileKind(f"a zip archive that holds {shown}", _UNPACK)


def _text_kind(path: Path, head: bytes) -> FileKind | None:
    """What a text says; None where it is no text."""
    try:
        text = head.decode("utf-8", "strict" if len(head) < _HEAD else "ignore").strip()
    except UnicodeDecodeError:
        return None
    if not text or any(ord(sign) < 32 and sign not in "\t\r\n" for sign in text):
        return None
    start = text.lower()
    if re.match(r"<!doctype|<html|<head|<script", start):
        return FileKind(
            "a web page, not what was to be downloaded",
            "Open the address in a browser: it may ask for a confirmation or a login.",
        )
    if start.startswith("<?xml") or start.startswith("<net"):
        return FileKind("an XML file, such as an OpenVINO model", _CONVERT)
    if start.startswith(("{", "[")):
        return _json_kind(path)
    shown = " ".join(text.split())[:60]
    return FileKind(f'a text that begins with "{shown}"', "Its download may have failed. " + _AGAIN)


def _json_kind(path: Path) -> FileKind:
    try:
        with path.open("rb") as file:
            held = json.loads(file.read(_LARGEST_HEADER))
        shards = sorted(set(map(str, held["weight_map"].values())))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return FileKind("a JSON text", "Give the checkpoint that it describes.")
    return FileKind(
        f"the index of a checkpoint in parts ({names([Path(s) for s in shards])})",
        "Join their tensors into one safetensors file.",
    )
