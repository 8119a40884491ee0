"""``zoo bench`` on a benchmark of a few pictures: cells, resume, failures, table."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from zoo_core.cli import run
from zoo_core.contracts.signals import Condition
from zoo_core.errors import DataError, PluginError, UsageError
from zoo_core.host.plugins import host
from zoo_core.models.weights import read_tensors
from zoo_evaluate.bench import adaptation, selection
from zoo_evaluate.bench.digits import DIGITS
from zoo_evaluate.bench.emoji import EMOJI
from zoo_evaluate.bench.measure import BenchCase, Untranslated, chosen, labels_of
from zoo_evaluate.bench.picture_cells import PictureCellEvaluator
from zoo_evaluate.bench.plan import BenchRequest, Planner
from zoo_evaluate.bench.protocol import (
    MARKS,
    Adaptation,
    Benchmark,
    ClassifierConfig,
    Override,
    PublishedFigure,
    Task,
)
from zoo_evaluate.bench.runner import Runner
from zoo_evaluate.bench.selection import best_of
from zoo_evaluate.bench.stand_ins import STAND_INS
from zoo_evaluate.bench.work_dir import WorkDir
from zoo_evaluate.cli.bench import run_benchmark
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_train import JudgeConfig, train_judge
from zoo_train.loop import Trainer

pytestmark = pytest.mark.usefixtures("one_thread")

CYCLEGAN = {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 1}
STARGAN = {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 3, "n_critic": 1}
STEPS = 8
FLOAT32 = {"precision": "float32"}
TINY = Benchmark(
    name="tiny",
    title="Tiny",
    sources={"dark": "{root}/dark", "light": "{root}/light"},
    tasks=(Task("dark-light", ("dark", "light")),),
    preset="32px",
    size=16,
    judges=(
        ClassifierConfig("content-dark", "content", ("dark",), steps=15, batch=16),
        ClassifierConfig("content-light", "content", ("light",), steps=15, batch=16),
        ClassifierConfig("content-light-small", "content", ("light",), 15, 16, widths=(4, 8)),
        ClassifierConfig("domain-dark-light", "domain", ("dark", "light"), steps=15, batch=16),
        ClassifierConfig("source-dark", "content", ("dark",), 15, 16, widths=(4, 8), role="source"),
        ClassifierConfig(
            "source-light", "content", ("light",), 15, 16, widths=(4, 8), role="source"
        ),
    ),
    columns=DIGITS.columns,
    factors=DIGITS.factors,
    protocol=("Bars on dark and light grounds.",),
    methods=("cyclegan", "stargan"),
    adaptation=Adaptation(pictures=20, steps=6, batch=8, widths=(4, 8)),
    short=Adaptation(pictures=10, steps=2, batch=4, widths=(4, 8)),
    extractor="content",
    inputs=16,
    held=6,
    snapshots=2,
    overrides={
        "cyclegan": Override(CYCLEGAN, train=FLOAT32),
        "stargan": Override(STARGAN, train=FLOAT32),
    },
    published=(PublishedFigure("Somebody", "dark->light", "98.7", "R", "a paper", "all else"),),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Upright and level bars, in two classes, on two grounds, in two splits."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for domain, ground in (("dark", 20), ("light", 180)):
        for split, count in (("train", 16), ("test", 8)):
            for label in (0, 1):
                place = folder / domain / split / str(label)
                place.mkdir(parents=True)
                for number in range(count):
                    pixels = rng.integers(0, 40, (16, 16, 3)) + ground
                    band = slice(6, 10)
                    where = (slice(None), band) if label else (band, slice(None))
                    pixels[where] = 255 - ground
                    name = f"{domain}{number}.png"
                    Image.fromarray(pixels.astype(np.uint8)).save(place / name)
    return folder


@pytest.fixture(scope="module")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the cells of both methods, and the table beside it."""
    place = tmp_path_factory.mktemp("bench")
    assert start(TINY, root, place) == 0
    return place


def start(benchmark: Benchmark, root: Path, place: Path, **options: object) -> int:
    asked = {"methods": None, "tasks": None, "seeds": "0", "steps": STEPS, "device": "cpu"}
    asked |= {"data": root, "work": place / "work", "out": place / "out", "as_json": False}
    return run_benchmark(benchmark, **{**asked, "table_only": False, **options})


def table(place: Path, name: str = "tiny") -> dict:
    return json.loads((place / "out" / f"{name}.json").read_text())


def judged(place: Path, finished: Path) -> None:
    """Gives a new working folder the judges of the finished one."""
    (place / "work").mkdir()
    (place / "work" / "judges").symlink_to(finished / "work" / "judges")
    cells = place / "work" / "cells"
    cells.mkdir()
    for path in (finished / "work" / "cells").glob("*--0steps.json"):
        (cells / path.name).write_bytes(path.read_bytes())


def test_every_method_has_a_cell_in_each_direction_in_the_stated_form(finished: Path) -> None:
    cells = table(finished)["cells"]
    assert {(cell["method"], cell["direction"]) for cell in cells} == {
        (method, way) for method in TINY.methods for way in ("dark->light", "light->dark")
    }
    metrics = [column.name for column in TINY.columns]
    assert metrics == [
        "content_accuracy",
        "domain_accuracy",
        "adaptation_accuracy",
        "adaptation_short",
        "cycle_l1",
        "reference_l1",
        "fid",
        "hidden",
    ]
    for cell in cells:
        assert list(cell)[:5] == ["method", "task", "direction", "seed", "steps"]
        assert (cell["task"], cell["seed"], cell["steps"]) == ("dark-light", 0, STEPS)
        assert cell["device"] == "cpu"
        assert cell["seconds"] > 0
        assert cell["seconds_per_step"] > 0
        assert cell["parameters"] > 0
        assert list(cell["metrics"]) == metrics
        assert {*metrics, "step"} <= set(cell["best"])
        assert all(0 <= cell["metrics"][name] <= 1 for name in metrics[:4])
        assert cell["metrics"]["cycle_l1"] > 0
        assert cell["metrics"]["fid"] > 0
        assert cell["metrics"]["reference_l1"] is None


def test_an_accuracy_is_the_mean_of_what_each_member_of_the_jury_says(finished: Path) -> None:
    for cell in table(finished)["cells"]:
        said = cell["jury"]["content_accuracy"] if cell["direction"] == "dark->light" else []
        assert len(said) == (2 if cell["direction"] == "dark->light" else 0)
        assert "domain_accuracy" not in cell.get("jury", {})  # there is one judge of domains
        if said:
            assert cell["metrics"]["content_accuracy"] == pytest.approx(sum(said) / 2, abs=1e-4)
    page = (finished / "out" / "tiny.md").read_text()
    assert "The judges of content accuracy are" in page


def test_every_cell_says_how_its_adaptation_was_measured(
    finished: Path, root: Path, tmp_path: Path
) -> None:
    known = {"pictures": 20, "steps": 6, "batch": 8}
    assert [cell["adaptation"] for cell in table(finished)["cells"]] == 4 * [known]
    judged(tmp_path, finished)
    model = finished / "work" / "runs"
    (tmp_path / "work" / "runs").symlink_to(model)
    judges = finished / "work" / "judges"
    asked = {"methods": "stargan", "adaptation": (12, 3), "judges": judges}
    assert start(TINY, root, tmp_path, **asked) == 0
    assert {tuple(cell["adaptation"].values()) for cell in table(tmp_path)["cells"]} == {(12, 3, 8)}
    assert start(TINY, root, tmp_path, table_only=True) == 0
    page = (tmp_path / "out" / "tiny.md").read_text()
    assert f"Adapted to by 12 pictures, 3 steps: stargan ({STEPS})." in page


def test_judges_of_another_folder_measure_where_they_are_named(
    finished: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object, **options: object) -> None:
        raise AssertionError("it trains a judge again")

    monkeypatch.setattr("zoo_evaluate.bench.judges.train_judge", never)
    judged(tmp_path, finished)
    (tmp_path / "work" / "judges").unlink()
    asked = {"methods": "stargan", "judges": finished / "work" / "judges"}
    assert start(TINY, root, tmp_path, **asked) == 0
    assert table(tmp_path)["judges"] == table(finished)["judges"]


def test_an_adaptation_is_refused_where_none_is_measured(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        start(replace(TINY, adaptation=None), root, tmp_path, adaptation=(12, 3))
    assert refused.value.asked == "--adaptation 12 3 of benchmark tiny"


def test_best_is_of_the_snapshots_that_were_scored(finished: Path) -> None:
    for cell in table(finished)["cells"]:
        scores = {int(step): value for step, value in cell["best"]["scores"].items()}
        assert set(scores) == {STEPS // 2, STEPS}
        assert best_of(scores) == cell["best"]["step"]
        if cell["best"]["step"] == STEPS:
            assert {k: cell["best"][k] for k in cell["metrics"]} == cell["metrics"]


def test_a_snapshot_is_better_than_the_last_state_only_by_more_than_chance() -> None:
    assert best_of({10: 0.7, 20: 0.9, 30: 0.8}) == 20
    assert best_of({10: 0.805, 20: 0.808, 30: 0.8}) == 30
    assert best_of({10: 0.9, 20: 0.9, 30: 0.1}) == 20


def test_source_only_target_only_and_stand_ins_frame_the_table(finished: Path) -> None:
    frame = {
        (row["method"], row["direction"]): row["metrics"] for row in table(finished)["baselines"]
    }
    assert set(frame) == {
        (row, way)
        for row in ("source only", "target only", *(kind.name for kind in STAND_INS))
        for way in ("dark->light", "light->dark")
    }
    folder = finished / "work" / "judges"
    jury = [EvalClassifier.load(folder / f"content-light{end}") for end in ("", "-small")]
    upper = frame["target only", "dark->light"]
    accuracies = [judge.card.accuracy["light"]["test"] for judge in jury]
    assert upper["content_accuracy"] == pytest.approx(sum(accuracies) / 2, abs=1e-3)
    for name in ("adaptation_accuracy", "adaptation_short"):
        assert upper[name] is not None
        assert frame["source only", "dark->light"][name] is not None
        assert frame["blurred", "dark->light"][name] is None
    assert frame["source only", "dark->light"]["domain_accuracy"] < upper["domain_accuracy"]


def test_the_page_shows_figures_judges_pictures_and_marks(finished: Path) -> None:
    page = (finished / "out" / "tiny.md").read_text()
    assert "| Somebody | 98.7 | [R] | a paper | all else |" in page
    assert MARKS["R"] in page.replace("[R] ", "")
    cell = table(finished)["cells"][0]
    assert f"{cell['metrics']['content_accuracy']:.3f}" in page
    assert "| content-dark | judge | 15 |" in page
    for path in ("tiny/bars.png", "tiny/cyclegan.png", "tiny/stargan.png"):
        assert f"({path})" in page
        with Image.open(finished / "out" / path) as image:
            assert min(image.size) > 50
    assert str(finished) not in page + json.dumps(table(finished))


def test_finished_cells_are_skipped(
    finished: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object, **options: object) -> None:
        raise AssertionError("it trains again")

    monkeypatch.setattr("zoo_evaluate.bench.runner.train_run", never)
    monkeypatch.setattr("zoo_evaluate.bench.judges.train_judge", never)
    before = table(finished)
    assert start(TINY, root, finished) == 0
    assert table(finished) == before


def test_what_a_run_needed_to_go_on_is_removed_when_its_cells_are_finished(finished: Path) -> None:
    runs = list((finished / "work" / "runs").iterdir())
    assert len(runs) == 2
    for path in runs:
        assert (path / "model" / "model.safetensors").is_file()
        assert (path / "snapshots" / f"{STEPS // 2:06d}" / "config.yaml").is_file()
        assert not (path / "cache").exists()
        assert not (path / "checkpoint").exists()


def test_a_training_that_was_interrupted_goes_on_to_the_same_weights(
    finished: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(tmp_path, finished)
    step, done = Trainer.step, []

    def interrupted(trainer: Trainer) -> None:
        if trainer.done == 5 and len(done) == 5:
            raise RuntimeError("somebody pulled the plug")
        done.append(trainer.done)
        step(trainer)

    monkeypatch.setattr(Trainer, "step", interrupted)
    assert start(TINY, root, tmp_path, methods="cyclegan") == 1
    assert table(tmp_path)["cells"] == []
    done.append(-1)
    assert start(TINY, root, tmp_path, methods="cyclegan") == 0
    assert done == [0, 1, 2, 3, 4, -1, 5, 6, 7]
    assert len(table(tmp_path)["cells"]) == 2
    assert not list((tmp_path / "work" / "faults").iterdir())
    name = f"runs/cyclegan--dark-light--dark-light--seed0--{STEPS}steps/model/model.safetensors"
    one, other = (read_tensors(place / "work" / name)[0] for place in (tmp_path, finished))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_method_that_fails_is_told_of_and_the_others_go_on(
    finished: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judged(tmp_path, finished)
    broken = {**TINY.overrides, "cyclegan": Override({**CYCLEGAN, "critic_layers": 9})}
    assert start(replace(TINY, overrides=broken), root, tmp_path) == 1
    said = capsys.readouterr().err
    assert "cyclegan failed" in said
    assert "critic_layers=9" in said
    assert {cell["method"] for cell in table(tmp_path)["cells"]} == {"stargan"}


def test_a_measure_that_fails_costs_its_cells_alone(
    root: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(tmp_path, finished)
    next((tmp_path / "work" / "cells").glob("source-only*dark-to*")).unlink()

    def broken(*args: object) -> float:
        raise RuntimeError("the measure is broken")

    monkeypatch.setattr("zoo_evaluate.bench.adaptation.accuracy", broken)
    assert start(TINY, root, tmp_path, methods="stargan") == 1
    rows = 2 * (2 + len(STAND_INS))
    assert len(table(tmp_path)["baselines"]) == rows - 1
    assert table(tmp_path)["cells"] == []
    assert len(list((tmp_path / "work" / "faults").iterdir())) == 3
    monkeypatch.undo()

    def never(*args: object, **options: object) -> None:
        raise AssertionError("it trains again")

    monkeypatch.setattr("zoo_evaluate.bench.runner.train_run", never)
    assert start(TINY, root, tmp_path, methods="stargan") == 0
    assert len(table(tmp_path)["baselines"]) == rows
    assert len(table(tmp_path)["cells"]) == 2
    assert not list((tmp_path / "work" / "faults").iterdir())


def test_a_training_at_which_another_process_is_is_left_to_it(
    finished: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judged(tmp_path, finished)
    folder = WorkDir(tmp_path / "work")
    name = f"cyclegan--dark-light--dark-light--seed0--{STEPS}steps"
    with folder.locked(name, wait=False) as mine:
        assert mine
        assert start(TINY, root, tmp_path, methods="cyclegan") == 0
    assert f"left to another process: {name}" in capsys.readouterr().err
    assert table(tmp_path)["cells"] == []


def test_seeds_are_averaged_and_steps_are_not(finished: Path, root: Path, tmp_path: Path) -> None:
    judged(tmp_path, finished)
    cells = tmp_path / "work" / "cells"
    cell = json.loads(next((finished / "work" / "cells").glob("cyclegan*dark-to*")).read_text())
    for seed, steps, value in ((0, 8, 0.5), (1, 8, 0.7), (0, 16, 0.9)):
        metrics = {**cell["metrics"], "content_accuracy": value}
        one = {**cell, "seed": seed, "steps": steps, "metrics": metrics}
        one["best"] = {**cell["best"], **metrics, "step": steps}
        (cells / f"cell{seed}{steps}.json").write_text(json.dumps(one))
    assert start(TINY, root, tmp_path, table_only=True) == 0
    page = (tmp_path / "out" / "tiny.md").read_text()
    assert "| cyclegan | 8 | 2 | 0.600 ± 0.141 |" in page
    assert "| cyclegan | 16 | 1 | 0.900 |" in page


def test_unknown_names_are_refused_before_anything_is_trained(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='Did you mean "cyclegan"'):
        start(TINY, root, tmp_path, methods="cyclegun")
    with pytest.raises(UsageError, match='Did you mean "dark-light"'):
        start(TINY, root, tmp_path, tasks="dark-lit")
    with pytest.raises(UsageError, match="whole numbers"):
        start(TINY, root, tmp_path, seeds="one")
    assert not (tmp_path / "work" / "judges").exists()
    assert run(["bench", "digit"]) == 2
    assert run(["bench", "digits", "--methods", "cyclegun", "--data", str(root)]) == 2


def with_floors(**floors: float) -> Benchmark:
    """The same benchmark with floors of some judges, `_` for `-` in their names."""
    named = {name.replace("_", "-"): floor for name, floor in floors.items()}
    recipes = (replace(r, floor=named.get(r.name, r.floor)) for r in TINY.judges)
    return replace(TINY, judges=tuple(recipes))


def test_without_one_of_its_judges_a_jury_is_smaller_and_says_so(
    finished: Path, root: Path, tmp_path: Path
) -> None:
    judged(tmp_path, finished)
    (tmp_path / "work" / "runs").symlink_to(finished / "work" / "runs")
    benchmark = with_floors(content_light_small=1.01)
    assert start(benchmark, root, tmp_path, methods="stargan") == 0
    cells = {cell["direction"]: cell for cell in table(tmp_path)["cells"]}
    one, other = cells["dark->light"], cells["light->dark"]
    assert list(one["left_out"]) == ["content-light-small"]
    assert "content_accuracy" not in one.get("jury", {})
    assert set(one["judges"]) == {"content-light", "domain-dark-light"}
    assert "left_out" not in other
    page = (tmp_path / "out" / "tiny.md").read_text()
    assert "Left out of its jury, which is so much smaller: content-light-small" in page


def test_a_judge_that_cannot_read_costs_the_rows_that_need_it_alone(
    finished: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judged(tmp_path, finished)
    (tmp_path / "work" / "runs").symlink_to(finished / "work" / "runs")
    benchmark = with_floors(source_dark=1.01)
    assert start(benchmark, root, tmp_path, methods="stargan") == 1
    (cell,) = table(tmp_path)["cells"]
    assert cell["direction"] == "light->dark"  # its snapshots are chosen by the other classifier
    assert "source-dark" in capsys.readouterr().err


def test_nothing_learns_from_a_classifier_that_cannot_read(
    finished: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(tmp_path, finished)
    tied = Override(STARGAN, extra_losses=("embedding:backbone=judge:{source_judge}",))
    benchmark = with_floors(source_dark=1.01, source_light=1.01)
    benchmark = replace(benchmark, overrides={"stargan": tied})

    def never(*args: object, **options: object) -> None:
        raise AssertionError("it trains")

    monkeypatch.setattr("zoo_evaluate.bench.runner.train_run", never)
    assert start(benchmark, root, tmp_path, methods="stargan") == 1
    faults = [path.read_text() for path in (tmp_path / "work" / "faults").iterdir()]
    assert len(faults) == 2
    assert all("NoInstrumentError" in text for text in faults)


def test_rows_of_other_judges_are_marked_and_never_averaged_with_the_tables_own(
    finished: Path, root: Path, tmp_path: Path
) -> None:
    judged(tmp_path, finished)
    cell = json.loads(next((finished / "work" / "cells").glob("cyclegan*dark-to*")).read_text())
    assert set(cell["judges"]) == {"content-light", "content-light-small", "domain-dark-light"}
    older = {key: value for key, value in cell.items() if key != "judges"}
    retrained = {**cell, "judges": {**cell["judges"], "content-light": "0" * 12}}
    for seed, one in enumerate((cell, older, retrained)):
        path = tmp_path / "work" / "cells" / f"cell{seed}.json"
        path.write_text(json.dumps({**one, "seed": seed}))
    assert start(TINY, root, tmp_path, table_only=True) == 0
    page = (tmp_path / "out" / "tiny.md").read_text()
    assert f"| cyclegan | {STEPS} | 1 |" in page
    assert f"| cyclegan † | {STEPS} | 2 |" in page
    assert "Rows marked † were measured by other judges" in page
    assert all("others" not in one for one in table(tmp_path)["cells"])


def test_judges_of_another_recipe_are_refused(finished: Path, root: Path, tmp_path: Path) -> None:
    judged(tmp_path, finished)
    recipes = tuple(replace(recipe, steps=3) for recipe in TINY.judges)
    with pytest.raises(DataError, match="another recipe"):
        start(replace(TINY, judges=recipes), root, tmp_path)
    recipes = tuple(replace(recipe, scales=(0.5, 1.0)) for recipe in TINY.judges)
    with pytest.raises(DataError, match="another recipe"):
        start(replace(TINY, judges=recipes), root, tmp_path)
    recipes = tuple(replace(r, degraded=r.task == "domain") for r in TINY.judges)
    with pytest.raises(DataError, match="another recipe"):
        start(replace(TINY, judges=recipes), root, tmp_path)


def test_a_training_that_knows_its_source_serves_one_direction(root: Path, tmp_path: Path) -> None:
    report = Override({**CYCLEGAN, "objective": "{source_judge}"})
    folder = WorkDir(tmp_path)
    planner = Planner(
        replace(TINY, overrides={"cyclegan": report}), BenchRequest(steps=STEPS, root=root), folder
    )
    trainings = planner.trainings("cyclegan")
    assert [[cell.direction for cell in t.cells] for t in trainings] == [
        ["dark->light"],
        ["light->dark"],
    ]
    for training, source, target in zip(
        trainings, ("dark", "light"), ("light", "dark"), strict=True
    ):
        assert list(training.config.domains) == [source, target]
        assert training.config.options["objective"] == str(tmp_path / "judges" / f"source-{source}")


def test_a_variant_is_a_row_of_its_own_beside_its_method(root: Path, tmp_path: Path) -> None:
    tied = Override(
        {**CYCLEGAN, "cycle": 3.0},
        method="cyclegan",
        extra_losses=("embedding:backbone=judge:{source_judge},weight=2",),
        train={"batch": 5},
    )
    folder, asked = WorkDir(tmp_path), BenchRequest(steps=STEPS, root=root)
    benchmark = replace(TINY, methods=(), overrides={**TINY.overrides, "cyclegan-tied": tied})
    planner = Planner(benchmark, asked, folder)
    assert {"cyclegan", "cyclegan-tied"} <= set(planner.methods)
    there, back = planner.trainings("cyclegan-tied")
    assert [cell.name for cell in there.cells] == [
        f"cyclegan-tied--dark-light--dark-to-light--seed0--{STEPS}steps"
    ]
    assert there.config.method == "cyclegan"
    assert there.config.options["cycle"] == 3
    assert (there.config.train.batch, there.config.train.steps) == (5, STEPS)
    for training, source in ((there, "dark"), (back, "light")):
        judge = tmp_path / "judges" / f"source-{source}"
        assert training.config.extra_losses == (f"embedding:backbone=judge:{judge},weight=2",)
    (plain,) = planner.trainings("cyclegan")
    assert (len(plain.cells), plain.config.extra_losses) == (2, ())
    with pytest.raises(UsageError, match='Did you mean "cyclegan-tied"'):
        Planner(benchmark, replace(asked, methods=["cyclegan-tid"]), folder)


def test_the_table_names_a_variant_and_says_what_it_was_given(
    finished: Path, root: Path, tmp_path: Path
) -> None:
    judged(tmp_path, finished)
    wide = Override({**STARGAN, "width": 6}, method="stargan", train={"batch": 2, **FLOAT32})
    benchmark = replace(TINY, overrides={**TINY.overrides, "stargan-wide": wide})
    assert start(benchmark, root, tmp_path, methods="stargan-wide", steps=2) == 0
    (one, other) = table(tmp_path)["cells"]
    assert one["method"] == other["method"] == "stargan-wide"
    assert (one["variant_of"], one["options"]["width"]) == ("stargan", 6)
    assert (one["train"], one["added"]) == ({"batch": 2, **FLOAT32}, [])
    page = (tmp_path / "out" / "tiny.md").read_text()
    assert "| stargan-wide | variant of stargan | `width=6`" in page
    assert "| stargan-wide | 2 | 1 |" in page


def test_a_method_of_two_domains_is_trained_for_each_pair(tmp_path: Path) -> None:
    planner = Planner(EMOJI, BenchRequest(steps=STEPS, root=tmp_path), WorkDir(tmp_path))
    pairs = [tuple(t.config.domains) for t in planner.trainings("cyclegan")]
    assert pairs == [("noto", "twemoji"), ("noto", "openmoji"), ("twemoji", "openmoji")]
    assert [len(t.cells) for t in planner.trainings("stargan")] == [6]


def test_pictures_with_true_references_and_no_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for split, count in (("train", 12), ("test", 5)):
        shapes = rng.integers(0, 60, (count, 16, 16, 3))
        for number, vendor in enumerate(("noto", "twemoji", "openmoji")):
            place = tmp_path / "emoji128" / split / vendor
            place.mkdir(parents=True)
            for at, shape in enumerate(shapes):
                Image.fromarray((shape + 60 * number).astype(np.uint8)).save(place / f"{at}.png")
    benchmark = replace(
        EMOJI,
        name="drawn",
        preset="32px",
        size=16,
        judges=(ClassifierConfig("domain-emoji", "domain", ("noto", "twemoji", "openmoji"), 6, 9),),
        overrides={"stargan": Override(STARGAN, train=FLOAT32)},
        held=4,
        snapshots=2,
    )
    assert start(benchmark, tmp_path, tmp_path, methods="stargan", steps=4) == 0
    found = table(tmp_path, "drawn")
    ways = {f"{a}->{b}" for a, b in benchmark.tasks[0].directions}
    assert len(ways) == 6
    frame = ("untranslated", *(kind.name for kind in STAND_INS))
    assert [cell["method"] for cell in found["baselines"]] == [*frame] * 6
    for part, methods in (("cells", ("stargan",)), ("baselines", frame)):
        assert {(cell["method"], cell["direction"]) for cell in found[part]} == {
            (method, way) for method in methods for way in ways
        }
        for cell in found[part]:
            for name in ("reference_l1", "ssim", "retrieval", "domain_accuracy"):
                assert cell["metrics"][name] is not None, name
    for cell in found["cells"]:
        assert cell["metrics"]["cycle_l1"] is not None
        assert cell["metrics"]["hidden"] is not None
    losses = [cell["metrics"]["reference_l1"] for cell in found["cells"]]
    page = (tmp_path / "out" / "drawn.md").read_text()
    assert "## emoji, mean of 6 directions" in page
    assert f"| stargan | 4 | {sum(losses) / 6:.3f} | " in page
    with Image.open(tmp_path / "work" / "cells" / f"{_file(found['cells'][0])}.png") as image:
        assert image.size == (5 * 16, 3 * 16)  # inputs, translations, references


def _file(cell: dict) -> str:
    source, _, target = cell["direction"].partition("->")
    way = f"{source}-to-{target}"
    return f"{cell['method']}--{cell['task']}--{way}--seed{cell['seed']}--{cell['steps']}steps"


def test_a_figure_of_which_nobody_is_sure_cannot_be_printed() -> None:
    with pytest.raises(UsageError, match="only figures marked V, V2, R"):
        PublishedFigure("Somebody", "dark->light", "99.9", "R-", "hearsay")
    assert {row.mark for row in DIGITS.published} == {"V", "V2", "R"}


def test_the_core_brings_its_benchmarks_through_the_hook() -> None:
    found = host().components("benchmark")
    names = {name: host().load("benchmark", name).name for name in found}
    assert {"digits", "emoji"} <= set(names)
    assert all(name == own for name, own in names.items())


def test_the_choice_of_the_best_snapshot_opens_no_test_picture(
    finished: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(tmp_path, finished)
    runner = Runner(
        TINY, BenchRequest(root=root, device="cpu"), WorkDir(tmp_path / "work"), lambda _: None
    )
    opened = []
    measuring = runner.evaluator
    assert isinstance(measuring, PictureCellEvaluator)
    whole = type(measuring.pictures).store

    def store(pictures: object, domain: str, split: str) -> object:
        opened.append((domain, split))
        return whole(pictures, domain, split)

    monkeypatch.setattr(type(measuring.pictures), "store", store)
    same = Untranslated(TINY.tasks[0], 16)
    case = BenchCase(measuring.instruments, TINY.tasks[0], "dark", "light", same)
    assert 0 <= selection.score(case) <= 1
    assert set(opened) == {("dark", "train")}


def test_the_adaptation_classifier_learns_from_translations_with_the_labels_of_their_inputs(
    finished: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Negative(Untranslated):
        """Turns black into white."""

        def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
            return -x

    seen = []

    def note(train: list, test: list, config: JudgeConfig) -> EvalClassifier:
        seen.extend((train, test))
        return train_judge(train, test, config)

    monkeypatch.setattr("zoo_evaluate.bench.adaptation.train_judge", note)
    judged(tmp_path, finished)
    runner = Runner(
        TINY, BenchRequest(root=root, device="cpu"), WorkDir(tmp_path / "work"), lambda _: None
    )
    assert isinstance(runner.evaluator, PictureCellEvaluator)
    task = TINY.tasks[0]
    case = BenchCase(runner.evaluator.instruments, task, "dark", "light", Negative(task, 16))
    assert 0 <= adaptation.accuracy(case) <= 1
    ((learnt,), (tested,)) = seen
    ((signals, labels),) = learnt.batches(100)
    source = case.store("dark", "train")
    at = chosen(len(source), 20)
    torch.testing.assert_close(signals, -source.batch(at), atol=1 / 127, rtol=0)
    assert labels.tolist() == labels_of(source, "dark")[at].tolist()
    assert tested.store is case.store("light", "test")
    assert len(tested) == len(tested.store) == 16


@pytest.mark.parametrize(
    "target", ["zoo_core.nowhere:CellEvaluator", "zoo_core.errors:CellEvaluator", ""]
)
def test_an_assessor_that_cannot_be_imported_is_named(root: Path, target: str) -> None:
    broken = replace(TINY, evaluator=target)
    with pytest.raises(PluginError, match="evaluator"):
        Runner(
            broken, BenchRequest(root=root, device="cpu"), WorkDir(root / "none"), lambda _: None
        )
