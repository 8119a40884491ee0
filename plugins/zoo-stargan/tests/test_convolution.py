"""`DeepConv2d` is torch's convolution, whichever way it is computed."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo_stargan.nets import DeepConv2d

DEEP, WIDE = (2, 3, 6, 4), (2, 3, 20, 20)
"""Shapes with fewer and with more places in the output than channels."""
LAYERS = [
    pytest.param({"kernel_size": 4, "stride": 2, "padding": 1}, id="halving"),
    pytest.param({"kernel_size": 3, "padding": 1, "bias": False}, id="same"),
    pytest.param({"kernel_size": (4, 3), "stride": (2, 1)}, id="oblong"),
]


def pair(**layer: object) -> tuple[DeepConv2d, nn.Conv2d]:
    torch.manual_seed(0)
    deep = DeepConv2d(3, 64, dtype=torch.float64, **layer)  # type: ignore[arg-type]
    plain = nn.Conv2d(3, 64, dtype=torch.float64, **layer)  # type: ignore[arg-type]
    plain.load_state_dict(deep.state_dict())
    return deep.to(memory_format=torch.channels_last), plain


def signals(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def penalty(net: nn.Module, x: Tensor) -> list[Tensor]:
    """The gradients of a gradient penalty by the parameters and by ``x``."""
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(net(x).square().sum(), x, create_graph=True)
    return list(torch.autograd.grad(slope.square().sum(), [x, *net.parameters()]))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("shape", [DEEP, WIDE])
def test_it_computes_what_torch_does(layer: dict[str, object], shape: tuple[int, ...]) -> None:
    deep, plain = pair(**layer)
    x = signals(shape)
    torch.testing.assert_close(deep(x), plain(x))


@pytest.mark.parametrize("layer", LAYERS)
def test_gradients_of_gradients_are_those_of_torch(layer: dict[str, object]) -> None:
    deep, plain = pair(**layer)
    for ours, theirs in zip(
        penalty(deep, signals(DEEP)), penalty(plain, signals(DEEP)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("shape", "products"), [(DEEP, 1), (WIDE, 0)])
def test_it_is_a_product_where_channels_outnumber_places(
    shape: tuple[int, ...], products: int
) -> None:
    deep, _ = pair(kernel_size=4, stride=2, padding=1)
    with mock.patch.object(functional, "linear", wraps=functional.linear) as linear:
        deep(signals(shape))
    assert linear.call_count == products


def test_outputs_lie_channels_last() -> None:
    deep, _ = pair(kernel_size=4, stride=2, padding=1)
    assert deep(signals(DEEP)).is_contiguous(memory_format=torch.channels_last)


def test_gradients_of_weights_lie_as_the_weights_do() -> None:
    deep, _ = pair(kernel_size=4, stride=2, padding=1)
    deep(signals(DEEP)).sum().backward()
    assert deep.weight.grad is not None
    assert deep.weight.grad.stride() == deep.weight.stride()
