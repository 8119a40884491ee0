"""Metrics by listeners from elsewhere, for ``zoo evaluate``: whose voice is heard, how natural.

Judges of the zoo learn from the same recordings as models do, by similar features; these did not.
Shapes: M recordings, E embedding.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from zoo_evaluate.context import Direction, TranslatedBatch
from zoo_evaluate.metrics import Average, Metric
from zoo_voice.cepstrum import Floats
from zoo_voice.evaluate.listeners import (
    SPEAKER_SHA256,
    naturalness,
    needed,
    speaker_encoder,
)
from zoo_voice.evaluate.metrics import samples_of


class IndependentSpeaker(Metric):
    """Whether a speaker encoder of thousands of other voices hears the target's."""

    name = "speaker"
    needs = frozenset({"whole"})
    signals = ("speech",)
    headline = ("speaker_nearest", "speaker_nearest_untranslated")
    higher_is_better = True

    def __init__(self, direction: Direction) -> None:
        super().__init__(direction)
        context = direction.context
        self._voices: list[Floats] = []
        for side in (direction.source, direction.target):
            real = side.some(context.limit, context.seed)
            batches = real.batches(context.batch, whole=True)
            self._voices.append(np.stack([_voice(one) for _, some in batches for one in some]))
        self._made: list[Floats] = []
        self._inputs: list[Floats] = []

    def update(self, sample: TranslatedBatch) -> None:
        """Hears conversions and inputs."""
        self._made += [_voice(sound) for sound in sample.outputs]
        self._inputs += [_voice(sound) for sound in sample.inputs]

    def compute(self) -> dict[str, float]:
        """``speaker_nearest``: share nearer to the target than to the source, 0 to 1; cosines."""
        return compared(self._made, self._inputs, *self._voices)

    def protocol(self) -> dict[str, object]:
        """Who hears."""
        source, target = (len(voices) for voices in self._voices)
        return {
            "encoder": f"Resemblyzer 0.1.4, sha256 {SPEAKER_SHA256}",
            "real": {"source": source, "target": target},
        }


def compared(
    made: Iterable[Floats], inputs: Iterable[Floats], source: Floats, target: Floats
) -> dict[str, float]:
    """Figures of embeddings, all of them unit vectors.

    Args:
        made: Conversions, (E,) each.
        inputs: What they were made from.
        source: (M, E) real recordings of the source.
        target: (M, E) real recordings of the target; each is held against the mean of the others
            where it is itself heard.
    """
    away, near = source.mean(0), target.mean(0)
    away, near = away / np.linalg.norm(away), near / np.linalg.norm(near)  # (E,)
    own = _others(target)  # (M, E)
    return {
        "speaker_nearest": float(np.mean([one @ near > one @ away for one in made])),
        "speaker_nearest_untranslated": float(np.mean([one @ near > one @ away for one in inputs])),
        "speaker_nearest_real": float(np.mean((target * own).sum(1) > target @ away)),
        "speaker_similarity": float(np.mean([one @ near for one in made])),
        "speaker_similarity_source": float(np.mean([one @ away for one in made])),
        "speaker_similarity_untranslated": float(np.mean([one @ near for one in inputs])),
        "speaker_similarity_real": float((target * own).sum(1).mean()),
    }


def _others(voices: Floats) -> Floats:
    """(M, E) for each voice the mean of the others, a unit vector; itself where it is alone."""
    rest = voices.sum(0) - voices if len(voices) > 1 else voices  # (M, E)
    directions: Floats = rest / np.linalg.norm(rest, axis=1, keepdims=True)  # (M, E)
    return directions


class Naturalness(Metric):
    """How natural conversions sound to DNSMOS, beside the inputs."""

    name = "naturalness"
    needs = frozenset({"whole"})
    signals = ("speech",)
    headline = ("naturalness", "naturalness_untranslated")
    higher_is_better = True

    def __init__(self, direction: Direction) -> None:
        super().__init__(direction)
        needed("speechmos", "how natural it sounds")
        self._made, self._inputs = Average(), Average()

    def update(self, sample: TranslatedBatch) -> None:
        """Hears conversions and inputs."""
        self._made.add([naturalness(samples_of(sound)) for sound in sample.outputs])
        self._inputs.add([naturalness(samples_of(sound)) for sound in sample.inputs])

    def compute(self) -> dict[str, float]:
        """``naturalness`` and ``naturalness_untranslated``, 1 to 5."""
        return {"naturalness": self._made.value, "naturalness_untranslated": self._inputs.value}

    def protocol(self) -> dict[str, object]:
        """Who hears."""
        return {"listener": "DNSMOS P.835, overall, by speechmos; short speech is repeated to 9 s"}


def _voice(sound: Any) -> Floats:
    return speaker_encoder().embed(samples_of(sound))
