"""Compiled nets of a run: one compiled version for each set of trainable parameters."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import torch
from torch import nn

from zoo_core.contracts.method import Method
from zoo_nn.speed.captured import CapturedSteps
from zoo_train.step_runner import SteppedTrainer, StepRunner, Turns

_numbers = itertools.count()


class CompiledNet:
    """The call of a net, compiled on first use.

    Parameters are frozen and unfrozen from turn to turn, and a compiled version is valid for one
    case. Torch does not always notice the change (seen in torch 2.11: a net that was frozen in its
    first steps got no gradients afterwards), so each case has a version of its own.

    Args:
        net: The net.
    """

    def __init__(self, net: nn.Module) -> None:
        self._net, self._parameters = net, tuple(net.parameters())
        self._versions: dict[tuple[bool, ...], Callable[..., Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        """The net's output."""
        flags = (torch.is_grad_enabled(), *(p.requires_grad for p in self._parameters))
        if flags not in self._versions:
            self._versions[flags] = torch.compile(_separate_call(self._net), dynamic=False)
        return self._versions[flags](*arguments)


class CompiledSteps(StepRunner):
    """Compiles the nets that translate; on a GPU steps are captured as well.

    Args:
        trainer: The trainer.
        notify: Called with messages for the user.
    """

    def __init__(self, trainer: SteppedTrainer, notify: Callable[[str], None]) -> None:
        super().__init__(trainer, notify)
        on_gpu = trainer.fabric.device.type == "cuda"
        self._inner = (CapturedSteps if on_gpu else StepRunner)(trainer, notify)
        compile_nets(trainer.method)

    def run(self, turns: Turns) -> None:
        """Lets the players of one step move."""
        self._inner.run(turns)

    def report(self) -> None:
        """Hands losses, and values that are not finite, to the trainer."""
        self._inner.report()

    def forget(self) -> None:
        """Drops all graphs."""
        self._inner.forget()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within the block nets run eagerly: other shapes would be compiled again."""
        with uncompiled(self.trainer.method):
            yield


def compile_nets(method: Method[Any]) -> None:
    """Compiles the nets that translate, not the discriminators.

    A gradient penalty differentiates a discriminator twice, which compiled nets do not support.
    """
    for name in method.inference_nets:
        method.nets[name]._compiled_call_impl = CompiledNet(method.nets[name])


@contextmanager
def uncompiled(method: Method[Any]) -> Iterator[None]:
    """Within the block the nets of a method run eagerly."""
    held = [(net, net._compiled_call_impl) for net in method.nets.values()]
    for net, _ in held:
        net._compiled_call_impl = None
    try:
        yield
    finally:
        for net, compiled in held:
            net._compiled_call_impl = compiled


def _separate_call(net: nn.Module) -> Callable[..., Any]:
    """The net's call as a function with its own code object, by which torch caches versions."""

    def run(*arguments: Any) -> Any:
        return net._call_impl(*arguments)  # type: ignore[no-untyped-call]

    code = run.__code__.replace(co_name=f"run_{next(_numbers)}")
    return FunctionType(code, run.__globals__, code.co_name, None, run.__closure__)
