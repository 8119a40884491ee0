"""The noise that a generator of `embedding` is given of its picture."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.errors import UsageError
from zoo_embedding.method import Embedding
from zoo_embedding.noise import NoisyGenerator
from zoo_testing.parity import TinyRun, build

DOMAINS = Domains(("photo", "drawing"))
SPEC = TensorSpec(shape=(3, 16, 16), flexible=2)
TINY = {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 1, "backbone": "digits"}


def make(**options: object) -> Embedding:
    return build(Embedding, TINY | {"direction": "forward", "noise": 3} | options, DOMAINS, SPEC)


def generator(method: Embedding) -> NoisyGenerator:
    net = method.nets["generator_drawing"]
    assert isinstance(net, NoisyGenerator)
    return net


def noise(net: NoisyGenerator, x: Tensor) -> Tensor:
    """(N, 1, H, W) what the inner net is shown beside the pictures."""
    seen: list[Tensor] = []
    net.net.register_forward_pre_hook(lambda _, given: seen.append(given[0][:, 3:]))
    net(x, Condition.of(DOMAINS, "drawing", len(x)))
    return seen[0]


def pictures(count: int, side: int = 16) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, side, side, generator=rng).to(torch.get_default_dtype()) * 2 - 1


def test_a_picture_has_the_same_noise_each_time_whatever_its_batch() -> None:
    net, x = generator(make()), pictures(4).double()
    torch.testing.assert_close(noise(net.double(), x)[2:3], noise(net, x[2:3]))


def test_the_noise_of_two_pictures_has_nothing_to_do_with_how_alike_they_are() -> None:
    net = generator(make()).float()
    x = pictures(200)
    near = x.clone()
    near[:, :, :8] = pictures(400)[200:, :, :8]  # the lower halves are the same
    net.spread = torch.nn.Identity()
    one, other = (torch.sin(20 * each.flatten(1) @ net.projections.float()) for each in (x, near))
    together = torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]
    assert abs(together) < 0.15
    assert one.std() == pytest.approx(0.5**0.5, abs=0.06)


def test_larger_pictures_have_a_map_of_their_size() -> None:
    x = pictures(2, 24)
    assert noise(generator(make()).float(), x).shape == (2, 1, 24, 24)


def test_the_map_learns_and_the_projections_do_not() -> None:
    run = TinyRun(make())
    net = generator(run.trainer.method)
    before = net.projections.clone(), net.spread.weight.detach().clone()
    run.train(2)
    assert torch.equal(net.projections, before[0])
    assert not torch.equal(net.spread.weight, before[1])


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        make(noise=-1)
    assert refused.value.asked == "noise=-1"
