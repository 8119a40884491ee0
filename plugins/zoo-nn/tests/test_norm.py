"""Instance normalisation: right in every memory format, for every number of signals."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from zoo_nn.nets import norm
from zoo_nn.nets.norm import GroupNorm, InstanceNorm, instance_norm

pytestmark = pytest.mark.numeric

SMALL, LARGE = (5, 4, 3), (32, 32, 32)
"""Shapes (C, H, W) on both sides of the size from which pictures are normalised one by one."""

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
    ),
]


def contiguous(x: Tensor) -> Tensor:
    return x.contiguous()


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def viewed(x: Tensor) -> Tensor:
    """In channels-last order, but of one picture it is as true to say that it is not."""
    return channels_last(x).view(x.shape)


def sliced(x: Tensor) -> Tensor:
    """In neither format."""
    return torch.cat([x, x], dim=3)[..., ::2].copy_(x)


FORMATS = [contiguous, channels_last, viewed, sliced]


def plainly(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """The definition, as arithmetic."""
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    y = (x - mean) / (variance + 1e-5).sqrt()
    return y if weight is None or bias is None else y * weight[:, None, None] + bias[:, None, None]


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def derivatives(
    norm: Callable[[Tensor, Tensor | None, Tensor | None], Tensor],
    given: list[Tensor],
    formats: tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]],
) -> list[Tensor]:
    """Output, gradients, and gradients of the gradients' size."""
    x, upstream, *parameters = (value.clone().requires_grad_() for value in given)
    laid = formats[0](x.detach()).requires_grad_()
    weight, bias = parameters or (None, None)
    y = norm(laid, weight, bias)
    first = torch.autograd.grad(y, [laid, *parameters], formats[1](upstream), create_graph=True)
    size = sum(gradient.pow(3).sum() for gradient in first)
    second = torch.autograd.grad(size, [laid, upstream, *parameters[:1]])  # the shift is not in it
    return [y.detach(), *(g.detach() for g in first), *second]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("shape", [SMALL, LARGE])
@pytest.mark.parametrize("affine", [False, True])
def test_gradients_once_and_twice_are_right_in_every_format(
    count: int, shape: tuple[int, ...], affine: bool, device: str
) -> None:
    given = [draw(count, *shape), draw(count, *shape)]
    given += [draw(shape[0]), draw(shape[0])] if affine else []
    given = [value.to(device) for value in given]
    expected = derivatives(plainly, given, (contiguous, contiguous))
    for formats in itertools.product(FORMATS, FORMATS):
        if count > 1 and viewed in formats:
            continue  # nothing is ambiguous there
        found = derivatives(instance_norm, given, formats)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_the_form_of_accelerators_is_right_in_every_format() -> None:
    given = [draw(1, *SMALL), draw(1, *SMALL), draw(SMALL[0]), draw(SMALL[0])]
    expected = derivatives(plainly, given, (contiguous, contiguous))
    for formats in itertools.product(FORMATS, FORMATS):
        found = derivatives(lambda *of: norm._place_by_place(*of, norm.EPS), given, formats)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("layout", [contiguous, channels_last])
@pytest.mark.parametrize("large", [0, 1 << 15])
def test_gradients_equal_finite_differences(
    count: int, layout: Callable[[Tensor], Tensor], large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(norm, "_LARGE", large)
    x = layout(draw(count, *SMALL)).requires_grad_()
    weight, bias = draw(SMALL[0]).requires_grad_(), draw(SMALL[0]).requires_grad_()
    assert torch.autograd.gradcheck(instance_norm, (x, weight, bias))
    assert torch.autograd.gradgradcheck(instance_norm, (x, weight, bias))


@pytest.mark.parametrize("shape", [(2, 5, 7), (2, 5, 4, 3), (2, 5, 2, 4, 3)])
def test_it_computes_what_torch_does(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    torch.testing.assert_close(instance_norm(x), functional.instance_norm(x))


@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_bfloat16_is_as_close_as_its_own_rounding(shape: tuple[int, ...]) -> None:
    x = (3 + torch.randn(2, *shape)).bfloat16()
    exact = plainly(x.double(), None, None)
    for layout in (contiguous, channels_last):
        for learns in (False, True):
            y = instance_norm(layout(x).detach().requires_grad_(learns))
            assert y.dtype == torch.bfloat16
            half = 2.0**-8 * exact.abs().clamp(min=2.0**-8)  # half a unit of the last place
            assert bool(((y.double() - exact).abs() <= 1.01 * half).all())


@pytest.mark.parametrize("shape", [(2, *SMALL), (2, *LARGE)])
@pytest.mark.parametrize("laid", [contiguous, channels_last])
def test_another_eps_is_what_is_added_to_the_variance(
    shape: tuple[int, ...], laid: Callable[[Tensor], Tensor]
) -> None:
    x = laid(draw(*shape) * 0.1).requires_grad_()
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    wanted = (x - mean) / (variance + 0.5).sqrt()
    torch.testing.assert_close(InstanceNorm(shape[1], eps=0.5)(x), wanted)


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_pictures_keep_their_memory_format(shape: tuple[int, ...], learns: bool) -> None:
    x = torch.randn(2, *shape).requires_grad_(learns)
    assert instance_norm(x).is_contiguous()
    assert instance_norm(channels_last(x)).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("laid", [contiguous, channels_last])
def test_what_an_activation_in_place_changes_is_no_view(laid: Callable[[Tensor], Tensor]) -> None:
    for shape in (SMALL, LARGE):
        assert not instance_norm(laid(torch.randn(2, *shape)).requires_grad_())._is_view()


@pytest.mark.parametrize("laid", FORMATS)
@pytest.mark.parametrize("upstream", [contiguous, channels_last])
def test_group_normalisation_has_the_gradients_of_torch(
    laid: Callable[[Tensor], Tensor], upstream: Callable[[Tensor], Tensor]
) -> None:
    ours, theirs = GroupNorm(2, 4).double(), torch.nn.GroupNorm(2, 4).double()
    x, gradient = draw(1, 4, 5, 3), draw(1, 4, 5, 3)
    found = laid(x.clone()).requires_grad_()
    wanted = x.clone().requires_grad_()
    ours(found).backward(upstream(gradient))
    theirs(wanted).backward(gradient)
    for one, other in zip([found, *ours.parameters()], [wanted, *theirs.parameters()], strict=True):
        torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize("shape", [(2, 3, 1, 1), (1, 3, 1)])
def test_one_value_per_channel_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="more than one value"):
        instance_norm(torch.randn(shape))


def test_parameters_have_the_names_and_the_beginnings_of_torch() -> None:
    ours = InstanceNorm(3, affine=True).state_dict()
    theirs = torch.nn.InstanceNorm2d(3, affine=True).state_dict()
    assert list(ours) == list(theirs) == ["weight", "bias"]
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert not InstanceNorm(3).state_dict()


def test_it_is_the_same_in_training_and_at_inference() -> None:
    layer, x = InstanceNorm(5, affine=True), torch.randn(2, *SMALL)
    assert torch.equal(layer.train()(x), layer.eval()(x))


class Net(torch.nn.Sequential):
    """A net of a few layers, normalised, in the channels-last format."""

    def __init__(self) -> None:
        super().__init__(
            torch.nn.Conv2d(3, 8, 3), InstanceNorm(8, affine=True), torch.nn.Conv2d(8, 3, 3)
        )
        self.to(torch.float64, memory_format=torch.channels_last)


@pytest.mark.slow
def test_a_compiled_net_gives_the_same_gradients_at_any_size() -> None:
    net = Net()
    compiled = torch.compile(net, backend="aot_eager", fullgraph=True, dynamic=True)
    for count, side in ((1, 8), (2, 9), (3, 70)):
        x = channels_last(draw(count, 3, side, side)).requires_grad_()
        expected = torch.autograd.grad(net(x).square().sum(), [x, *net.parameters()])
        found = torch.autograd.grad(compiled(x).square().sum(), [x, *net.parameters()])
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other)


def test_an_exported_net_holds_one_operation_for_each_normalisation() -> None:
    exported = torch.export.export(Net().eval(), (draw(2, 3, 12, 14),))
    operations = [str(node.target) for node in exported.graph.nodes]
    assert operations.count("aten.instance_norm.default") == 1


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace", "ignore::torch.jit.TracerWarning")
def test_a_traced_net_holds_one_operation_for_each_normalisation() -> None:
    """OpenVINO reads nets by such traces."""
    traced = torch.jit.trace(Net().eval(), draw(2, 3, 12, 14))
    assert str(traced.inlined_graph).count("aten::instance_norm") == 1


def test_an_exported_net_takes_any_batch_and_size() -> None:
    net, x = Net().eval(), channels_last(draw(2, 3, 12, 14))
    n, h, w = (torch.export.Dim(name, min=least) for name, least in (("n", 1), ("h", 6), ("w", 6)))
    any_size = {0: n, 2: h, 3: w}
    exported = torch.export.export(net, (x,), dynamic_shapes=(any_size,)).module()
    for shape in ((1, 3, 9, 20), (4, 3, 80, 64)):
        other = draw(*shape)
        torch.testing.assert_close(exported(other), net(other))
