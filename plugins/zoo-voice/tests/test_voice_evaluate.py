"""``zoo evaluate``, ``zoo audit`` and ``zoo judge`` on voices: ordinary metrics and judges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save

from zoo_core import cli
from zoo_core.contracts.codec import InMemorySignal
from zoo_core.errors import DataError, UsageError
from zoo_evaluate.context import Direction, EvalContext, TranslatedBatch
from zoo_evaluate.domain_data import DomainData
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_card import JudgeCard
from zoo_evaluate.run import metric_classes
from zoo_nn.nets.classifier_card import CARD, WEIGHTS
from zoo_voice.evaluate.distance import distortion, timbre, variance_ratio
from zoo_voice.evaluate.judge import SpeechArchitecture, SpeechJudgeNet
from zoo_voice.evaluate.metrics import GlobalVariance, MelCepstralDistortion

MODEL = "cyclegan-vc-fsdd"


class Named:
    """A store of which only the names are asked."""

    labels: torch.Tensor | None = None

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def __len__(self) -> int:
        return len(self.names)


def side(name: str, takes: dict[str, Any]) -> DomainData:
    files = [InMemorySignal(take, samples) for take, samples in takes.items()]
    count = len(files)
    store: Any = Named(list(takes))
    return DomainData(name, store, torch.arange(count), torch.zeros(count, 2), files)


def batch(direction: Direction, made: list[Any]) -> TranslatedBatch:
    nothing = torch.zeros(len(made), 1, 1)
    positions = torch.arange(len(made))
    return TranslatedBatch(
        direction, positions, nothing, nothing, lambda: nothing, lambda inputs: made
    )


@pytest.fixture(scope="module")
def direction(voice: Any) -> Direction:
    """Two words of a low voice; a high voice says the first, and another."""
    low = {f"{word}_low_0.wav": voice(0.4, 110.0, 1.1, seed=word) for word in (0, 1)}
    high = {f"{word}_high_0.wav": voice(0.4, 200.0, 0.85, seed=word) for word in (0, 2)}
    return Direction(side("low", low), side("high", high), None, EvalContext())


def test_distortion_is_that_to_the_takes_of_the_same_name_and_of_no_other(
    direction: Direction,
) -> None:
    inputs, takes = direction.source.wholes([0, 1]), direction.target.wholes([0, 1])
    metric = MelCepstralDistortion(direction)
    metric.update(batch(direction, [takes[0], inputs[1]]))
    found = metric.compute()
    assert found["mcd"] == pytest.approx(0.0, abs=1e-9)
    expected = distortion(timbre(inputs[0]), [timbre(takes[0])])
    assert found["mcd_untranslated"] == pytest.approx(expected)
    assert metric.protocol()["inputs"] == 1


def test_the_variance_ratio_is_that_of_all_takes(direction: Direction) -> None:
    made = direction.source.wholes([0, 1])
    metric = GlobalVariance(direction)
    metric.update(batch(direction, made))
    real = [timbre(one) for one in direction.target.wholes([0, 1])]
    expected = variance_ratio([timbre(one) for one in made], real)
    found = metric.compute()
    assert found["variance_ratio"] == pytest.approx(expected)
    assert found["variance_ratio"] == found["variance_ratio_untranslated"]


def test_the_default_metrics_of_speech_are_those_that_apply_to_it() -> None:
    from zoo_core.contracts.signals import TensorSpec

    names = {
        cls.name for cls in metric_classes(None, TensorSpec("speech", (24, 128), None, None, 4, 1))
    }
    assert {"mcd", "variance", "cycle", "domain", "content"} <= names
    assert not {"psnr", "ssim", "pixels"} & names
    assert not {"mcd", "variance"} & {cls.name for cls in metric_classes(None, TensorSpec())}


def test_a_judge_directory_of_an_older_version_in_float32_is_read(tmp_path: Path) -> None:
    import hashlib

    torch.manual_seed(0)
    net = SpeechJudgeNet(2, widths=(4, 6, 8)).eval()
    data = save({key: value.contiguous() for key, value in net.state_dict().items()})
    card = JudgeCard(
        task="domain",
        classes=("high", "low"),
        domains=("high", "low"),
        size=40,
        architecture="speech",
        arguments={"highest": 3800.0},
        widths=(4, 6, 8),
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    (tmp_path / WEIGHTS).write_bytes(data)
    (tmp_path / CARD).write_text(card.to_yaml())
    judge = EvalClassifier.load(tmp_path)
    samples = np.random.default_rng(0).normal(size=(2, 6_000))
    with torch.inference_mode():
        said = judge(list(samples))
        architecture = SpeechArchitecture(card)
        wanted = net(*architecture.inputs(architecture.prepare(list(samples))))
    torch.testing.assert_close(said.logits, wanted.logits)
    assert said.features.shape == (2, judge.architecture.features)


@pytest.mark.parametrize("arguments", [{"highest": 20.0}, {"highest": "much"}, {"lowest": 1.0}])
def test_arguments_that_no_judge_of_speech_takes_are_refused(arguments: dict[str, Any]) -> None:
    card = JudgeCard(
        task="domain",
        classes=("a", "b"),
        domains=("a",),
        size=40,
        architecture="speech",
        arguments=arguments,
    )
    with pytest.raises(UsageError):
        SpeechArchitecture(card).make_net()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, voice: Any) -> Path:
    """Folders of two voices under the names that the model knows, in a train and a test split."""
    import soundfile

    root = tmp_path_factory.mktemp("voices")
    for split, first in (("train", 10), ("test", 0)):
        for name, pitch, tract in (("jackson", 110.0, 1.1), ("nicolas", 200.0, 0.85)):
            place = root / split / name
            place.mkdir(parents=True)
            for take in range(first, first + 4):
                samples = voice(0.4, pitch, tract, seed=take)
                soundfile.write(place / f"{take}_{name}.wav", samples, 16_000)
    return root


def figures(*args: str | Path) -> dict[str, Any]:
    words = [*map(str, args), "--json"]
    done = CliRunner().invoke(cli.cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.numeric
def test_a_judge_that_zoo_judge_trains_measures_a_model(root: Path, tmp_path: Path) -> None:
    card = figures(
        *("judge", "train", "--task", "domain", "--architecture", "speech", "--data", root),
        *("--set", "highest=7600", "--steps", "40", "--batch", "8", "--out", tmp_path / "judge"),
    )
    assert card["architecture"] == "speech"
    assert card["accuracy"]["mean"]["test"] == 1.0
    found = figures(
        *("evaluate", MODEL, "--data", root, "--judge", tmp_path / "judge"),
        *("--precision", "float32", "--html", tmp_path / "page.html", "--allow-few"),
    )
    for values in found["directions"].values():
        assert values["domain_accuracy_real"] == 1.0
        assert values["domain_accuracy_untranslated"] == 0.0
        assert values["mcd"] > 0
        assert values["cycle_l1"] > 0
        assert {"fid", "variance_ratio"} <= set(values)
    assert "<img " in (tmp_path / "page.html").read_text()


@pytest.mark.slow
def test_a_model_of_voices_that_cycles_is_audited(root: Path, tmp_path: Path) -> None:
    page = tmp_path / "audit.html"
    found = figures("audit", MODEL, "--data", root, "--num-samples", "4", "--html", page)
    assert 0 <= found["score"]["value"] <= 1
    for direction in found["directions"].values():
        assert not [name for name in direction["shares"] if name.startswith("jpeg")]
        assert "honesty_gap" not in direction["values"]
    assert "<img " in page.read_text()


def test_a_judge_of_pictures_is_refused_for_voices(root: Path, tmp_path: Path) -> None:
    from zoo_nn.nets.classifier import ClassifierNet

    card = JudgeCard(task="domain", classes=("a", "b"), domains=("a", "b"), size=16, widths=(4, 4))
    EvalClassifier(ClassifierNet(2, (4, 4)), card).save(tmp_path)
    words = ["evaluate", MODEL, "--data", str(root), "--judge", str(tmp_path)]
    with pytest.raises(UsageError) as caught:
        CliRunner().invoke(cli.cli, words, catch_exceptions=False)
    assert caught.value.asked == "domain judge"


def test_a_directory_that_is_no_judge_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        EvalClassifier.load(tmp_path)
