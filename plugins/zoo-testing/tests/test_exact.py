"""What the check on gradients computes with: constants held still, one memory format everywhere."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from zoo_testing.exact import LaidOut, Repeatable, Wide
from zoo_testing.parity import float64


def slope_of(
    compute: Callable[[Tensor], Tensor], x: Tensor, size: float = 1e-6
) -> tuple[float, float]:
    """Gradient and central difference of a function of a number, its constants held still."""
    held, size = Repeatable(), 1e-6
    with held.once():
        gradient = torch.autograd.grad(compute(x.requires_grad_()), x)[0]
    values = []
    for signed in (size, -size):
        moved = (x.detach() + signed).requires_grad_()
        with held.once():
            value = compute(moved)
        values.append(value.detach())
    return float(gradient), float((values[0] - values[1]) / (2 * size))


def close(pair: tuple[float, float]) -> bool:
    return abs(pair[0] - pair[1]) < 1e-6


def test_what_is_detached_stays_still() -> None:
    with float64():
        assert close(slope_of(lambda x: x * x.detach(), torch.tensor(3.0)))


def test_a_number_read_from_a_tensor_stays_still() -> None:
    with float64():
        assert close(slope_of(lambda x: x * x.item(), torch.tensor(3.0)))


def test_what_has_no_graph_stays_still() -> None:
    def compute(x: Tensor) -> Tensor:
        kept = torch.zeros(())
        with torch.no_grad():
            kept.add_(x)  # into a tensor that stays in use
            other = x.square()
        return x * kept + x * other

    with float64():
        assert close(slope_of(compute, torch.tensor(3.0)))


def test_a_reversed_gradient_is_found_to_be_one() -> None:
    with float64():
        gradient, slope = slope_of(lambda x: x.detach() - 2 * (x - x.detach()), torch.tensor(3.0))
    assert gradient == -2.0
    assert abs(slope + 2.0) < 1e-6


def test_the_vectors_of_spectral_normalisation_stay_still() -> None:
    with float64():
        torch.manual_seed(0)
        layer = spectral_norm(torch.nn.Linear(3, 4)).train()  # notes better ones in every pass
        state = {name: value.clone() for name, value in layer.state_dict().items()}
        weight = layer.parametrizations.weight.original.detach().clone()
        direction = torch.randn(4, 3)

        def compute(x: Tensor) -> Tensor:
            layer.load_state_dict(state)
            moved = {"parametrizations.weight.original": weight + x * direction}
            return torch.func.functional_call(layer, moved, torch.ones(3)).square().sum()

        assert close(slope_of(compute, torch.tensor(0.0)))


def test_who_asks_for_float32_gets_float64() -> None:
    with Wide():
        x = torch.ones(1, dtype=torch.float64)
        assert x.float().dtype == x.to(torch.float32).dtype == torch.float64


def test_signals_and_gradients_lie_in_the_asked_format() -> None:
    seen = []
    x = torch.randn(1, 3, 4, 5, requires_grad=True)
    with LaidOut(torch.channels_last):
        y = functional.relu(x)
        y.register_hook(seen.append)
        (y.contiguous() * torch.randn(1, 3, 4, 5)).sum().backward()
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_dropout_does_not_depend_on_the_format() -> None:
    x = torch.randn(2, 3, 4, 5, requires_grad=True)
    outputs = []
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        with LaidOut(layout):
            outputs.append(functional.dropout(functional.relu(x), 0.5))
    assert torch.equal(*outputs)
