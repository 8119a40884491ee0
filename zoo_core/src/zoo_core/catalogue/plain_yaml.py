"""Reads YAML that someone else wrote, and writes YAML that everyone can read: plain values only."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from zoo_core.errors import ZooError

LARGEST = 4_000_000
"""Characters beyond which a YAML file is refused unread."""
_DEEPEST = 64
_TOO_DEEP = "it is nested too deeply"

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
    if len(text) > LARGEST:
        raise error(f"it is longer than {LARGEST} characters", asked=asked, hint=hint)
    try:
        if fault_found := _trap(text):
            raise error(fault_found, asked=asked, hint=hint)
        value = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as fault:
        raise error(f"it is not valid YAML: {_one_line(fault)}", asked=asked, hint=hint) from fault
    if not isinstance(value, dict):
        raise error(f"it holds {_what(value)}, not a mapping", asked=asked, hint=hint)
    for key in value:
        if not isinstance(key, str):
            raise error(f"the key {key!r} is not a string", asked=asked, hint=hint)
    return value


def read_yaml_file(path: Path, *, error: type[ZooError] = ZooError) -> dict[str, Any]:
    """`read_yaml` of a file; a file that cannot be read as text is the same kind of error."""
    try:
        if path.stat().st_size > LARGEST:
            raise error(f"it is larger than {LARGEST} bytes", asked=str(path))
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as fault:
        raise error("it is not a text file", asked=str(path)) from fault
    except OSError as fault:
        raise error(f"cannot be read: {fault.strerror}", asked=str(path)) from fault
    return read_yaml(text, asked=str(path), error=error)


def write_yaml(values: Mapping[str, Any]) -> str:
    """The YAML text of plain values, in their own order (the same text every time)."""
    text: str = yaml.safe_dump(plain(values), sort_keys=False, allow_unicode=True, width=100)
    return text


def plain(value: Any) -> Any:
    """The value as dicts, lists, strings, numbers, booleans and None.

    Raises:
        TypeError: If it holds anything that has no plain form.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} has no plain form: {value!r}")


def _trap(text: str) -> str | None:
    """What makes a document costly to read, where it does so on purpose or by accident."""
    try:
        return _costly(yaml.parse(text, Loader=_Loader))
    except yaml.YAMLError as fault:
        # The parser looks ahead, and libyaml has a limit of its own since PyYAML 6.0.4.
        if "nesting depth" in str(fault):
            return _TOO_DEEP
        raise


def _costly(events: Iterable[yaml.Event]) -> str | None:
    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            # A few lines of aliases expand to gigabytes as soon as anything prints them.
            return "it holds an alias (*name)"
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            return _TOO_DEEP
    return None


def _one_line(fault: Exception) -> str:
    mark = getattr(fault, "problem_mark", None)
    where = f" (line {mark.line + 1})" if mark else ""
    return (getattr(fault, "problem", None) or str(fault).split("\n", 1)[0])[:200] + where


def _what(value: Any) -> str:
    names = {type(None): "nothing", str: "text", list: "a list"}
    return names.get(type(value), f"a {type(value).__name__}")
