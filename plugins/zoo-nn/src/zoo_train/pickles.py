"""Reads what torch.save wrote and calls nothing of it.

A file whose pickle names only what tensors and plain values need goes to torch's restricted
reader. Checkpoints often hold more: arguments, numbers of NumPy, objects of another project. An
archive with such extras is read here, where every class and function has a stand-in that does
nothing, so that the tensors beside them can be had.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_NEEDED = re.compile(
    r"collections\.(OrderedDict|Counter)|builtins\.(set|complex)|torch\.(Size|device)"
    r"|torch\.(\w+\.)?\w+Storage|torch\.nn\.parameter\.Parameter"
    r"|torch\._utils\._rebuild_(tensor|tensor_v2|tensor_v3|parameter|parameter_with_state)"
    r"|torch\._tensor\._rebuild_from_type_v2|torch\.(u?int|float|bfloat|complex)\d+\w*|torch\.bool"
)
"""What is called to make tensors and plain values; none takes more memory than the file has."""
_PICKLES = 5
"""How many pickles torch once put one after another."""
_LARGEST = 16_000_000
"""Bytes of a pickle that are searched for names."""
_PLAIN = re.compile(
    r"argparse\.Namespace|types\.SimpleNamespace|collections\.(OrderedDict|Counter|deque)"
    r"|collections\.defaultdict|builtins\.(bool|int|float|complex|str|slice|x?range"
    r"|object|tuple|list|dict|set|frozenset)|copyreg\._reconstructor|_codecs\.encode"
    r"|decimal\.Decimal|fractions\.Fraction|uuid\.UUID|datetime\.\w+|pathlib(\._local)?\.\w+"
    r"|numpy\.(dtype|ndarray)|numpy\._?core\.multiarray\.\w+|numpy\.random\.\w+(\.\w+)?"
    r"|torch\.(Size|device)"
)
"""What makes plain values: a pickle that calls it is not suspicious."""
_STORED = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
"""Type of the numbers in each kind of storage."""


class WouldCallError(Exception):
    """A pickle asks to call something that makes no plain value."""


class StandIn(dict[Any, Any]):
    """Stands for a value that is left out; the items of a dictionary's subclass are kept.

    Attributes:
        stands_for: What it stands for, such as ``argparse.Namespace``.
    """

    stands_for: str = ""

    def __setstate__(self, state: object) -> None:
        """Forgets the attributes that the value had."""

    def append(self, item: object) -> None:
        """Forgets an element, as of a list."""

    def extend(self, items: Iterable[object]) -> None:
        """Forgets elements, as of a list."""

    def add(self, item: object) -> None:
        """Forgets an element, as of a set."""


class _Meta(type):
    """Calling a stand-in makes a plain value's stand-in, or is refused."""

    def __call__(cls, *args: object, **kwargs: object) -> Any:
        name: str = cls.stands_for  # type: ignore[attr-defined]
        if not _PLAIN.fullmatch(name):
            raise WouldCallError(name)
        return cls.__new__(cls)  # type: ignore[call-overload]


def stand_in(name: str) -> Any:
    """What takes the place of a class or function: nothing is imported, nothing is called."""

    def new(cls: type, *args: object, **kwargs: object) -> object:
        return dict.__new__(cls)

    return _Meta("StandIn", (StandIn,), {"stands_for": name, "__new__": new})


class _Reader(pickle._Unpickler):
    """Python's own unpickler, whose classes and functions all are those of `_known`, or stand-ins.

    Not the one in C: that takes memory for as many memos as a file claims to have.

    Args:
        archive: What torch.save wrote.
        folder: Folder of the archive that holds the pickle.
        content: The pickle.
    """

    def __init__(self, archive: zipfile.ZipFile, folder: str, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self._archive, self._folder = archive, folder
        self._size = Path(str(archive.filename)).stat().st_size
        self._storages: dict[str, Tensor] = {}
        self._taken = 0
        self._stand_ins: dict[str, Any] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Our own function of a name, or its stand-in."""
        full = _modern(f"{module}.{name}")
        if full in _KNOWN:
            return _KNOWN[full]
        if module == "torch" and name in _STORED:
            return name
        return self._stand_ins.setdefault(full, stand_in(full))

    def persistent_load(self, pid: Any) -> Tensor:
        """(n,) the numbers of one storage."""
        what, kind, key, _, count = pid
        if what != "storage" or kind not in _STORED or not re.fullmatch(r"\w+", str(key)):
            raise pickle.UnpicklingError(f"a storage of an unknown kind ({what})")
        if key not in self._storages:
            content = bytearray(self._archive.read(f"{self._folder}data/{key}"))
            self._taken += len(content)
            if self._taken > self._size:
                raise pickle.UnpicklingError("its storages overlap")
            self._storages[key] = torch.frombuffer(content, dtype=_STORED[kind], count=count)
        return self._storages[key]


def _tensor(storage: Tensor, offset: int, size: Any, stride: Any, *_: object) -> Tensor:
    return storage.as_strided(size, stride, offset)


def _parameter(data: Tensor, *_: object) -> Tensor:
    return data


_KNOWN: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": OrderedDict,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
}


def read_pickle(path: Path) -> Any:
    """What torch.save wrote; what is neither tensor nor plain value is a `StandIn`, or one's class.

    Raises:
        WouldCallError: If it asks to call something that makes no plain value.
        Exception: Anything, where the file is damaged or hostile.
    """
    if not (names := _foreign(names_in(path))):
        return _read_by_torch(path)
    if not zipfile.is_zipfile(path):
        raise WouldCallError(names[0])
    with zipfile.ZipFile(path) as archive:
        held, content = _pickle_in(archive)
        return _Reader(archive, held.removesuffix("data.pkl"), content).load()


def read_own_pickle(path: Path) -> Any:
    """Tensors and plain values that torch.save wrote in an archive, as for a run's checkpoint.

    Raises:
        WouldCallError: If it needs anything else.
        Exception: Anything, where the file is damaged or hostile: a tensor that repeats numbers
            might take any amount of memory as soon as it is copied.
    """
    if not zipfile.is_zipfile(path):
        raise ValueError("it is no archive")
    if names := _foreign(names_in(path)):
        raise WouldCallError(f"it would call {names[0]}")
    value = _read_by_torch(path)
    for tensor in _tensors(value):
        if tensor.nbytes > tensor.untyped_storage().nbytes():
            raise ValueError("a tensor claims more numbers than it holds")
    return value


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    items = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list | tuple):
        for item in items:
            yield from _tensors(item)


def _read_by_torch(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch remarks on the form of a file it then refuses
        return torch.load(path, map_location="cpu", weights_only=True)


def called_by(path: Path) -> list[str]:
    """Names in the pickles of a file that tensors and plain values do not need; none in garbage."""
    try:
        return _foreign(names_in(path))
    except Exception:  # whatever garbage makes of the readers of archives and pickles
        return []


def names_in(path: Path) -> list[str]:
    """Names of classes and functions in the pickles of a file.

    They are read without executing anything: torch's restricted reader calls some that take any
    amount of memory, such as ``bytearray``.

    Raises:
        Exception: Anything, if there is no pickle in it, or one of a form that torch does not
            write, and no name that tells more.
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
                    names.append(_modern(str(value).replace(" ", ".")))
                elif code.name == "STACK_GLOBAL":
                    names.append(".".join(texts[-2:]))
    except Exception:  # whatever garbage makes of the readers of archives and pickles
        if not _foreign(names):
            raise
    return names


def _modern(name: str) -> str:
    """A name as of Python 3, where protocol 2 writes those of Python 2."""
    return re.sub(r"^__builtin__\.", "builtins.", re.sub(r"^copy_reg\.", "copyreg.", name))


def _foreign(names: list[str]) -> list[str]:
    return [name for name in names if not _NEEDED.fullmatch(name)]


def _pickled(path: Path) -> bytes:
    """The pickles at the beginning of a file, which newer versions of torch put in an archive."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            return file.read(_LARGEST)
    with zipfile.ZipFile(path) as archive:
        return _pickle_in(archive)[1]


def _pickle_in(archive: zipfile.ZipFile) -> tuple[str, bytes]:
    """Name and content of the pickle of an archive."""
    members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("its archive is compressed")  # torch's never is; this may be a bomb
    # Were there two, torch might read the one that was not looked at.
    (name,) = (m.filename for m in members if m.filename.rpartition("/")[2] == "data.pkl")
    with archive.open(name) as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError("its pickle is too large")
    return name, content
