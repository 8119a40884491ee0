"""Cells of ``zoo bench voice``: figures, the score of a snapshot, and spectrograms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from zoo_core.errors import DataError
from zoo_core.translate.translator import Translator
from zoo_evaluate.bench.assess import CellEvaluator, CellResult, Facts, Figures, MessageCallback
from zoo_evaluate.bench.plan import Planner
from zoo_evaluate.bench.protocol import Override, Task
from zoo_voice.audio import Sound
from zoo_voice.evaluate.corpus import corpus_of
from zoo_voice.evaluate.figures import VoiceJudges, compare, find_judges
from zoo_voice.evaluate.rows import BASELINES, ConvertedUtterances, converted
from zoo_voice.evaluate.scene import Scene, Voices
from zoo_voice.spectrogram import draw
from zoo_voice.world import RATE

SHOWN = 3
"""Most words that are drawn of a cell."""


class VoiceCellResult(CellResult):
    """A model in one direction.

    Args:
        scene: The test takes.
        held: The validation takes.
        judges: Who speaks, and which word is said.
        model: The model.
    """

    def __init__(self, scene: Scene, held: Scene, judges: VoiceJudges, model: Translator) -> None:
        self._scene, self._held, self._judges, self._model = scene, held, judges, model
        self._made: ConvertedUtterances | None = None
        self.facts: Facts = {}
        self.notes: list[str] = []

    def score(self) -> float:
        """Target accuracy, times content accuracy, times the evenness of variance, 0 to 1."""
        found = compare(self._held, converted(self._held, self._model), self._judges)
        ratio = max(1e-6, found["variance_ratio"])
        return found["target_accuracy"] * found["content_accuracy"] * min(ratio, 1 / ratio)

    def figures(self) -> Figures:
        """See `zoo_voice.evaluate.figures`."""
        self.facts |= facts(self._scene)
        return rounded(compare(self._scene, self._of_tests(), self._judges, listen=True))

    def draw(self, path: Path) -> None:
        """Writes spectrograms of a take of some words."""
        spectrograms(self._scene, self._of_tests(), path)

    def _of_tests(self) -> ConvertedUtterances:
        if self._made is None:
            self._made = converted(self._scene, self._model)
        return self._made


class VoiceCellEvaluator(CellEvaluator):
    """Measures models of speech; see `zoo_evaluate.bench.assess.CellEvaluator`."""

    margin: ClassVar[float] = 0.05

    def __init__(self, planner: Planner, device: str, report: MessageCallback) -> None:
        super().__init__(planner, device, report)
        self._voices: dict[str, Voices] = {}
        self._judges: dict[str, VoiceJudges] = {}

    def prepare(self, task: Task) -> None:
        """Trains the judges of a task that are not there."""
        self._judges_of(task)

    def baselines(self, task: Task) -> Mapping[str, Callable[[str, str], tuple[Figures, Facts]]]:
        """What every method is held against; see `zoo_voice.evaluate.rows`."""

        def row(name: str) -> Callable[[str, str], tuple[Figures, Facts]]:
            def found(source: str, target: str) -> tuple[Figures, Facts]:
                scene = self._scene(task, source, target)
                made = BASELINES[name](scene)
                figures = compare(scene, made, self._judges_of(task), listen=True)
                return rounded(figures), facts(scene)

            return found

        return {name: row(name) for name in BASELINES}

    def evaluate(
        self, task: Task, source: str, target: str, model: Translator, override: Override
    ) -> VoiceCellResult:
        """A model in one direction."""
        scene = self._scene(task, source, target)
        held = Scene(scene.voices, source, target, "validation")
        return VoiceCellResult(scene, held, self._judges_of(task), model)

    def _scene(self, task: Task, source: str, target: str) -> Scene:
        return Scene(self._voices_of(task), source, target)

    def _voices_of(self, task: Task) -> Voices:
        corpus, root = corpus_of(*task.domains), self.planner.root
        if root is None:
            raise DataError("the folder that holds it is not named", asked=f"corpus {corpus.name}")
        if corpus.name not in self._voices:
            self._voices[corpus.name] = Voices(root, corpus)
        return self._voices[corpus.name]

    def _judges_of(self, task: Task) -> VoiceJudges:
        voices = self._voices_of(task)
        name = voices.corpus.name
        if name not in self._judges:
            asked = [one for one in self.benchmark.judges if one.name.endswith(f"-{name}")]
            folder = self.planner.folder.judges
            self._judges[name] = find_judges(folder, voices, asked, report=self.report)
        return self._judges[name]


def spectrograms(scene: Scene, made: ConvertedUtterances, path: Path) -> None:
    """Writes a labelled grid: a column for each of some words, a take of it in each row.

    Args:
        scene: The direction.
        made: What was made of its inputs.
        path: Where to.
    """
    words = sorted({one.word for one in scene.inputs} & {one.word for one in scene.real})
    count = min(SHOWN, len(words))
    words = [words[number * len(words) // count] for number in range(count)]
    at = [next(i for i, one in enumerate(scene.inputs) if one.word == word) for word in words]
    rows = {
        scene.source: [scene.inputs[i].samples for i in at],
        f"to {scene.target}": [made.samples[i] for i in at],
        scene.target: [next(o.samples for o in scene.real if o.word == word) for word in words],
    }
    sounds = [
        (title, [(Sound(samples, RATE), title) for samples in some]) for title, some in rows.items()
    ]
    draw(sounds, words, path)


def facts(scene: Scene) -> Facts:
    """How much was measured."""
    return {"inputs": len(scene.inputs), "references": len(scene.real)}


def rounded(found: Mapping[str, float]) -> Figures:
    """Figures as cells keep them."""
    return {name: round(value, 6) for name, value in found.items()}
