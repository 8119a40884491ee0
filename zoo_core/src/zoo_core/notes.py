"""What is doubtful about many files or pages, in a line for each kind of doubt."""

from __future__ import annotations

import re
from collections.abc import Iterable

_COUNTED = re.compile(r"([\d,]+) (\w+) \([\d.]+ %\) (.+)", re.DOTALL)


class Notes:
    """Gathers the notes of things that are told in order; counts of the same are added up.

    ``4 values (1.6 %) beyond 0 to 9`` is a note with a count. A thing may be told again, with the
    same notes or more.
    """

    def __init__(self) -> None:
        self._number = -1
        self._counted: set[str] = set()
        self._things: dict[str, dict[int, None]] = {}
        self._totals: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def add(self, number: int, notes: Iterable[str]) -> None:
        """Takes the notes of a thing."""
        if number > self._number:
            self._number, self._counted = number, set()
        for note in notes:
            found = _COUNTED.fullmatch(note)
            kind = note if found is None else f"{found[2]} {found[3]}"
            self._first.setdefault(kind, note)
            self._things.setdefault(kind, {})[number] = None
            if found is not None and number == self._number and note not in self._counted:
                self._counted.add(note)
                self._totals[kind] = self._totals.get(kind, 0) + int(found[1].replace(",", ""))

    def texts(self) -> tuple[str, ...]:
        """One note of each kind."""
        return tuple(self._text(kind, len(of)) for kind, of in self._things.items())

    def things(self) -> dict[str, list[int]]:
        """The numbers of the things that the note of each kind is about."""
        return dict(zip(self.texts(), map(list, self._things.values()), strict=True))

    def _text(self, kind: str, things: int) -> str:
        total = self._totals.get(kind)
        return self._first[kind] if total is None or things == 1 else f"{total:,} {kind}"
