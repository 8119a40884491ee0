"""Weights: compared with the nets before memory is taken, loaded strictly, nothing unpickled."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.modules import module as registration
from torch.overrides import TorchFunctionMode

from zoo_core.contracts.interfaces import safe_name
from zoo_core.errors import WeightsError, ZooError, printable
from zoo_core.untrusted import AGAIN, PARAMETERS, building

if TYPE_CHECKING:
    from zoo_core.contracts.method import Method

Net = TypeVar("Net")

_SHOWN = 8
"""Lines of each kind that a diff of keys shows."""
_MOST_PARTS = 20_000
"""Layers, parameters and buffers of one model; more is no net but an attack on memory."""
_LARGEST_HEADER = 8_000_000
_LFS_POINTER = b"version "
"""How a Git LFS pointer begins; as a length it would be far too large."""
_FLOATS = ("float32", "float16", "bfloat16")


def loaded(make: Callable[[], Method[Any]], path: Path) -> Method[Any]:
    """A method with the weights of a file, in evaluation mode, on the CPU.

    The file's header is held against the names and shapes of the nets, which are known without
    their memory, before any is taken. The random state of the caller is left as it was.

    Args:
        make: Builds the method; what a stranger may have written decides how.
        path: A safetensors file.

    Raises:
        WeightsError: If the file is missing, damaged or does not fit, or if the nets are none that
            can be built, ask for other files, or have more parameters than `PARAMETERS` allows.
    """
    asked, header = f"weights {path}", tensor_header(path)
    with building(asked):
        sketch = sketched(make, asked)
        require_fit(net_state(sketch, sketch.inference_nets), header, asked)
        method = no_init(make)
    load_weights(method, path)
    return method.eval()


def load_weights(method: Method[Any], path: Path, *, only: Sequence[str] | None = None) -> None:
    """Loads weights into the nets of a method, strictly: every key, every shape, finite values.

    Args:
        method: The method; untouched if anything is wrong.
        path: A safetensors file, or a model directory.
        only: Names of the nets to fill; None for those that translate.

    Raises:
        WeightsError: If the file is missing, damaged, or does not fit.
    """
    path = path / "model.safetensors" if path.is_dir() else path
    names = method.inference_nets if only is None else only
    load_state(net_state(method, names), read_tensors(path)[0], asked=f"weights {path}")


def load_state(target: Mapping[str, Tensor], source: Mapping[str, Tensor], *, asked: str) -> None:
    """Copies tensors into others of the same names, all or none.

    Raises:
        WeightsError: With a short diff where keys, shapes or types differ, or a value is not
            finite.
    """
    found = {key: (_type(value), tuple(value.shape)) for key, value in source.items()}
    require_fit(target, found, asked)
    bad = [k for k, v in source.items() if v.is_floating_point() and not v.isfinite().all()]
    if bad:
        raise WeightsError(
            "they hold values that are not finite (NaN or infinite):\n"
            + "\n".join(listed("not finite", bad)),
            asked=asked,
            hint="The training that wrote them had diverged; use an earlier checkpoint.",
        )
    with torch.no_grad():
        for key, tensor in target.items():
            tensor.copy_(source[key])


def tensor_header(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of each tensor of a safetensors file, by name; no tensor is read.

    Raises:
        WeightsError: If it is missing, truncated, or no safetensors file, or if its tensors hold
            more numbers than `PARAMETERS` allows.
    """
    from safetensors import SafetensorError, safe_open

    asked = f"weights {path}"
    try:
        with path.open("rb") as file:
            head = file.read(8)
        if head == _LFS_POINTER:
            raise WeightsError(
                "it is a Git LFS pointer, which only stands for the file",
                asked=asked,
                hint="Fetch the file itself: git lfs pull, or the download link on its page.",
            )
        length = int.from_bytes(head, "little")
        if length > _LARGEST_HEADER:
            raise ValueError(f"a header of {length:,} bytes")
        with _utf8_named(path) as named, safe_open(named, framework="np") as tensors:
            slices = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118
            header = {
                name: (_type_name(part.get_dtype()), tuple(part.get_shape()))
                for name, part in slices.items()
            }
    except FileNotFoundError:
        raise WeightsError("the file is missing", asked=asked, hint=AGAIN) from None
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        reason = str(fault).split("\n", 1)[0][:200]
        raise WeightsError(
            f"it is damaged or no safetensors file ({reason})",
            asked=asked,
            hint=AGAIN,
        ) from fault
    PARAMETERS.refuse_beyond(sum(math.prod(shape) for _, shape in header.values()), asked)
    return header


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a safetensors file and its metadata.

    Raises:
        WeightsError: If it is missing, truncated, or no safetensors file.
    """
    from safetensors import safe_open

    names = tensor_header(path)  # which refuses what is no such file
    with _utf8_named(path) as named, safe_open(named, framework="pt", device="cpu") as file:
        return {key: file.get_tensor(key) for key in names}, dict(file.metadata() or {})


def net_state(method: Method[Any], names: Sequence[str]) -> dict[str, Tensor]:
    """The tensors of some nets as ``net.parameter``, those that nets share only once."""
    state: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name in names:
        for key, tensor in method.nets[name].state_dict(keep_vars=True).items():
            if id(tensor) not in seen:
                seen.add(id(tensor))
                state[f"{safe_name(name)}.{key}"] = tensor
    return state


def parameter_counts(method: Method[Any], names: Sequence[str] | None = None) -> dict[str, int]:
    """How many parameters each net has; those that nets share count with the first of them.

    Args:
        method: The method, on any device.
        names: Names of the nets; None for all.
    """
    counts: dict[str, int] = {}
    seen: set[nn.Parameter] = set()
    for name in method.nets if names is None else names:
        fresh = set(method.nets[name].parameters()) - seen
        counts[name] = sum(parameter.numel() for parameter in fresh)
        seen |= fresh
    return counts


def no_init(make: Callable[[], Method[Any]]) -> Method[Any]:
    """A method whose parameters have memory and no values yet: strict loading must follow.

    Drawing values that weights replace costs a large model a second, and the memory of nets that
    are then dropped. No other thread's random numbers are touched.

    Args:
        make: Builds the method.
    """
    with _Undrawn():
        return make()


class _Undrawn(TorchFunctionMode):
    """Leaves out whatever fills a parameter with random values; draws others for itself.

    On the meta device it also leaves out the rounds in which a spectral norm settles.
    """

    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator()

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        tensor = args[0] if args else given.get("tensor")
        if function in _DRAWS and isinstance(tensor, nn.Parameter):
            return tensor
        if function in _SETTLES and tensor is not None and tensor.is_meta:
            return tensor.new_empty(_SETTLES[function](tensor))
        if function in _DRAWS or function in _DRAWN:
            given = {"generator": self.generator} | given
        return function(*args, **given)


_DRAWS = (
    Tensor.normal_,
    Tensor.uniform_,
    nn.init.normal_,
    nn.init.uniform_,
    nn.init.kaiming_uniform_,
)
"""What a function mode sees of torch's initialisations; all others are made of these."""
_DRAWN = (torch.rand, torch.randn, torch.randint, torch.randperm)
"""What makes a tensor of random values."""
_SETTLES: dict[Any, Callable[[Tensor], Sequence[int]]] = {
    normalize: lambda tensor: tensor.shape,
    torch.mv: lambda matrix: matrix.shape[:1],
}
"""The shape of what a spectral norm computes in many rounds, which torch makes slow on meta."""


def listed(what: str, entries: Sequence[str]) -> list[str]:
    """Lines of a diff: the first few entries under their kind, and how many more there are."""
    shown = [f"  {what}: {printable(entry, limit=200)}" for entry in entries[:_SHOWN]]
    rest = len(entries) - _SHOWN
    return [*shown, f"  … and {rest} more {what}"] if rest > 0 else shown


def sketched(make: Callable[[], Net], asked: str) -> Net:
    """Nets on torch's meta device: all names and shapes, no memory; within bounds.

    Args:
        make: Builds them; what a stranger may have written decides how.
        asked: Who asks, for the error.

    Raises:
        WeightsError: If they cannot be built, or are larger than `PARAMETERS` allows.
    """
    thread, counts = threading.get_ident(), {"parts": 0, "parameters": 0}

    def note(_module: nn.Module, _name: str, part: Any) -> None:
        if threading.get_ident() != thread:
            return
        counts["parts"] += 1
        if counts["parts"] > _MOST_PARTS:
            raise WeightsError(f"it asks for more than {_MOST_PARTS:,} layers", asked=asked)
        if isinstance(part, nn.Parameter):
            counts["parameters"] += part.numel()
            PARAMETERS.refuse_beyond(counts["parameters"], asked)

    hooks = [
        registration.register_module_parameter_registration_hook(note),
        registration.register_module_module_registration_hook(note),
        registration.register_module_buffer_registration_hook(note),
    ]
    try:
        with torch.device("meta"), _Undrawn():
            return make()
    except ZooError:
        raise
    except Exception as fault:  # whatever torch says of sizes that no net has
        reason = f"{type(fault).__name__}: {str(fault).split(chr(10), 1)[0][:200]}"
        raise WeightsError(
            f"no nets can be built as its configuration says ({reason})",
            asked=asked,
            hint="Export the model again with zoo train, or restore its config.yaml.",
        ) from fault
    finally:
        for hook in hooks:
            hook.remove()


def require_fit(
    target: Mapping[str, Tensor], found: Mapping[str, tuple[str, tuple[int, ...]]], asked: str
) -> None:
    """Raises `WeightsError` where types and shapes of a file are not those of the nets.

    Args:
        target: The tensors of the nets.
        found: What `tensor_header` says of the file.
        asked: The file, for the error.
    """
    common = {key: value for key, value in target.items() if key in found}
    lines = [
        *listed("missing", [key for key in target if key not in found]),
        *listed("unexpected", [key for key in found if key not in target]),
        *listed(
            "misshapen",
            [
                f"{key}: {found[key][1]} in the file, {tuple(value.shape)} in the net"
                for key, value in common.items()
                if found[key][1] != tuple(value.shape)
            ],
        ),
        *listed(
            "of a wrong type",
            [
                f"{key}: {found[key][0]} in the file"
                for key, value in common.items()
                if found[key][0] not in (_FLOATS if value.is_floating_point() else (_type(value),))
            ],
        ),
    ]
    if lines:
        raise WeightsError(
            "they do not fit the nets; they belong to another method, or to other options than "
            "config.yaml gives:\n" + "\n".join(lines),
            asked=asked,
        )


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _type_name(code: str) -> str:
    """The name that torch has for a type of safetensors: ``float16`` for ``F16``."""
    if code == "BOOL":
        return "bool"
    kinds = {"F": "float", "BF": "bfloat", "I": "int", "U": "uint"}
    kind = code.rstrip("0123456789")
    return kinds.get(kind, kind) + code[len(kind) :]


@contextlib.contextmanager
def _utf8_named(path: Path) -> Iterator[Path]:
    """A file by a name that is UTF-8, for libraries that take no other: its own, or a link's."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            link = Path(folder) / "file"
            link.symlink_to(path.absolute())
            yield link
    else:
        yield path
