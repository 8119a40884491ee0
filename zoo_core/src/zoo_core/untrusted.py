"""The one door for what others wrote: names, numbers and bounded text.

A model directory, a card, a registry, a checkpoint and an answer of a server are data of a
stranger. They are read here, within bounds, before anything believes them: regular files of known
names, no links out, no paths, no addresses, and the very files that are meant. Importing this
module imports no torch.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from zoo_core.errors import UsageError, WeightsError, ZooError, printable

_SHA256, _COMMIT = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
_REPO_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?<![.-])"
_REPO = re.compile(rf"(?!.*(?:--|\.\.)){_REPO_NAME}/{_REPO_NAME}")
_LONGEST_REPO = 96
_DEEPEST = 64
_LONGEST_NUMBER = 100
_TOO_DEEP = "it is nested too deeply"
AGAIN = "Restore the file, or export the model again."
"""What to do where a file of weights cannot be used."""
_building: ContextVar[str | None] = ContextVar("building", default=None)

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Limit:
    """A ceiling that a user may raise.

    Attributes:
        variable: Environment variable that sets another.
        default: The ceiling otherwise.
        unit: What is counted.
    """

    variable: str
    default: int
    unit: str

    def value(self) -> int:
        """The ceiling now.

        Raises:
            UsageError: If the variable holds no positive whole number.
        """
        given = os.environ.get(self.variable)
        if given is None:
            return self.default
        if not re.fullmatch(r"[1-9][0-9]{0,17}", given):
            raise UsageError(
                "it is no positive whole number",
                asked=f'{self.variable} "{given[:40]}"',
                hint=f"Write such as {self.variable}={self.default}.",
            )
        return int(given)

    def refuse_beyond(self, found: int, asked: str, error: type[ZooError] = WeightsError) -> None:
        """Raises ``error`` where more is asked for than the ceiling."""
        if found > self.value():
            raise error(
                f"it asks for {found:,} {self.unit}, more than the {self.value():,} allowed",
                asked=asked,
                hint=f"If you trust it, set {self.variable} to allow more.",
            )


TEXT = Limit("ZOO_MAX_TEXT", 1_000_000, "bytes of text")
"""Of a registry, a configuration, a card."""
PARAMETERS = Limit("ZOO_MAX_PARAMETERS", 250_000_000, "parameters")
"""Of all nets of one model together."""


def is_sha256(text: str) -> bool:
    """Whether a text is a sha256 in its one spelling: 64 lowercase hexadecimal digits."""
    return _SHA256.fullmatch(text) is not None


def is_commit(text: str) -> bool:
    """Whether a text is a whole commit: 40 lowercase hexadecimal digits."""
    return _COMMIT.fullmatch(text) is not None


def is_repo(text: str) -> bool:
    """Whether a text names a repository of the Hub, ``organisation/name``, by the Hub's rules."""
    return _REPO.fullmatch(text) is not None and len(text) <= _LONGEST_REPO


def is_inside(path: str) -> bool:
    """Whether a POSIX path is relative, printable and cannot leave its folder."""
    odd = path != printable(path) or path.endswith("/") or any(sign in path for sign in "\\:\n\t")
    parts = PurePosixPath(path).parts
    return bool(parts) and not parts[0].startswith("/") and ".." not in parts and not odd


def require_names(
    value: object, *, asked: str, inside: str = "", known: Collection[str] = ()
) -> None:
    """Raises `WeightsError` where plain values hold a text that is a path or an address.

    Args:
        value: The values.
        asked: Where they come from, for the error.
        inside: The key that they are under, for the error.
        known: Texts that may be there whatever they look like: the model's domains.
    """
    items: Iterable[tuple[object, object]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    elif (
        isinstance(value, str)
        and value not in known
        and (re.search(r"[/\\@\0]", value) or len(value) > 200)
    ):
        raise WeightsError(
            f'"{inside}" is {value[:60]!r}: a model says names and numbers, no paths or addresses',
            asked=asked,
            hint="Do not use it, unless you know who wrote it and why.",
        )
    for key, item in items:
        require_names(key, asked=asked, inside=inside, known=known)
        require_names(item, asked=asked, inside=f"{inside}.{key}".lstrip("."), known=known)


@contextmanager
def building(asked: str) -> Iterator[None]:
    """While a model of a stranger is built: nothing is fetched, and no other file is opened."""
    token = _building.set(asked)
    try:
        yield
    finally:
        _building.reset(token)


def refuse_while_building(what: str) -> None:
    """Called by whatever opens files or fetches them by a name that an option may give.

    Raises:
        WeightsError: If a model of a stranger asks for it.
    """
    asked = _building.get()
    if asked is not None:
        raise WeightsError(
            f"it asks for {what}, but a model holds all that it needs",
            asked=asked,
            hint="Do not use it, or export it again with zoo train.",
        )


def member(directory: Path, name: str) -> Path | None:
    """A file of a directory that others made; None where there is none.

    Raises:
        WeightsError: If it is a link that leaves the directory, or no regular file.
    """
    path = directory / name
    try:
        if not os.path.lexists(path):
            return None
        whole, real = directory.resolve(strict=True), path.resolve(strict=True)
        if real.is_relative_to(whole) and stat.S_ISREG(real.stat().st_mode):
            return path
        problem = "it is no regular file of this directory"
    except (OSError, RuntimeError) as fault:  # the latter for a loop of links, before Python 3.13
        problem = f"it cannot be opened ({getattr(fault, 'strerror', 'a loop of links')})"
    raise WeightsError(
        problem,
        asked=f"file {path}",
        hint="Nothing that a link points to is read or published; put the file itself there.",
    )


def verify(path: Path, *, sha256: str | None = None, size: int | None = None) -> None:
    """Checks that a file is there and is the very file that is meant, before anyone opens it.

    Args:
        path: The file.
        sha256: Expected hash, 64 lowercase hexadecimal digits; None: not checked.
        size: Expected number of bytes; None: not checked.

    Raises:
        WeightsError: If the file is missing or is another.
    """
    asked = f"weights {path}"
    if not path.is_file():
        raise WeightsError("the file is missing", asked=asked, hint=AGAIN)
    found = path.stat().st_size
    if size is not None and found != size:
        raise WeightsError(f"it has {found} bytes, expected {size}", asked=asked, hint=AGAIN)
    if sha256 is not None and (digest := file_sha256(path)) != sha256:
        raise WeightsError(
            f"its sha256 is {digest[:16]}…, expected {sha256[:16]}…",
            asked=asked,
            hint="It is damaged or was exchanged; do not use it. " + AGAIN,
        )


def file_sha256(path: Path) -> str:
    """The sha256 of a file, in lowercase hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_text(path: Path, *, error: type[ZooError] = WeightsError, errors: str = "strict") -> str:
    """A text file, no longer than `TEXT` allows.

    Args:
        path: The file.
        error: Class of the error.
        errors: What happens to bytes that are no UTF-8, as for `open`.

    Raises:
        ZooError: (``error``) If it is longer, no text, no regular file, or cannot be read.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise error("it is no regular file", asked=str(path))
        TEXT.refuse_beyond(facts.st_size, str(path), error)
        with path.open("rb") as file:
            return file.read(TEXT.value()).decode("utf-8", errors)
    except UnicodeDecodeError as fault:
        raise error("it is not a text file", asked=str(path)) from fault
    except OSError as fault:
        raise error(f"cannot be read: {fault.strerror}", asked=str(path)) from fault


def read_yaml(text: str, *, asked: str, error: type[ZooError] = ZooError) -> dict[str, Any]:
    """Parses a YAML document that must be a mapping of plain values.

    Args:
        text: The document.
        asked: Where it comes from, for the error.
        error: Class of the error.

    Raises:
        ZooError: (``error``) If the text is too long, is no YAML, holds aliases, tags or
            duplicate keys, or is no mapping.
    """
    hint = "It must be a YAML mapping of plain values."
    TEXT.refuse_beyond(len(text), asked, error)
    try:
        if trap := _trap(text):
            raise error(trap, asked=asked, hint=hint)
        value = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as fault:
        raise error(f"it is not valid YAML: {_one_line(fault)}", asked=asked, hint=hint) from fault
    if not isinstance(value, dict):
        names = {type(None): "nothing", str: "text", list: "a list"}
        what = names.get(type(value), f"a {type(value).__name__}")
        raise error(f"it holds {what}, not a mapping", asked=asked, hint=hint)
    for key in value:
        if not isinstance(key, str):
            raise error(f"the key {key!r} is not a string", asked=asked, hint=hint)
    return value


def read_yaml_file(path: Path, *, error: type[ZooError] = ZooError) -> dict[str, Any]:
    """`read_yaml` of a file; a file that cannot be read as text is the same kind of error."""
    return read_yaml(read_text(path, error=error), asked=str(path), error=error)


class _Loader(_Base):  # type: ignore[misc]
    """The safe loader, which also refuses a key that is given twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[Any] = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else id(key_node)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _trap(text: str) -> str | None:
    """What makes a document costly to read, where it does so on purpose or by accident."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                # A few lines of aliases expand to gigabytes as soon as anything prints them.
                return "it holds an alias (*name)"
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > _DEEPEST:
                return _TOO_DEEP
            if isinstance(event, yaml.ScalarEvent) and _is_long_number(event):
                return "it holds a number of too many digits"
    except yaml.YAMLError as fault:
        # The parser looks ahead, and libyaml has a limit of its own since PyYAML 6.0.4.
        if "nesting depth" in str(fault):
            return _TOO_DEEP
        raise
    return None


def _is_long_number(event: yaml.ScalarEvent) -> bool:
    """Whether a scalar would be read as a number, at a cost that is quadratic in its length."""
    digits = event.implicit[0] and len(event.value) > _LONGEST_NUMBER
    return digits and re.fullmatch(r"[-+\d_:.eExa-fA-F]+", event.value) is not None


def _one_line(fault: Exception) -> str:
    mark = getattr(fault, "problem_mark", None)
    where = f" (line {mark.line + 1})" if mark else ""
    return (getattr(fault, "problem", None) or str(fault).split("\n", 1)[0])[:200] + where
