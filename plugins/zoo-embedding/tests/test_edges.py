"""Smoothed edges: where they are, what stays, and what the discriminator pays for them."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from zoo_core.contracts.step import Step
from zoo_core.errors import UsageError
from zoo_core.host.plugins import host
from zoo_embedding.edges import EdgeSmoothing, SmoothedEdges
from zoo_testing.session import Session
from zoo_testing.subject import subjects


def half(channels: int = 3, side: int = 32) -> Tensor:
    """(1, C, H, W) dark on the left, bright from the middle on."""
    x = torch.full((1, channels, side, side), -0.8)
    x[..., side // 2 :] = 0.8
    return x


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_the_step_is_smoothed_and_the_rest_stays(channels: int, kernel: int) -> None:
    x = half(channels)
    y = EdgeSmoothing(kernel=kernel)(x)
    changed = (y != x).any(1)[0].any(0).nonzero().flatten().tolist()
    reach = kernel // 2
    assert changed
    assert set(changed) <= set(range(16 - 1 - reach, 16 + 1 + reach))
    row = y[0, 0, 16]
    assert (row.diff() >= -1e-6).all(), "a step becomes a slope"
    assert float(row.diff().max()) < 0.75 * 1.6


def test_a_flat_picture_and_a_weak_step_stay_as_they_are() -> None:
    smooth = EdgeSmoothing()
    flat = torch.full((2, 3, 16, 16), 0.3)
    assert torch.equal(smooth(flat), flat)
    weak = half() * 0.02
    assert torch.equal(smooth(weak), weak)


def test_lower_thresholds_find_weaker_edges() -> None:
    weak = half() * 0.1
    assert torch.equal(EdgeSmoothing()(weak), weak)
    assert not torch.equal(EdgeSmoothing(low=5, high=10)(weak), weak)


def test_the_given_pictures_are_untouched_and_keep_type_and_form() -> None:
    x = half().to(torch.bfloat16)
    before = x.clone()
    y = EdgeSmoothing()(x)
    assert torch.equal(x, before)
    assert (y.dtype, y.shape) == (x.dtype, x.shape)


def test_the_dilated_edge_is_a_band_around_the_step() -> None:
    near = EdgeSmoothing(kernel=5).near_edges(half()[0].permute(1, 2, 0).numpy())
    columns = np.flatnonzero(near.all(axis=0))
    assert len(columns) == 5
    assert 15 in columns
    assert near.any(axis=0).sum() == 5


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"kernel": 4}, "kernel of edges 4"),
        ({"kernel": 0}, "kernel of edges 0"),
        ({"low": 200, "high": 100}, "thresholds of edges 200, 100"),
        ({"low": -1}, "thresholds of edges -1, 200"),
    ],
)
def test_numbers_out_of_range_are_refused(given: dict[str, float], asked: str) -> None:
    with pytest.raises(UsageError) as caught:
        EdgeSmoothing(**given)  # type: ignore[arg-type]
    assert caught.value.asked == asked


def test_without_opencv_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(UsageError) as caught:
        SmoothedEdges()
    assert 'pip install "zoo-embedding[cartoongan]"' in (caught.value.hint or "")


@pytest.mark.parametrize("objective", ["nonsaturating", "lsgan"])
def test_the_critic_pays_for_cartoons_with_smoothed_edges(objective: str) -> None:
    subject = subjects("cartoongan", host())[0]
    session = Session(subject)
    step: Step = session.bind(session.players[0])
    loss = SmoothedEdges(objective=objective)
    found = loss(step)
    smoothed = EdgeSmoothing()(step.real(subject.domains.names[1]))
    scores = step.net(f"discriminator_{subject.domains.names[1]}")(smoothed).scores[0]
    wanted = F.softplus(scores).mean() if objective == "nonsaturating" else (scores**2).mean()
    torch.testing.assert_close(found, wanted)
