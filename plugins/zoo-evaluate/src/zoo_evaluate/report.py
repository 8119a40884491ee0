"""What an evaluation found: values by direction, their mean, and the protocol that explains them.

Importing this module imports no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.files import replacing

if TYPE_CHECKING:
    from torch import Tensor

    from zoo_core.contracts.signals import TensorSpec


@dataclass(frozen=True)
class SamplePanel:
    """One input and what became of it, each (C, *S) within the signal's range.

    Attributes:
        name: Name of the input.
        source: The input.
        translated: Its translation.
        reference: The reference, where there is one.
    """

    name: str
    source: Tensor
    translated: Tensor
    reference: Tensor | None = None


@dataclass
class Report:
    """An evaluation.

    Attributes:
        model: Name or path of the model.
        protocol: Everything needed to repeat and compare the figures.
        directions: Values by direction (``a->b``) and name.
        mean: Values over all directions.
        notes: What was left out, and why.
        panels: Sample signals by direction.
        signal: Form of the signals; None where there are no panels.
        titles: Printed names of values by direction and name: with the extractor and the counts.
    """

    model: str
    protocol: dict[str, Any]
    directions: dict[str, dict[str, float]]
    mean: dict[str, float]
    notes: list[str] = field(default_factory=list)
    panels: Mapping[str, list[SamplePanel]] = field(default_factory=dict)
    signal: TensorSpec | None = None
    titles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def title(self, name: str) -> str:
        """The printed name of a value: one that holds in all directions, else ``name``."""
        found = {titles[name] for titles in self.titles.values() if name in titles}
        return found.pop() if len(found) == 1 else name

    def titled(self) -> list[str]:
        """A line for each value that has a printed name, such as ``a->b: FID (…) 3.1 (2 to 4)``."""
        return [
            f"{direction}: {title} {shown_value(self.directions[direction], name)}"
            for direction, titles in self.titles.items()
            for name, title in titles.items()
        ]

    def values(self) -> dict[str, Any]:
        """The report as plain values, without pictures: what ``--json`` gives."""
        return {
            "model": self.model,
            "protocol": self.protocol,
            "directions": {name: _rounded(values) for name, values in self.directions.items()},
            "mean": _rounded(self.mean),
            "names": {name: dict(titles) for name, titles in self.titles.items()},
            "notes": self.notes,
        }

    def to_json(self) -> str:
        """The report as JSON text; never NaN or infinity."""
        return json.dumps(self.values(), indent=2, allow_nan=False, ensure_ascii=False)

    def write_json(self, path: str | Path) -> None:
        """Writes the JSON text, atomically."""
        write_text(Path(path), self.to_json() + "\n")


def shown_value(values: Mapping[str, float], name: str) -> str:
    """A value, with the bounds of its interval where it has one; empty where there is none."""
    if name not in values:
        return ""
    low, high = (values.get(f"{name}_{end}") for end in ("low", "high"))
    interval = "" if low is None or high is None else f" ({low:.4g} to {high:.4g})"
    return f"{values[name]:.4g}{interval}"


def write_text(path: Path, text: str) -> None:
    """Writes a text file atomically, making its folder where needed.

    Bytes of file names that are no text are escaped, as JSON has them, too.
    """
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), 6) for name, value in values.items()}
