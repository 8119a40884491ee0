"""The options of methods, losses and trainings, from code and docstrings alone."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from docstring_parser import DocstringStyle, parse

from zoo_core.schema import plain

REQUIRED = object()
"""Default of an option that has none."""


@dataclass(frozen=True)
class Explained:
    """An option, as ``--set`` or ``--loss`` takes it.

    Attributes:
        key: Its key, such as ``cycle`` or ``train.batch``.
        meaning: Its docstring.
        type: Its type in words: ``integer``, ``number or null``, ``true or false`` ….
        choices: The values that it may have, where they are few.
        default: Its value where nobody sets it, plain; `REQUIRED` where it has none.
        presets: Its value by preset, plain, for presets that set another.
    """

    key: str
    meaning: str
    type: str
    choices: tuple[str, ...] = ()
    default: Any = None
    presets: Mapping[str, Any] = field(default_factory=dict)

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is REQUIRED

    def value(self, preset: str) -> Any:
        """Its value with a preset, plain."""
        return self.presets.get(preset, self.default)


def of_dataclass(
    cls: type[Any], presets: Mapping[str, Mapping[str, Any]], prefix: str = ""
) -> list[Explained]:
    """The fields of a dataclass.

    Args:
        cls: The dataclass; its docstring explains the fields under ``Attributes``.
        presets: Plain values by preset; those that are absent have the field's default.
        prefix: Put ahead of each name.
    """
    meanings, hints = _meanings(cls), get_type_hints(cls)
    explained = []
    for entry in fields(cls):
        default = _default(entry)
        set_by = {
            preset: values[entry.name]
            for preset, values in presets.items()
            if entry.name in values and values[entry.name] != default
        }
        explained.append(
            Explained(
                prefix + entry.name,
                meanings.get(entry.name, ""),
                _type_in_words(hints[entry.name]),
                _choices(hints[entry.name]),
                default,
                set_by,
            )
        )
    return explained


def of_constructor(cls: type[Any]) -> list[Explained]:
    """The keyword arguments of a class's constructor, explained under ``Args`` of its docstring."""
    meanings = _meanings(cls)
    try:
        hints = get_type_hints(cls.__init__)
    except NameError:  # types that are imported for the type checker alone
        hints = {}
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return [
        Explained(
            parameter.name,
            meanings.get(parameter.name, ""),
            _type_in_words(hints.get(parameter.name, Any)),
            _choices(hints.get(parameter.name, Any)),
            REQUIRED if parameter.default is parameter.empty else plain(parameter.default),
        )
        for parameter in parameters
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]


def summary(cls: type[Any]) -> str:
    """The first paragraph of a class's docstring, in one line."""
    return " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())


def _meanings(cls: type[Any]) -> dict[str, str]:
    """What docstrings say of each field or argument; inherited ones by their own class."""
    meanings: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        found = parse(base.__doc__ or "", style=DocstringStyle.GOOGLE).params
        meanings |= {param.arg_name: " ".join((param.description or "").split()) for param in found}
    return meanings


def _default(entry: Field[Any]) -> Any:
    if entry.default is not MISSING:
        return plain(entry.default)
    if entry.default_factory is not MISSING:
        return plain(entry.default_factory())
    return REQUIRED


_WORDS = {
    bool: "true or false",
    int: "integer",
    float: "number",
    str: "text",
    type(None): "null",
    Any: "value",
}


def _type_in_words(hint: Any) -> str:
    """A type as people say it."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Callable:
        return "function"
    if hint in _WORDS:
        return _WORDS[hint]
    if origin is Literal:
        return "one of"
    if origin in (Union, types.UnionType):
        return " or ".join(_type_in_words(part) for part in parts)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping of {_type_in_words(parts[0])} to {_type_in_words(parts[1])}"
    if parts:
        inner = {_type_in_words(part): None for part in parts if part is not Ellipsis}
        return f"list of {' and '.join(inner)}"
    return getattr(hint, "__name__", str(hint))


def _choices(hint: Any) -> tuple[str, ...]:
    """The values of every `Literal` within a type."""
    return tuple(str(value) for value in _literals(hint))


def _literals(hint: Any) -> Iterator[Any]:
    if get_origin(hint) is Literal:
        yield from get_args(hint)
        return
    for part in get_args(hint):
        yield from _literals(part)
