"""Rows of a benchmark that no net made."""

from types import SimpleNamespace

import torch

from zoo_core.contracts.signals import Condition, Domains
from zoo_evaluate.bench.measure import BenchCase, Untranslated
from zoo_evaluate.bench.protocol import Task
from zoo_evaluate.bench.stand_ins import STAND_INS, StandIn, TargetPictures


class Drawn:
    """A store of pictures (M, 3, H, W) in [-1, 1]."""

    def __init__(self, x: torch.Tensor) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, indices: list[int], rng: torch.Generator | None = None) -> torch.Tensor:
        return self.x[indices]


def stand_ins(x: torch.Tensor) -> dict[str, StandIn]:
    """Of a target whose training pictures are ``x``."""
    task = Task("greys", ("a", "b"))
    benchmark = SimpleNamespace(size=x.shape[-1])
    instruments = SimpleNamespace(
        benchmark=benchmark,
        batch=3,
        device="cpu",
        pictures=SimpleNamespace(store=lambda *_: Drawn(x)),
    )
    case = BenchCase(instruments, task, "a", "b", Untranslated(task, x.shape[-1]))  # type: ignore[arg-type]
    pictures = TargetPictures(case)
    return {kind.name: kind(case, pictures) for kind in STAND_INS}


def greys(*values: float) -> torch.Tensor:
    """(N, 3, 16, 16), each of one grey of 8 bits in [-1, 1]."""
    exact = torch.tensor(values).mul(127.5).round() / 127.5
    return exact.view(-1, 1, 1, 1).expand(-1, 3, 16, 16).contiguous()


def test_stand_ins_are_what_their_names_say() -> None:
    target, x = greys(-1.0, 0.2, 1.0, 0.6, 0.2), greys(-0.8, 0.5)
    condition = Condition.of(Domains(("a", "b")), "b", 2)
    made = {name: row.signals(x, condition, condition) for name, row in stand_ins(target).items()}
    within = {"atol": 1 / 127.5, "rtol": 0.0}
    torch.testing.assert_close(made["median picture"], greys(0.2, 0.2), **within)
    torch.testing.assert_close(made["half median"], greys(-0.3, 0.35), **within)
    torch.testing.assert_close(made["nearest picture"], greys(-1.0, 0.6), **within)
    torch.testing.assert_close(made["blurred"], x, **within)


def test_no_single_picture_is_nearer_to_the_target_than_the_median_picture() -> None:
    rng = torch.Generator().manual_seed(0)
    target = torch.randint(0, 256, (9, 3, 8, 8), generator=rng) / 127.5 - 1
    condition = Condition.of(Domains(("a", "b")), "b", 1)
    answer = stand_ins(target)["median picture"].signals(target[:1], condition, condition)
    best = (target - answer).abs().mean()
    for other in (*target, target.mean(0), torch.zeros(3, 8, 8)):
        assert best <= (target - other).abs().mean() + 1e-6
