"""What a model records of the speech that it was trained on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from zoo_voice.cepstrum import ALPHA, FLOOR
from zoo_voice.world import HOP, RATE


@dataclass(frozen=True)
class Voice:
    """What a model records of a voice; see `zoo_voice.speaker.Speaker`."""

    pitch: tuple[float, float]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    energy: tuple[float, float] | None = None


@dataclass(frozen=True)
class Preprocessing:
    """What a model records of the analysis, and of the voices of its domains."""

    analysis: Literal["world"] = "world"
    rate: int = RATE
    hop: int = HOP
    alpha: float = ALPHA
    floor: float = FLOOR
    order: int | None = None
    speakers: dict[str, Voice] = field(default_factory=dict)
