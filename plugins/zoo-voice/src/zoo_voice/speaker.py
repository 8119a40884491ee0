"""What is known of a voice: statistics of its pitch, of its mel-cepstra and of its energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zoo_core.errors import WeightsError
from zoo_voice.cepstrum import Floats
from zoo_voice.world import F0_HIGH, F0_LOW

_LEAST = 1e-3  # standard deviations below it count as it: nothing is divided by 0
_DEFAULT_PITCH = (float(np.log(150.0)), 0.2)  # of a voice without a single voiced frame


@dataclass(frozen=True)
class Speaker:
    """Statistics of one voice.

    Attributes:
        pitch: Median of log F0 (Hz) over voiced frames, and its spread: 1.4826 times the median
            absolute deviation. Octave errors of creaky voices hardly move either.
        mean: (order,) mean of c1, c2 ...
        deviation: (order,) their standard deviations.
        energy: Mean and deviation of c0; None: not known, as of models that were trained before
            energy was moved.
    """

    pitch: tuple[float, float]
    mean: Floats
    deviation: Floats
    energy: tuple[float, float] | None = None

    @classmethod
    def of(
        cls, f0: npt.ArrayLike, timbre: npt.ArrayLike, energy: npt.ArrayLike | None = None
    ) -> Speaker:
        """The statistics of frames.

        Args:
            f0: (T,) F0 in Hz, 0 where unvoiced.
            timbre: (T, order) c1, c2 ...
            energy: (T,) c0; None leaves it out.
        """
        pitches = np.asarray(f0, np.float64)  # (T,)
        values = np.asarray(timbre, np.float64)  # (T, order)
        logs = np.log(pitches[pitches > 0])  # (V,)
        pitch = _DEFAULT_PITCH
        if len(logs):
            middle = float(np.median(logs))
            spread = 1.4826 * float(np.median(np.abs(logs - middle)))
            pitch = (middle, max(_LEAST, spread))
        level = None
        if energy is not None:
            level = (float(np.mean(energy)), max(_LEAST, float(np.std(energy))))
        return cls(pitch, values.mean(0), np.maximum(values.std(0), _LEAST), level)

    def normalise(self, timbre: npt.ArrayLike) -> Floats:
        """(T, order) c1, c2 ... with mean 0 and deviation 1 over this voice."""
        result: Floats = (np.asarray(timbre, np.float64) - self.mean) / self.deviation
        return result

    def denormalise(self, values: npt.ArrayLike) -> Floats:
        """(T, order) the inverse of `normalise`."""
        result: Floats = np.asarray(values, np.float64) * self.deviation + self.mean
        return result

    def sing(self, f0: Floats, source: Speaker) -> Floats:
        """(T,) the pitch of ``source`` moved to this voice: a map of Gaussians of log F0.

        Unvoiced frames (0) stay so; the rest is clipped to 50 to 600 Hz.
        """
        (from_middle, from_spread), (to_middle, to_spread) = source.pitch, self.pitch
        voiced = f0 > 0  # (T,)
        logs = np.log(np.where(voiced, f0, 1.0))  # (T,)
        moved = np.exp((logs - from_middle) / from_spread * to_spread + to_middle)  # (T,)
        return np.where(voiced, np.clip(moved, F0_LOW, F0_HIGH), 0.0)  # (T,)

    def level(self, energy: Floats, source: Speaker) -> Floats:
        """(T,) the energy c0 of ``source`` with this voice's mean and deviation.

        It stays as it is where that of either voice is not known.
        """
        if self.energy is None or source.energy is None:
            return energy
        (from_mean, from_deviation), (to_mean, to_deviation) = source.energy, self.energy
        return (energy - from_mean) / from_deviation * to_deviation + to_mean  # (T,)

    def plain(self) -> dict[str, Any]:
        """Plain values, as ``config.yaml`` records them."""
        values = {"pitch": self.pitch, "mean": self.mean, "deviation": self.deviation}
        if self.energy is not None:
            values["energy"] = self.energy
        return {name: [round(float(one), 6) for one in some] for name, some in values.items()}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any], order: int, *, asked: str) -> Speaker:
        """Reads what `plain` wrote.

        Raises:
            WeightsError: If something is missing or of another size.
        """
        try:
            middle, spread = (float(value) for value in values["pitch"])
            mean, deviation = (np.array(values[k], np.float64) for k in ("mean", "deviation"))
            energy = None
            if values.get("energy") is not None:
                level, width = (float(value) for value in values["energy"])
                energy = (level, width)
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                "the statistics of the voice are incomplete",
                asked=asked,
                hint="Export the model again with zoo train, or restore its config.yaml.",
            ) from error
        whole = np.isfinite([middle, spread, *mean.flat, *deviation.flat, *(energy or ())]).all()
        flat = spread <= 0 or (energy is not None and energy[1] <= 0)
        if mean.shape != (order,) or deviation.shape != (order,) or not whole or flat:
            raise WeightsError(
                f"the statistics of the voice are not {order} finite means and deviations",
                asked=asked,
                hint="Export the model again with zoo train, or restore its config.yaml.",
            )
        return cls((middle, spread), mean, np.maximum(deviation, _LEAST), energy)
