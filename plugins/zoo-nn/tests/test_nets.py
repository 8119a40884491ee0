"""The shared nets: form, size, initialisation, receptive field."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zoo_core.contracts.signals import Condition
from zoo_nn.nets.blur import BlurDown, BlurUp
from zoo_nn.nets.init import (
    init_kaiming,
    init_normal,
    init_xavier_normal,
    init_xavier_uniform,
)
from zoo_nn.nets.norm import InstanceNorm
from zoo_nn.nets.patch import PatchDiscriminator, smallest_side
from zoo_nn.nets.resnet import Downsample, ResnetGenerator, Upsample

pytestmark = pytest.mark.numeric

TO = Condition(torch.ones(1, 1))


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(("blocks", "published"), [(9, 11_378_179), (6, 7_837_699)])
def test_resnet_generator_has_the_published_parameter_count(blocks: int, published: int) -> None:
    assert count(ResnetGenerator(blocks=blocks)) == published


def test_patch_discriminator_has_the_published_parameter_count() -> None:
    assert count(PatchDiscriminator()) == 2_764_737


@pytest.mark.parametrize("upsample", ["transpose", "nearest", "nearest-zero", "blur"])
@pytest.mark.parametrize("downsample", ["stride", "blur"])
@pytest.mark.parametrize("size", [(8, 8), (16, 24)])
def test_resnet_generator_keeps_form_and_range(
    upsample: Upsample, downsample: Downsample, size: tuple[int, int]
) -> None:
    net = ResnetGenerator(1, width=4, blocks=1, upsample=upsample, downsample=downsample)
    y = net(torch.randn(1, 1, *size), TO)
    assert y.shape == (1, 1, *size)
    assert y.abs().max() <= 1


def test_blurred_sampling_keeps_what_is_constant_and_moves_nothing() -> None:
    up, down, flat = BlurUp(2), BlurDown(2), torch.full((1, 2, 6, 6), 0.7)
    torch.testing.assert_close(up(flat), torch.full((1, 2, 12, 12), 0.7))
    torch.testing.assert_close(down(flat), torch.full((1, 2, 3, 3), 0.7))
    ramp = torch.arange(8.0).expand(1, 2, 8, 8)
    assert down(ramp)[0, 0, 2, 1:].tolist() == [2, 4, 6]
    assert up(ramp)[0, 0, 4, 2:6].tolist() == [0.75, 1.25, 1.75, 2.25]


def test_resnet_generator_is_the_same_in_training_and_at_inference() -> None:
    net, x = ResnetGenerator(width=4, blocks=1), torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(net.train()(x, TO), net.eval()(x, TO))


def test_resnet_generator_treats_each_signal_alone() -> None:
    net, x = ResnetGenerator(width=4, blocks=1), torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(net(x, TO)[:1], net(x[:1], TO))


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70)])
def test_patches_have_their_published_size(layers: int, field: int) -> None:
    net = PatchDiscriminator(1, width=1, layers=layers)
    for i, module in enumerate(net.layers):  # normalisation would let all pixels in
        if isinstance(module, InstanceNorm):
            net.layers[i] = nn.Identity()
        elif isinstance(module, nn.Conv2d):
            nn.init.ones_(module.weight)
    x = torch.ones(1, 1, 160, 160, requires_grad=True)
    (scores,) = net(x).scores
    middle = scores.shape[-1] // 2
    scores[0, 0, middle, middle].backward()
    seen = x.grad[0, 0].nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [field, field]


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_patch_discriminator_works_down_to_its_smallest_side(layers: int) -> None:
    net, side = PatchDiscriminator(width=4, layers=layers), smallest_side(layers)
    assert net(torch.randn(1, 3, side, side)).scores[0].numel() == 1
    with pytest.raises((ValueError, RuntimeError)):
        net(torch.randn(1, 3, side - 2**layers, side - 2**layers))


def test_weights_start_as_published() -> None:
    for net in (ResnetGenerator(blocks=1), PatchDiscriminator()):
        weights = torch.cat([p.flatten() for n, p in net.named_parameters() if "weight" in n])
        biases = torch.cat([p.flatten() for n, p in net.named_parameters() if "bias" in n])
        assert weights.std().item() == pytest.approx(0.02, rel=0.01)
        assert weights.mean().abs() < 1e-4
        assert biases.abs().max() == 0


def test_initialisations_have_their_spread() -> None:
    net = nn.Linear(200, 300)
    assert init_normal(net, 0.5).weight.std().item() == pytest.approx(0.5, rel=0.05)
    assert init_kaiming(net).weight.std().item() == pytest.approx(0.1, rel=0.05)


def test_xavier_is_uniform() -> None:
    net = nn.Conv2d(50, 50, 3)
    std = 2.0 * (2 / (50 * 9 + 50 * 9)) ** 0.5
    assert init_xavier_uniform(net, 2.0, 0.1).weight.std().item() == pytest.approx(std, rel=0.05)
    assert torch.equal(net.bias, torch.full((50,), 0.1))
    assert net.weight.abs().max() <= std * 3**0.5


def test_xavier_normal_sets_the_spread_of_weights_and_draws_biases_as_torch_does() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(64, 32, 3)
    nn.init.constant_(layer.bias, 9.0)
    init_xavier_normal(nn.Sequential(layer), gain=0.5)
    assert layer.weight.std().item() == pytest.approx(0.5 * (2 / (96 * 9)) ** 0.5, rel=0.05)
    assert 0 < layer.bias.abs().max() <= (64 * 9) ** -0.5
