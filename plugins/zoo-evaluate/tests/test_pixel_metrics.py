"""The figures of maps, on made pairs with values computed by hand."""

from math import sqrt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_evaluate.pixel_metrics import Pixels, at_side, rmse, share_within
from zoo_evaluate.run import evaluate_model
from zoo_images.codec import ImageCodec
from zoo_train.data.dataset import open_sources


def flat(*colours: tuple[int, int, int], side: int = 4) -> Tensor:
    """uint8 (N, 3, side, side) pictures of one colour each."""
    return torch.tensor(colours, dtype=torch.uint8)[:, :, None, None].repeat(1, 1, side, side)


def test_squares_are_summed_over_channels_and_averaged_over_pixels() -> None:
    found = rmse(flat((0, 0, 0), (10, 20, 30)), flat((3, 4, 12), (10, 20, 30)))
    assert found.tolist() == [13.0, 0.0]  # 9 + 16 + 144 = 169
    half = flat((0, 0, 0))
    half[..., :2] = 4  # half of the pixels are off by 4 in each of 3 channels
    assert rmse(half, flat((0, 0, 0))).item() == pytest.approx(sqrt(3 * 16 / 2))


def test_the_root_is_taken_per_picture_before_the_mean_over_pictures() -> None:
    found = rmse(flat((3, 0, 0), (0, 4, 0)), flat((0, 0, 0), (0, 0, 0)))
    assert found.mean().item() == 3.5  # not the root of (9 + 16) / 2


def test_the_largest_channel_difference_decides_and_must_be_strictly_below() -> None:
    true = flat((100, 100, 100))
    for colour, right in (((104, 104, 96), 1.0), ((105, 100, 100), 0.0), ((100, 100, 95), 0.0)):
        assert share_within(flat(colour), true, 5).item() == right
    quarter = flat((100, 100, 100))
    quarter[..., 0] = 200
    assert share_within(quarter, true, 10).item() == 0.75


def test_differences_do_not_wrap_around_in_eight_bits() -> None:
    assert rmse(flat((0, 0, 0)), flat((255, 0, 0))).item() == 255
    assert share_within(flat((0, 0, 0)), flat((255, 0, 0)), 5).item() == 0


def test_pictures_are_scaled_between_the_four_nearest_pixels_without_averaging() -> None:
    row = torch.tensor([0, 250, 0, 250, 0, 250, 0, 250], dtype=torch.uint8)  # (8,)
    stripes = row.expand(1, 3, 8, 8)  # (1, 3, 8, 8)
    # Pixel 0 of 2 lies at (0 + 0.5) * 4 - 0.5 = 1.5, between pixels 1 (250) and 2 (0).
    assert at_side(stripes, 2)[0, 0].tolist() == [[125, 125], [125, 125]]
    # Pixel 1 of 3 lies at 3.5; pixels 0 and 2 lie at 5 / 6 and 37 / 6.
    assert at_side(stripes, 3)[0, 0, 0].tolist() == [208, 125, 42]
    assert at_side(flat((1, 2, 3), side=256)).shape == (1, 3, 256, 256)


class Constant:
    """A model that makes one colour of everything."""

    name, precision = "constant", "float32"
    device = torch.device("cpu")
    domains = Domains(("photo", "map"))
    signal = TensorSpec(shape=(3, 32, 32))

    def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        return (flat((100, 50, 25), side=32).float() / 127.5 - 1).expand(len(x), 3, 32, 32)


def test_an_evaluation_finds_the_figures_of_a_model(tmp_path: Path) -> None:
    colours = {"photo": [(0, 0, 0), (9, 9, 9)], "map": [(100, 50, 25), (103, 46, 37)]}
    for domain, letter in (("photo", "A"), ("map", "B")):
        (tmp_path / domain).mkdir()
        for number, colour in enumerate(colours[domain]):
            pixels = np.full((32, 32, 3), colour, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / domain / f"{number}_{letter}.png")
    codec = ImageCodec(Constant.signal)
    data = open_sources(
        {name: str(tmp_path / name) for name in colours}, codec=codec, config=TrainConfig()
    )
    report = evaluate_model(Constant(), data, ["pixels"])
    found = report.directions["photo->map"]
    assert found["pixels_rmse"] == 6.5  # 0 and 13
    assert (found["pixels_acc5"], found["pixels_acc10"]) == (0.5, 0.5)  # 0 and 12 levels
    assert report.protocol["directions"]["photo->map"]["metrics"]["pixels"]["side"] == 256


def test_signals_become_levels_of_255_whatever_their_span() -> None:
    metric = Pixels.__new__(Pixels)
    for span, most in ((2.0, 1.0), (1.0, 0.5)):
        metric.direction = SimpleNamespace(span=span)  # type: ignore[assignment]
        x = most * torch.tensor([-1.2, -1.0, -0.2, 0.6, 1.0, 1.2])[None, None, None]
        assert metric._levels(x).flatten().tolist() == [0, 0, 102, 204, 255, 255]
