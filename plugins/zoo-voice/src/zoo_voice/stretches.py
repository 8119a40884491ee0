"""Windows of a recording: how long they are, how they overlap, and excerpts in place of all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo_voice.cepstrum import Floats
from zoo_voice.speaker import Speaker
from zoo_voice.world import HOP, Analysis

WINDOW = 2_000
"""Most frames of a window: 10 s."""
OVERLAP = 96
"""Frames that a window shares with the next: 0.48 s; they are joined where it is quietest."""
_EXCERPTS = 10  # at most, none shorter than what windows share
LEAST = 4 * OVERLAP
"""Fewest frames of a window: a smaller one would be all overlap."""


@dataclass(frozen=True)
class FramePosition:
    """Where a window belongs, and what it keeps of its recording.

    Attributes:
        analysis: All of the window's speech, T frames.
        source: Statistics that its signal was normalised by.
        begin: Its first sample in the recording, at 16 kHz.
        count: Its number of samples.
    """

    analysis: Analysis
    source: Speaker
    begin: int
    count: int


def excerpts(parts: Iterable[Floats], total: int, size: int) -> list[Floats]:
    """Stretches (n,) of a recording at even distances, of ``size`` samples together.

    Args:
        parts: The recording, block by block.
        total: Its number of samples, no less than ``size``.
        size: Samples of all stretches.
    """
    count = max(1, min(_EXCERPTS, size // (OVERLAP * HOP)))
    starts = np.linspace(0, total - size // count, count).astype(int)
    found, begin = np.zeros((count, size // count)), 0
    for part in parts:
        for number, start in enumerate(starts):
            low, high = max(start, begin), min(start + found.shape[1], begin + len(part))
            if low < high:
                found[number, low - start : high - start] = part[low - begin : high - begin]
        begin += len(part)
    return list(found)


def stretches(parts: Iterable[Any], size: int) -> Iterator[tuple[int, Any]]:
    """Samples (n,) of overlapping windows, each with its first sample; the last one is shorter."""
    held, begin, step = np.zeros(0), 0, size - OVERLAP * HOP
    for part in parts:
        held = np.concatenate([held, part])  # (n,)
        while len(held) > size:
            yield begin, held[:size]
            held, begin = held[step:], begin + step
    yield begin, held
