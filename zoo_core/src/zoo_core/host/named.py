"""Things that a run names together with their options: ``NAME:key=value,...``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_type_hints

import yaml

from zoo_core.errors import UsageError, unknown
from zoo_core.host.plugins import PluginHost
from zoo_core.schema import convert

T = TypeVar("T")


def parse_named(text: str, flag: str) -> tuple[str, dict[str, Any]]:
    """Name and values of ``NAME:key=value,...``; raises `UsageError` where it is malformed."""
    name, _, rest = text.partition(":")
    values: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise UsageError(
                f'"{part}" is not of the form key=value',
                asked=f"{flag} {text}",
                hint=f"Write {flag} NAME:key=value,key=value.",
            )
        values[key.strip()] = parse_value(value)
    return name, values


def open_named(kind: str, text: str, host: PluginHost) -> Any:
    """A component that is named together with its options, ``--KIND NAME:key=value``."""
    name, values = parse_named(text, f"--{kind}")
    return make_named(host.load(kind, name), values, asked=f"{kind} {name}")


def make_named(
    cls: type[T], values: Mapping[str, Any], *, asked: str, beside: Sequence[str] = ()
) -> T:
    """An object whose constructor's keyword arguments are the options, strictly typed.

    Args:
        cls: Its class.
        values: Options as text or plain values. Of an option without an annotation, text that is
            a number or a truth value is taken as one.
        asked: What the user wrote, for errors.
        beside: Keys that somebody else reads, for the list of what is known.

    Raises:
        UsageError: For an unknown or missing option (with the near match), or a wrong type.
    """
    parameters = inspect.signature(cls.__init__).parameters
    known = [
        name
        for name, parameter in parameters.items()
        if name != "self"
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    try:
        hints = get_type_hints(cls.__init__)
    except NameError:  # types that are imported for the type checker alone
        hints = {}
    arguments = {}
    for key, value in values.items():
        if key not in known:
            raise unknown(f"option of {asked}", key, [*beside, *known])
        if key in hints:
            value = convert(hints[key], value, asked=f"{key} of {asked}")
        arguments[key] = value if key in hints else _untyped(value)
    missing = [
        name
        for name in known
        if parameters[name].default is inspect.Parameter.empty and name not in arguments
    ]
    if missing:
        raise UsageError(f"it needs {', '.join(missing)}", asked=asked)
    return cls(**arguments)


def parse_value(text: str) -> Any:
    """The value of ``key=value``: lists, mappings and null as in YAML, all else as text."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
    return value if value is None or isinstance(value, list | dict) else text


def _untyped(value: Any) -> Any:
    """The number or truth value that a text stands for; anything else as it is."""
    if not isinstance(value, str):
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(value.lower(), value)
