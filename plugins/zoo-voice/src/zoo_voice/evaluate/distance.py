"""Mel-cepstral distortion along the best alignment, and the ratio of global variances.

Distortion alone can be gamed: whoever shrinks all cepstra towards their mean comes closer to
everything. The variance says so, and belongs beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from zoo_voice.cepstrum import Floats
from zoo_voice.loudness import loud
from zoo_voice.world import pitch_and_timbre

ORDER = 24
"""Number of the last coefficient that is compared."""
_SCALE = 10 / np.log(10) * np.sqrt(2)  # dB of a Euclidean distance between cepstra


def timbre(samples: npt.ArrayLike) -> Floats:
    """(T, 24) c1 to c24 of the frames of speech (n,) at 16 kHz that are loud enough to compare."""
    return compared(pitch_and_timbre(samples, ORDER)[1])


def compared(cepstrum: Floats) -> Floats:
    """(T', order) c1, c2 ... of the frames that are loud; ``cepstrum`` (T, order + 1)."""
    result: Floats = cepstrum[loud(cepstrum[:, 0]), 1:]  # (T', order)
    return result


def distortion(made: Floats, references: Sequence[Floats]) -> float:
    """Mel-cepstral distortion in dB, averaged over the references.

    ``10 / ln 10 * sqrt(2) * mean over the path of |made - reference|``; the path has the least sum
    of these distances, by steps (1, 1), (1, 0) and (0, 1).

    Args:
        made: (T, Q) cepstra c1, c2 ...
        references: (T', Q) each, of any lengths.
    """
    return float(_SCALE * aligned(made, references).mean())


def aligned(made: Floats, references: Sequence[Floats]) -> Floats:
    """(R,) mean Euclidean distance along the best path to each of R references.

    All references are aligned at once, one anti-diagonal after the other: cells of one depend
    on the two before it alone. Of equally good steps the diagonal one is taken.

    Raises:
        ValueError: If there is no reference, or one is empty.
    """
    if not references or not len(made) or not all(len(reference) for reference in references):
        raise ValueError("there is nothing to align")
    sloped, ends = _sloped(made, references)
    count, _, rows = sloped.shape
    # Column i + 1 is row i; column 0 stands for what is above the first row.
    last = np.full((count, rows + 1), np.inf)  # (R, n + 1)
    last[:, 1] = sloped[:, 0, 0]
    older = np.full((count, rows + 1), np.inf)  # (R, n + 1)
    steps, older_steps = np.ones((count, rows + 1)), np.ones((count, rows + 1))
    means = np.empty(count)  # (R,)
    means[ends == 0] = last[ends == 0, rows]
    for k in range(1, sloped.shape[1]):
        best, taken = older[:, :-1], older_steps[:, :-1]  # (R, n) along the diagonal
        for other, length in ((last[:, :-1], steps[:, :-1]), (last[:, 1:], steps[:, 1:])):
            closer = other < best  # (R, n)
            best = np.where(closer, other, best)  # (R, n)
            taken = np.where(closer, length, taken)  # (R, n)
        older, older_steps = last, steps
        last, steps = np.full_like(last, np.inf), np.ones_like(steps)
        last[:, 1:] = best + sloped[:, k]
        steps[:, 1:] = taken + 1
        here = ends == k
        means[here] = last[here, rows] / steps[here, rows]
    return means


def variance_ratio(made: Sequence[Floats], real: Sequence[Floats]) -> float:
    """Global variance of what was made as a share of that of real speech; 1 is right.

    The global variance of a coefficient is its variance over the frames of an utterance, averaged
    over utterances (Toda et al. 2007); the ratio is the geometric mean over coefficients.

    Args:
        made: (T, Q) cepstra of each utterance.
        real: The same of real utterances of the target.
    """
    return ratio_of_variances(
        [variances(frames) for frames in made], [variances(frames) for frames in real]
    )


def variances(frames: Floats) -> Floats:
    """(Q,) variance of each coefficient over the frames (T, Q) of an utterance."""
    result: Floats = frames.var(0)  # (Q,)
    return result


def ratio_of_variances(made: Sequence[Floats], real: Sequence[Floats]) -> float:
    """As `variance_ratio`, of the `variances` (Q,) of each utterance."""
    ratio = np.mean(made, axis=0) / np.mean(real, axis=0)  # (Q,)
    return float(np.exp(np.log(np.maximum(ratio, 1e-12)).mean()))


def _sloped(made: Floats, references: Sequence[Floats]) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Distances (R, n + m - 1, n) with anti-diagonals as rows, and (R,) where each path ends."""
    rows, longest = len(made), max(len(reference) for reference in references)
    sloped = np.full((len(references), rows + longest - 1, rows), np.inf)  # (R, n + m - 1, n)
    for number, reference in enumerate(references):
        i, j = np.indices((rows, len(reference)))  # (n, m') each
        apart = np.linalg.norm(made[:, None] - reference[None], axis=-1)  # (n, m')
        sloped[number, i + j, i] = apart
    return sloped, np.array([rows + len(reference) - 2 for reference in references])
