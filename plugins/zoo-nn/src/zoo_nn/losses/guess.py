"""The guess loss against hidden information (Bashkirova, Usman, Saenko 2019, arXiv:1908.01517)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Loss, at_least_float32
from zoo_core.contracts.signals import MIXED
from zoo_core.contracts.step import Route, Step
from zoo_core.errors import UsageError
from zoo_nn.losses.distances import total
from zoo_nn.nets.patch import PatchDiscriminator, smallest_side

if TYPE_CHECKING:
    from zoo_core.contracts.method import Method, Player


class Guess(Loss):
    """Nobody should be able to tell an input from what came back of it.

    A guesser sees both, stacked along the channels in random order, and says whether the first is
    the one that came back. It is a patch discriminator per origin, trained by a player of its own
    on the least squares of the answer; the generator plays for the wrong answer. A way back from
    hidden information is never exact, and so is found out. Published weight: 2.

    The official code shows its guessers reconstructions from the pool of translations, which mixes
    the two; here they see the step's own.

    Args:
        width: Channels of the guessers' first layer.
        layers: Stride-2 convolutions of the guessers; None: 3, or as many as the signals allow.
        lr: Learning rate of the guessers, published as that of the generators.
        routes: Names of the routes that it applies to; None for all.
    """

    requires = ("restored",)

    def __init__(
        self,
        width: int = 64,
        layers: int | None = None,
        lr: float = 2e-4,
        *,
        routes: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.width, self.layers, self.lr, self.routes = width, layers, lr, routes

    def extra_players(
        self, method: Method[Any]
    ) -> Sequence[tuple[Mapping[str, nn.Module], Player]]:
        """A guesser for each origin of routes, and the player that trains them."""
        from zoo_core.contracts.method import Optimiser, Player, Term

        channels, layers = method.signal.channels, self._layers(method)
        origins = (MIXED,) if method.sampling == "mixed" else method.domains.names
        nets = {
            _guesser(origin): PatchDiscriminator(2 * channels, self.width, layers)
            for origin in origins
        }
        optimiser = Optimiser(self.lr, (0.5, 0.999))
        terms = (Term("guess", Guesser(routes=self.routes)),)
        return ((nets, Player("guesser", tuple(nets), terms, optimiser)),)

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of ``mean((D(pair) - (1 - answer))^2)``: ()."""
        return total(self._route(step, route) for route in step.select(self.routes))  # ()

    def _route(self, step: Step, route: Route) -> Tensor:
        pair, answer = shuffled(step, route.signal, route.restored)  # (N, 2C, H, W), (N, 1, 1, 1)
        return _paid(step, route, pair, 1 - answer)  # ()

    def _layers(self, method: Method[Any]) -> int:
        if len(method.signal.shape) != 3:
            raise UsageError(
                f"its guessers see pictures; this signal is a {method.signal.kind} of shape "
                f"{method.signal.shape}",
                asked="loss guess",
            )
        side = min(method.signal.shape[1:])
        layers = self.layers or next((n for n in (3, 2) if smallest_side(n) <= side), 1)
        if smallest_side(layers) > side:
            raise UsageError(
                f"its guessers need signals of at least {smallest_side(layers)} pixels, these have "
                f"{side}",
                asked=f"loss guess:layers={layers}",
                hint="Ask for fewer layers or larger pictures.",
            )
        return layers


class Guesser(Loss):
    """What the guessers pay: ``mean((D(pair) - answer)^2)``; gradients stop at the signals.

    Args:
        routes: Names of the routes that it applies to; None for all.
    """

    requires = ("restored",)

    def __init__(self, *, routes: Sequence[str] | None = None) -> None:
        super().__init__()
        self.routes = routes

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the squared error of the guess: ()."""
        return total(self._route(step, route) for route in step.select(self.routes))  # ()

    def _route(self, step: Step, route: Route) -> Tensor:
        back = route.restored.detach()  # (N, C, H, W)
        pair, answer = shuffled(step, route.signal, back)  # (N, 2C, H, W), (N, 1, 1, 1)
        return _paid(step, route, pair, answer)  # ()


def shuffled(step: Step, real: Tensor, back: Tensor) -> tuple[Tensor, Tensor]:
    """A pair (N, 2C, H, W) in random order, and whether ``back`` is the first (N, 1, 1, 1)."""
    first = step.rand(len(real), 1, 1, 1) < 0.5  # (N, 1, 1, 1)
    pair = torch.cat(
        [torch.where(first, back, real), torch.where(first, real, back)], dim=1
    )  # (N, 2C, H, W)
    return pair, first.to(real.dtype)


def _paid(step: Step, route: Route, pair: Tensor, wanted: Tensor) -> Tensor:
    verdict = step.judge(_guesser(route.source), pair)
    scales = [at_least_float32(scale) for scale in verdict.scores]  # (N, 1, ...) each
    return total((scale - wanted).square().mean() for scale in scales)  # ()


def _guesser(origin: str) -> str:
    return f"guesser_{origin}"
