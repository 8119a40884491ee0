"""How judges of speech are trained, as data. Importing this module imports no torch."""

from __future__ import annotations

from zoo_evaluate.bench.protocol import ClassifierConfig
from zoo_voice.evaluate.corpus import Corpus

WIDTHS = (64, 96, 128)
"""Channels of a judge's convolutions: 0.11 M parameters."""
STEPS = 900
"""Steps of a judge's training: 25 passes over 2,300 recordings."""
FLOOR = 0.93
"""Accuracy on real test recordings below which a judge cannot serve."""


def recipes(
    corpus: Corpus, *, steps: int = STEPS, floor: float = FLOOR
) -> tuple[ClassifierConfig, ClassifierConfig]:
    """The judges of a corpus: who speaks, and which word is said.

    Both learn from all training takes of all speakers.
    """

    def judge(name: str, task: str) -> ClassifierConfig:
        return ClassifierConfig(
            f"{name}-{corpus.name}",
            task,  # type: ignore[arg-type]
            corpus.speakers,
            steps,
            batch=64,
            floor=floor,
            widths=WIDTHS,
        )

    return judge("speaker", "domain"), judge("word", "content")
