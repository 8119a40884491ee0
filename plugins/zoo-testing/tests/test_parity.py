"""The parity of steps finds what is wrong, whatever the layout, and says what it compared."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Generator
from zoo_core.contracts.method import Loss, Method, Optimiser, Player, Term
from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import Preset
from zoo_core.contracts.step import Route, Step
from zoo_testing import parity, parity_report
from zoo_testing.parity import Agreement, StepInputs, TinyRun, build, random_batches
from zoo_testing.tiny import TinyOptions

DOMAINS = Domains(("day", "night"))
SPEC = TensorSpec(shape=(3, 8, 8), stride=1)


class Filter(Generator):
    """One convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        return self.layer(x)  # (N, 3, H, W)


class Square(Loss):
    """The mean square of the translation, times a factor."""

    requires = ("translated",)

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, step: Step) -> Tensor:
        return self.factor * step.routes[0].translated.square().mean()  # ()


class OneNet(Method[TinyOptions]):
    """A filter that makes its output small."""

    Options = TinyOptions
    presets = {"8px": Preset(signal=SPEC)}  # noqa: RUF012
    factor = 1.0

    def build(self) -> dict[str, nn.Module]:
        return {"generator": Filter()}

    def players(self) -> list[Player]:
        terms = (Term("square", Square(self.factor)),)
        return [Player("generator", ("generator",), terms, Optimiser(1e-3, (0.9, 0.999)))]

    def plan(self, batch: Batch, rng: torch.Generator) -> list[Route]:
        return [Route("day", batch.conditions["night"])]

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        return self.nets["generator"](x, target)


class Halved(OneNet):
    """The same with a wrong factor."""

    factor = 0.5


class WrongLayout(OneNet):
    """The same, but for nets that lie channels last."""

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        y = super().translate(x, source, target)
        weight = self.nets["generator"].layer.weight
        return y if weight.is_contiguous() else y * 1.001


class Restated:
    """The training of `OneNet` in plain torch."""

    def __init__(self, method: OneNet) -> None:
        self.nets = {"generator": copy.deepcopy(method.nets["generator"])}
        self.layer = self.nets["generator"].layer
        self.adam = torch.optim.Adam(self.layer.parameters(), 1e-3, (0.9, 0.999))

    def step(self, inputs: StepInputs) -> dict[str, float]:
        square = (self.layer(inputs.batch().signals["day"]) ** 2).mean()
        self.adam.zero_grad()
        square.backward()
        self.adam.step()
        return {"generator/square": square.item()}


@pytest.fixture(autouse=True)
def agreements(monkeypatch: pytest.MonkeyPatch) -> list[Agreement]:
    held: list[Agreement] = []
    monkeypatch.setattr(parity, "AGREEMENTS", held)
    return held


def checked(method: type[OneNet], count: int = 2) -> Callable[[], object]:
    made = build(method, {}, DOMAINS, SPEC)
    run = TinyRun(made, random_batches(made, count))
    return lambda: run.check(Restated(made))


@pytest.mark.numeric
def test_equal_steps_are_recorded_with_their_largest_differences(
    agreements: list[Agreement],
) -> None:
    checked(OneNet, 1)()
    (found,) = agreements
    assert (found.method, found.batch, found.steps) == (OneNet, 1, 5)
    assert found.losses < parity.LOSSES
    assert found.tensors < parity.TENSORS


@pytest.mark.parametrize("method", [Halved, WrongLayout])
def test_a_wrong_factor_and_a_wrong_layout_are_found(
    method: type[OneNet], agreements: list[Agreement]
) -> None:
    with pytest.raises(AssertionError, match="step 0: generator/square"):
        checked(method)()
    assert not agreements


def test_the_report_has_a_line_per_method_and_batch_with_the_largest_of_each() -> None:
    found = [
        Agreement(OneNet, 1, 5, 1e-12, 3e-10),
        Agreement(OneNet, 1, 8, 4e-12, 2e-10),
        Agreement(OneNet, 2, 5, 0.0, 0.0),
    ]
    heading, first, second = parity_report.lines(found)
    assert heading.split() == ["method", "batch", "steps", "losses", "weights"]
    assert first.split()[1:] == ["1", "5", "4.0e-12", "3.0e-10"]
    assert second.split()[1:3] == ["2", "5"]


def test_the_report_names_installed_methods_that_were_not_compared() -> None:
    names = [line.split()[0] for line in parity_report.missing([])]
    assert names == sorted(parity_report.host().methods())
