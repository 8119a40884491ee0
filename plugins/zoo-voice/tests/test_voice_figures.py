"""Distances, variances and judges of speech against plain arithmetic and planted cases."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import torch

from zoo_core.errors import DataError, UsageError, WeightsError
from zoo_evaluate.examples import LabeledSubset
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_train import JudgeConfig, train_judge
from zoo_voice.evaluate.augment import widely
from zoo_voice.evaluate.corpus import FSDD, WORDS20, Corpus, Recording, corpus_of
from zoo_voice.evaluate.distance import aligned, compared, distortion, timbre, variance_ratio
from zoo_voice.evaluate.figures import evaluate, find_judges
from zoo_voice.evaluate.judge import SpeechJudgeNet, hear, together
from zoo_voice.evaluate.recipes import recipes
from zoo_voice.evaluate.rows import BASELINES
from zoo_voice.evaluate.scene import Scene, Voices, read

Floats = npt.NDArray[np.float64]


def best_mean(made: Floats, reference: Floats) -> float:
    """Mean distance along the best path, by trying every path."""
    rows, columns = len(made), len(reference)
    apart = np.linalg.norm(made[:, None] - reference[None], axis=-1)

    def paths(i: int, j: int) -> list[list[tuple[int, int]]]:
        if (i, j) == (rows - 1, columns - 1):
            return [[(i, j)]]
        steps = ((i + 1, j + 1), (i + 1, j), (i, j + 1))
        return [
            [(i, j), *rest] for a, b in steps if a < rows and b < columns for rest in paths(a, b)
        ]

    best = min(paths(0, 0), key=lambda path: sum(apart[place] for place in path))
    return float(np.mean([apart[place] for place in best]))


@pytest.mark.parametrize("seed", range(6))
def test_the_aligned_distance_is_that_of_the_best_of_all_paths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = rng.normal(size=(rng.integers(1, 6), 3))
    references = [rng.normal(size=(length, 3)) for length in rng.integers(1, 6, 3)]
    expected = [best_mean(made, reference) for reference in references]
    np.testing.assert_allclose(aligned(made, references), expected)
    backwards = [aligned(reference, [made])[0] for reference in references]
    np.testing.assert_allclose(backwards, expected)


def test_what_is_the_same_or_only_slower_has_no_distortion() -> None:
    frames = np.random.default_rng(0).normal(size=(20, 24))
    slower = np.repeat(frames, 3, axis=0)
    assert distortion(frames, [frames, slower]) == 0.0
    assert distortion(frames, [frames + 0.1]) > 0.0


def test_a_constant_offset_is_the_distortion_that_its_formula_gives() -> None:
    frames = np.zeros((5, 24))
    moved = frames.copy()
    moved[:, 3] = 0.2
    assert distortion(moved, [frames]) == pytest.approx(10 / np.log(10) * np.sqrt(2) * 0.2)


def test_shrinking_towards_the_mean_lowers_distortion_and_the_variance_ratio_says_so() -> None:
    rng = np.random.default_rng(0)
    real = [rng.normal(size=(60, 24)) for _ in range(4)]
    other = [rng.normal(size=(50, 24)) for _ in range(4)]
    shrunk = [0.3 * frames for frames in other]
    assert distortion(shrunk[0], real) < distortion(other[0], real)
    assert variance_ratio(other, real) == pytest.approx(1.0, abs=0.15)
    assert variance_ratio(shrunk, other) == pytest.approx(0.09)
    assert variance_ratio([2.0 * frames for frames in real], real) == pytest.approx(4.0)


def test_frames_that_are_30_db_below_the_loudest_are_not_compared() -> None:
    cepstrum = np.zeros((4, 25))
    cepstrum[:, 0] = np.array([0.0, -29.0, -31.0, -5.0]) * np.log(10) / 20
    cepstrum[:, 1] = np.arange(4)
    assert compared(cepstrum)[:, 0].tolist() == [0.0, 1.0, 3.0]


def test_nothing_to_align_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to align"):
        aligned(np.zeros((3, 2)), [])


@pytest.mark.numeric
def test_loudness_changes_neither_what_is_compared_nor_what_is_heard(voice) -> None:  # type: ignore[no-untyped-def]
    samples = voice(0.5)
    np.testing.assert_allclose(timbre(0.1 * samples), timbre(samples), atol=0.02)
    torch.testing.assert_close(hear(0.1 * samples, 7600.0), hear(samples, 7600.0))


@pytest.mark.numeric
def test_padding_has_no_influence_on_a_judge() -> None:
    torch.manual_seed(0)
    net = SpeechJudgeNet(3, widths=(4, 6, 8)).eval()
    short, long = torch.randn(40, 21), torch.randn(40, 50)
    alone = net(*together([short]))
    both = net(*together([short, long]))
    torch.testing.assert_close(both.logits[:1], alone.logits)
    torch.testing.assert_close(both.features[:1], alone.features)


@pytest.mark.parametrize("corpus", [FSDD, WORDS20])
def test_no_take_is_in_two_splits_and_no_pair_of_halves_shares_one(corpus: Corpus) -> None:
    takes = [
        set(range(first, last + 1))
        for first, last in (corpus.test, corpus.validation, corpus.first, corpus.second)
    ]
    assert not any(a & b for a, b in itertools.combinations(takes, 2))
    for a, b in itertools.product(corpus.early, corpus.late):
        assert corpus.takes(a, "train") != corpus.takes(b, "train")


def test_speakers_without_a_corpus_in_common_are_refused() -> None:
    assert corpus_of("jackson", "nicolas") is FSDD
    with pytest.raises(UsageError, match="speakers"):
        corpus_of("jackson", "F1")


SPOKEN = Corpus(
    name="spoken",
    files="spoken/*_SPEAKER_TAKES.wav",
    form=r"(?P<word>\d+)_\w+_(?P<take>\d+)\.wav$",
    early=("low",),
    late=("high",),
    others=(),
    test=(0, 1),
    validation=(2, 3),
    first=(4, 6),
    second=(7, 9),
    digits=1,
    highest=7600.0,
)
RECIPES = recipes(SPOKEN, steps=30, floor=0.9)


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory, voice) -> Voices:  # type: ignore[no-untyped-def]
    """Two voices that say two words, ten takes each; one word has pauses."""
    root = tmp_path_factory.mktemp("corpus")
    (root / "spoken").mkdir()
    for name, pitch, tract in (("low", 110.0, 1.2), ("high", 200.0, 0.85)):
        for word, take in itertools.product((0, 1), range(10)):
            samples = voice(0.4, pitch, tract, seed=take, pauses=bool(word))
            soundfile.write(root / "spoken" / f"{word}_{name}_{take}.wav", samples, 16_000)
    return Voices(root, SPOKEN)


@pytest.fixture(scope="module")
def judged(voices: Voices, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judges")
    find_judges(folder, voices, RECIPES)
    return folder


def test_judges_are_trained_once_kept_and_recognised(voices: Voices, judged: Path) -> None:
    report: list[str] = []
    judges = find_judges(judged, voices, RECIPES, report=report.append)
    assert report == []
    card = judges.speaker.card
    assert card.classes == ("high", "low")
    assert card.accuracy["mean"]["test"] >= 0.9
    with pytest.raises(DataError, match="another recipe"):
        find_judges(judged, voices, recipes(SPOKEN, steps=31))
    with pytest.raises(DataError, match="are needed of an instrument"):
        find_judges(judged, voices, recipes(SPOKEN, steps=30, floor=1.01))


def test_judges_learn_from_training_takes_alone(
    voices: Voices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, set[bytes]] = {}

    def note(
        train: Sequence[LabeledSubset],
        test: Sequence[LabeledSubset],
        config: JudgeConfig,
        *,
        held: Sequence[LabeledSubset],
        data: dict[str, str],
    ) -> EvalClassifier:
        for name, parts in (("train", train), ("validation", held), ("test", test)):
            seen[name] = {np.asarray(take).tobytes() for part in parts for take in part.wholes()}
        return train_judge(train, test, config, held=held, data=data)

    monkeypatch.setattr("zoo_voice.evaluate.figures.train_judge", note)
    find_judges(tmp_path, voices, recipes(SPOKEN, steps=2, floor=0.0))
    for name, takes in (("train", range(4, 10)), ("validation", (2, 3)), ("test", (0, 1))):
        spoken = itertools.product((0, 1), ("low", "high"), takes)
        paths = [voices.root / "spoken" / f"{word}_{who}_{take}.wav" for word, who, take in spoken]
        wanted = {read(Recording(path, "", "")).tobytes() for path in paths}
        assert seen[name] == wanted, name


def test_wide_changes_stretch_a_signal_and_keep_what_is_constant() -> None:
    lengths = torch.tensor([40, 10])
    x = torch.zeros(2, 40, 40)
    x[0], x[1, :, :10] = 0.5, -0.25
    y, longer = widely(x, lengths, torch.Generator().manual_seed(1))
    assert y.shape[-1] == longer.max()
    assert all(0.7 < ratio < 1.3 for ratio in (longer / lengths).tolist())
    middle = (longer // 2).tolist()
    assert y[0, 20, middle[0]] == pytest.approx(0.5)
    assert y[1, 20, middle[1]] == pytest.approx(-0.25)
    assert y[1, :, longer[1] :].abs().max() == 0


def test_a_damaged_judge_is_refused(judged: Path, tmp_path: Path) -> None:
    judge = EvalClassifier.load(judged / "word-spoken").save(tmp_path)
    assert judge.card.sha256 == EvalClassifier.load(judged / "word-spoken").card.sha256
    path = tmp_path / "judge.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(WeightsError) as caught:
        EvalClassifier.load(tmp_path)
    assert caught.value.asked == f"judge {tmp_path}"


def test_rows_of_the_frame_stand_in_the_order_that_their_names_promise(
    voices: Voices, judged: Path
) -> None:
    rows = {}
    for name in BASELINES:
        rows[name] = evaluate(
            name,
            "low",
            "high",
            judges=find_judges(judged, voices, RECIPES),
            root=voices.root,
            corpus=SPOKEN,
        )
    assert rows["identity"]["target_accuracy"] == 0.0
    assert rows["identity"]["content_accuracy"] == 1.0
    assert rows["floor"]["target_accuracy"] == 1.0
    assert rows["kNN (features)"]["mcd"] < rows["identity"]["mcd"]
    assert rows["floor"]["variance_ratio"] == pytest.approx(1.0)
    assert rows["kNN (features)"]["variance_ratio"] < 1.0


def test_a_take_is_not_compared_with_itself_in_the_floor(voices: Voices) -> None:
    scene = Scene(voices, "low", "high")
    made = BASELINES["floor"](scene)
    assert [len(references) for references in made.references] == [1] * 4
    assert all(
        reference is not own
        for own, references in zip(made.timbres, made.references, strict=True)
        for reference in references
    )
    assert len(scene.references("0")) == 2


def test_the_splits_of_a_scene_hold_other_recordings(voices: Voices) -> None:
    test, held = (Scene(voices, "low", "high", split) for split in ("test", "validation"))  # type: ignore[arg-type]
    assert len(test.inputs) == len(held.inputs) == 4
    assert not np.array_equal(test.inputs[0].samples, held.inputs[0].samples)
