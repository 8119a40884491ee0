"""Metrics of conversions of voices, for ``zoo evaluate``: of whole recordings, analysed anew.

The untouched input's own figure stands beside each: a conversion is worth something where it is
nearer to the target than what it was made from. Shapes: T frames.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zoo_evaluate.context import Direction, TranslatedBatch
from zoo_evaluate.metrics import Average, Metric
from zoo_voice.audio import Sound, load
from zoo_voice.cepstrum import Floats
from zoo_voice.evaluate.distance import ORDER, distortion, ratio_of_variances, timbre, variances


class SpeechMetric(Metric):
    """What metrics of speech share: whole recordings, and the cepstra by which they compare."""

    signals = ("speech",)

    def protocol(self) -> dict[str, object]:
        """What is compared."""
        return {
            "cepstrum": f"mel-cepstrum c1 to c{ORDER} by WORLD, frames of 5 ms within 30 dB of the "
            "loudest, of what the model gives out"
        }


class MelCepstralDistortion(SpeechMetric):
    """Mel-cepstral distortion in dB to real takes of the target with the same content.

    A mean over all such takes of an input, each aligned on its own, then over inputs; inputs
    without any are left out.
    """

    name = "mcd"
    needs = frozenset({"whole", "counterparts"})
    headline = ("mcd", "mcd_untranslated")

    def __init__(self, direction: Direction) -> None:
        super().__init__(direction)
        self.translated, self.untranslated = Average(), Average()
        self._real: dict[int, Floats] = {}

    def update(self, sample: TranslatedBatch) -> None:
        """Compares conversions and inputs with the target's takes."""
        found = self.direction.counterparts
        for row, position in enumerate(sample.positions.tolist()):
            at = () if found is None else found.of(position)
            if not at:
                continue
            references = [self._take(one) for one in at]
            for sound, average in (
                (sample.outputs[row], self.translated),
                (sample.inputs[row], self.untranslated),
            ):
                average.add([distortion(_timbre(sound), references)])

    def compute(self) -> dict[str, float]:
        """``mcd`` and ``mcd_untranslated``, in dB; nothing where no input has a counterpart."""
        if not self.translated.count:
            return {}
        return {"mcd": self.translated.value, "mcd_untranslated": self.untranslated.value}

    def protocol(self) -> dict[str, object]:
        """How takes were found, and for how many inputs."""
        found = self.direction.counterparts
        rule = {"label": "same class", "name": "same name but for the domain's"}
        return super().protocol() | {
            "references": rule[found.rule] if found is not None else "",
            "inputs": self.translated.count,
        }

    def _take(self, position: int) -> Floats:
        """(T, 24) the cepstra of a real take of the target, found once."""
        if position not in self._real:
            (sound,) = self.direction.target.wholes([position])
            self._real[position] = _timbre(sound)
        return self._real[position]


class GlobalVariance(SpeechMetric):
    """Global variance as a share of the target's: 1 is right, less is dull (Toda et al. 2007)."""

    name = "variance"
    needs = frozenset({"whole"})
    headline = ("variance_ratio",)

    def __init__(self, direction: Direction) -> None:
        super().__init__(direction)
        context = direction.context
        real = direction.target.some(context.limit, context.seed)
        self._real = [
            variances(_timbre(sound))
            for _, sounds in real.batches(context.batch, whole=True)
            for sound in sounds
        ]
        self._made: list[Floats] = []
        self._inputs: list[Floats] = []

    def update(self, sample: TranslatedBatch) -> None:
        """Takes in the variance of each conversion and input."""
        self._made += [variances(_timbre(sound)) for sound in sample.outputs]
        self._inputs += [variances(_timbre(sound)) for sound in sample.inputs]

    def compute(self) -> dict[str, float]:
        """``variance_ratio`` and ``variance_ratio_untranslated``."""
        return {
            "variance_ratio": ratio_of_variances(self._made, self._real),
            "variance_ratio_untranslated": ratio_of_variances(self._inputs, self._real),
        }

    def protocol(self) -> dict[str, object]:
        """Number of real recordings that it is a share of."""
        return super().protocol() | {"real": len(self._real)}


def samples_of(sound: Any) -> Floats:
    """(n,) the samples of a recording in any of its forms, at 16 kHz."""
    if isinstance(sound, Path | Sound):
        samples, _ = load(sound, name=str(sound) if isinstance(sound, Path) else "recording")
        return samples
    return np.asarray(sound, np.float64)


def _timbre(sound: Any) -> Floats:
    """(T, 24) the cepstra of a recording in any of its forms."""
    return timbre(samples_of(sound))
