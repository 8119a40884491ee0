"""What a check of the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One fact about an installation.

    Attributes:
        check: Name of the check, such as ``versions``.
        subject: What was looked at, such as a package, a plugin or a folder.
        state: ``ok``; ``note`` for what a user may want to know; ``wrong`` for what is broken or
            unsafe.
        found: What was found.
        mend: What to do; empty where nothing need be done.
    """

    check: str
    subject: str
    state: State
    found: str
    mend: str = ""
