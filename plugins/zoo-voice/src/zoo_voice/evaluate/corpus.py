"""The recordings of a benchmark: who says what, and which takes are for what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zoo_core.errors import DataError, unknown

Split = Literal["train", "validation", "test"]
Takes = tuple[int, int]
"""First and last take."""


@dataclass(frozen=True)
class Recording:
    """One take of one word.

    Attributes:
        path: The file.
        speaker: Who says it.
        word: What is said.
    """

    path: Path
    speaker: str
    word: str


@dataclass(frozen=True)
class Corpus:
    """Words that several speakers say, many times each.

    Takes of different speakers are never paired. What a voice is trained on is one half of its
    training takes: the early or the late one.

    Attributes:
        name: Name of the corpus.
        files: Pattern of a speaker's files below the root; ``SPEAKER`` and ``TAKES`` stand in it.
        form: Regular expression of a file's path with the groups ``word`` and ``take``.
        early: Speakers that are trained on the early takes.
        late: Speakers that are trained on the late takes.
        others: Speakers that the judges know as well.
        test: Takes that are only tested on.
        validation: Takes by which a snapshot is chosen; nothing is trained on them.
        first: Early training takes.
        second: Late training takes.
        digits: Digits of the number of a take.
        highest: Frequency (Hz) up to which the recordings hold sound.
        few: Whether so few voices speak that the judge of words has to be shown others: their
            signals, widely changed. It else reads words by the pitch of who says them.
    """

    name: str
    files: str
    form: str
    early: tuple[str, ...]
    late: tuple[str, ...]
    others: tuple[str, ...]
    test: Takes
    validation: Takes
    first: Takes
    second: Takes
    digits: int
    highest: float
    few: bool = False

    @property
    def speakers(self) -> tuple[str, ...]:
        """All speakers, sorted."""
        return tuple(sorted((*self.early, *self.late, *self.others)))

    def takes(self, speaker: str, split: Split) -> Takes:
        """The takes of a split; in training, those of the speaker's half (others: all).

        Raises:
            UsageError: If there is no such speaker.
        """
        if speaker not in self.speakers:
            raise unknown(f"speaker of {self.name}", speaker, self.speakers)
        if split != "train":
            return self.test if split == "test" else self.validation
        if speaker in self.early:
            return self.first
        return self.second if speaker in self.late else (self.first[0], self.second[1])

    def source(self, speaker: str, split: Split) -> str:
        """Pattern of a split's files, below the root, as ``zoo train --domain`` takes it."""
        return self.pattern(speaker, self.takes(speaker, split))

    def pattern(self, speaker: str, takes: Takes) -> str:
        """Pattern of the files of some takes, below the root."""
        first, last = (f"{take:0{self.digits}}" for take in takes)
        return self.files.replace("SPEAKER", speaker).replace("TAKES", f"{{{first}..{last}}}")

    def recordings(self, root: Path, speaker: str, split: Split) -> list[Recording]:
        """The recordings of a split; see `takes`."""
        return self.among(root, speaker, self.takes(speaker, split))

    def learnt(self, root: Path, speaker: str) -> list[Recording]:
        """The recordings that judges learn from: all training takes, both halves."""
        return self.among(root, speaker, (self.first[0], self.second[1]))

    def among(self, root: Path, speaker: str, takes: Takes) -> list[Recording]:
        """The recordings of some takes, sorted by path.

        Raises:
            DataError: If there is none.
        """
        mask = self.files.replace("SPEAKER", speaker).replace("TAKES", "*")
        found = []
        for path in sorted(root.glob(mask)):
            match = re.search(self.form, path.relative_to(root).as_posix())
            if match and takes[0] <= int(match["take"]) <= takes[1]:
                found.append(Recording(path, speaker, match["word"]))
        if not found:
            raise DataError(
                f"there is no recording of {speaker}, takes {takes[0]} to {takes[1]}",
                asked=f"{self.name} in {root}",
                hint=f"Its files are {self.files}; name the folder that holds them.",
            )
        return found


FSDD = Corpus(
    name="fsdd",
    files="voice/fsdd/recordings/*_SPEAKER_TAKES.wav",
    form=r"(?P<word>\d+)_\w+_(?P<take>\d+)\.wav$",
    early=("jackson", "george"),
    late=("nicolas", "lucas"),
    others=("theo", "yweweler"),
    test=(0, 4),
    validation=(5, 9),
    first=(10, 27),
    second=(28, 49),
    digits=1,
    highest=3800.0,
)
"""Free Spoken Digit Dataset: ten digits, 50 takes, 8 kHz."""

WORDS20 = Corpus(
    name="words20",
    files="voice/words20/SPEAKER/*_TAKES.flac",
    form=r"(?P<word>\d+)_(?P<take>\d+)\.flac$",
    early=("M1", "M2"),
    late=("F1", "F2"),
    others=(),
    test=(17, 20),
    validation=(15, 16),
    first=(1, 7),
    second=(8, 14),
    digits=2,
    highest=7600.0,
    few=True,
)
"""Part of DSPSpeech-20: twenty words of two languages, 20 takes, 16 kHz."""

CORPORA = {corpus.name: corpus for corpus in (FSDD, WORDS20)}


def corpus_of(*speakers: str) -> Corpus:
    """The corpus in which all of these speak.

    Raises:
        UsageError: If there is none.
    """
    for corpus in CORPORA.values():
        if set(speakers) <= set(corpus.speakers):
            return corpus
    known = [name for corpus in CORPORA.values() for name in corpus.speakers]
    raise unknown("pair of speakers", " and ".join(speakers), known)
