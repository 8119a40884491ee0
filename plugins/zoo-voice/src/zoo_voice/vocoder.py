"""What makes sound of converted speech: WORLD, or whatever a plugin brings."""

from __future__ import annotations

from abc import ABC, abstractmethod

from zoo_voice.cepstrum import Floats
from zoo_voice.world import Analysis, synthesise


class Vocoder(ABC):
    """Makes sound of speech that was taken apart; a component of kind ``renderer``.

    Its constructor's keyword arguments are the options of ``--renderer NAME:key=value``.
    """

    @abstractmethod
    def speak(self, analysis: Analysis) -> Floats:
        """The sound of one window; called from several threads.

        Args:
            analysis: T frames of 5 ms: F0 and timbre of the target voice, energy and
                aperiodicity of the recording.

        Returns:
            (n,) samples at `zoo_voice.world.RATE` within about [-1, 1], of which frame t is
            centred on sample ``t * HOP``: ``(T - 1) * HOP`` of them.
        """


class World(Vocoder):
    """WORLD's own synthesis: the default, without weights."""

    def speak(self, analysis: Analysis) -> Floats:
        """(n,) the sound of T frames."""
        return synthesise(analysis)
