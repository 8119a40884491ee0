"""Which part of a conversion loses the words: pitch, variance, mean, and of which coefficients.

    python benchmarks/voice_parts.py M1 F1 $ZOO_DATA --judge judges/word-words20

Takes recordings of one voice apart, gives one part after the other the other voice's statistics,
without any net, and prints which share of the words a judge still reads. Statistics are those of
the row "mean and variance" of ``zoo bench voice``; ``--warp`` also stretches the axis of
frequencies, as a shorter vocal tract does, before the mean is moved. Judges are those of ``zoo
bench voice --work WORK``, in ``WORK/judges``.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from zoo_evaluate.judge import EvalClassifier
from zoo_voice.cepstrum import Floats, warping
from zoo_voice.evaluate.corpus import corpus_of
from zoo_voice.evaluate.distance import ORDER
from zoo_voice.evaluate.figures import share
from zoo_voice.evaluate.scene import Scene, Voices
from zoo_voice.speaker import Speaker
from zoo_voice.world import Analysis, synthesise

Change = Callable[[Analysis], Analysis]


def changes(own: Speaker, other: Speaker, warps: list[float]) -> dict[str, Change]:
    """What is done to a recording of ``own``, by name."""
    away = other.mean - own.mean  # (24,)

    def sung(make: Callable[[Analysis], Floats]) -> Change:
        """The other's range of pitch, and a timbre (T, 24)."""
        return lambda a: a.with_voice(other.sing(a.f0, own), make(a))

    def mean_of(first: int, last: int) -> Change:
        """The mean of some coefficients, counted from 1."""
        number = np.arange(1, ORDER + 1)  # (24,)
        some = np.where((number >= first) & (number <= last), away, 0)  # (24,)
        return sung(lambda a: a.cepstrum[:, 1:] + some)

    def warped(alpha: float, mean: bool) -> Change:
        """The axis of frequencies stretched, and what is left of the mean moved."""
        matrix = warping(ORDER, ORDER, alpha)  # (25, 25)
        left = other.mean - matrix[1:, 1:] @ own.mean  # (24,)

        def change(a: Analysis) -> Analysis:
            cepstrum = a.cepstrum @ matrix.T  # (T, 25)
            timbre = cepstrum[:, 1:] + (left if mean else 0)  # (T, 24)
            return a.with_voice(other.sing(a.f0, own), timbre, cepstrum[:, 0])

        return change

    found = {
        "taken apart and put together": lambda a: a,
        "pitch": sung(lambda a: a.cepstrum[:, 1:]),
        "pitch, variance": sung(
            lambda a: own.normalise(a.cepstrum[:, 1:]) * other.deviation + own.mean
        ),
        "pitch, mean": mean_of(1, ORDER),
        "pitch, mean of frames with pitch": sung(
            lambda a: a.cepstrum[:, 1:] + away * (a.f0 > 0)[:, None]
        ),
        "pitch, mean of c1 and c2": mean_of(1, 2),
        "pitch, mean of c3 to c5": mean_of(3, 5),
        "pitch, mean of c6 to c24": mean_of(6, ORDER),
        "pitch, half of the mean": sung(lambda a: a.cepstrum[:, 1:] + away / 2),
        "pitch, mean, variance": sung(
            lambda a: other.denormalise(own.normalise(a.cepstrum[:, 1:]))
        ),
    }
    for alpha in warps:
        found[f"pitch, warped by {alpha:g}"] = warped(alpha, mean=False)
        found[f"pitch, warped by {alpha:g}, mean"] = warped(alpha, mean=True)
    return found


def main() -> None:
    """Prints a line for each part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("root", type=Path, help="folder that holds voice/fsdd and voice/words20")
    parser.add_argument("--judge", type=Path, required=True, help="directory of a judge of words")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--warp", type=float, action="append", help="all-pass constants; 0.1")
    options = parser.parse_args()
    torch.set_num_threads(1)
    judge = EvalClassifier.load(options.judge)
    pair = (options.source, options.target)
    voices = Voices(options.root, corpus_of(*pair))
    inputs = Scene(voices, *pair, options.split).inputs
    words = [one.word for one in inputs]
    print(f"{'as recorded':36}{share(judge, [one.samples for one in inputs], words):.3f}")
    (own, _), (other, _) = (voices.learnt(who) for who in pair)
    parts = voices.analyses(options.source, options.split)
    for name, change in changes(own, other, options.warp or [0.1]).items():
        found = share(judge, [synthesise(change(part)) for part in parts], words)
        print(f"{name:36}{found:.3f}", flush=True)


if __name__ == "__main__":
    main()
