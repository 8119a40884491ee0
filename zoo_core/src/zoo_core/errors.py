"""Errors that a user can cause: each names what was asked, what is wrong, and what to do next.

What they quote came from somewhere else, and is made safe to print.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_SECRETS = re.compile(r"(?<=://)[^/\s@]+@|\bhf_[A-Za-z0-9]{20,}")
"""Name and password within an address, and tokens of the Hub."""
_KEPT = frozenset("\n\t\u200c\u200d")
"""Line feed, tab, and the joiners that some scripts and emoji are written with."""
PRIVATE = 0x100000
"""From a byte of a file name that is no text, as Python holds it, to a private sign."""
_DANGEROUS = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories that a terminal may obey rather than show."""


class ZooError(Exception):
    """A failure that the user can understand and mend.

    Args:
        problem: What is wrong, in one sentence without a final full stop.
        asked: What was asked for, such as ``model "stargan-emojy"`` or a path.
        hint: What to do next, a full sentence.

    All three are made printable, and secrets within them are left out.
    """

    exit_code = 1

    def __init__(self, problem: str, *, asked: str | None = None, hint: str | None = None) -> None:
        self.problem = _shown(problem)
        self.asked = None if asked is None else _shown(asked)
        self.hint = None if hint is None else _shown(hint)
        head = f"{self.asked}: {self.problem}" if self.asked else self.problem
        super().__init__(f"{head}. {self.hint}" if self.hint else f"{head}.")

    def __reduce__(self) -> tuple[Any, ...]:
        """For processes that hand an error on, whatever arguments its class takes."""
        return _restored, (type(self), self.args, self.__dict__)


class UsageError(ZooError):
    """The request itself is wrong: an unknown name, option, type or domain."""

    exit_code = 2


class AbsentNameError(UsageError, AttributeError):
    """Nothing that is installed brings a name of ``import zoo``."""


class DataError(ZooError):
    """A file, folder or recording cannot be used."""


class WeightsError(ZooError):
    """Weights are missing, damaged, or do not fit the nets."""


class HubError(WeightsError):
    """The Hub has not what is asked for, refuses it, or sends something else."""


class HubUnreachableError(HubError):
    """The Hub gave no usable answer; what is on this machine works all the same."""


class PluginError(ZooError):
    """A plugin is broken, misspelt or in conflict with another."""


class TrainingError(ZooError):
    """Training cannot start or go on."""


def unknown(
    kind: str, name: str, known: Iterable[str], *, next_step: str | None = None
) -> UsageError:
    """Builds the error for a name that is not among the known ones, with the nearest match.

    Args:
        kind: What the name should have been, such as ``model`` or ``domain``.
        name: The name as given.
        known: The names that would have been accepted.
        next_step: A sentence that replaces the list of known names, where the list would be long.
    """
    import difflib  # needed by few

    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    guess = f'Did you mean "{near[0]}"? ' if near else ""
    rest = next_step or (f"Known: {', '.join(names)}." if names else f"There is no {kind} at all.")
    return UsageError(
        f"there is no {kind} of this name", asked=f'{kind} "{name}"', hint=guess + rest
    )


def explained(fault: Exception, name: str) -> ZooError:
    """What went wrong with a file of this name, as an error of ours."""
    if isinstance(fault, ZooError):
        return fault
    if isinstance(fault, MemoryError):
        return DataError("there is not enough memory for it", asked=name, hint="Use --size.")
    text = getattr(fault, "strerror", None) or str(fault)
    return DataError(f"it cannot be read or written: {text}", asked=name)


def printable(text: str, *, limit: int | None = None) -> str:
    r"""A text in which nothing but line feeds and tabs can steer a terminal.

    Control characters, escape sequences, marks of writing direction and bytes of file names that
    are no text are shown as escapes such as ``\x1b``.

    Args:
        text: Any text: a file name, a key of a configuration, an answer of a server.
        limit: Most characters; what is longer ends in ``…``.
    """
    if limit is not None and len(text) > limit:
        text = text[:limit] + "…"
    if text.isascii() and text.isprintable():
        return text
    import unicodedata  # needed by few

    return "".join(
        sign if sign in _KEPT or unicodedata.category(sign) not in _DANGEROUS else _escaped(sign)
        for sign in text
    )


def _restored(cls: type[ZooError], args: tuple[Any, ...], fields: dict[str, Any]) -> ZooError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(fields)
    return error


def _shown(text: str) -> str:
    return printable(_SECRETS.sub("…", text))


def _escaped(sign: str) -> str:
    number = ord(sign)
    if 0xDC80 <= number - PRIVATE <= 0xDCFF:
        number -= PRIVATE
    if 0xDC80 <= number <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{number - 0xDC00:02x}"
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
