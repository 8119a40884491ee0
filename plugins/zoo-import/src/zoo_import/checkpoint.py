"""Reads what others saved: safetensors, folders of arrays, pickles of which nothing is executed."""

from __future__ import annotations

import hashlib
import io
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
from zoo_core.untrusted import PARAMETERS, Limit

State = Mapping[str, Tensor]

PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put in front of every key."""
_NEEDED = re.compile(
    r"collections\.(OrderedDict|Counter)|builtins\.(set|complex)|torch\.(Size|device)"
    r"|torch\.(\w+\.)?\w+Storage|torch\.nn\.parameter\.Parameter"
    r"|torch\._utils\._rebuild_(tensor|tensor_v2|tensor_v3|parameter|parameter_with_state)"
    r"|torch\._tensor\._rebuild_from_type_v2|torch\.(u?int|float|bfloat|complex)\d+\w*|torch\.bool"
)
"""What is called to make tensors and plain values; none takes more memory than the file has."""
_PICKLES = 5
"""How many pickles torch once put one after another."""
CHECKPOINT = Limit("ZOO_MAX_CHECKPOINT", 2_000_000_000, "bytes")
"""Of a file of weights in a foreign format."""
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
        WeightsError: If the file is missing, damaged, too large, would execute code, or holds no
            state dict.
        UsageError: If it holds several, or none of this name.
    """
    asked = f"checkpoint {path}"
    if path.is_dir():
        return _bare(_read_arrays(path))
    verify(path)
    value = read_tensors(path)[0] if _is_safetensors(path) else _unpickle(path)
    state = _unwrap(value, key, asked)
    for name, tensor in state.items():
        if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
            raise WeightsError(f"{name} is no plain tensor of numbers", asked=asked)
    # A view may repeat one number any number of times, and copying it would write them all.
    PARAMETERS.refuse_beyond(sum(tensor.numel() for tensor in state.values()), asked)
    return _bare(state)


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
    state: dict[str, Tensor] = {}
    count = 0
    for file in files:
        try:
            # Mapped, an array cannot claim to be larger than its file.
            array = np.load(file, mmap_mode="r", allow_pickle=False)
            count += array.size
            PARAMETERS.refuse_beyond(count, f"checkpoint {folder}")
            state[file.stem] = torch.from_numpy(np.array(array))
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
    CHECKPOINT.refuse_beyond(path.stat().st_size, asked)
    if names := called_by(path):
        raise WeightsError(
            f"to unpickle it, {names[0]} would be called, so it is not opened",
            asked=asked,
            hint="Only files that hold tensors and plain values are read; ask its author for "
            "a state dict, or for safetensors.",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch remarks on the form of a file it then refuses
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as fault:  # a hostile or damaged file can make any of them
        raise WeightsError(
            f"it is damaged, or no file that torch.save wrote ({_reason(fault)})",
            asked=asked,
            hint="Fetch it again, or give a state dict or safetensors.",
        ) from None


def called_by(path: Path) -> list[str]:
    """Names in the pickles of a file that tensors and plain values do not need.

    They are read without executing anything: torch's restricted reader calls some that take any
    amount of memory, such as ``bytearray``.

    Raises:
        WeightsError: If there is no pickle in it, or one of a form that torch does not write.
    """
    names: list[str] = []
    try:
        content = io.BytesIO(_pickled(path))
        for _ in range(1 if zipfile.is_zipfile(path) else _PICKLES):
            texts: list[str] = []
            for code, value, _ in pickletools.genops(content):
                if isinstance(value, str):
                    texts.append(value)
                if code.name in ("GLOBAL", "INST"):
                    names.append(str(value).replace(" ", "."))
                elif code.name == "STACK_GLOBAL":
                    names.append(".".join(texts[-2:]))
    except Exception as fault:  # whatever garbage makes of the readers of archives and pickles
        if not _foreign(names):
            raise WeightsError(
                f"it is damaged, or no file that torch.save wrote ({_reason(fault)})",
                asked=f"checkpoint {path}",
                hint="Fetch it again, or give a state dict or safetensors.",
            ) from None
    return _foreign(names)


def _foreign(names: list[str]) -> list[str]:
    return [name for name in names if not _NEEDED.fullmatch(name)]


def _pickled(path: Path) -> bytes:
    """The pickles at the beginning of a file, which newer versions of torch put in an archive."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            return file.read(_LARGEST)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("its archive is compressed")  # torch's never is; this may be a bomb
        # Were there two, torch might read the one that was not looked at.
        (name,) = (m.filename for m in members if m.filename.rpartition("/")[2] == "data.pkl")
        with archive.open(name) as file:
            content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError("its pickle is too large")
    return content


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
    items = {id(item): item for item in value.values()}.values()  # a pickle may repeat one freely
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
