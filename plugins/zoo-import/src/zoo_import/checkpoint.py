"""Reads what others saved: safetensors, folders of arrays, pickles of which nothing is executed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo_core.errors import UsageError, WeightsError
from zoo_core.models.weights import read_tensors
from zoo_core.untrusted import PARAMETERS, Limit, file_sha256, verify
from zoo_import.file_kinds import PLAIN_PICKLE, file_kind, is_safetensors
from zoo_train.pickles import StandIn, WouldCallError, called_by, read_pickle

State = Mapping[str, Tensor]

PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put in front of every key."""
CHECKPOINT = Limit("ZOO_MAX_CHECKPOINT", 2_000_000_000, "bytes")
"""Of a file of weights in a foreign format."""
_COUNTER = "n_averaged"
"""The one other key of torch's averaged models."""


@dataclass(frozen=True)
class Checkpoint:
    """What was read from a file.

    Attributes:
        state: The tensors by name, without wrappers and prefixes.
        left_out: What else it holds, such as ``epoch (a number)``.
    """

    state: dict[str, Tensor]
    left_out: tuple[str, ...] = ()


def read_state(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """The state dict in a file, without wrappers and prefixes; see `read_checkpoint`."""
    return read_checkpoint(path, key).state


def read_checkpoint(path: Path, key: str | None = None) -> Checkpoint:
    """Reads the state dict in a file; nothing of the file is executed.

    Args:
        path: A safetensors file, what ``torch.save`` wrote, or a folder of ``.npy`` arrays, each
            named after its tensor.
        key: Where in the file the state dict is, where it holds several: names of its levels with
            dots between them. The last may be what the names of some tensors begin with.

    Raises:
        WeightsError: If the file is missing, damaged, of another kind, too large, would execute
            code, or holds no state dict.
        UsageError: If it holds several, or none of this name.
    """
    asked = f"checkpoint {path}"
    if path.is_dir():
        return Checkpoint(_bare(_read_arrays(path)))
    verify(path)
    state, left_out = _unwrap(_read_file(path), key, asked)
    for name, tensor in state.items():
        if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
            raise WeightsError(f"{name} is no plain tensor of numbers", asked=asked)
    # A view may repeat one number any number of times, and copying it would write them all.
    PARAMETERS.refuse_beyond(sum(tensor.numel() for tensor in state.values()), asked)
    return Checkpoint(_bare(state), tuple(left_out))


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


def _read_file(path: Path) -> Any:
    """What a file holds, with a `StandIn` for what is neither tensor nor plain value."""
    asked = f"checkpoint {path}"
    CHECKPOINT.refuse_beyond(path.stat().st_size, asked)
    kind = file_kind(path)
    if kind is None and (is_safetensors(path) or path.suffix == ".safetensors"):
        return read_tensors(path)[0]
    if kind is not None and not (kind is PLAIN_PICKLE and called_by(path)):
        raise WeightsError(f"it is {kind.name}", asked=asked, hint=kind.hint)
    try:
        return read_pickle(path)
    except WouldCallError as fault:
        raise WeightsError(
            f"to unpickle it, {fault} would be called, so it is not opened",
            asked=asked,
            hint="Only files that hold tensors and plain values are read; ask its author for "
            "a state dict, or for safetensors.",
        ) from None
    except Exception as fault:  # a hostile or damaged file can make any of them
        raise WeightsError(
            f"it is damaged, or no file that torch.save wrote ({_reason(fault)})",
            asked=asked,
            hint="Fetch it again, or give a state dict or safetensors.",
        ) from None


def _unwrap(value: Any, key: str | None, asked: str) -> tuple[dict[str, Tensor], list[str]]:
    """The mapping of tensors that ``key`` names, else the innermost one; and what is left out.

    On the way in, every level must leave one choice.
    """
    whole = _left_out_name(value)
    if not isinstance(value, Mapping) or (whole and not value):
        raise WeightsError(
            f"it holds {f'a whole {whole}' if whole else what(value)}, not a state dict",
            asked=asked,
            hint="Where it comes from, save model.state_dict().",
        )
    if key is None and any(isinstance(item, Tensor) for item in value.values()):
        state = {str(name): item for name, item in value.items() if isinstance(item, Tensor)}
        return state, _listed(value, {*state})
    inner = {str(name): item for name, item in value.items() if _holds_tensors(item)}
    shown = ", ".join(inner) or ", ".join(str(name) for name in list(value)[:5]) or "nothing"
    if key is not None:
        return _at(value, key, f'{asked}, key "{key}"', shown)
    if not inner:
        left = ", ".join(_listed(value, set())[:5]) or "nothing"
        raise WeightsError(
            f"it holds no state dict, but {left}", asked=asked, hint="Save model.state_dict()."
        )
    if len(inner) > 1:
        raise UsageError(
            f"it holds several state dicts: {shown}",
            asked=asked,
            hint="Choose one with FILE:KEY, or with --key.",
        )
    state, left_out = _unwrap(inner[shown], None, asked)
    return state, [*_listed(value, {shown}), *left_out]


def _at(
    value: Mapping[Any, Any], key: str, asked: str, shown: str
) -> tuple[dict[str, Tensor], list[str]]:
    """What a dotted key leads to: a level of its own, or all tensors whose names begin with it."""
    named = {str(name): item for name, item in value.items()}
    steps = [name for name in named if key == name or key.startswith(f"{name}.")]
    if steps:
        step = max(steps, key=len)
        state, left_out = _unwrap(named[step], key[len(step) + 1 :] or None, asked)
        return state, [*_listed(value, {step}), *left_out]
    begun = {name: item for name, item in named.items() if name.startswith(f"{key}.")}
    if not begun:
        raise UsageError(f"it holds {shown}", asked=asked, hint="Write one of these for the key.")
    state, left_out = _unwrap(begun, None, asked)
    bare = {name.removeprefix(f"{key}."): item for name, item in state.items()}
    return bare, [*_listed(value, set(begun)), *left_out]


def _listed(value: Mapping[Any, Any], taken: set[str]) -> list[str]:
    """Names and kinds of what is not taken from a level, such as ``epoch (a number)``."""
    return [f"{name} ({what(item)})" for name, item in value.items() if str(name) not in taken]


def what(value: object) -> str:
    """What a value is, in a word or two."""
    if name := _left_out_name(value):
        return name
    if isinstance(value, Mapping | list | tuple | set):
        kind = "mapping" if isinstance(value, Mapping) else type(value).__name__
        return f"a {kind} of {len(value)}"
    known = {bool: "yes or no", int: "a number", float: "a number", str: "a text"}
    known |= {type(None): "nothing", bytes: "bytes", Tensor: "a tensor"}
    return known.get(type(value), type(value).__name__)


def _left_out_name(value: object) -> str | None:
    """What a value stands for; None where it is a value of its own."""
    if isinstance(value, StandIn):
        return value.stands_for
    if isinstance(value, type) and issubclass(value, StandIn):
        return value.stands_for
    return None


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
