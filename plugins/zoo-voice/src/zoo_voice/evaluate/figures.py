"""The figures of a conversion: distortion, variance, and what judges make of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from filelock import FileLock

from zoo_core.contracts.codec import InMemorySignal
from zoo_core.errors import DataError, UsageError
from zoo_core.translate.loading import load
from zoo_core.translate.translator import Translator
from zoo_evaluate.bench.judges import require_instrument
from zoo_evaluate.bench.protocol import ClassifierConfig
from zoo_evaluate.examples import LabeledSubset
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_card import Task
from zoo_evaluate.judge_train import JudgeConfig, train_judge
from zoo_nn.nets.classifier_card import CARD
from zoo_train.data.folders import data_root
from zoo_voice.cepstrum import Floats
from zoo_voice.evaluate.corpus import Corpus, Recording, Split, corpus_of
from zoo_voice.evaluate.distance import distortion, variance_ratio
from zoo_voice.evaluate.judge import ARCHITECTURE
from zoo_voice.evaluate.listener_metrics import compared
from zoo_voice.evaluate.listeners import at_hand, naturalness, speaker_encoder
from zoo_voice.evaluate.recipes import recipes
from zoo_voice.evaluate.rows import BASELINES, ConvertedUtterances, converted
from zoo_voice.evaluate.scene import Scene, Voices, read
from zoo_voice.store import threads

BATCH = 64
"""Recordings that a judge hears at once."""
Figures = dict[str, float]
"""By name: ``mcd`` (dB), ``variance_ratio``, ``target_accuracy``, ``content_accuracy``; where asked
for and installed, ``speaker_nearest`` and ``naturalness``."""


@dataclass(frozen=True)
class VoiceJudges:
    """Who speaks, and which word is said.

    Attributes:
        speaker: Knows all speakers of a corpus.
        word: Knows all of its words, whoever says them.
    """

    speaker: EvalClassifier
    word: EvalClassifier


def evaluate(
    model: Translator | Path | str,
    source: str,
    target: str,
    split: Split = "test",
    *,
    judges: Path | str | VoiceJudges,
    root: Path | str | None = None,
    corpus: Corpus | None = None,
) -> Figures:
    """The figures of a model in one direction.

    Args:
        model: A translator, or what `zoo.load` takes. A row of the table by its name
            (``identity``, ``F0 only``, ``mean and variance``, ``kNN (features)``, ``floor``) is
            measured instead of a model.
        source: Speaker that is converted.
        target: Speaker that it is converted to.
        split: ``validation`` (to choose by) or ``test`` (to report).
        judges: The judges, or their folder; they are trained (a few minutes) where it has none.
        root: Folder with ``voice/fsdd`` and ``voice/words20``; None: where data for tests lies.
        corpus: Where the two speak; None finds it.

    Raises:
        UsageError: If the speakers are unknown, or the model knows them by other names.
        DataError: If the recordings are missing or a judge cannot serve.
    """
    folder = Path(root) if root is not None else data_root()
    if folder is None:
        raise DataError("no folder of recordings is named", asked="root", hint="Set ZOO_DATA.")
    voices = Voices(folder, corpus or corpus_of(source, target))
    scene = Scene(voices, source, target, split)
    if isinstance(model, str) and model in BASELINES:
        made = BASELINES[model](scene)
    else:
        translator = model if isinstance(model, Translator) else load(model, precision="float32")
        made = converted(scene, translator)
    known = judges if isinstance(judges, VoiceJudges) else find_judges(Path(judges), voices)
    return compare(scene, made, known)


def compare(
    scene: Scene, made: ConvertedUtterances, judges: VoiceJudges, *, listen: bool = False
) -> Figures:
    """The figures of what was made in a scene.

    Args:
        scene: The direction.
        made: What was made of its inputs.
        judges: Who speaks, and which word is said.
        listen: Whether the independent listeners that are installed are asked as well.
    """
    distances = [
        distortion(one, references)
        for one, references in zip(made.timbres, made.references, strict=True)
        if references
    ]
    if not distances:
        raise UsageError(
            f"{scene.target} says none of the words of {scene.source}",
            asked=f"{scene.source}->{scene.target}",
        )
    return {
        "mcd": float(np.mean(distances)),
        "variance_ratio": variance_ratio(made.timbres, [one.timbre for one in scene.real]),
        "target_accuracy": share(judges.speaker, made.samples, [scene.target] * len(made.samples)),
        "content_accuracy": share(judges.word, made.samples, made.words),
    } | (heard(scene, made) if listen else {})


def heard(scene: Scene, made: ConvertedUtterances) -> Figures:
    """What listeners from elsewhere say, of those that are installed; see `listener_metrics`."""
    found, installed = {}, at_hand()
    if "resemblyzer" in installed:
        encoder = speaker_encoder()
        mine, source, target = (
            np.stack([encoder.embed(one) for one in some])  # (M, E)
            for some in (
                made.samples,
                [one.samples for one in scene.inputs],
                [one.samples for one in scene.real],
            )
        )
        found["speaker_nearest"] = compared(mine, source, source, target)["speaker_nearest"]
    if "speechmos" in installed:
        found["naturalness"] = float(np.mean([naturalness(one) for one in made.samples]))
    return found


@torch.inference_mode()
def share(judge: EvalClassifier, recordings: Sequence[Floats], wanted: Sequence[str]) -> float:
    """The share of recordings (n,) at 16 kHz of which a judge says what is wanted, 0 to 1."""
    right = 0
    for start in range(0, len(recordings), BATCH):
        part = slice(start, start + BATCH)
        said = judge(recordings[part]).logits.argmax(1).tolist()  # (N,)
        names = [judge.card.classes[number] for number in said]
        right += sum(name == one for name, one in zip(names, wanted[part], strict=True))
    return right / max(1, len(recordings))


def find_judges(
    folder: Path,
    voices: Voices,
    asked: Sequence[ClassifierConfig] = (),
    *,
    report: Callable[[str], None] | None = None,
) -> VoiceJudges:
    """The judges of a corpus: from a folder, or trained now and kept there.

    Args:
        folder: Holds a directory for each, by the names of the recipes.
        voices: The recordings.
        asked: Recipes of who speaks, and of which word is said; those of the corpus without it.
        report: Where to say what is being trained.

    Raises:
        DataError: If a judge reads real recordings too badly, or was made by another recipe.
    """
    corpus, examples, found = voices.corpus, _Examples(voices), []
    for recipe in asked or recipes(corpus):
        directory = folder / recipe.name
        config = _config(recipe, corpus)
        directory.mkdir(parents=True, exist_ok=True)
        with FileLock(directory.with_suffix(".lock")):
            if not (directory / CARD).is_file():
                if report is not None:
                    report(f"training judge {recipe.name}, {recipe.steps} steps")
                examples.train(config).save(directory)
        judge = EvalClassifier.load(directory)
        keys = ("task", "steps", "batch", "widths", "augmentation", "architecture", "arguments")
        wanted = {key: getattr(config, key) for key in keys} | {"domains": recipe.domains}
        require_instrument(
            judge.card,
            wanted,
            recipe.floor,
            asked=f"judge {directory}",
            hint="Use another folder, so that everything is judged alike.",
        )
        found.append(judge)
    return VoiceJudges(*found)


def _config(recipe: ClassifierConfig, corpus: Corpus) -> JudgeConfig:
    """How a judge of a recipe is trained; its classes are found in the recordings."""
    return JudgeConfig(
        recipe.task,
        (),
        steps=recipe.steps,
        batch=recipe.batch,
        architecture=ARCHITECTURE,
        arguments={"highest": corpus.highest},
        augmentation="wide" if corpus.few and recipe.task == "content" else "plain",
        widths=recipe.widths,
    )


class _Examples:
    """Recordings of all speakers for judges, read once."""

    def __init__(self, voices: Voices) -> None:
        self.voices = voices
        self._read: dict[str, dict[str, list[tuple[Recording, Floats]]]] = {}

    def train(self, config: JudgeConfig) -> EvalClassifier:
        """A judge that learns from the training takes of all speakers."""
        if not self._read:
            self._read = {split: self._all(split) for split in ("train", "validation", "test")}
        every = [one for some in self._read["train"].values() for one, _ in some]
        classes = tuple(sorted({self._said(config.task, one) for one in every}))
        train, held, test = (
            [self._part(speaker, some, config.task, classes) for speaker, some in found.items()]
            for found in self._read.values()
        )
        corpus = self.voices.corpus
        takes = f"{corpus.name}, takes {corpus.first[0]} to {corpus.second[1]}"
        data = dict.fromkeys(corpus.speakers, takes)
        asked = replace(config, classes=classes)
        return train_judge(train, test, asked, held=held, data=data)

    @staticmethod
    def _said(task: Task, recording: Recording) -> str:
        return recording.speaker if task == "domain" else recording.word

    def _part(
        self,
        speaker: str,
        pairs: Sequence[tuple[Recording, Floats]],
        task: Task,
        classes: Sequence[str],
    ) -> LabeledSubset:
        files = [InMemorySignal(one.path.name, samples) for one, samples in pairs]
        labels = torch.tensor([classes.index(self._said(task, one)) for one, _ in pairs])  # (M,)
        return LabeledSubset(speaker, None, torch.arange(len(pairs)), labels, files)

    def _all(self, split: str) -> dict[str, list[tuple[Recording, Floats]]]:
        corpus, root = self.voices.corpus, self.voices.root
        found = {}
        with ThreadPoolExecutor(threads()) as pool:
            for speaker in corpus.speakers:
                if split == "train":
                    some = corpus.learnt(root, speaker)
                else:
                    some = corpus.recordings(root, speaker, cast("Split", split))
                found[speaker] = list(zip(some, pool.map(read, some), strict=True))
        return found
