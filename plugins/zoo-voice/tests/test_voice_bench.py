"""``zoo bench voice`` on a corpus of two artificial voices: cells, table, selection, options."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
from PIL import Image

from zoo_core.host.plugins import host
from zoo_evaluate.bench.plan import BenchRequest, Planner
from zoo_evaluate.bench.protocol import Benchmark, Override, Task
from zoo_evaluate.bench.table import Table
from zoo_evaluate.bench.work_dir import WorkDir
from zoo_evaluate.cli.bench import run_benchmark
from zoo_voice.evaluate.bench import VOICE
from zoo_voice.evaluate.corpus import CORPORA, FSDD, Corpus
from zoo_voice.evaluate.recipes import recipes
from zoo_voice.evaluate.rows import BASELINES
from zoo_voice.evaluate.scene import Voices

pytestmark = pytest.mark.slow

SPOKEN = replace(
    FSDD,
    name="spoken",
    files="spoken/*_SPEAKER_TAKES.wav",
    early=("low",),
    late=("high",),
    others=(),
    test=(0, 1),
    validation=(2, 3),
    first=(4, 5),
    second=(6, 7),
)
STEPS = 8
TINY = {"width": 2, "blocks": 1, "critic_width": 2}


def small(corpus: Corpus) -> Benchmark:
    return replace(
        VOICE,
        sources={name: f"{{root}}/{corpus.source(name, 'train')}" for name in corpus.speakers},
        tasks=(Task("pair", ("low", "high")),),
        overrides={"cyclegan-vc": Override(TINY, train={"precision": "float32"})},
        judges=recipes(corpus, steps=25, floor=0.5),
    )


@pytest.fixture(scope="module")
def corpus() -> Iterator[Corpus]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CORPORA, SPOKEN.name, SPOKEN)
        yield SPOKEN


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory,
    voice,  # type: ignore[no-untyped-def]
    corpus: Corpus,
) -> Path:
    """A folder with the data in ``data``, and what a run of the benchmark left beside it."""
    root = tmp_path_factory.mktemp("bench")
    (root / "data" / "spoken").mkdir(parents=True)
    for name, pitch, tract in (("low", 110.0, 1.2), ("high", 200.0, 0.85)):
        for word, take in itertools.product((0, 1), range(8)):
            samples = voice(0.3, pitch, tract, seed=take, pauses=bool(word))
            soundfile.write(root / "data" / "spoken" / f"{word}_{name}_{take}.wav", samples, 16_000)
    assert start(small(corpus), root) == 0
    return root


def start(benchmark: Benchmark, root: Path, **options: Any) -> int:
    defaults = {
        "methods": "cyclegan-vc",
        "tasks": None,
        "seeds": "0",
        "steps": STEPS,
        "device": "cpu",
        "data": root / "data",
        "work": root / "work",
        "out": root / "out",
        "as_json": False,
        "table_only": False,
    }
    return run_benchmark(benchmark, **defaults | options)  # type: ignore[arg-type]


def table(root: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((root / "out" / "voice.json").read_text())
    return values


def test_every_row_of_the_frame_and_every_direction_has_its_figures(finished: Path) -> None:
    found = table(finished)
    rows = {(cell["method"], cell["direction"]) for cell in found["baselines"]}
    assert rows == set(itertools.product(BASELINES, ("low->high", "high->low")))
    assert [cell["direction"] for cell in found["cells"]] == ["low->high", "high->low"]
    for cell in (*found["baselines"], *found["cells"]):
        assert set(cell["metrics"]) == {
            "mcd",
            "variance_ratio",
            "target_accuracy",
            "content_accuracy",
        }
        assert cell["metrics"]["mcd"] > 0
        assert (cell["inputs"], cell["references"], cell["threads"] > 0) == (4, 4, True)
    assert {card["task"] for card in found["judges"].values()} == {"domain", "content"}
    floor = {c["direction"]: c["metrics"] for c in found["baselines"] if c["method"] == "floor"}
    assert floor["low->high"]["target_accuracy"] == 1.0


@pytest.mark.numeric
def test_last_and_best_are_told_apart_by_validation_takes_alone(
    finished: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = table(finished)["cells"][0]
    assert sorted(map(int, cell["best"]["scores"])) == [2, 4, 6, 8]
    assert str(cell["best"]["step"]) in cell["best"]["scores"]
    opened = []
    whole = Voices.utterances

    def utterances(voices: Voices, speaker: str, split: Any) -> Any:
        opened.append(split)
        return whole(voices, speaker, split)

    monkeypatch.setattr(Voices, "utterances", utterances)
    from zoo_core.translate.loading import load
    from zoo_evaluate.bench.assess import evaluator_class

    benchmark = small(corpus)
    planner = Planner(benchmark, BenchRequest(root=finished / "data"), WorkDir(finished / "work"))
    evaluator = evaluator_class(benchmark)(planner, "cpu", print)
    run = next((finished / "work" / "runs").iterdir())
    model = load(run / "model", device="cpu", precision="float32")
    case = evaluator.evaluate(benchmark.tasks[0], "low", "high", model, Override())
    assert case.score() == pytest.approx(cell["best"]["scores"]["8"], abs=1e-6)
    assert set(opened) == {"validation"}


def test_trainings_see_their_own_half_of_the_takes(finished: Path) -> None:
    run = next((finished / "work" / "runs").iterdir())
    text = (run / "config.yaml").read_text()
    assert "*_low_{4..5}.wav" in text
    assert "*_high_{6..7}.wav" in text


def test_the_page_has_the_floor_below_the_methods_and_spectrograms(finished: Path) -> None:
    page = (finished / "out" / "voice.md").read_text()
    part = page.split("## low->high")[1].split("##")[0]
    rows = [line.split("|")[1].strip(" *") for line in part.splitlines() if line.startswith("| ")]
    assert rows == ["method", *list(BASELINES)[:-1], "cyclegan-vc", "floor"]
    assert "variance ratio → 1" in page
    assert "mcd ↓" in page
    for name in ("bars", "cyclegan-vc"):
        with Image.open(finished / "out" / "voice" / f"{name}.png") as picture:
            assert min(picture.size) > 100
    assert str(finished) not in page


def test_what_is_finished_is_neither_trained_nor_measured_again(
    finished: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object, **options: object) -> None:
        raise AssertionError("it is done again")

    monkeypatch.setattr("zoo_evaluate.bench.runner.train_run", never)
    monkeypatch.setattr("zoo_voice.evaluate.assess.compare", never)
    before = table(finished)
    assert start(small(corpus), finished) == 0
    assert table(finished) == before


def test_methods_of_pictures_do_not_take_part(finished: Path, corpus: Corpus) -> None:
    asked = BenchRequest(root=finished / "data", steps=4)
    names = Planner(small(corpus), asked, WorkDir(finished / "work")).methods
    assert "cyclegan-vc" in names
    assert all(host().method(name).signal == "speech" for name in names)


def test_a_method_of_two_voices_joins_a_task_of_four_only_where_it_is_asked_for(
    tmp_path: Path,
) -> None:
    def trainings(*methods: str) -> list[Any]:
        asked = BenchRequest(methods, tasks=("words",), steps=4, root=tmp_path)
        return Planner(VOICE, asked, WorkDir(tmp_path)).trainings("cyclegan-vc")

    assert trainings() == []
    assert len(trainings("cyclegan-vc")) == 6


def test_the_table_of_the_benchmark_is_read_without_its_data(tmp_path: Path) -> None:
    values = Table(VOICE, WorkDir(tmp_path)).values()
    assert values["cells"] == []
    assert "No test take" in values["selection"]
    assert set(VOICE.sources) == {domain for task in VOICE.tasks for domain in task.domains}
