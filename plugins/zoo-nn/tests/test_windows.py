"""Windows wait at each normalisation for all others."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo_core.contracts.codec import Whole, Window
from zoo_core.contracts.signals import TensorSpec
from zoo_nn.nets.resnet import ResidualBlock
from zoo_nn.staged import States
from zoo_nn.windows import Exact

MARGIN, STEP, COUNT = 32, 32, 4
SPEC = TensorSpec(shape=(3, 32, 32), stride=4)


class Skipping(nn.Module):
    """An encoder and a decoder with a connection past both, blocks, and layers in place."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.InstanceNorm2d(8, affine=True)
        self.down = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.block = ResidualBlock(8)
        self.layer = nn.GroupNorm(2, 8)
        self.up = nn.Upsample(scale_factor=2)
        self.last = nn.Conv2d(8, 3, 3, padding=1)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 3, H, W)."""
        self.calls += 1
        wide = torch.relu_(self.norm(self.first(x)))  # (N, 8, H, W)
        deep = self.block(self.down(wide))  # (N, 8, H/2, W/2)
        deep = nn.functional.silu(self.layer(deep), inplace=True)  # (N, 8, H/2, W/2)
        return torch.tanh(self.last(wide + self.up(deep)) + x / 2)  # (N, 3, H, W)


class Deciding(Skipping):
    """Looks at values to decide what to compute."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 3, H, W)."""
        return super().forward(x if x.mean() < 9 else -x)  # (N, 3, H, W)


@pytest.fixture
def signal() -> Tensor:
    """(3, 32, 128) a signal whose ends differ."""
    torch.manual_seed(1)
    return torch.rand(3, 32, STEP * COUNT) * torch.linspace(-1, 1, STEP * COUNT)


def whole_of(signal: Tensor) -> Whole:
    """A signal in windows, each with a margin at both sides."""

    def windows() -> Iterator[Window]:
        length = signal.shape[-1]
        for start in range(0, length, STEP):
            first, end = max(0, start - MARGIN), min(length, start + STEP + MARGIN)
            own = (slice(0, 32), slice(start - first, start - first + STEP))
            yield Window(signal[..., first:end], start, whole, own)

    whole = Whole(COUNT, "a copy", 2, lambda factor: signal, windows)
    return whole


def one_by_one(windows: Iterator[Window]) -> Iterable[list[Window]]:
    return ([window] for window in windows)


def exact(net: nn.Module, signal: Tensor) -> tuple[Tensor, str]:
    """(3, 32, 128) what windows give, put together, and what is said."""
    whole = whole_of(signal)

    def compute(x: Tensor) -> Tensor:
        with torch.inference_mode():
            return net(x)  # (N, *S)

    pairs, note = Exact(SPEC).translated(whole.windows(), whole, "b", compute, one_by_one)
    parts = [made[..., window.own[1]] for window, made in pairs if window.own]
    return torch.cat(parts, dim=-1), note


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_windows_of_two_shapes_give_what_the_whole_gives(signal: Tensor, layout: Any) -> None:
    net = Skipping().eval().to(memory_format=layout)
    made, note = exact(net, signal)
    with torch.inference_mode():
        assert torch.allclose(made, net(signal[None])[0], atol=1e-5)
    assert "MB in a temporary file" in note


def test_the_nets_run_once_however_many_normalisations_there_are(
    signal: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    convolution = torch.ops.aten.convolution.default
    monkeypatch.setattr(
        "zoo_nn.staged._made",
        counted(made, lambda node: node.target is convolution),
    )
    exact(Skipping().eval(), signal)
    assert len(made) == COUNT * 5  # convolutions: each of each window


def counted(made: list[Any], counts: Callable[[Any], bool]) -> Callable[..., Any]:
    """What runs an operation, noting some."""
    from zoo_nn.staged import _made as run

    def noting(node: Any, known: Any) -> Any:
        if counts(node):
            made.append(node)
        return run(node, known)

    return noting


def test_nets_that_decide_by_values_take_a_pass_per_normalisation(signal: Tensor) -> None:
    net = Deciding().eval()
    made, note = exact(net, signal)
    assert "a pass over all for each of 4 normalisations, since the nets cannot be taken" in note
    with torch.inference_mode():
        assert torch.allclose(made, net(signal[None])[0], atol=1e-5)


def test_a_disk_with_too_little_room_is_left_alone(
    signal: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    monkeypatch.setattr("tempfile.TemporaryFile", lambda: pytest.fail("a temporary file was made"))
    net = Skipping().eval()
    made, note = exact(net, signal)
    assert "would be more than half of what is free in" in note
    with torch.inference_mode():
        assert torch.allclose(made, net(signal[None])[0], atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_states_come_back_bit_by_bit(dtype: torch.dtype) -> None:
    values = [torch.rand(2, 3, 4, 5), torch.rand(2, 3, 4, 5), torch.rand(7)]
    values = [value.to(dtype) for value in values]
    values[1] = values[1].to(memory_format=torch.channels_last)
    states = States(io.BytesIO())
    states.place(11)
    place = states.place(1000)
    states.put(place, values, values)
    for value, read in zip(values, states.get(place, values), strict=True):
        assert torch.equal(read, value)
        assert read.stride() == value.stride()
