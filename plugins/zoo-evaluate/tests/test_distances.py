"""FID and KID say of what they are: extractor, counts, interval; of a few they are refused."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.errors import UsageError
from zoo_evaluate.cli.evaluate import _show
from zoo_evaluate.direction_evaluation import EvalConfig
from zoo_evaluate.distribution_metrics import FEWEST, Fid, Kid
from zoo_evaluate.extractors import Extractor
from zoo_evaluate.page import render_page
from zoo_evaluate.resampling import frechet, kernel_distance, spread
from zoo_evaluate.run import evaluate_model


class Means(Extractor):
    """The mean of each channel: three features."""

    name, sha256, size, width = "means", "f" * 64, 4, 3

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class Store:
    """Pictures in memory."""

    summary, skipped, labels = "made", (), None

    def __init__(self, signals: Tensor) -> None:
        self.signals = signals
        self.names = [f"{at}.png" for at in range(len(signals))]
        self.kept = range(len(signals))

    def __len__(self) -> int:
        return len(self.signals)

    def batch(self, indices, rng=None) -> Tensor:
        return self.signals[list(indices)]


class Data:
    """Two domains."""

    def __init__(self, **stores: Store) -> None:
        self.stores = stores

    def provenance(self) -> list[str]:
        return ["made"]


class Shift:
    """Adds to or takes from a picture what the domains differ by."""

    name, device, precision = "shift", "cpu", "float32"
    domains, signal = Domains(("a", "b")), TensorSpec(shape=(3, 4, 4))

    def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        return x + (0.3 if target.domain == "b" else -0.3)


def pictures(count: int, seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, 4, 4, generator=rng).clamp(-3, 3) * 0.1


def report_of(count: int, *, metrics=("fid", "kid"), allow_few=False):
    data = Data(a=Store(pictures(count, 0)), b=Store(pictures(count + 2, 1) + 0.3))
    config = EvalConfig(allow_few=allow_few, samples=0)
    return evaluate_model(Shift(), data, metrics, extractor=Means(), config=config)


def test_case_25_a_distance_of_six_pictures_is_refused():
    with pytest.raises(UsageError) as caught:
        report_of(6)
    assert caught.value.asked == 'metric "fid"'
    assert "8 real" in caught.value.problem
    assert str(FEWEST) in caught.value.problem
    assert "--allow-few" in caught.value.problem


def test_case_25_it_can_be_had_all_the_same_with_its_counts_beside_it():
    report = report_of(6, allow_few=True)
    assert report.titles["a->b"]["fid"] == "FID (means 3, 6 against 8)"
    assert report.titles["b->a"]["kid"] == "KID (means 3, 8 against 6)"


def test_other_metrics_go_on_where_a_distance_is_refused():
    report = report_of(6, metrics=None)
    assert "cycle_l1" in report.mean
    assert "fid" not in report.mean
    assert any("no fid" in note and str(FEWEST) in note for note in report.notes)


def test_enough_pictures_need_no_permission_and_the_same_names_are_everywhere(capsys):
    report = report_of(60)
    title = "FID (means 3, 60 against 62)"
    assert json.loads(report.to_json())["names"]["a->b"]["fid"] == title
    assert title in render_page(report)
    _show(report)
    assert title in capsys.readouterr().out


def test_fewer_pictures_than_features_are_said():
    class Wide(Means):
        width = 100

        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1).repeat(1, 3)[:, :100]

    data = Data(a=Store(pictures(60, 0)), b=Store(pictures(60, 1)))
    report = evaluate_model(Shift(), data, ["fid"], extractor=Wide(), config=EvalConfig(samples=0))
    assert any("(60) than features (100)" in note for note in report.notes)
    assert not any("than features" in note for note in report_of(60).notes)


@pytest.mark.parametrize("name", ["fid", "kid"])
def test_the_interval_holds_the_value_and_shrinks_with_the_count(name):
    widths = []
    for count in (60, 400):
        values = report_of(count, metrics=[name]).directions["a->b"]
        assert values[f"{name}_low"] <= values[name] <= values[f"{name}_high"]
        widths.append(values[f"{name}_high"] - values[f"{name}_low"])
    assert widths[1] < 0.7 * widths[0]


@pytest.mark.parametrize("cls", [Fid, Kid])
def test_the_interval_of_a_mean_is_narrower_than_that_of_its_parts(cls):
    row = {cls.name: 4.0, f"{cls.name}_low": 2.0, f"{cls.name}_high": 6.0}
    mean = cls.mean([row] * 4)
    assert (mean[f"{cls.name}_low"], mean[f"{cls.name}_high"]) == (3.0, 5.0)


def test_a_distance_is_never_below_its_least_value():
    row = {"fid": 1.0, "fid_low": 0.0, "fid_high": 3.0}
    assert Fid.mean([row])["fid_low"] == 0


@pytest.mark.numeric
@pytest.mark.parametrize("count", [20, 300])
def test_the_distance_by_singular_values_is_that_by_the_root_of_the_product(count):
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(count, 40, generator=rng, dtype=torch.float64)
    y = torch.randn(count + 5, 40, generator=rng, dtype=torch.float64) * 2 + 1
    a, b = x.T.cov(), y.T.cov()
    root = torch.linalg.eigvals(a @ b).real.clamp(min=0).sqrt().sum()
    expected = (x.mean(0) - y.mean(0)).square().sum() + a.trace() + b.trace() - 2 * root
    assert frechet(x, y) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.numeric
@pytest.mark.parametrize("distance", [frechet, kernel_distance])
def test_the_spread_is_about_that_over_fresh_samples(distance):
    def draw(seed):
        rng = torch.Generator().manual_seed(seed)
        x = torch.randn(100, 4, generator=rng, dtype=torch.float64)
        return x, torch.randn(100, 4, generator=rng, dtype=torch.float64) + 1

    fresh = torch.tensor([distance(*draw(seed)) for seed in range(100)]).std()
    found = torch.tensor([spread(distance, *draw(seed), seed) for seed in range(5)]).mean()
    assert 0.6 < float(found / fresh) < 1.7


def of(cls, real, seed=0):
    """A distance to these features."""
    context = SimpleNamespace(real_features=lambda _: real, allow_few=True, seed=seed)
    return cls(SimpleNamespace(context=context, target=None, name="a->b"))


def test_features_far_from_zero_are_compared_in_double_precision():
    rng = torch.Generator().manual_seed(0)
    real, fake = (1000 + torch.randn(40, 3, generator=rng) for _ in range(2))
    expected = frechet(real.double(), fake.double())
    assert of(Fid, real).value(fake)["fid"] == pytest.approx(expected, rel=1e-4)


def test_the_subsets_of_kid_follow_the_seed_of_the_evaluation_alone():
    rng = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(40, 3, generator=rng) for _ in range(2))
    found = []
    for seed, outside in ((5, 1), (5, 2), (6, 1)):
        torch.manual_seed(outside)
        found.append(of(Kid, real, seed).value(fake))
    assert found[0] == found[1]
    assert found[0]["kid_std"] != found[2]["kid_std"]
