"""Pictures with attributes: those for which an expression holds, or all of them with labels.

Shapes: M pictures, K attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from zoo_core.contracts.signals import Domains
from zoo_core.errors import DataError, unknown
from zoo_core.finding import LeftOut
from zoo_train.data.folders import SourceFiles

_HAIR = ("black", "blond", "blonde", "brown", "gray", "grey", "red", "white", "blue", "pink")


@dataclass(frozen=True)
class LabelledPictures:
    """The pictures of one split, and which attributes each of them has.

    Attributes:
        asked: The list that says it, for errors.
        attributes: Names of the K attributes.
        files: The M pictures' files.
        names: Name of each.
        rows: For each picture, whether each attribute holds.
        place: Where they are, in plain words.
        split: Their split; None where the list has no splits.
        faults: Why attributes that the list names cannot be used.
        groups: Attributes that exclude each other, as the list declares it.
        left_out: Pictures that are not used.
        notes: What else is to be said.
    """

    asked: str
    attributes: tuple[str, ...]
    files: Sequence[Path]
    names: Sequence[str]
    rows: Sequence[tuple[bool, ...]]
    place: str
    split: str | None
    faults: dict[str, str] = field(default_factory=dict)
    groups: tuple[tuple[str, ...], ...] = ()
    left_out: LeftOut = field(default_factory=LeftOut)
    notes: Sequence[str] = ()

    def column(self, name: str) -> int:
        """Position of an attribute.

        Raises:
            DataError: If the list's values for it are none that can be used.
            UsageError: If it is unknown; names the near match.
        """
        if name in self.faults:
            raise DataError(self.faults[name], asked=f'attribute "{name}" of {self.asked}')
        if name not in self.attributes:
            raise unknown("attribute", name, self.attributes)
        return self.attributes.index(name)

    def select(self, expression: str) -> SourceFiles:
        """The pictures for which every attribute of ``A,!B`` holds, or does not where negated.

        Raises:
            DataError: If there is none.
            UsageError: If an attribute is unknown.
        """
        kept = range(len(self.files))
        for term in filter(None, (term.strip() for term in expression.split(","))):
            name, wanted = self._term(term)
            kept = [at for at in kept if self.rows[at][name] == wanted]
        if not kept:
            raise DataError(
                f"no picture of the split {self.split or 'all'} is so",
                asked=f"{self.asked}:{expression}",
                hint="Ask for fewer attributes at once.",
            )
        where = f" where {expression}" if expression else ""
        return SourceFiles(
            [self.files[at] for at in kept],
            [self.names[at] for at in kept],
            None,
            self._place(where),
            self.split,
            self.left_out,
            self.notes,
        )

    def label(self, attributes: Sequence[str]) -> tuple[SourceFiles, Domains]:
        """All pictures with labels (M, K), and the attributes as domains.

        Raises:
            DataError: If an attribute holds for all pictures or for none.
            UsageError: If one is unknown.
        """
        columns = [self.column(name) for name in attributes]
        rows = [[row[column] for column in columns] for row in self.rows]
        labels = torch.tensor(rows, dtype=torch.float32)  # (M, K)
        for name, count in zip(attributes, labels.sum(0).tolist(), strict=True):
            if count in (0, len(rows)):
                which = "no" if count == 0 else "every"
                raise DataError(
                    f"it holds for {which} picture of the split {self.split or 'all'}",
                    asked=f'attribute "{name}"',
                    hint="A translation can be learnt only where both cases occur.",
                )
        domains = Domains(tuple(attributes), "attributes", self.exclusive_groups(attributes))
        found = SourceFiles(
            self.files,
            self.names,
            labels,
            self._place(),
            self.split,
            self.left_out,
            self.notes,
        )
        return found, domains

    def exclusive_groups(self, wanted: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Groups of the wanted attributes of which at most one can hold.

        Classes of one column exclude each other, hair colours do (as in StarGAN's official code),
        and so do two attributes that never hold together although, were they independent, at least
        20 pictures would show both.
        """
        places = {name: self.column(name) for name in wanted}
        columns = {
            name: frozenset(at for at, row in enumerate(self.rows) if row[place])
            for name, place in places.items()
        }

        def apart(one: str, other: str) -> bool:
            if any(one in group and other in group for group in self.groups):
                return True
            if _is_hair(one) and _is_hair(other):
                return True
            expected = len(columns[one]) * len(columns[other]) / max(1, len(self.rows))
            return expected >= 20 and not columns[one] & columns[other]

        groups: list[list[str]] = []
        for name in wanted:
            home = next((g for g in groups if all(apart(name, other) for other in g)), None)
            if home is None:
                groups.append([name])
            else:
                home.append(name)
        return tuple(tuple(group) for group in groups if len(group) > 1)

    def _term(self, term: str) -> tuple[int, bool]:
        """Column and wanted value of ``A`` or ``!A``; a name may begin with ``!`` itself."""
        if term not in self.attributes and term.startswith("!"):
            return self.column(term[1:].strip()), False
        return self.column(term), True

    def _place(self, where: str = "") -> str:
        return f"{self.place}{where}" + (f", split {self.split}" if self.split else "")


def _is_hair(name: str) -> bool:
    colour, _, rest = name.lower().partition("_")
    return rest == "hair" and colour in _HAIR
