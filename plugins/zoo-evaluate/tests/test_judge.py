"""Judges: training, the judge directory, and what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import pytest
import torch
import yaml
from torch import Tensor

from zoo_core.errors import DataError, UsageError, WeightsError
from zoo_evaluate.examples import LabeledSubset, class_labels, content_parts, domain_parts
from zoo_evaluate.extractors import JudgeExtractor, TimmExtractor, open_extractor
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_card import JudgeCard
from zoo_evaluate.judge_train import JudgeConfig, accuracy, divide, train_judge
from zoo_nn.nets.augment import augment, widely
from zoo_nn.nets.classifier import ClassifierNet
from zoo_nn.nets.classifier_card import CARD, WEIGHTS


@dataclass
class Memory:
    """A store that holds its signals."""

    signals: Tensor
    names: list[str]
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.signals)

    def batch(self, indices, rng=None):
        return self.signals[list(indices)]


def stripes(count: int, seed: int, *, upright: bool) -> Tensor:
    """Noisy pictures with vertical or horizontal stripes: separable, but not by colour."""
    rng = torch.Generator().manual_seed(seed)
    wave = torch.sin(torch.arange(16) * 1.6)  # (16,)
    wave = wave[None, :].expand(16, 16) if upright else wave[:, None].expand(16, 16)
    noise = torch.randn(count, 3, 16, 16, generator=rng)
    return (0.5 * wave + 0.2 * noise).clamp(-1, 1)


def parts(count: int, seed: int) -> list[LabeledSubset]:
    stores = {
        name: Memory(stripes(count, seed + at, upright=bool(at)), [str(i) for i in range(count)])
        for at, name in enumerate(("flat", "upright"))
    }
    return domain_parts(stores, ("flat", "upright"))


CONFIG = JudgeConfig("domain", ("flat", "upright"), size=16, steps=30, batch=32)


@pytest.fixture(scope="module")
def judge() -> EvalClassifier:
    return train_judge(parts(60, 0), parts(40, 10), CONFIG, data={"flat": "60 pictures"})


@pytest.mark.numeric
def test_a_judge_learns_an_easily_separable_set(judge: EvalClassifier) -> None:
    assert judge.card.accuracy["mean"]["test"] >= 0.95
    assert set(judge.card.accuracy) == {"flat", "upright", "mean"}
    assert set(judge.card.accuracy["flat"]) == {"train", "val", "test"}


@pytest.mark.numeric
def test_the_same_seed_trains_the_same_judge(judge: EvalClassifier) -> None:
    again = train_judge(parts(60, 0), parts(40, 10), CONFIG)
    for one, other in zip(judge.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.numeric
def test_a_judge_may_be_a_net_of_timm(tmp_path) -> None:
    given = {"channels": [8, 8, 8, 8], "stem_width": 8}
    config = JudgeConfig(
        "content",
        ("flat", "upright"),
        size=16,
        steps=2,
        batch=8,
        architecture="timm:resnet10t",
        arguments=given,
        augmentation="wide",
    )
    judge = train_judge(parts(8, 0), parts(4, 10), config).save(tmp_path)
    loaded = EvalClassifier.load(tmp_path)
    assert loaded.card.arguments == given
    assert loaded.card.parameters == sum(p.numel() for p in loaded.net.parameters())
    x = stripes(3, 3, upright=True)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x).logits, judge(x).logits)
        assert loaded(x).features.shape == (3, loaded.card.widths[-1])


@pytest.mark.parametrize(
    "fields",
    [
        {"architecture": "timm:no_such_net"},
        {"architecture": "resnet10t"},
        {"architecture": "timm:resnet10t", "arguments": {"chanels": [8]}},
        {"task": "domain", "augmentation": "wide"},
    ],
)
def test_a_net_or_an_augmentation_that_does_not_fit_is_refused(fields) -> None:
    config = JudgeConfig(**{"task": "content", "classes": ("flat", "upright"), "steps": 1} | fields)
    with pytest.raises(UsageError):
        train_judge(parts(4, 0), (), config)


def test_wide_augmentation_keeps_form_and_range_and_follows_the_seed() -> None:
    x = stripes(6, 0, upright=True)
    one, two, other = (widely(x, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert one.shape == x.shape
    assert one.abs().max() <= 1
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_training_leaves_the_global_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    config = JudgeConfig("content", ("flat", "upright"), size=16, steps=2, batch=8)
    train_judge(parts(8, 0), (), config)
    assert torch.equal(before, torch.random.get_rng_state())


def test_validation_pictures_are_not_trained_on() -> None:
    whole = parts(50, 0)[0]
    seen, held = whole.split(0.1, torch.Generator().manual_seed(0))
    assert len(held) == 5
    assert sorted([*seen.indices.tolist(), *held.indices.tolist()]) == list(range(50))


@dataclass
class Remembering(Memory):
    """A store that knows which of its signals were asked for."""

    asked: set[int] = field(default_factory=set)

    def batch(self, indices, rng=None):
        self.asked.update(int(index) for index in indices)
        return super().batch(indices, rng)


def remembering(count: int, seed: int) -> list[LabeledSubset]:
    made = []
    for part in parts(count, seed):
        store = Remembering(part.store.signals, part.store.names)
        made.append(replace(part, store=store))
    return made


def learnt_from(train, test, config: JudgeConfig, **options) -> list[set[int]]:
    """Which signals of each part were looked at while a judge learnt."""
    looked_at = []

    def progress(step: int, loss: float, share: float) -> None:
        looked_at[:] = [set(part.store.asked) for part in (*train, *test)]

    train_judge(train, test, config, on_progress=progress, **options)
    return looked_at


def test_a_judge_learns_neither_from_its_validation_nor_from_its_test_pictures() -> None:
    train, test = remembering(20, 0), remembering(6, 10)
    config = replace(CONFIG, steps=12)
    seen, held = divide(train, config)
    looked_at = learnt_from(train, test, config)
    for part, out, own in zip(seen, held, looked_at, strict=False):
        assert own == set(part.indices.tolist())
        assert not own & set(out.indices.tolist())
    assert looked_at[2:] == [set(), set()]


def test_a_judge_does_not_learn_from_validation_pictures_that_it_is_given() -> None:
    train, held = remembering(20, 0), remembering(6, 20)
    looked_at = learnt_from(train, held, replace(CONFIG, steps=12), held=held)
    assert looked_at == [set(range(20)), set(range(20)), set(), set()]


@pytest.mark.numeric
def test_a_saved_judge_says_the_same_and_is_small(judge: EvalClassifier, tmp_path) -> None:
    judge.save(tmp_path / "judge")
    loaded = EvalClassifier.load(tmp_path / "judge")
    assert loaded.card == judge.card
    assert loaded.card.bytes == (tmp_path / "judge" / WEIGHTS).stat().st_size < 1_000_000
    x = stripes(5, 3, upright=True)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x).logits, judge(x).logits)
        assert loaded(x[:, :1, :9, :12]).features.shape == (5, 128)


@pytest.mark.numeric
def test_recorded_test_accuracy_is_that_of_the_saved_judge(judge: EvalClassifier, tmp_path) -> None:
    loaded = EvalClassifier.load(judge.save(tmp_path).card and tmp_path)
    for part in parts(40, 10):
        assert accuracy(loaded, part) == pytest.approx(
            loaded.card.accuracy[part.domain]["test"], abs=1e-4
        )


def test_changed_weights_are_refused(judge: EvalClassifier, tmp_path) -> None:
    judge.save(tmp_path)
    path = tmp_path / WEIGHTS
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(WeightsError, match="sha256"):
        EvalClassifier.load(tmp_path)


def test_weights_of_another_net_are_refused(judge: EvalClassifier, tmp_path) -> None:
    judge.save(tmp_path)
    card = JudgeCard.read(tmp_path).model_copy(update={"widths": (8, 8)})
    (tmp_path / CARD).write_text(card.to_yaml())
    with pytest.raises(WeightsError, match="do not fit"):
        EvalClassifier.load(tmp_path)


def test_a_directory_without_a_card_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match=r"judge\.yaml"):
        EvalClassifier.load(tmp_path)


def test_a_damaged_card_is_refused(judge: EvalClassifier, tmp_path) -> None:
    judge.save(tmp_path)
    (tmp_path / CARD).write_text("task: taste\n")
    with pytest.raises(DataError, match="card cannot be read"):
        EvalClassifier.load(tmp_path)


def test_a_missing_weights_file_is_refused(judge: EvalClassifier, tmp_path) -> None:
    judge.save(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(WeightsError, match="missing"):
        EvalClassifier.load(tmp_path)


@pytest.mark.parametrize("task", ["domain", "content"])
def test_augmentation_keeps_form_and_range_and_follows_the_seed(task) -> None:
    x = stripes(6, 0, upright=True)
    one = augment(x, task, torch.Generator().manual_seed(1))
    two = augment(x, task, torch.Generator().manual_seed(1))
    assert one.shape == x.shape
    assert one.abs().max() <= 1
    assert torch.equal(one, two)
    assert not torch.equal(one, augment(x, task, torch.Generator().manual_seed(2)))


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (torch.tensor([[3], [1]]), [3, 1]),
        (torch.tensor([2, 0]), [2, 0]),
        (torch.tensor([[0.0, 1.0], [1.0, 0.0]]), [1, 0]),
        (torch.tensor([[1.0, 1.0], [1.0, 0.0]]), None),
        (None, None),
    ],
)
def test_class_labels_are_read_only_where_each_picture_has_one(labels, found) -> None:
    held = class_labels(Memory(torch.zeros(2, 3, 4, 4), ["0", "1"], labels))
    assert (None if held is None else held.tolist()) == found


def test_a_content_judge_of_unlabelled_pictures_is_refused() -> None:
    with pytest.raises(DataError, match="no class labels"):
        content_parts({"a": Memory(torch.zeros(2, 3, 4, 4), ["0", "1"])})


def test_a_judge_of_one_class_is_refused() -> None:
    with pytest.raises(DataError, match="fewer than two classes"):
        train_judge(parts(4, 0), (), JudgeConfig("domain", ("flat",), steps=1))


@pytest.mark.numeric
def test_a_judge_serves_as_extractor_with_its_hash(judge: EvalClassifier, tmp_path) -> None:
    judge.save(tmp_path)
    extractor = open_extractor(f"judge:{tmp_path}")
    assert isinstance(extractor, JudgeExtractor)
    assert extractor.sha256 == judge.card.sha256
    assert extractor(stripes(2, 0, upright=True)).shape == (2, extractor.width)


def test_a_timm_extractor_takes_local_weights_and_names_their_hash(tmp_path) -> None:
    import hashlib

    import timm
    from safetensors.torch import save_file

    net = timm.create_model("test_resnet", pretrained=False)
    save_file(net.state_dict(), tmp_path / "w.safetensors")
    extractor = open_extractor(f"timm:test_resnet@{tmp_path / 'w.safetensors'}").eval()
    assert isinstance(extractor, TimmExtractor)
    assert extractor.sha256 == hashlib.sha256((tmp_path / "w.safetensors").read_bytes()).hexdigest()
    assert extractor(torch.zeros(2, 3, 20, 20)).shape == (2, extractor.width)


def test_a_timm_extractor_without_weights_is_refused(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    with pytest.raises(WeightsError, match="not in the local cache"):
        open_extractor("timm:resnet18")


def test_a_timm_extractor_with_weights_of_another_net_is_refused(
    judge: EvalClassifier, tmp_path
) -> None:
    judge.save(tmp_path)
    with pytest.raises(WeightsError, match="do not fit"):
        open_extractor(f"timm:test_resnet@{tmp_path / WEIGHTS}")


def test_inception_without_its_weights_is_refused_naming_them(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    with pytest.raises(WeightsError, match=r"inception.*\.pth"):
        open_extractor("inception")


@pytest.mark.parametrize("name", ["vgg", "timm:", "timm:no_such_net", "judge:"])
def test_an_unknown_extractor_is_refused(name) -> None:
    with pytest.raises(UsageError):
        open_extractor(name)


def test_the_card_is_plain_yaml_without_surprises(judge: EvalClassifier, tmp_path) -> None:
    judge.save(tmp_path)
    card = JudgeCard.read(tmp_path)
    assert json.loads(card.model_dump_json())["classes"] == ["flat", "upright"]
    assert card.data == {"flat": "60 pictures"}
    assert card.parameters == sum(p.numel() for p in ClassifierNet(2).parameters())


TINY = JudgeConfig("content", ("flat", "upright"), size=16, steps=1, batch=4, widths=(2, 2))


def test_a_judge_s_start_is_that_of_its_seed_whatever_was_drawn_before() -> None:
    made = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        made.append(train_judge(parts(4, 0), (), TINY))
    for one, other in zip(*(judge.net.parameters() for judge in made), strict=True):
        assert torch.equal(one, other)


def test_a_card_records_the_data_and_the_scales_of_wide_changes_alone() -> None:
    wide = replace(TINY, augmentation="wide", scales=(0.5, 1.5))
    assert train_judge(parts(4, 0), (), wide).card.scales == (0.5, 1.5)
    plain = train_judge(parts(4, 0), (), TINY, data={"flat": "4 pictures"}).card
    assert (plain.scales, plain.data) == (None, {"flat": "4 pictures"})
    assert train_judge(parts(4, 0), (), TINY).card.data == {}


@pytest.mark.parametrize("augmentation", ["plain", "wide"])
def test_lessons_are_changed_as_the_config_says(augmentation, monkeypatch) -> None:
    def lessons(parts, architecture, config, changes, rng):
        raise RuntimeError(f"{changes.task} {changes.wide} {changes.scales}")

    monkeypatch.setattr("zoo_evaluate.judge_train._lessons", lessons)
    config = replace(TINY, augmentation=augmentation)
    with pytest.raises(RuntimeError, match=f"content {augmentation == 'wide'}"):
        train_judge(parts(4, 0), (), config)


def test_training_accuracy_is_measured_on_so_many_signals_and_the_others_on_all(
    monkeypatch,
) -> None:
    asked = []

    def measured(judge, part, *, limit=None, batch=256):
        asked.append((len(part), limit))
        return 0.5

    monkeypatch.setattr("zoo_evaluate.judge_train.accuracy", measured)
    train_judge(parts(8, 0), parts(6, 10), replace(TINY, measure=3, validation=0.25))
    assert asked == [(6, 3), (6, 3), (2, None), (2, None), (6, None), (6, None)]


@pytest.mark.parametrize("classes", [("0", "1", "2"), ("2", "0", "1")])
def test_positions_of_labels_follow_the_numbers_that_classes_are_called(classes) -> None:
    card = JudgeCard(task="content", classes=classes, domains=("a",), size=16, widths=(2, 2))
    judge = EvalClassifier(ClassifierNet(3, (2, 2)), card)
    labels = torch.tensor([2, 0, 1])
    assert [classes[i] for i in judge.positions(labels).tolist()] == ["2", "0", "1"]


def test_positions_of_labels_are_the_labels_where_classes_have_names() -> None:
    card = JudgeCard(task="content", classes=("cat", "dog"), domains=("a",), size=16)
    judge = EvalClassifier(ClassifierNet(2, (2, 2)), card)
    assert judge.positions(torch.tensor([1, 0])).tolist() == [1, 0]


def test_a_judge_is_saved_into_folders_that_are_not_there_yet(judge, tmp_path) -> None:
    judge.save(tmp_path / "some" / "where")
    judge.save(tmp_path / "some" / "where")
    assert (tmp_path / "some" / "where" / CARD).is_file()


def test_a_card_of_little_is_complete_and_in_order() -> None:
    card = JudgeCard(task="content", classes=("cat", "dog"), domains=("a",), size=16)
    assert (card.steps, card.batch, card.seed, card.accuracy) == (0, 0, 0, {})
    assert list(yaml.safe_load(card.to_yaml())) == list(JudgeCard.model_fields)
