"""Real recordings of two voices, as an evaluation needs them: read and analysed once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo_voice.audio import load
from zoo_voice.cepstrum import Floats
from zoo_voice.evaluate.corpus import Corpus, Recording, Split
from zoo_voice.evaluate.distance import ORDER, compared
from zoo_voice.loudness import loud, trimmed
from zoo_voice.speaker import Speaker
from zoo_voice.store import threads
from zoo_voice.world import HOP, Analysis, analyse, pitch_and_timbre


@dataclass(frozen=True)
class Utterance:
    """A real recording without the silence at its ends.

    Attributes:
        samples: (n,) at 16 kHz.
        word: What is said.
        timbre: (T, 24) the cepstra that are compared.
    """

    samples: Floats
    word: str
    timbre: Floats


class Voices:
    """The recordings of a corpus.

    Args:
        root: Folder that the corpus' patterns are below.
        corpus: The corpus.
    """

    def __init__(self, root: Path, corpus: Corpus) -> None:
        self.root, self.corpus = Path(root), corpus
        self._utterances: dict[tuple[str, Split], list[Utterance]] = {}
        self._analyses: dict[tuple[str, Split], list[Analysis]] = {}
        self._learnt: dict[str, tuple[Speaker, Floats]] = {}

    def utterances(self, speaker: str, split: Split) -> list[Utterance]:
        """The recordings of a split, in the order of their paths.

        Raises:
            DataError: If there is none, or one cannot be used.
        """
        key = (speaker, split)
        if key not in self._utterances:
            found = self.corpus.recordings(self.root, speaker, split)
            with ThreadPoolExecutor(threads()) as pool:
                self._utterances[key] = list(pool.map(_utterance, found))
        return self._utterances[key]

    def analyses(self, speaker: str, split: Split) -> list[Analysis]:
        """The same, taken apart."""
        key = (speaker, split)
        if key not in self._analyses:
            parts = self.utterances(speaker, split)
            with ThreadPoolExecutor(threads()) as pool:
                self._analyses[key] = list(pool.map(lambda one: analyse(one.samples, ORDER), parts))
        return self._analyses[key]

    def learnt(self, speaker: str) -> tuple[Speaker, Floats]:
        """Statistics of a voice, and its frames (F, 24): those of its training takes that are loud.

        Frames that are not compared have no part in it: they move the mean of some voices so far
        that what is made with it is worse by 0.2 dB.
        """
        if speaker not in self._learnt:
            takes = self.corpus.recordings(self.root, speaker, "train")
            with ThreadPoolExecutor(threads()) as pool:
                frames = np.concatenate(list(pool.map(_loud_frames, takes)))  # (F, 26)
            voice = Speaker.of(frames[:, 0], frames[:, 2:], frames[:, 1])
            self._learnt[speaker] = voice, frames[:, 2:]
        return self._learnt[speaker]


@dataclass(frozen=True)
class Scene:
    """One direction on one split.

    Attributes:
        voices: The recordings.
        source: Who is converted.
        target: Into whom.
        split: Which takes.
    """

    voices: Voices
    source: str
    target: str
    split: Split = "test"

    @property
    def inputs(self) -> list[Utterance]:
        """What is converted."""
        return self.voices.utterances(self.source, self.split)

    @property
    def real(self) -> list[Utterance]:
        """What it is compared with."""
        return self.voices.utterances(self.target, self.split)

    def references(self, word: str, besides: int | None = None) -> list[Floats]:
        """Cepstra of all of the target's takes of a word, except one at a position of `real`."""
        return [
            one.timbre
            for number, one in enumerate(self.real)
            if one.word == word and number != besides
        ]


def without_silence(samples: Floats) -> Floats:
    """(n',) speech without the silence at its ends (35 dB below the loudest; 30 ms are kept)."""
    span = trimmed(pitch_and_timbre(samples, ORDER)[1][:, 0])
    result: Floats = np.ascontiguousarray(samples[span.start * HOP : span.stop * HOP])  # (n',)
    return result


def read(recording: Recording) -> Floats:
    """(n,) a real recording at 16 kHz, without the silence at its ends."""
    samples, _ = load(recording.path, name=str(recording.path))
    return without_silence(samples)


def _loud_frames(recording: Recording) -> Floats:
    """(T, 2 + 24) F0, then c0 to c24."""
    f0, cepstrum = pitch_and_timbre(read(recording), ORDER)
    return np.column_stack([f0, cepstrum])[loud(cepstrum[:, 0])]


def _utterance(recording: Recording) -> Utterance:
    samples = read(recording)
    return Utterance(samples, recording.word, compared(pitch_and_timbre(samples, ORDER)[1]))
