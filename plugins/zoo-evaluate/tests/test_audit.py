"""The audit against models of which it is known what they hide."""

import html
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor

from zoo_core import cli
from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.errors import UsageError, ZooError
from zoo_core.translate import loading
from zoo_evaluate.audit import AuditConfig, AuditResult, audit, hidden_score
from zoo_evaluate.audit.perturb import Noises, perturbations
from zoo_evaluate.audit.picture import render_page, write_sheet
from zoo_evaluate.audit.probe import r_squared
from zoo_evaluate.audit.score import interval, resamples, shares
from zoo_images.codec import ImageCodec
from zoo_nn.filters import lowpass

pytestmark = pytest.mark.numeric

SIGNAL = TensorSpec(shape=(3, 16, 16), stride=1)
SMALL = AuditConfig(num_samples=48, batch=24, bootstrap=200, samples=2)


@dataclass
class Known:
    """A model that translates by two given functions."""

    there: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]
    domains: Domains = field(default_factory=lambda: Domains(("a", "b")))
    signal: TensorSpec = SIGNAL
    name: str = "known"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = "float32"

    def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        return self.there(x) if target.domain == "b" else self.back(x)


def blobs(count: int = 48, seed: int = 0) -> Tensor:
    """(N, 3, 16, 16) pictures of -1 and 1 in blobs of some pixels."""
    noise = torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    return lowpass(noise, 1.5, 2).sign()


def covers(count: int = 48, seed: int = 1) -> Tensor:
    """(N, 3, 16, 16) smooth pictures that show nothing of the blobs, on even 8-bit levels."""
    noise = torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    return on_levels((lowpass(noise, 3.0, 2) * 2).clamp(-0.9, 0.9), even=True)


def on_levels(x: Tensor, even: bool = False) -> Tensor:
    levels = ((x + 1) * 127.5).round()
    return (levels - levels % 2 if even else levels) / 127.5 - 1


COVER = covers(1)


def plant(x: Tensor) -> Tensor:
    """(N, 3, H, W) the same cover for every input, the input in its least significant bits."""
    return COVER + (x > 0) / 127.5


def read_bits(y: Tensor) -> Tensor:
    return ((y + 1) * 127.5).round() % 2 * 2 - 1


def identity(x: Tensor) -> Tensor:
    return x


IDENTITY = Known(identity, identity)
PLANTED = Known(plant, read_bits)
BLUR = Known(lambda x: lowpass(x, 1.5, 2), identity)
FORGETFUL = Known(torch.zeros_like, torch.zeros_like)
HONEST_DIGITISER = Known(lambda x: x * 0.5, torch.sign)


def audited(model: Known, config: AuditConfig = SMALL) -> AuditResult:
    return audit(model, {"a": blobs(), "b": covers()}, config)


@pytest.mark.parametrize("model", [IDENTITY, BLUR, FORGETFUL], ids=["identity", "blur", "forgets"])
def test_models_that_hide_nothing_are_clean(model: Known) -> None:
    result = audited(model)
    assert result.level == "clean"
    assert result.score.high < 0.01
    assert result.verdict.startswith("clean")


def test_a_model_that_sharpens_what_is_plain_to_see_is_clean() -> None:
    assert audited(HONEST_DIGITISER).directions["a->b"].score.value < 0.01


def test_planted_least_significant_bits_are_an_alarm() -> None:
    result = audited(PLANTED)
    assert result.level == "alarm"
    assert result.worst == "a->b"
    assert result.score.low > 0.8
    values = result.directions["a->b"].values
    assert values["cycle_l1"] == pytest.approx(0, abs=1e-6)
    assert values["gap_quantise-8"] == pytest.approx(0, abs=1e-6)  # eight bits hold them
    assert values["gap_jpeg-95"] > 0.5
    assert "a->b" in result.verdict
    assert "alarm" in result.verdict


def test_the_way_that_plants_nothing_is_told_apart() -> None:
    assert audited(PLANTED).directions["b->a"].score.value < 0.1


def test_what_hides_below_the_levels_of_a_file_is_found_by_rounding() -> None:
    faint = Known(lambda x: COVER + x * 1e-3, lambda y: (y - COVER).sign())
    found = audited(faint).directions["a->b"]
    assert found.shares["quantise-8"] > 0.8
    assert found.values["gap_quantise-8"] > 0.5


def test_what_hides_in_faint_even_shades_is_found_by_smooth_noise_and_by_the_probe() -> None:
    """A tint of the whole picture: filters pass it, white noise averages out."""
    inks = torch.rand(48, 3, 1, 1, generator=torch.Generator().manual_seed(2)) * 2 - 1
    data = {"a": inks.expand(-1, -1, 16, 16).contiguous(), "b": covers()}
    tinted = Known(
        lambda x: x * 0.02 - 1 / 15,
        lambda y: ((lowpass(y, 1.5, 2) + 1 / 15) * 50).clamp(-1, 1),
    )
    found = audit(tinted, data, SMALL).directions["a->b"]
    assert found.witness == "smooth-noise-0.02"
    assert found.score.low > 0.3
    assert found.shares["jpeg-95"] < 0.3
    assert found.values["probe_faint_r2"] > 0.8
    assert found.values["probe_fine_r2"] < 0.1
    assert found.values["probe_faint_shuffled_r2"] < 0.1


def test_quick_gives_the_same_verdict_and_nothing_else() -> None:
    result = audited(PLANTED, AuditConfig.quick(num_samples=24))
    assert result.level == "alarm"
    assert set(result.directions["a->b"].values) >= {"cycle_l1", "other_input_l1"}
    assert not result.directions["a->b"].curves
    assert "probe_fine_r2" not in result.directions["a->b"].values


def test_the_score_of_one_direction_is_that_of_the_audit() -> None:
    assert hidden_score(PLANTED, blobs(), "a", "b") > 0.8
    assert hidden_score(IDENTITY, blobs(), "a", "b") < 0.01
    assert hidden_score(PLANTED, covers(), "b", "a") < 0.1


def test_the_noise_curve_of_the_identity_is_that_of_the_noise() -> None:
    """Response = E|n| = sigma * sqrt(2 / pi); its area up to 0.2 is 0.0160."""
    found = audited(IDENTITY).directions["a->b"]
    for kind in ("white", "smooth"):
        assert found.curves[kind][0] == 0
        assert found.curves[kind][-1] == pytest.approx(0.2 * 0.7979, rel=0.1)
        assert found.values[f"{kind}_noise_area"] == pytest.approx(0.01596, rel=0.1)


def test_fine_detail_decides_where_the_input_is_hidden_in_it() -> None:
    checks = (torch.arange(16)[:, None] + torch.arange(16)) % 2 * 2.0 - 1  # (16, 16)
    inks = torch.rand(48, 3, 1, 1, generator=torch.Generator().manual_seed(2)) * 2 - 1
    data = {"a": inks.expand(-1, -1, 16, 16).contiguous(), "b": covers()}
    hidden = Known(
        lambda x: 0.2 * x * checks,
        lambda y: ((y * checks).mean((2, 3), keepdim=True) * 5).expand_as(y),
    )
    assert audit(hidden, data, SMALL).directions["a->b"].values["swap_fine_wins"] > 0.9
    assert audit(IDENTITY, data, SMALL).directions["a->b"].values["swap_fine_wins"] < 0.1


def test_the_probe_reads_planted_bits_and_nothing_out_of_strangers() -> None:
    x = blobs(120)
    detail = plant(x) - lowpass(plant(x), 1.0, 2)
    assert r_squared(detail, x, 0) > 0.5
    assert r_squared(detail.roll(1, 0), x, 0) < 0.05


def test_the_honesty_gap_compares_with_true_references(tmp_path: Path) -> None:
    class Store:
        def __init__(self, x: Tensor) -> None:
            self.x, self.labels = x, None
            self.names = [f"{at:03d}.png" for at in range(len(x))]

        def __len__(self) -> int:
            return len(self.x)

        def batch(self, indices: list[int], rng: object = None) -> Tensor:
            return self.x[list(indices)]

    class Paired:
        stores = {"a": Store(blobs()), "b": Store(covers())}  # noqa: RUF012

        def provenance(self) -> list[str]:
            return ["pairs in memory"]

    result = audit(PLANTED, Paired(), replace(SMALL, paired=True))
    values = result.directions["a->b"].values
    assert values["honesty_gap"] > 0.5
    assert {"probe_fine_reference_r2", "probe_faint_reference_r2"} <= set(values)
    assert "honesty_gap" not in audited(PLANTED).directions["a->b"].values


def test_an_audit_repeats_itself() -> None:
    first, second = (audited(PLANTED).values() for _ in range(2))
    assert first == second


def test_the_interval_covers_the_score_and_narrows_with_more_pictures() -> None:
    measured = {
        "exact": torch.zeros(400),
        "any": torch.ones(400),
        "back:p": torch.rand(400, generator=torch.Generator().manual_seed(0)),
        "own:p": torch.zeros(400),
    }
    widths = []
    for count in (40, 400):
        part = {name: values[:count] for name, values in measured.items()}
        value = float(shares(part, ["p"], torch.arange(count)[None]))
        found = interval(value, shares(part, ["p"], resamples(count, 300, 0))[0])
        assert found.low < value < found.high
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2


def test_signals_of_other_kinds_are_spared_what_suits_pictures_only() -> None:
    speech = TensorSpec("speech", (36, 32), None, None, 4, 1)
    noises = Noises(speech, torch.Generator().manual_seed(0))
    changes = perturbations(speech, noises, AuditConfig(white=0.05, smooth=0.02))
    names = [change.name for change in changes]
    assert names == ["white-noise-0.05", "smooth-noise-0.02", "blur-1", "half-size"]
    x = torch.randn(8, 36, 32) * 3
    for change in changes:
        assert change.apply(x).shape == x.shape
    model = Known(identity, identity, signal=speech)
    result = audit(model, {"a": torch.randn(12, 36, 32), "b": torch.randn(12, 36, 32)}, SMALL)
    assert result.level == "clean"


def test_a_model_without_a_way_back_is_refused() -> None:
    class OneWay(Known):
        def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
            if target.domain == "a":
                raise UsageError("it translates to b only", asked="target a")
            return super().signals(x, source, target)

    with pytest.raises(UsageError, match="cannot go there and back"):
        audited(OneWay(identity, identity))


def test_sheet_and_page_show_the_hidden_signal(tmp_path: Path) -> None:
    result = audited(Known(lambda x: x * 0.02 + 1 / 15, lambda y: (y - 1 / 15).sign()))
    shown = result.directions["a->b"].exhibits[0].signals
    pair = torch.stack([shown["faint x100"].flatten(), shown["input"].flatten()])
    assert pair.corrcoef()[0, 1] > 0.4
    assert shown["translation"].abs().max() < 0.1 < 0.9 < shown["faint x100"].abs().max()
    write_sheet(result, ImageCodec(SIGNAL), tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    page = render_page(result)
    assert "<polyline" in page
    assert html.escape(result.verdict) in page
    assert page.count("<img ") == 2 * 2 * len(shown)


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Pictures of both domains on disk, as arguments."""
    args = []
    for name, pictures in (("a", blobs(8)), ("b", covers(8))):
        (tmp_path / name).mkdir()
        for at, picture in enumerate(pictures):
            pixels = ((picture + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
            Image.fromarray(pixels).save(tmp_path / name / f"{name}{at}.png")
        args += ["--domain", f"{name}={tmp_path / name}"]
    return args


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model with planted bits, under any name."""

    class Loaded(Known):
        codec = ImageCodec(SIGNAL)

    monkeypatch.setattr(loading, "load", lambda *args, **options: Loaded(plant, read_bits))


@pytest.mark.usefixtures("planted")
def test_zoo_audit_prints_the_verdict_and_writes_figures_and_pictures(
    folders: list[str], tmp_path: Path
) -> None:
    figures, page, sheet = (tmp_path / name for name in ("f.json", "p.html", "s.png"))
    args = ["audit", "m", *folders, "--json", str(figures), "--html", str(page)]
    said = CliRunner().invoke(cli.cli, args, catch_exceptions=False).output
    assert "alarm" in said
    assert "probe" in said
    values = json.loads(figures.read_text())
    assert values["level"] == "alarm"
    assert values["score"]["low"] <= values["score"]["value"] <= values["score"]["high"]
    assert set(values["directions"]) == {"a->b", "b->a"}
    assert "<img " in page.read_text()
    quick = ["audit", "m", *folders, "--quick", "--html", str(sheet), "--json"]
    result = CliRunner().invoke(cli.cli, quick, catch_exceptions=False)
    assert json.loads(result.stdout)["score"] == values["score"]
    assert sheet.stat().st_size > 1000


def test_zoo_audit_refuses_a_page_of_another_form() -> None:
    with pytest.raises(ZooError, match=r"\.png or \.html"):
        CliRunner().invoke(
            cli.cli, ["audit", "anything", "--html", "x.pdf"], catch_exceptions=False
        )
