"""The judges of a benchmark: trained once per working folder by recorded recipes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from zoo_core.errors import DataError
from zoo_evaluate.bench.data import Pictures
from zoo_evaluate.bench.protocol import Benchmark, ClassifierConfig
from zoo_evaluate.bench.work_dir import WorkDir
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_card import SCALES, JudgeCard
from zoo_evaluate.judge_train import JudgeConfig, train_judge
from zoo_nn.nets.classifier_card import CARD, OWN

MessageCallback = Callable[[str], None]


class NoInstrumentError(DataError):
    """A judge reads real signals too badly to judge anything."""


class JudgeSet:
    """The judges of a working folder.

    Args:
        benchmark: The benchmark, whose recipes they are made by.
        folder: The working folder.
        pictures: The real pictures.
        device: Where judges are trained.
        report: Where to say what is being trained.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        folder: WorkDir,
        pictures: Pictures,
        *,
        device: str = "cpu",
        report: MessageCallback | None = None,
    ) -> None:
        self.benchmark, self.folder, self.pictures = benchmark, folder, pictures
        self.device, self._report = device, report
        self._judges: dict[str, EvalClassifier] = {}

    def judge(self, recipe: ClassifierConfig) -> EvalClassifier:
        """A judge: from memory, from the folder, or trained now.

        Raises:
            NoInstrumentError: If it reads real pictures too badly to judge anything.
            DataError: If the one in the folder was made by another recipe.
        """
        if recipe.name not in self._judges:
            self._make(recipe, wait=True)
            judge = EvalClassifier.load(self.folder.judges / recipe.name)
            self._check(recipe, judge)
            self._judges[recipe.name] = judge
        return self._judges[recipe.name]

    def fit(
        self, recipes: Sequence[ClassifierConfig]
    ) -> tuple[dict[str, EvalClassifier], dict[str, NoInstrumentError]]:
        """The judges of several recipes that are fit to judge, and why the others are not.

        One that another process is training is waited for when all others are there.
        """
        for recipe in recipes:
            self._make(recipe, wait=False)
        judges, unfit = {}, {}
        for recipe in recipes:
            try:
                judges[recipe.name] = self.judge(recipe)
            except NoInstrumentError as reason:
                unfit[recipe.name] = reason
        return judges, unfit

    def _make(self, recipe: ClassifierConfig, *, wait: bool) -> None:
        """Trains a judge that is not there, unless another process is at it and may go on."""
        directory = self.folder.judges / recipe.name
        with self.folder.locked(f"judge-{recipe.name}", wait=wait) as mine:
            if mine and not (directory / CARD).is_file():
                self._train(recipe).save(directory)

    def _train(self, recipe: ClassifierConfig) -> EvalClassifier:
        if self._report is not None:
            self._report(f"training judge {recipe.name}, {recipe.steps} steps")
        learnt = self.pictures.parts(recipe.task, recipe.domains, "train")
        tested = self.pictures.parts(recipe.task, recipe.domains, "test")
        data = {name: self.pictures.words(name) for name in recipe.domains}
        judge = train_judge(learnt, tested, self.config(recipe), data=data)
        if self._report is not None:
            accuracy = judge.card.accuracy["mean"]["test"]
            self._report(f"judge {recipe.name}: accuracy {accuracy:.4f} on real test pictures")
        return judge

    def config(self, recipe: ClassifierConfig) -> JudgeConfig:
        """How a judge of a recipe is trained."""
        if recipe.task == "domain":
            classes = recipe.domains
        else:
            parts = self.pictures.parts("content", recipe.domains, "train")
            count = 1 + max(int(part.labels.max()) for part in parts)
            classes = tuple(str(number) for number in range(count))
        return JudgeConfig(
            recipe.task,
            classes,
            size=self.benchmark.size,
            steps=recipe.steps,
            batch=recipe.batch,
            device=self.device,
            architecture=recipe.architecture,
            arguments=recipe.arguments,
            widths=recipe.widths if recipe.architecture == OWN else (),
            augmentation=recipe.augmentation,
            scales=recipe.scales,
        )

    def _check(self, recipe: ClassifierConfig, judge: EvalClassifier) -> None:
        card, asked = judge.card, f"judge {self.folder.judges / recipe.name}"
        wanted: dict[str, object] = {
            "task": recipe.task,
            "domains": recipe.domains,
            "steps": recipe.steps,
            "batch": recipe.batch,
            "size": self.benchmark.size,
            "architecture": recipe.architecture,
            "augmentation": recipe.augmentation,
        }
        if recipe.architecture == OWN:
            wanted["widths"] = recipe.widths
        if recipe.role == "source":
            wanted["scales"] = recipe.scales
            card = card.model_copy(update={"scales": card.scales or SCALES})
        hint = "Use another --work, so that all cells are judged alike."
        require_instrument(card, wanted, recipe.floor, asked=asked, hint=hint)


def require_instrument(
    card: JudgeCard, wanted: Mapping[str, object], floor: float, *, asked: str, hint: str
) -> None:
    """Refuses a judge that was made by another recipe, or that reads real signals badly.

    Args:
        card: The judge's.
        wanted: What its card must say.
        floor: Least accuracy on real test signals.
        asked: Its directory, for the error.
        hint: What to do where the recipe is another.

    Raises:
        DataError: If the recipe is another.
        NoInstrumentError: If the accuracy is below the floor.
    """
    if any(getattr(card, key) != value for key, value in wanted.items()):
        raise DataError("it was made by another recipe than this version's", asked=asked, hint=hint)
    accuracy = card.accuracy.get("mean", {}).get("test", 0.0)
    if accuracy < floor:
        raise NoInstrumentError(
            f"it reads {accuracy:.1%} of the real test signals rightly, "
            f"and {floor:.0%} are needed of an instrument",
            asked=asked,
            hint="Check the data, remove the directory and run again.",
        )
