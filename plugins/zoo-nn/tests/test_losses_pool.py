"""The pool of earlier translations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from zoo_nn.losses.pool import ImagePool, ImagePools

pytestmark = pytest.mark.numeric


class Draws:
    """Stands for the step: the pool asks it for nothing but random numbers."""

    rank, world = 0, 1

    def __init__(self, seed: int = 0, fixed: list[tuple[float, float]] | None = None) -> None:
        self.rng, self.fixed = torch.Generator().manual_seed(seed), fixed

    def rand(self, count: int, *shape: int) -> Tensor:
        if self.fixed is not None:
            return torch.tensor(self.fixed)
        return torch.rand(count, *shape, generator=self.rng)


def pictures(*values: float) -> Tensor:
    return torch.tensor(values)[:, None, None, None].expand(-1, 3, 2, 2)


def shown(pool: ImagePool, values: Tensor, draws: Draws) -> list[float]:
    return pool(values, draws)[:, 0, 0, 0].tolist()  # type: ignore[arg-type]


def test_signals_pass_while_the_pool_fills() -> None:
    pool = ImagePool(3)
    assert shown(pool, pictures(1, 2, 3), Draws(fixed=[(0.9, 0.0)] * 3)) == [1, 2, 3]
    assert len(pool) == 3


def test_a_full_pool_swaps_above_one_half_and_lets_pass_below() -> None:
    pool = ImagePool(2)
    shown(pool, pictures(1, 2), Draws())
    assert shown(pool, pictures(3, 4, 5), Draws(fixed=[(0.51, 0.6), (0.5, 0.6), (0.9, 0.99)])) == [
        2,
        4,
        3,
    ]
    assert pool.images[:, 0, 0, 0].tolist() == [1, 5]


def test_half_of_many_signals_are_swapped() -> None:
    pool, draws = ImagePool(50), Draws()
    shown(pool, pictures(*range(50)), draws)
    later = torch.arange(50.0, 1050.0)
    passed = sum(a == b for a, b in zip(shown(pool, pictures(*later), draws), later, strict=True))
    assert 430 < passed < 570


def test_no_pool_lets_everything_pass_and_draws_nothing() -> None:
    pool, draws = ImagePool(0), Draws()
    before = draws.rng.get_state()
    assert shown(pool, pictures(1, 2), draws) == [1, 2]
    assert torch.equal(draws.rng.get_state(), before)
    assert len(pool) == 0


def test_what_is_shown_carries_no_graph_and_is_no_view_of_the_pool() -> None:
    pool = ImagePool(1)
    first = pool(pictures(1.0).clone().requires_grad_(), Draws())  # type: ignore[arg-type]
    assert not first.requires_grad
    swapped = pool(pictures(2.0), Draws(fixed=[(0.9, 0.0)]))  # type: ignore[arg-type]
    swapped.zero_()
    assert pool.images.flatten().tolist() == [2] * 12


def test_a_restored_pool_goes_on_as_if_nothing_had_happened() -> None:
    whole, draws = ImagePool(4), Draws(5)
    for value in range(6):
        shown(whole, pictures(value, value + 0.5), draws)
    restored = ImagePool(4)
    restored.load_state_dict(whole.state_dict())
    again = Draws(5)
    again.rng.set_state(draws.rng.get_state())
    for value in range(6, 12):
        assert shown(whole, pictures(value), draws) == shown(restored, pictures(value), again)
    assert torch.equal(whole.images, restored.images)


def test_a_half_full_and_an_empty_pool_are_restored_too() -> None:
    for count in (0, 2):
        pool = ImagePool(4)
        if count:
            shown(pool, pictures(*range(count)), Draws())
        restored = ImagePool(4)
        restored.load_state_dict(pool.state_dict())
        assert len(restored) == count


def test_processes_together_show_what_one_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ranks, one after the other: gathering answers with both ranks' part."""
    values, numbers = pictures(*range(12)).float(), torch.rand(12, 2)

    def parts_of(tensor: Tensor) -> list[Tensor]:
        return [tensor[0::2], tensor[1::2]]

    one, apart = ImagePool(3), [ImagePool(3), ImagePool(3)]
    for start in range(0, 12, 4):
        fresh, draws = values[start : start + 4], numbers[start : start + 4]
        whole = one(fresh, Draws(fixed=draws.tolist()))  # type: ignore[arg-type]
        for rank in range(2):
            answers = iter([parts_of(fresh), parts_of(draws)])

            def gather(into: list[Tensor], mine: Tensor) -> None:
                for place, part in zip(into, next(answers), strict=True):  # noqa: B023
                    place.copy_(part)
                torch.testing.assert_close(into[rank], mine)  # noqa: B023

            monkeypatch.setattr(torch.distributed, "all_gather", gather)
            step = Draws(fixed=parts_of(draws)[rank].tolist())
            step.rank, step.world = rank, 2
            shown_here = apart[rank](parts_of(fresh)[rank], step)  # type: ignore[arg-type]
            assert torch.equal(shown_here, whole[rank::2])
    assert torch.equal(apart[0].images, apart[1].images)
    assert torch.equal(apart[0].images, one.images)


def test_an_empty_pool_that_was_restored_fills() -> None:
    restored = ImagePool(2)
    restored.load_state_dict(ImagePool(2).state_dict())
    assert shown(restored, pictures(1, 2), Draws()) == [1, 2]
    assert restored.images[:, 0, 0, 0].tolist() == [1, 2]


def test_a_pool_follows_the_precision_of_what_it_is_shown() -> None:
    pool = ImagePool(1)
    shown(pool, pictures(1.0), Draws())
    assert shown(pool, pictures(2.0).double(), Draws(fixed=[(0.9, 0.0)])) == [1]
    assert pool.images.dtype == torch.float64


def test_checkpoints_hold_nothing_of_a_pool_but_its_images() -> None:
    assert set(ImagePool(2).state_dict()) == {"images"}


def test_a_pool_draws_two_numbers_per_signal() -> None:
    draws, other = Draws(1), torch.Generator().manual_seed(1)
    shown(ImagePool(2), pictures(1, 2, 3), draws)
    torch.rand(3, 2, generator=other)
    assert torch.equal(draws.rng.get_state(), other.get_state())


def test_pools_hold_50_signals_as_published() -> None:
    assert ImagePool().size == ImagePools().size == 50


def test_what_is_no_pool_is_not_restored_as_one() -> None:
    with pytest.raises(RuntimeError, match="stray"):
        ImagePools().load_state_dict({"stray": torch.zeros(1)})
