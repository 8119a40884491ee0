"""Reads what others saved: safetensors, folders of arrays, pickles of which nothing is executed."""

from __future__ import annotations

import hashlib
import pickletools
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo_core.errors import UsageError, WeightsError
from zoo_core.files import file_sha256, verify
from zoo_core.models.weights import read_tensors

State = Mapping[str, Tensor]

PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put in front of every key."""
_HARMLESS = ("torch.", "collections.OrderedDict", "_codecs.encode")
"""What begins the names in every pickle of torch."""
_LARGEST = 16_000_000
"""Bytes of a pickle that are searched for names."""
_COUNTER = "n_averaged"
"""The one other key of torch's averaged models."""


def read_state(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """The state dict in a file, without wrappers and prefixes.

    Args:
        path: A safetensors file, what ``torch.save`` wrote, or a folder of ``.npy`` arrays, each
            named after its tensor.
        key: Name of the state dict, where a file holds several.

    Raises:
        WeightsError: If the file is missing, damaged, would execute code, or holds no state dict.
        UsageError: If it holds several, or none of this name.
    """
    if path.is_dir():
        return _bare(_read_arrays(path))
    verify(path)
    value = read_tensors(path)[0] if _is_safetensors(path) else _unpickle(path)
    return _bare(_unwrap(value, key, f"checkpoint {path}"))


def checkpoint_sha256(path: Path) -> str:
    """Hash of a file; of a folder of arrays, the hash of their sorted names and hashes."""
    if not path.is_dir():
        return file_sha256(path)
    lines = [f"{file.name} {file_sha256(file)}\n" for file in _array_files(path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _array_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.npy"))


def _read_arrays(folder: Path) -> dict[str, Tensor]:
    """The arrays of a folder, by the names of their files without the suffix."""
    files = _array_files(folder)
    if not files:
        raise WeightsError(
            "the folder holds no .npy arrays",
            asked=f"checkpoint {folder}",
            hint="Give a file of weights, or a folder of arrays that are named after the tensors.",
        )
    state = {}
    for file in files:
        try:
            state[file.stem] = torch.from_numpy(np.load(file, allow_pickle=False))
        except (OSError, ValueError, EOFError, TypeError) as fault:
            raise WeightsError(
                f"it is damaged, or no array of numbers ({_reason(fault)})",
                asked=f"checkpoint {file}",
                hint="Fetch it again.",
            ) from None
    return state


def _is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: a length, then the brace of the header."""
    with path.open("rb") as file:
        head = file.read(9)
    length = int.from_bytes(head[:8], "little")
    opens = head[8:] == b"{" and length < path.stat().st_size
    return path.suffix == ".safetensors" or opens


def _unpickle(path: Path) -> Any:
    asked = f"checkpoint {path}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch remarks on the form of a file it then refuses
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as fault:  # a hostile or damaged file can make any of them
        text = str(fault)
        named = re.findall(r"(?:GLOBAL|class|global|function) ([\w.]+\.[\w.]+)", text)
        if names := named or called_by(path):
            raise WeightsError(
                f"to unpickle it, {names[0]} would be called, so it is not opened",
                asked=asked,
                hint="Only files that hold tensors and plain values are read; ask its author for "
                "a state dict, or for safetensors.",
            ) from None
        raise WeightsError(
            f"it is damaged, or no file that torch.save wrote ({_reason(fault)})",
            asked=asked,
            hint="Fetch it again, or give a state dict or safetensors.",
        ) from None


def called_by(path: Path) -> list[str]:
    """Names in a pickle that are not torch's own, read without executing it; none where damaged."""
    names: list[str] = []
    try:
        texts: list[str] = []
        for code, value, _ in pickletools.genops(_pickled(path)):
            if isinstance(value, str):
                texts.append(value)
            if code.name in ("GLOBAL", "INST"):
                names.append(str(value).replace(" ", "."))
            elif code.name == "STACK_GLOBAL":
                names.append(".".join(texts[-2:]))
    except Exception:  # garbage; what was read so far is enough
        pass
    return [name for name in names if not name.startswith(_HARMLESS)]


def _pickled(path: Path) -> bytes:
    """The pickle in a file, which newer versions of torch put in an archive."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            return file.read(_LARGEST)
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        with archive.open(name) as file:
            return file.read(_LARGEST)


def _unwrap(value: Any, key: str | None, asked: str) -> dict[str, Tensor]:
    """The innermost mapping of tensors; on the way in, one choice at each level or ``key``."""
    if not isinstance(value, Mapping):
        raise WeightsError(
            f"it holds a {type(value).__name__}, not a state dict",
            asked=asked,
            hint="Save model.state_dict().",
        )
    if key is None and any(isinstance(item, Tensor) for item in value.values()):
        odd = [str(name) for name, item in value.items() if not isinstance(item, Tensor)]
        if odd:
            raise WeightsError(
                f"beside tensors it holds {', '.join(odd[:5])}",
                asked=asked,
                hint="A state dict holds tensors alone.",
            )
        return {str(name): item for name, item in value.items()}
    inner = {str(name): item for name, item in value.items() if _holds_tensors(item)}
    names = ", ".join(inner) or ", ".join(str(name) for name in list(value)[:5]) or "nothing"
    if key is not None and key not in inner:
        raise UsageError(f"it holds {names}", asked=f'{asked}, key "{key}"')
    if not inner:
        raise WeightsError(f"it holds no state dict, but {names}", asked=asked)
    if key is None and len(inner) > 1:
        raise UsageError(
            f"it holds several state dicts: {names}", asked=asked, hint="Choose one with --key."
        )
    return _unwrap(inner[key or names], None, asked)


def _holds_tensors(value: Any, depth: int = 3) -> bool:
    """Whether a value is a mapping of tensors, or of such mappings by name."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        return False
    items = value.values()
    return any(isinstance(item, Tensor) for item in items) or (
        depth > 0 and any(_holds_tensors(item, depth - 1) for item in items)
    )


def _bare(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state without the prefixes that all its keys share, however often repeated."""
    while True:
        keys = [key for key in state if key != _COUNTER]
        common = [p for p in PREFIXES if keys and all(key.startswith(p) for key in keys)]
        if not common:
            return state
        state = {key.removeprefix(common[0]): state[key] for key in keys}


def _reason(fault: Exception) -> str:
    """The gist of what torch says, in one line."""
    text = str(fault)
    inner = re.search(r"WeightsUnpickler error: ([^\n]+)", text)
    line = inner[1] if inner else text.strip().split("\n", 1)[0].split(". ", 1)[0]
    return f"{type(fault).__name__}: {line}"[:160].removesuffix(": ")
