"""Each metric against a computation by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from zoo_evaluate.context import Direction, DomainData, EvalContext, TranslatedBatch
from zoo_evaluate.distribution_metrics import Fid, Kid
from zoo_evaluate.extractors import Extractor
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_card import JudgeCard
from zoo_evaluate.judged_metrics import ContentAccuracy, DomainAccuracy
from zoo_evaluate.metrics import Metric
from zoo_evaluate.pairing import find_references
from zoo_evaluate.picture_metrics import (
    PSNR_MOST,
    CycleMetric,
    ReferenceL1,
    ReferencePsnr,
    ReferenceSsim,
    Retrieval,
)
from zoo_nn.nets.classifier import ClassifierNet, ClassifierOutput

pytestmark = pytest.mark.numeric


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


class Means(Extractor):
    """Channel means as features."""

    name, sha256, size, width = "means", "0" * 64, 16, 3

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))  # (N, 3)


class Fixed(ClassifierNet):
    """Says class 0 where a picture is dark, class 1 where it is light."""

    def forward(self, x: Tensor) -> ClassifierOutput:
        light = x.mean((1, 2, 3))  # (N,)
        return ClassifierOutput(torch.stack([-light, light], 1), light[:, None])


def a_judge(task, classes, domains) -> EvalClassifier:
    card = JudgeCard(task=task, classes=classes, domains=domains, size=16, widths=(2, 2))
    return EvalClassifier(Fixed(2, (2, 2)), card)


def plain(*values: float, size: int = 16) -> Tensor:
    """Pictures of one value each: (N, 3, size, size)."""
    return torch.tensor(values)[:, None, None, None].expand(-1, 3, size, size).clone()


def side(name: str, signals: Tensor, names=None, labels=None) -> DomainData:
    names = names or [f"{at}.png" for at in range(len(signals))]
    store = Memory(signals, names, labels)
    return DomainData(name, store, torch.arange(len(signals)), torch.zeros(len(signals), 2))


def a_direction(source: DomainData, target: DomainData, **context) -> Direction:
    references = find_references(source.names(), target.names())
    return Direction(source, target, references, EvalContext(**{"allow_few": True, **context}))


def measured(cls: type[Metric], direction: Direction, translated: Tensor, restored=None):
    """A metric's values after two batches."""
    metric = cls(direction)
    half = len(translated) // 2
    for at in (torch.arange(half), torch.arange(half, len(translated))):
        x = direction.source.signals(at)
        metric.update(TranslatedBatch(direction, at, x, translated[at], lambda at=at: restored[at]))
    return metric.compute()


def test_l1_compares_translation_and_input_with_the_reference() -> None:
    direction = a_direction(side("a", plain(0.0, 0.0, 0.0)), side("b", plain(0.5, 0.5, 1.0)))
    values = measured(ReferenceL1, direction, plain(0.25, 0.5, 0.75))
    assert values["l1"] == pytest.approx((0.25 + 0 + 0.25) / 3)
    assert values["l1_untranslated"] == pytest.approx(2 / 3)
    assert values["l1_ratio"] == pytest.approx(0.25)


def test_mean_l1_ratio_is_the_ratio_of_the_means() -> None:
    rows = [
        {"l1": 1.0, "l1_untranslated": 2.0, "l1_ratio": 0.5},
        {"l1": 0.3, "l1_untranslated": 0.2, "l1_ratio": 1.5},
    ]
    assert ReferenceL1.mean(rows)["l1_ratio"] == pytest.approx(1.3 / 2.2)


def test_psnr_is_that_of_the_range_and_capped_for_equal_pictures() -> None:
    direction = a_direction(side("a", plain(0.0, 0.0)), side("b", plain(0.2, 0.0)))
    values = measured(ReferencePsnr, direction, plain(0.1, 0.0))
    first = 10 * math.log10(2**2 / 0.1**2)
    assert values["psnr"] == pytest.approx((first + PSNR_MOST) / 2, rel=1e-5)


def test_ssim_of_plain_pictures_equals_the_formula() -> None:
    direction = a_direction(side("a", plain(0.0, 0.0)), side("b", plain(0.5, 0.5)))
    values = measured(ReferenceSsim, direction, plain(0.25, 0.5))
    c1 = (0.01 * 2) ** 2
    first = (2 * 0.25 * 0.5 + c1) / (0.25**2 + 0.5**2 + c1)
    assert values["ssim"] == pytest.approx((first + 1) / 2, abs=1e-4)


def test_cycle_compares_restored_with_input() -> None:
    direction = a_direction(side("a", plain(0.0, 1.0)), side("b", plain(0.0, 0.0)))
    values = measured(CycleMetric, direction, plain(0.3, 0.3), plain(0.5, 1.0))
    assert values == {"cycle_l1": pytest.approx(0.25)}


def test_retrieval_counts_references_that_are_the_nearest() -> None:
    target = side("b", plain(-1.0, 0.0, 1.0, 0.9))
    direction = a_direction(side("a", plain(0.0, 0.0, 0.0, 0.0)), target)
    # 0 is nearest to its own -1; 1 to its own 0; 2 (0.94) to 0.9, not to 1; 3 to its own 0.9
    values = measured(Retrieval, direction, plain(-0.8, 0.1, 0.94, 0.85))
    assert values["retrieval"] == pytest.approx(3 / 4)
    assert values["retrieval_untranslated"] == pytest.approx(1 / 4)


def test_retrieval_searches_all_of_a_gallery_larger_than_one_chunk() -> None:
    gallery = torch.linspace(-1, 1, 600)
    target = side("b", plain(*gallery.tolist(), size=2))
    direction = a_direction(side("a", plain(*[0.9999] * 600, size=2)), target)
    values = measured(Retrieval, direction, plain(*(gallery + 1e-4).tolist(), size=2))
    assert values["retrieval"] == 1
    assert values["retrieval_untranslated"] == pytest.approx(1 / 600)


def test_domain_accuracy_counts_the_target_class_beside_real_and_untranslated() -> None:
    judge = a_judge("domain", ("dark", "light"), ("dark", "light"))
    source = side("dark", plain(-1.0, -1.0, 1.0, -1.0))
    target = side("light", plain(1.0, 1.0, -1.0, 1.0))
    direction = a_direction(source, target, judges=[judge])
    values = measured(DomainAccuracy, direction, plain(0.5, -0.5, 0.5, 0.5))
    assert values == {
        "domain_accuracy": 0.75,
        "domain_accuracy_untranslated": 0.25,
        "domain_accuracy_real": 0.75,
    }


def test_content_accuracy_reads_the_label_of_the_input() -> None:
    judge = a_judge("content", ("0", "1"), ("b",))
    source = side("a", plain(1.0, 1.0, -1.0, -1.0), labels=torch.tensor([[0], [1], [0], [1]]))
    target = side("b", plain(-1.0, 1.0, 1.0, 1.0), labels=torch.tensor([[0], [1], [1], [0]]))
    direction = a_direction(source, target, judges=[judge])
    values = measured(ContentAccuracy, direction, plain(-1.0, 1.0, -1.0, -1.0))
    assert values["content_accuracy"] == 0.75
    assert values["content_accuracy_untranslated"] == 0.5
    assert values["content_accuracy_real"] == 0.75


def test_a_content_judge_of_another_domain_is_not_asked() -> None:
    judge = a_judge("content", ("0", "1"), ("a",))
    direction = a_direction(side("a", plain(0.0, 1.0)), side("b", plain(0.0, 1.0)), judges=[judge])
    assert not direction.has("content_judge")


def test_fid_is_the_frechet_distance_of_the_features() -> None:
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(40, 3, generator=rng), 2 * torch.randn(40, 3, generator=rng) + 1
    target = side("b", real[:, :, None, None].expand(-1, -1, 4, 4))
    direction = a_direction(side("a", torch.zeros(40, 3, 4, 4)), target, extractor=Means())
    values = measured(Fid, direction, fake[:, :, None, None].expand(-1, -1, 4, 4))
    a, b = real.double().T.cov(), fake.double().T.cov()
    shift = (real.double().mean(0) - fake.double().mean(0)).square().sum()
    root = torch.linalg.eigvals(a @ b).sqrt().real.sum()
    assert values["fid"] == pytest.approx(float(shift + a.trace() + b.trace() - 2 * root), rel=1e-4)


def test_kid_is_near_zero_for_equal_and_large_for_different_distributions() -> None:
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(60, 3, 1, 1, generator=rng)
    direction = a_direction(
        side("a", torch.zeros(60, 3, 1, 1)), side("b", real), extractor=Means(), seed=3
    )
    near = measured(Kid, direction, torch.randn(60, 3, 1, 1, generator=rng))
    far = measured(Kid, direction, real + 3)
    assert abs(near["kid"]) < 0.3 < 5 < far["kid"]
    assert measured(Kid, direction, real + 3) == far


def test_kid_leaves_the_global_random_state_alone() -> None:
    direction = a_direction(
        side("a", torch.zeros(8, 3, 1, 1)), side("b", torch.rand(8, 3, 1, 1)), extractor=Means()
    )
    before = torch.random.get_rng_state()
    measured(Kid, direction, torch.ones(8, 3, 1, 1) * torch.arange(8)[:, None, None, None])
    assert torch.equal(before, torch.random.get_rng_state())


def test_references_have_the_same_name_whatever_folder_and_suffix() -> None:
    references = find_references(["x/b.png", "x/a.png", "x/c.png"], ["a.jpg", "b.jpg", "q.jpg"])
    assert references is not None
    assert references.rule == "name"
    assert references.sources.tolist() == [0, 1]
    assert references.of(torch.tensor([1, 0])).tolist() == [0, 1]


def test_references_of_an_indexed_set_are_found_by_number() -> None:
    indexed = [str(number) for number in range(100)]
    files = ["3/00000012.png", "7/00000002.png", "0/00000000.png"]
    there, back = find_references(files, indexed), find_references(indexed, files)
    assert there is not None
    assert back is not None
    assert there.rule == back.rule == "index"
    assert there.of(torch.tensor([0, 1, 2])).tolist() == [12, 2, 0]
    assert back.sources.tolist() == [0, 2, 12]
    assert back.targets.tolist() == [2, 1, 0]


def test_references_in_class_folders_need_the_folder_where_names_repeat() -> None:
    references = find_references(["0/a.png", "1/a.png"], ["1/a.png", "0/a.png"])
    assert references is not None
    assert references.targets.tolist() == [1, 0]


def test_the_letters_of_official_pairs_are_no_part_of_a_name():
    references = find_references(["1_A.jpg", "2_A.jpg"], ["2_B.jpg", "1_B.jpg"])
    assert references is not None
    assert references.of(torch.tensor([0, 1])).tolist() == [1, 0]
    assert find_references(["1_A.jpg", "2_A.jpg"], ["1_B.jpg", "2_C.jpg"]) is None


def test_few_equal_names_are_taken_for_chance() -> None:
    names = [f"{letter}.png" for letter in "abcdefgh"]
    assert find_references(names, ["a.png", *[f"{letter}.png" for letter in "qrstuv"]]) is None
    assert find_references(names, ["z.png"]) is None


def test_numbers_of_two_indexed_sets_mean_nothing_to_each_other() -> None:
    numbers = [f"{number:08d}" for number in range(10)]
    assert find_references(numbers, numbers) is None
