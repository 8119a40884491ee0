"""``zoo train --validate``: figures on held-out signals while a run goes, and its best model."""

from __future__ import annotations

from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError, printable
from zoo_core.files import restored
from zoo_core.host.plugins import host
from zoo_evaluate.direction_evaluation import EvalConfig
from zoo_evaluate.eval_model import EngineEvalModel
from zoo_evaluate.held_out import declared_paired
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.report import Report
from zoo_evaluate.run import evaluate_model, metric_classes
from zoo_train.controls import Moment, RunControl
from zoo_train.data.dataset import DataSet, open_sources
from zoo_train.logs import read_stats

BEST = "best"
"""The model directory, in the run's, of the step with the best figure."""
TRIED = 2
"""Inputs of a direction by which a run that starts finds out whether it can be measured."""


class Validation(RunControl):
    """Measures a run on signals that it does not learn from, and keeps the best model.

    Args:
        every: Steps between two measurements; the last step is measured, too.
        metrics: Names as for ``zoo evaluate``, joined by ``+``. The first one decides which model
            is best. Empty: ``l1`` where references are known, else ``cycle``.
        data: A folder with the signals, as for ``zoo evaluate --data``. Empty: what the run's own
            sources hold out, as a split ``val`` or by ``--set train.hold_out=SHARE``.
        paired: Whether signals of one name show the same; None: as the data declares.
        judges: Directories of judges, joined by ``+``.
        patience: Measurements without a better figure after which the run ends; 0: never.
        samples: Most inputs of each direction.
    """

    def __init__(
        self,
        *,
        every: int = 500,
        metrics: str = "",
        data: str = "",
        paired: bool | None = None,
        judges: str = "",
        patience: int = 0,
        samples: int = 200,
    ) -> None:
        for name, value in {"every": every, "samples": samples}.items():
            if value < 1:
                raise UsageError("it must be at least 1", asked=f"{name}={value} of --validate")
        self.every, self.patience, self.samples = every, patience, samples
        self._root, self._paired = data, paired
        self._asked = [name for name in metrics.split("+") if name]
        self._judges = [EvalClassifier.load(path) for path in judges.split("+") if path]
        metric_classes(self._asked or None)
        self.metrics: list[str] = []
        self.figure, self.higher = "", False
        self.best: float | None = None
        self.without = 0

    def started(self, moment: Moment) -> None:
        """Opens the signals, tries whether they can be measured, and reads how far the run was."""
        self._data = self._open(moment)
        root = self._root or (restored(moment.config.data) if moment.config.data else None)
        if self._paired is None:
            self._paired = declared_paired(root)
        self.metrics = self._asked or (["l1"] if self._paired else ["cycle"])
        first, *_ = metric_classes(self.metrics)
        self.figure, self.higher = (first.headline or (first.name,))[0], first.higher_is_better
        self._measured(moment, TRIED)
        self.best, self.without = None, 0
        for values in read_stats(moment.directory):
            if self._key in values:
                self._better(values[self._key])
        better = "higher" if self.higher else "lower"
        held = ", ".join(f"{len(store):,} of {name}" for name, store in self._data.stores.items())
        moment.note(
            f"validation every {self.every} steps on {held}: {self.figure}, {better} is better; "
            f"the best model is kept in {printable(str(moment.directory / BEST))}"
        )

    def stepped(self, moment: Moment) -> str | None:
        """Measures, where it is time, and keeps the model if it is the best so far."""
        step = moment.progress.step
        if step % self.every and step != moment.progress.steps:
            return None
        mean = self._measured(moment, self.samples).mean
        moment.record({f"validation/{name}": value for name, value in mean.items()})
        value = mean[self.figure]
        if self._better(value):
            moment.export(moment.directory / BEST)
        moment.note(f"step {step}: {self.figure} {value:.4g}, best {self.best:.4g}")
        if self.patience and self.without >= self.patience:
            return f"{self.figure} has not been better than {self.best:.4g} in {self.without} times"
        return None

    @property
    def _key(self) -> str:
        """Under which name the figure is in the run's log."""
        return f"validation/{self.figure}"

    def _better(self, value: float) -> bool:
        """Takes in a figure; whether it is the best so far."""
        better = self.best is None or (value > self.best if self.higher else value < self.best)
        self.best = value if better else self.best
        self.without = 0 if better else self.without + 1
        return better

    def _measured(self, moment: Moment, samples: int) -> Report:
        config = EvalConfig(split="val", num_samples=samples, paired=self._paired, samples=0)
        model = EngineEvalModel(moment.engine(), moment.directory.name)
        return evaluate_model(model, self._data, self.metrics, judges=self._judges, config=config)

    def _open(self, moment: Moment) -> DataSet:
        """The held-out signals; raises `UsageError` where nothing says which they are."""
        run = moment.config
        share = 0.0 if self._root else run.train.hold_out
        own = {} if self._root else {k: restored(v) for k, v in run.domains.items()}
        root = self._root or (None if run.data is None else restored(run.data))
        data = open_sources(
            own,
            codec=moment.codec,
            memory=moment.data.memory,
            config=TrainConfig(crop_first=run.train.crop_first, hold_out=share),
            split="val",
            attributes=list(run.attributes) or None,
            data=root,
            need=host().method(run.method).domains if not run.attributes else (1, None),
        )
        learnt = moment.data.hashes
        for name, found in data.found.items():
            known = set(learnt.get(name, ()))
            seen = sum(one in known for one in data.hashes[name])
            if seen == len(data.hashes[name]) or (found.split is None and not self._root):
                raise UsageError(
                    "nothing is held out: these signals are trained on",
                    asked=f"--validate on {found.place}",
                    hint="Keep a share of them from training by --set train.hold_out=0.1, or "
                    "name a folder with others: --validate data=ROOT.",
                )
            if seen:
                moment.note(f"warning: {name}: {seen:,} of {len(data.hashes[name]):,} trained on")
        return data
