"""Each metric against a computation by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from zoo_core.errors import UsageError
from zoo_evaluate.context import Direction, DomainData, EvalContext, TranslatedBatch
from zoo_evaluate.distribution_metrics import Fid, Kid
from zoo_evaluate.extractors import Extractor
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_card import JudgeCard
from zoo_evaluate.judged_metrics import ContentAccuracy, DomainAccuracy
from zoo_evaluate.metrics import Average, Metric
from zoo_evaluate.pairing import find_references
from zoo_evaluate.picture_metrics import (
    PSNR_MOST,
    CycleMetric,
    ReferenceL1,
    ReferencePsnr,
    ReferenceSsim,
    Retrieval,
    psnr,
    ssim,
)
from zoo_evaluate.resampling import spread
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


def test_better_is_less_unless_a_metric_says_otherwise() -> None:
    less = (ReferenceL1, CycleMetric, Fid, Kid)
    more = (ReferencePsnr, ReferenceSsim, Retrieval, DomainAccuracy, ContentAccuracy)
    assert not any(metric.higher_is_better for metric in less)
    assert all(metric.higher_is_better for metric in more)


def test_a_mean_of_one_sample_is_that_sample_and_of_none_0() -> None:
    average = Average()
    assert average.value == 0
    average.add([0.5])
    assert average.value == 0.5


def test_a_metric_says_nothing_of_its_protocol_unless_it_has_one() -> None:
    class Silent(Metric):
        name = "silent"

        def update(self, sample: TranslatedBatch) -> None: ...

        def compute(self) -> dict[str, float]:
            return {}

    metric = Silent(a_direction(side("a", plain(0.0)), side("b", plain(0.0))))
    assert (metric.protocol(), metric.titles(), metric.caveats()) == ({}, {}, [])


def test_protocols_name_judges_references_and_gallery() -> None:
    judge = a_judge("domain", ("a", "b"), ("a", "b"))
    direction = a_direction(
        side("a", plain(0.0, 0.5)), side("b", plain(0.0, 0.5, 1.0)), judges=[judge]
    )
    said = DomainAccuracy(direction).protocol()
    assert said["judge"] == "domain judge of a, b"
    assert said["judge_size"] == 16
    assert said["judge_test_accuracy"] is None
    assert ReferenceL1(direction).protocol() == {"references": 2, "rule": "name"}
    assert Retrieval(direction).protocol() == {"gallery": 3, "distance": "L1"}
    assert CycleMetric(direction).protocol() == {"unit": "mean absolute difference, range 2 wide"}


def test_metrics_without_their_judge_say_so() -> None:
    direction = a_direction(side("a", plain(0.0)), side("b", plain(0.0)))
    for metric in (DomainAccuracy, ContentAccuracy):
        with pytest.raises(RuntimeError, match="there is no"):
            _ = metric(direction).judge


def test_a_content_judge_says_nothing_of_real_signals_without_labels() -> None:
    judge = a_judge("content", ("0", "1"), ("b",))
    source = side("a", plain(1.0, -1.0), labels=torch.tensor([[1], [0]]))
    direction = a_direction(source, side("b", plain(1.0, 1.0)), judges=[judge])
    values = measured(ContentAccuracy, direction, plain(1.0, 1.0))
    assert values == {"content_accuracy": 0.5, "content_accuracy_untranslated": 1.0}


def test_a_ratio_needs_an_input_that_is_off_its_reference() -> None:
    direction = a_direction(side("a", plain(0.5, 0.5)), side("b", plain(0.5, 0.5)))
    assert "l1_ratio" not in measured(ReferenceL1, direction, plain(0.0, 0.0))


def test_kid_halves_what_there_is_into_its_subsets() -> None:
    target = side("b", torch.rand(9, 3, 1, 1))
    metric = Kid(a_direction(side("a", torch.zeros(9, 3, 1, 1)), target, extractor=Means()))
    metric.fake = [torch.rand(7, 3)]
    assert (metric.protocol()["subsets"], metric.protocol()["subset_size"]) == (50, 3)
    metric.fake = [torch.rand(100, 3)]
    assert metric.protocol()["subset_size"] == 4
    metric.fake = [torch.rand(2, 3)]
    assert metric.protocol()["subset_size"] == 2
    metric.real, metric.fake = torch.rand(3000, 3), [torch.rand(3000, 3)]
    assert metric.protocol()["subset_size"] == 1000


def test_a_distance_of_fewer_pictures_than_features_says_so() -> None:
    target = side("b", torch.rand(5, 3, 1, 1))
    metric = Fid(a_direction(side("a", torch.zeros(9, 3, 1, 1)), target, extractor=Means()))
    metric.fake = [torch.rand(3, 3)]
    assert "fewer pictures (3) than features (3)" in metric.caveats()[0]
    metric.fake = [torch.rand(2, 3), torch.rand(2, 3)]
    assert metric.caveats() == []


def test_a_distance_without_an_extractor_says_nothing_of_one() -> None:
    target = side("b", torch.rand(5, 3, 1, 1))
    direction = a_direction(side("a", torch.zeros(9, 3, 1, 1)), target, extractor=Means())
    metric = Fid(direction)
    metric.fake = [torch.rand(4, 3)]
    assert metric.titles() == {"fid": "FID (means 3, 4 against 5)"}
    assert metric.protocol()["real"] == 5
    direction.context.extractor = None
    assert metric.titles() == {"fid": "FID (4 against 5)"}
    assert metric.protocol() == {}


def test_the_interval_of_a_mean_is_that_of_independent_values() -> None:
    rows = [
        {"fid": 10.0, "fid_low": 7.0, "fid_high": 13.0},
        {"fid": 20.0, "fid_low": 16.0, "fid_high": 24.0},
    ]
    assert Fid.mean(rows) == {"fid": 15.0, "fid_low": 12.5, "fid_high": 17.5}  # 5 = (3, 4), over 2
    assert Fid.mean([{"fid": 1.0, "fid_low": 0.0, "fid_high": 3.0}])["fid_low"] == 0
    assert Kid.mean([{"kid": 1.0, "kid_low": -1.0, "kid_high": 3.0}])["kid_low"] == -1


@pytest.mark.parametrize(("real", "made", "refused"), [(50, 50, False), (49, 50, True)])
def test_fifty_pictures_on_either_side_are_the_fewest(real: int, made: int, refused: bool) -> None:
    target = side("b", torch.rand(real, 3, 1, 1))
    source = side("a", torch.zeros(made, 3, 1, 1))
    direction = a_direction(source, target, extractor=Means(), allow_few=False)
    if refused:
        with pytest.raises(UsageError) as caught:
            Fid(direction)
        assert f"of {real} real signals" in caught.value.problem
        return
    metric = Fid(direction)
    metric.fake = [torch.rand(49, 3)]
    with pytest.raises(UsageError) as caught:
        metric.compute()
    assert "of 49 translated signals" in caught.value.problem
    metric.fake = [torch.rand(50, 3)]
    values = metric.compute()
    half = spread(metric.distance, metric.real.double(), metric.fake[0].double(), 0) * 1.96
    assert values["fid_high"] == pytest.approx(values["fid"] + half)
    assert values["fid_low"] == pytest.approx(max(0, values["fid"] - half))


def test_measures_of_several_pictures_are_one_each() -> None:
    x, y = plain(0.25, 0.5), plain(0.5, 0.5)
    assert psnr(x, x, 1.0).tolist() == [100.0, 100.0]
    assert psnr(x, y, 3.0)[0].item() == pytest.approx(10 * math.log10(9 / 0.0625))
    c1 = (0.01 * 2) ** 2
    first = (2 * 0.25 * 0.5 + c1) / (0.25**2 + 0.5**2 + c1)
    assert ssim(x, y, 2.0).tolist() == pytest.approx([first, 1.0], abs=1e-4)


def test_directions_without_an_untranslated_distance_have_no_ratio() -> None:
    assert ReferenceL1.mean([{"l1": 1.0}]) == {"l1": 1.0}


def test_a_reference_that_another_picture_equals_is_still_the_nearest() -> None:
    direction = a_direction(side("a", plain(0.0, 0.0)), side("b", plain(0.5, 0.5)))
    assert measured(Retrieval, direction, plain(0.5, 0.25))["retrieval"] == 1


def test_fid_bears_features_far_from_zero() -> None:
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(40, 3, generator=rng), 2 * torch.randn(40, 3, generator=rng)
    found = []
    for shift in (0.0, 4096.0):
        target = side("b", (real + shift)[:, :, None, None])
        direction = a_direction(side("a", torch.zeros(40, 3, 1, 1)), target, extractor=Means())
        found.append(measured(Fid, direction, (fake + shift)[:, :, None, None])["fid"])
    assert found[1] == pytest.approx(found[0], rel=1e-2)
