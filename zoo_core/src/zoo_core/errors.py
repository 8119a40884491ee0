"""Errors that a user can cause: each names what was asked, what is wrong, and what to do next."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from zoo_core.text import printable

_SECRETS = re.compile(r"(?<=://)[^/\s@]+@|\bhf_[A-Za-z0-9]{20,}")
"""Name and password within an address, and tokens of the Hub."""


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


def _restored(cls: type[ZooError], args: tuple[Any, ...], fields: dict[str, Any]) -> ZooError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(fields)
    return error


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
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    guess = f'Did you mean "{near[0]}"? ' if near else ""
    rest = next_step or (f"Known: {', '.join(names)}." if names else f"There is no {kind} at all.")
    return UsageError(
        f"there is no {kind} of this name", asked=f'{kind} "{name}"', hint=guess + rest
    )


def _shown(text: str) -> str:
    return printable(_SECRETS.sub("…", text))
