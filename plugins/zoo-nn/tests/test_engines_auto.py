"""The choice among engines: the fastest that is ready, or that pays."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo_core.contracts.component import Component
from zoo_core.errors import UsageError, ZooError
from zoo_core.translate.engines import NetEngine, Route
from zoo_core.translate.translator import Translator
from zoo_nn.speed import engines
from zoo_nn.speed.engines import Compiled
from zoo_testing.hosts import InMemoryPlugin, host_with
from zoo_testing.tiny import SPEC

pytestmark = pytest.mark.usefixtures("one_thread")


class Slow(NetEngine):
    """Equal to torch, ready where ``speed`` says so."""

    speed, seconds = 1.5, 0.0
    ready = False

    def is_ready(self, route: Route) -> bool:
        return self.ready

    def translate(self, x: Tensor, source: object, target: object) -> Tensor:
        return self.model.plain.translate(x, source, target)

    def keep(self) -> None:
        self.ready = True


class Quick(Slow):
    """Faster, and ready."""

    speed, ready = 20.0, True


class Costly(Slow):
    """The fastest, and prepared in an hour."""

    speed, seconds = 30.0, 3600.0


class Wrong(Slow):
    """Fast and wrong."""

    speed = 20.0

    def translate(self, x: Tensor, source: object, target: object) -> Tensor:
        return self.model.plain.translate(x, source, target) + 0.5


class Absent(Slow):
    """Fast, and not there."""

    speed = 20.0

    def __init__(self, *given: object) -> None:
        raise UsageError("its package is not installed")


def choosing(model: Path, *classes: type[NetEngine]) -> Translator:
    found = [
        Component("engine", cls.__name__.lower(), f"{__name__}:{cls.__name__}") for cls in classes
    ]
    host = host_with(InMemoryPlugin("tiny", [SPEC, *found]))
    return zoo.load(model, precision="float32", host=host)


def test_an_engine_that_is_ready_is_taken_for_one_signal(tiny_model: Path) -> None:
    assert choosing(tiny_model, Slow, Quick).choose("noto") == "quick"


def test_nothing_is_prepared_for_a_few_signals(tiny_model: Path) -> None:
    assert choosing(tiny_model, Slow).choose("noto", count=engines.FEW) == "torch"


def test_an_engine_is_prepared_where_that_pays(tiny_model: Path) -> None:
    assert choosing(tiny_model, Slow, Costly).choose("noto", count=engines.FEW + 1) == "slow"


def test_an_engine_that_was_prepared_is_taken_from_then_on(tiny_model: Path) -> None:
    translator = choosing(tiny_model, Slow)
    translator.choose("noto", count=engines.FEW + 1)
    assert translator.choose("noto") == "slow"


def test_an_engine_that_differs_is_passed_over_and_named(tiny_model: Path) -> None:
    with pytest.warns(UserWarning, match="wrong is passed over"):
        assert choosing(tiny_model, Slow, Wrong).choose("noto", count=100) == "slow"


def test_an_engine_that_is_not_there_is_passed_over(tiny_model: Path) -> None:
    assert choosing(tiny_model, Slow, Absent).choose("noto", count=100) == "slow"


def test_compiled_nets_agree(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_net = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda net: compile_net(net, backend="eager"))
    host = host_with(InMemoryPlugin("tiny", [SPEC]))
    x = torch.rand(2, 3, 8, 8)
    compiled = zoo.load(tiny_model, precision="float32", engine="compiled", host=host)
    by_torch = zoo.load(tiny_model, precision="float32", engine="torch", host=host)
    torch.testing.assert_close(compiled(x, to="noto"), by_torch(x, to="noto"))
    assert isinstance(compiled.net, Compiled)


def test_nets_that_cannot_be_compiled_are_answered_by_a_sentence(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object, **more: object) -> None:
        raise OSError("no compiler")

    compile_net = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda net: compile_net(net, backend=refuse))
    host = host_with(InMemoryPlugin("tiny", [SPEC]))
    compiled = zoo.load(tiny_model, precision="float32", engine="compiled", host=host)
    with pytest.raises(ZooError) as caught:
        compiled(torch.rand(1, 3, 8, 8), to="noto")
    assert caught.value.asked == 'engine "compiled"'
