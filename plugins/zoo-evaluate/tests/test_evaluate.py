"""Evaluation of whole models: directions, report, page, and the command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor

from zoo_core import cli
from zoo_core.contracts.signals import MIXED, Condition, Domains, TensorSpec
from zoo_core.errors import DataError, UsageError
from zoo_core.host.plugins import host
from zoo_evaluate.context import DomainData
from zoo_evaluate.direction_evaluation import EvalConfig
from zoo_evaluate.extractors import JudgeExtractor
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_card import JudgeCard
from zoo_evaluate.page import png_uri, render_page
from zoo_evaluate.report import Report
from zoo_evaluate.run import evaluate_model, metric_classes
from zoo_nn.nets.classifier import ClassifierNet
from zoo_train.data.folders import data_root


@dataclass
class Memory:
    """A store that holds its signals."""

    signals: Tensor
    names: list[str]
    labels: Tensor | None = None
    largest: int = 0

    def __len__(self) -> int:
        return len(self.signals)

    def batch(self, indices, rng=None):
        self.largest = max(self.largest, len(indices))
        return self.signals[list(indices)]


@dataclass
class Data:
    """A data set in memory."""

    stores: Mapping[str, Memory]

    def provenance(self) -> list[str]:
        return [f"{name}: {len(store)} pictures" for name, store in self.stores.items()]


@dataclass
class Shift:
    """Domain ``b`` is ``a`` plus 0.5: translates exactly, and says what it was asked."""

    domains: Domains = field(default_factory=lambda: Domains(("a", "b")))
    signal: TensorSpec = field(default_factory=lambda: TensorSpec(shape=(3, 16, 16)))
    name: str = "shift"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = "float32"
    calls: list[tuple[list, list, int]] = field(default_factory=list)

    def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        self.calls.append((source.label.tolist(), target.label.tolist(), len(x)))
        return x + 0.5 * (target.label - source.label)[:, 1, None, None, None]


class OneWay(Shift):
    """Translates to ``b`` only."""

    def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        if target.domain == "a":
            raise UsageError("it translates to b only", asked="target a")
        return super().signals(x, source, target)


PAIRED = EvalConfig(paired=True, allow_few=True)


def pictures(count: int, seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, 16, 16, generator=rng) * 0.4 - 0.5


def paired(count: int = 12) -> Data:
    x = pictures(count, 0)
    names = [f"{at:02d}.png" for at in range(count)]
    return Data({"a": Memory(x, names), "b": Memory(x + 0.5, names)})


def unpaired(count: int = 12) -> Data:
    return Data(
        {
            "a": Memory(pictures(count, 0), [f"a{at}.png" for at in range(count)]),
            "b": Memory(pictures(count, 1) + 0.5, [f"b{at}.png" for at in range(count)]),
        }
    )


def a_judge(classes=("a", "b"), task="domain", domains=("a", "b")) -> EvalClassifier:
    card = JudgeCard(
        task=task, classes=classes, domains=domains, size=16, widths=(4, 4), sha256="f" * 64
    )
    torch.manual_seed(0)
    return EvalClassifier(ClassifierNet(len(classes), (4, 4)), card)


def test_every_metric_of_the_core_resolves_and_has_its_name() -> None:
    names = list(host().components("metric"))
    assert {"fid", "kid", "domain", "content", "cycle", "l1", "psnr", "ssim", "retrieval"} <= set(
        names
    )
    assert [cls.name for cls in metric_classes()] == names


@pytest.mark.numeric
def test_an_exact_translation_of_paired_pictures_is_perfect() -> None:
    report = evaluate_model(Shift(), paired(), ["l1", "retrieval", "cycle", "psnr"], config=PAIRED)
    for direction in ("a->b", "b->a"):
        values = report.directions[direction]
        assert values["l1"] == pytest.approx(0, abs=1e-6)
        assert values["l1_untranslated"] == pytest.approx(0.5, abs=1e-5)
        assert values["retrieval"] == 1
        assert values["cycle_l1"] == pytest.approx(0, abs=1e-6)
        assert values["psnr"] == pytest.approx(100)
    assert report.mean["l1_untranslated"] == pytest.approx(0.5, abs=1e-5)


def test_every_ordered_pair_of_domains_is_a_direction() -> None:
    names = ("a", "b", "c")
    stores = {
        n: Memory(pictures(4, at), [f"{n}{i}.png" for i in range(4)]) for at, n in enumerate(names)
    }
    model = Shift(domains=Domains(names))
    report = evaluate_model(model, Data(stores), ["cycle"])
    assert list(report.directions) == ["a->b", "a->c", "b->a", "b->c", "c->a", "c->b"]
    assert report.mean["cycle_l1"] == pytest.approx(
        sum(v["cycle_l1"] for v in report.directions.values()) / 6
    )


def test_source_and_target_conditions_are_those_of_the_direction() -> None:
    model = Shift()
    evaluate_model(model, paired(2), ["l1"], config=PAIRED)
    assert model.calls[0] == ([[1.0, 0.0]] * 2, [[0.0, 1.0]] * 2, 2)
    assert model.calls[1] == ([[0.0, 1.0]] * 2, [[1.0, 0.0]] * 2, 2)


def test_attributes_are_turned_on_and_off_and_the_others_kept() -> None:
    domains = Domains(("Male", "Young"), "attributes")
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    data = Data({MIXED: Memory(pictures(3, 0), ["0.jpg", "1.jpg", "2.jpg"], labels)})
    model = Shift(domains=domains)
    report = evaluate_model(model, data, ["cycle"])
    assert list(report.directions) == [
        "Male->no-Male",
        "no-Male->Male",
        "Young->no-Young",
        "no-Young->Young",
    ]
    asked = {(tuple(map(tuple, s)), tuple(map(tuple, t))) for s, t, _ in model.calls}
    assert (((1.0, 0.0),), ((0.0, 0.0),)) in asked
    assert (((0.0, 1.0), (0.0, 0.0)), ((1.0, 1.0), (1.0, 0.0))) in asked


def test_without_references_what_needs_them_is_left_out_and_said() -> None:
    report = evaluate_model(Shift(), unpaired())
    assert "cycle_l1" in report.mean
    assert "l1" not in report.mean
    assert any("a->b: no l1: needs the references" in note for note in report.notes)


def test_references_can_be_disregarded() -> None:
    report = evaluate_model(Shift(), paired(), config=EvalConfig(paired=False))
    assert "l1" not in report.mean


def test_a_metric_that_was_asked_for_and_cannot_be_had_is_an_error() -> None:
    with pytest.raises(UsageError) as caught:
        evaluate_model(Shift(), paired(), ["l1", "domain"], config=PAIRED)
    assert caught.value.asked == 'metric "domain"'
    assert "domain judge" in caught.value.problem


def test_an_unknown_metric_suggests_the_near_match() -> None:
    with pytest.raises(UsageError) as caught:
        evaluate_model(Shift(), paired(), ["retreival"])
    assert caught.value.asked == 'metric "retreival"'
    assert '"retrieval"' in (caught.value.hint or "")


def test_a_direction_that_the_model_lacks_is_left_out_and_said() -> None:
    report = evaluate_model(OneWay(), paired(), ["l1"], config=PAIRED)
    assert list(report.directions) == ["a->b"]
    assert report.notes == ["b->a: left out: it translates to b only"]


def test_cycle_without_a_way_back_is_left_out_alone() -> None:
    report = evaluate_model(OneWay(), paired(), config=PAIRED)
    assert "l1" in report.directions["a->b"]
    assert "cycle_l1" not in report.directions["a->b"]


@pytest.mark.parametrize(
    ("stores", "error"),
    [
        ({"a": Memory(pictures(2, 0), ["0", "1"])}, UsageError),
        (
            {"a": Memory(pictures(2, 0), ["x", "y"]), "q": Memory(pictures(2, 0), ["x", "y"])},
            UsageError,
        ),
        ({"a": Memory(pictures(2, 0), ["x", "y"]), "b": Memory(pictures(0, 0), [])}, DataError),
    ],
)
def test_unusable_data_is_refused(stores, error) -> None:
    with pytest.raises(error):
        evaluate_model(Shift(), Data(stores))


@pytest.mark.numeric
def test_count_takes_the_same_inputs_for_the_same_seed_and_batches_stay_small() -> None:
    data = paired(40)
    one, two, other = (
        evaluate_model(
            Shift(),
            data,
            ["psnr", "l1"],
            config=EvalConfig(paired=True, num_samples=10, seed=seed, batch=4),
        )
        for seed in (1, 1, 2)
    )
    assert one.values() == two.values()
    assert one.protocol["directions"]["a->b"]["num_samples"] == 10
    assert [p.name for p in one.panels["a->b"]] != [p.name for p in other.panels["a->b"]]
    assert max(store.largest for store in data.stores.values()) == 4


def test_evaluation_leaves_the_global_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    evaluate_model(Shift(), paired(), judges=[a_judge()])
    before_judge = torch.random.get_rng_state()
    evaluate_model(Shift(), paired())
    assert torch.equal(before_judge, torch.random.get_rng_state())
    assert before.shape == before_judge.shape


def test_every_figure_of_the_json_has_its_protocol() -> None:
    judge = a_judge()
    report = evaluate_model(
        Shift(),
        paired(),
        judges=[judge],
        extractor=JudgeExtractor(judge, "judge:here"),
        config=PAIRED,
        name="m",
    )
    values = json.loads(report.to_json())
    assert set(values) == {"model", "protocol", "directions", "mean", "names", "notes"}
    protocol = values["protocol"]
    for key in ("data", "split", "resize", "num_samples", "seed", "device", "precision", "judges"):
        assert key in protocol
    assert protocol["extractor"] == {"name": "judge:here", "sha256": "f" * 64}
    assert protocol["judges"][0]["sha256"] == "f" * 64
    facts = protocol["directions"]["a->b"]["metrics"]
    assert facts["fid"]["extractor_sha256"] == "f" * 64
    assert facts["retrieval"]["gallery"] == 12
    assert facts["l1"]["rule"] == "name"
    assert facts["domain"]["judge_sha256"] == "f" * 64
    prefixes = tuple(facts)
    for figures in (*values["directions"].values(), values["mean"]):
        assert {"fid", "kid", "domain_accuracy", "domain_accuracy_real", "ssim"} <= set(figures)
        assert all(name.startswith(prefixes) for name in figures)


def test_json_holds_no_infinity() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Report("m", {}, {"a->b": {"x": float("inf")}}, {}).to_json()


def test_the_page_shows_figures_and_embedded_pictures_and_fetches_nothing() -> None:
    report = evaluate_model(
        Shift(), paired(), ["l1"], name="<m>", config=EvalConfig(paired=True, samples=2)
    )
    page = render_page(report)
    assert page.count("<img ") == 2 * 2 * 3  # directions, samples, pictures
    assert "&lt;m&gt;" in page
    assert "<m>" not in page
    assert "l1 untranslated" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_png_uri_holds_the_picture() -> None:
    import base64
    import io

    picture = torch.tensor([-1.0, 0.0, 1.0])[:, None, None].expand(3, 2, 4)
    data = base64.b64decode(png_uri(picture).partition(",")[2])
    image = Image.open(io.BytesIO(data))
    assert image.size == (4, 2)
    assert image.getpixel((1, 1)) == (0, 128, 255)


@pytest.fixture
def vendors(tmp_path: Path) -> Path:
    """Two easily told domains with the same names, train and test."""
    for split, count in (("train", 24), ("test", 6)):
        for domain, tint in (("red", (200, 30, 30)), ("blue", (30, 30, 200))):
            folder = tmp_path / "data" / split / domain
            folder.mkdir(parents=True)
            for at in range(count):
                picture = Image.new("RGB", (16, 16), tuple(min(255, v + 2 * at) for v in tint))
                picture.save(folder / f"{at:03d}.png")
    return tmp_path / "data"


def run(*args: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli.cli, [str(arg) for arg in args], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_judge_train_writes_a_judge_that_info_describes(vendors: Path, tmp_path: Path) -> None:
    out = tmp_path / "judge"
    _, said = run(
        "judge",
        "train",
        "--task",
        "domain",
        "--data",
        vendors,
        "--size",
        16,
        "--steps",
        30,
        "--batch",
        16,
        "--out",
        out,
    )
    assert f"judge: {out}" in said
    card = JudgeCard.read(out)
    assert set(card.classes) == {"red", "blue"}
    assert card.accuracy["mean"]["test"] == 1
    assert str(tmp_path) not in card.data["red"]
    _, described = run("judge", "info", out, "--json")
    assert json.loads(described)["sha256"] == card.sha256
    assert card.sha256 in run("judge", "info", out)[1].replace("\n", "")


def test_a_judge_is_not_said_to_be_tested_on_its_training_pictures(
    vendors: Path, tmp_path: Path
) -> None:
    folders = vendors / "train"
    _, said = run(
        "judge",
        "train",
        "--task",
        "domain",
        "--domain",
        f"red={folders / 'red'}",
        "--domain",
        f"blue={folders / 'blue'}",
        "--size",
        16,
        "--steps",
        2,
        "--batch",
        8,
        "--out",
        tmp_path / "judge",
    )
    assert "no test split" in said
    assert "test" not in JudgeCard.read(tmp_path / "judge").accuracy["mean"]


def test_a_judge_is_not_written_over_something_else(vendors: Path) -> None:
    with pytest.raises(UsageError) as caught:
        run("judge", "train", "--task", "domain", "--data", vendors, "--out", vendors)
    assert str(vendors) in (caught.value.asked or "")


def test_content_judges_need_labels(vendors: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        run("judge", "train", "--task", "content", "--data", vendors, "--out", tmp_path / "j")
    assert "class labels" in caught.value.problem


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A tiny untrained CycleGAN of the two domains, as a model directory."""
    from zoo_core.catalogue.description import ModelConfig
    from zoo_core.models.modeldir import build_method
    from zoo_train.card import Card
    from zoo_train.writing import write_model

    torch.manual_seed(0)
    config = ModelConfig(
        "cyclegan",
        {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 1},
        Domains(("red", "blue")),
        TensorSpec(shape=(3, 16, 16)),
    )
    write_model(tmp_path / "model", build_method(config), config, card=Card(title="tiny"))
    return tmp_path / "model"


def test_zoo_evaluate_writes_json_and_page(vendors: Path, model: Path, tmp_path: Path) -> None:
    _, said = run(
        "evaluate",
        model,
        "--data",
        vendors,
        "--paired",
        "--json",
        tmp_path / "m.json",
        "--html",
        tmp_path / "m.html",
        "--precision",
        "float32",
    )
    values = json.loads((tmp_path / "m.json").read_text())
    assert set(values["directions"]) == {"red->blue", "blue->red"}
    assert values["directions"]["red->blue"]["l1_ratio"] > 0
    assert values["protocol"]["split"] == "test"
    assert "6 pictures" in " ".join(values["protocol"]["data"])
    assert "red->blue" in said
    assert "<img " in (tmp_path / "m.html").read_text()


def test_zoo_evaluate_prints_json_alone(vendors: Path, model: Path) -> None:
    asked = [
        "--data",
        str(vendors),
        "--paired",
        "--metrics",
        "l1",
        "--json",
        "--precision",
        "float32",
    ]
    result = CliRunner().invoke(cli.cli, ["evaluate", str(model), *asked])
    assert json.loads(result.stdout)["mean"]["l1"] > 0


@pytest.mark.parametrize(
    ("args", "asked"),
    [
        ((), "test of "),
        (("--domain", "read=x"), '"read"'),
        (("--metrics", "fidd"), '"fidd"'),
        (("--metrics", ","), "--metrics"),
        (("--judge", "nowhere"), "nowhere"),
        (("--extractor", "nothing"), '"nothing"'),
    ],
)
def test_zoo_evaluate_refuses_wrong_requests(model: Path, args, asked) -> None:
    from zoo_core.errors import ZooError

    with pytest.raises(ZooError) as caught:
        run("evaluate", model, *args)
    assert asked in (caught.value.asked or "")
    assert caught.value.problem


def test_a_digit_judge_reads_mnist(tmp_path: Path) -> None:
    root = data_root()
    if root is None or not (root / "digits" / "MNIST").is_dir():
        pytest.skip("no MNIST: set ZOO_DATA")
    run(
        "judge",
        "train",
        "--task",
        "content",
        "--domain",
        f"mnist=mnist:{root / 'digits'}",
        "--steps",
        200,
        "--batch",
        64,
        "--out",
        tmp_path / "judge",
    )
    assert JudgeCard.read(tmp_path / "judge").accuracy["mnist"]["test"] > 0.9


def test_fewer_real_pictures_are_a_random_part_not_the_first_ones() -> None:
    x = torch.linspace(-1, 1, 50)[:, None, None, None].expand(-1, 3, 16, 16)
    side = DomainData(
        "a", Memory(x, [str(at) for at in range(50)]), torch.arange(50), torch.zeros(50, 2)
    )
    some = side.some(10, seed=1)
    assert len(some) == 10
    assert some.indices.tolist() == sorted(set(some.indices.tolist())) != list(range(10))
    assert side.some(10, seed=1).indices.tolist() == some.indices.tolist()
    assert side.some(None, seed=1) is side


def test_samples_are_spread_over_the_inputs() -> None:
    report = evaluate_model(
        Shift(), paired(12), ["l1"], config=EvalConfig(paired=True, samples=3, batch=5)
    )
    assert [panel.name for panel in report.panels["a->b"]] == ["00.png", "06.png", "11.png"]


def test_columns_are_split_into_tables_that_fit_the_terminal(monkeypatch) -> None:
    from zoo_evaluate.cli.evaluate import _fitting, _heading

    monkeypatch.setenv("COLUMNS", "60")
    names = ["fid", "kid", "domain_accuracy", "retrieval_untranslated", "l1"]
    parts = _fitting({name: _heading(name) for name in names}, ["noto->twemoji"])
    assert [name for part in parts for name in part] == names
    assert len(parts) == 2


def test_notes_with_one_reason_are_one_line() -> None:
    from zoo_evaluate.cli.evaluate import _grouped

    notes = ["a->b: no l1: why", "b->a: no l1: why", "a->b: no kid: other"]
    assert _grouped(notes) == ["a->b, b->a: no l1: why", "a->b: no kid: other"]
