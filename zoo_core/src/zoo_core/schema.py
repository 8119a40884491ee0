"""Plain values into dataclasses, strictly, and back; the one door to pydantic.

Plain values are what YAML and JSON hold: mappings, lists, texts, numbers, booleans and null.
Importing this module imports neither torch nor pydantic.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import yaml

from zoo_core.errors import UsageError, ZooError

T = TypeVar("T")
_SHOWN = 5
"""Faults that one message names."""


def fill(
    cls: type[T],
    values: object,
    *,
    asked: str,
    error: type[ZooError] = UsageError,
    hint: str | None = None,
    lenient: bool = False,
) -> T:
    """A dataclass from plain values.

    Args:
        cls: The dataclass; its fields may be dataclasses in turn. Its ``__post_init__`` may raise
            `ValueError` or `ZooError` for what types do not say.
        values: A mapping of its fields; those that are absent have their defaults.
        asked: Where the values come from, for the error.
        error: Class of the error.
        hint: What to do next.
        lenient: Whether texts are converted to numbers, as on a command line.

    Raises:
        ZooError: (``error``) Naming unknown keys, with the near match, or else everything that is
            missing or wrong.
    """
    from pydantic import ValidationError

    if not isinstance(values, Mapping):
        raise error(f"it is {brief(values)}, not a mapping", asked=asked, hint=hint)
    adapter, faults = _adapter(cast(Any, cls)), list(_unknown_keys(cls, values))
    try:
        if not faults:
            # By way of JSON, where strict types still let a list fill a tuple.
            made: T = adapter.validate_json(json.dumps(values), strict=not lenient)
            return made
    except ValidationError as fault:
        faults = [_said(item) for item in fault.errors(include_url=False)]
    except ZooError as fault:
        faults = [f"{fault.asked}: {fault.problem}"]
    except (TypeError, ValueError, RecursionError) as fault:
        faults = [str(fault)[:200]]
    more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    raise error("; ".join(faults[:_SHOWN]) + more, asked=asked, hint=hint)


def convert(kind: Any, value: Any, *, asked: str) -> Any:
    """One value as a type, converted as on a command line.

    Raises:
        UsageError: If it is none of this type.
    """
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_python(value)
    except ValidationError as fault:
        raise UsageError(_said(fault.errors(include_url=False)[0]), asked=asked) from fault


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


def write_yaml(values: Mapping[str, Any]) -> str:
    """The YAML text of plain values, in their own order (the same text every time)."""
    text: str = yaml.safe_dump(plain(values), sort_keys=False, allow_unicode=True, width=100)
    return text


def brief(value: object) -> str:
    """A value in a few characters, for messages."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


@cache
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _unknown_keys(cls: type[Any], values: Mapping[Any, Any], inside: str = "") -> Iterator[str]:
    """A complaint for every key that is no field, at any depth."""
    try:
        types = get_type_hints(cls)
    except NameError:  # of a class within a function
        types = {}
    known = [field.name for field in dataclasses.fields(cls) if field.init]
    for key, value in values.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
            guess = f' (did you mean "{inside}{near[0]}"?)' if near else ""
            yield f'unknown key "{inside}{key}"{guess}'
            continue
        by_name = get_origin(types.get(key)) in (dict, Mapping) and isinstance(value, Mapping)
        for item in value.values() if by_name else value if isinstance(value, list) else [value]:
            for inner in _dataclasses_in(types.get(key)) if isinstance(item, Mapping) else ():
                yield from _unknown_keys(inner, item, f"{inside}{key}.")


def _dataclasses_in(hint: Any) -> list[type[Any]]:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return [hint]
    return [found for part in get_args(hint) for found in _dataclasses_in(part)]


def _said(item: Any) -> str:
    """A complaint of pydantic in plain words."""
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] == "missing":
        return f'"{where}" is missing'
    message = item["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if item["type"] == "value_error":
        return f'"{where}": {message}' if where else message
    text = f"{message}, got {brief(item.get('input'))}"
    return f'"{where}": {text}' if where else text
