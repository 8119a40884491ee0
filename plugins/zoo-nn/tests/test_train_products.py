"""Hastened convolutions are torch's, whichever way they are computed."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo_train.products import hasten

DEEP, WIDE = (2, 3, 6, 4), (2, 3, 20, 20)
"""Shapes with fewer and with more places in the output than channels."""
LAYERS = [
    pytest.param({"kernel_size": 4, "stride": 2, "padding": 1}, id="halving"),
    pytest.param({"kernel_size": 3, "padding": 1, "bias": False}, id="same"),
    pytest.param({"kernel_size": (4, 3), "stride": (2, 1)}, id="oblong"),
]
UNFOLDING = [
    pytest.param({"kernel_size": 4}, id="vector"),
    pytest.param({"kernel_size": (4, 3), "bias": False}, id="oblong"),
    pytest.param({"kernel_size": 4, "stride": 2, "padding": 1}, id="doubling"),
]


def pair(kind: type[nn.Module] = nn.Conv2d, **layer: object) -> tuple[nn.Module, nn.Module]:
    """A layer as training has it, and as torch has it, with the same weights."""
    torch.manual_seed(0)
    hastened = nn.Sequential(kind(3, 64, dtype=torch.float64, **layer))
    plain = nn.Sequential(kind(3, 64, dtype=torch.float64, **layer))
    plain.load_state_dict(hastened.state_dict())
    hasten(hastened)
    return hastened.to(memory_format=torch.channels_last), plain


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
    hastened, plain = pair(**layer)
    x = signals(shape)
    torch.testing.assert_close(hastened(x), plain(x))


@pytest.mark.parametrize("layer", LAYERS)
def test_gradients_of_gradients_are_those_of_torch(layer: dict[str, object]) -> None:
    hastened, plain = pair(**layer)
    for ours, theirs in zip(
        penalty(hastened, signals(DEEP)), penalty(plain, signals(DEEP)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("shape", "products"), [(DEEP, 1), (WIDE, 0)])
def test_it_is_a_product_where_channels_outnumber_places(
    shape: tuple[int, ...], products: int
) -> None:
    hastened, _ = pair(kernel_size=4, stride=2, padding=1)
    with mock.patch.object(functional, "linear", wraps=functional.linear) as linear:
        hastened(signals(shape))
    assert linear.call_count == products


def test_outputs_lie_channels_last() -> None:
    hastened, _ = pair(kernel_size=4, stride=2, padding=1)
    assert hastened(signals(DEEP)).is_contiguous(memory_format=torch.channels_last)


def test_gradients_of_weights_lie_as_the_weights_do() -> None:
    hastened, _ = pair(kernel_size=4, stride=2, padding=1)
    hastened(signals(DEEP)).sum().backward()
    weight = hastened.get_parameter("0.weight")
    assert weight.grad is not None
    assert weight.grad.stride() == weight.stride()


@pytest.mark.parametrize("layer", UNFOLDING)
def test_unfolded_vectors_and_gradients_of_gradients_are_those_of_torch(
    layer: dict[str, object],
) -> None:
    hastened, plain = pair(nn.ConvTranspose2d, **layer)
    x = signals((2, 3, 1, 1))
    torch.testing.assert_close(hastened(x), plain(x))
    for ours, theirs in zip(penalty(hastened, x), penalty(plain, x), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_without_gradients_it_is_torch_s_own() -> None:
    hastened, _ = pair(kernel_size=4, stride=2, padding=1)
    with mock.patch.object(functional, "linear") as linear, torch.no_grad():
        hastened(signals(DEEP))
    assert not linear.called


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 8, 3, groups=2),
        nn.Conv2d(4, 8, 3, dilation=2),
        nn.Conv2d(4, 8, 3, padding="same"),
        nn.Conv2d(4, 8, 3, padding=1, padding_mode="reflect"),
        nn.ConvTranspose2d(4, 8, 3, groups=2),
    ],
    ids=["groups", "dilation", "same", "reflect", "unfolding-groups"],
)
def test_what_no_product_computes_stays_as_it_is(layer: nn.Module) -> None:
    kind = type(layer)
    hasten(layer)
    assert type(layer) is kind


def test_hastened_nets_keep_the_names_of_their_weights() -> None:
    hastened, plain = pair(kernel_size=3)
    assert list(hastened.state_dict()) == list(plain.state_dict())
