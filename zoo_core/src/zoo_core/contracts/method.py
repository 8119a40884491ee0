"""A method: its nets, its losses, its defaults. The loop knows nothing else of it."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code, Decoder, Encoder, Generator, Nets
from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import Preset, Progress
from zoo_core.errors import UsageError, unknown
from zoo_core.schema import fill, plain

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from zoo_core.contracts.step import Route, Step

OptionsT = TypeVar("OptionsT", bound="DataclassInstance")
Weight = float | Callable[[Progress], float]
Schedule = Callable[[Progress], float]


def constant(progress: Progress) -> float:
    """The schedule that changes nothing: a multiplier of 1."""
    return 1.0


@dataclass(frozen=True)
class Optimiser:
    """An Adam-family optimiser and its schedule.

    Attributes:
        lr: Learning rate.
        betas: Adam's moment decays.
        weight_decay: L2 penalty.
        schedule: Multiplier of the learning rate as a function of the progress.
        name: ``adam`` or ``adamw``.
    """

    lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 0.0
    schedule: Schedule = constant
    name: Literal["adam", "adamw"] = "adam"


class Loss(nn.Module, ABC):
    """One term of a player's objective.

    A loss asks the step's routes for what it needs and calls no generator itself. It is a module so
    that what it remembers (an image pool, a frozen backbone) is moved and saved with the run; nets
    that players train are not its children: it reaches them by name through ``step.net(name)``.
    """

    requires: Sequence[str] = ()
    """What the step must provide: of ``translated restored identity code reencoded sampled``."""

    @abstractmethod
    def forward(self, step: Step) -> Tensor:
        """The unweighted loss: a float32 scalar ()."""

    def extra_players(
        self, method: Method[Any]
    ) -> Sequence[tuple[Mapping[str, nn.Module], Player]]:
        """Nets that this loss brings along and the players that train them (none by default).

        Args:
            method: The method that it is added to: its signal, domains and nets.
        """
        return ()


@dataclass(frozen=True)
class Term:
    """A weighted loss: ``weight * loss(step)``, logged unweighted under ``name``."""

    name: str
    loss: Loss
    weight: Weight = 1.0

    def weight_at(self, progress: Progress) -> float:
        """The weight at a point of the training."""
        return self.weight(progress) if callable(self.weight) else self.weight


@dataclass(frozen=True)
class Player:
    """Who moves: some nets, one optimiser, and the losses that they minimise.

    Attributes:
        name: Name, such as ``generator``; losses added by ``--loss`` join the player so named.
        nets: Names of the nets that it trains; no net has two players that share an optimiser.
        terms: Its objective is their weighted sum.
        optimiser: Its optimiser.
        every: It moves in every so many-th step (StarGAN's generator: 5).
        own_batch: Whether it asks for a batch of its own rather than the step's (Fader).
        clip: Largest gradient norm, where the method prescribes one; None leaves it to the run.
        other_nets_mode: Mode of all other nets while it moves. ``eval``: their dropout is off and
            their running statistics are used and left alone (Fader); it asks for ``own_batch``,
            since players that share translations could not agree on a mode.
    """

    name: str
    nets: tuple[str, ...]
    terms: tuple[Term, ...]
    optimiser: Optimiser = Optimiser()
    every: int = 1
    own_batch: bool = False
    clip: float | None = None
    other_nets_mode: Literal["train", "eval"] = "train"

    def __post_init__(self) -> None:
        if self.other_nets_mode == "eval" and not self.own_batch:
            raise ValueError(f'player {self.name}: other_nets_mode="eval" needs own_batch=True')

    def is_active(self, step: int) -> bool:
        """Whether it moves in the step of this number, counted from 0."""
        return (step + 1) % self.every == 0


class Defence(ABC):
    """What every translation of a step goes through on its way back.

    A defence has no state and no parameters; what it draws comes from the step, so that a run is
    the same over processes and when it is resumed.
    """

    @abstractmethod
    def __call__(self, step: Step, x: Tensor) -> Tensor:
        """(N, *S) what the way back sees of the translation ``x`` (N, *S); gradients pass."""


class Method(nn.Module, ABC, Generic[OptionsT]):
    """A way to translate crossed with constraints that keep the output related to the input.

    A subclass sets `Options` and `presets`, builds its nets, plans routes, and lists players. It
    overrides `translate`, or, for a common space, `encode` and `decode` (and sets ``has_code``).

    Args:
        options: The method's own options.
        domains: The domains or attributes.
        signal: Form of the signals.

    Attributes:
        nets: The nets by name.
        defence: What a translation (N, *S) goes through before it is translated back, against
            hidden information (a `Defence`); a run's ``--defence`` sets it. None: nothing.
    """

    Options: ClassVar[type[Any]]
    presets: ClassVar[Mapping[str, Preset]]
    sampling: ClassVar[Literal["per-domain", "mixed"]] = "per-domain"
    """How batches are drawn: a part per domain, or one part with all domains mixed."""
    has_code: ClassVar[bool] = False
    """Whether it translates through a common space by `encode` and `decode`."""
    needs_source: bool = False
    """Whether a translation must know the input's own domain; `build` may set it by an option."""
    provides: ClassVar[frozenset[str]] = frozenset({"translated", "restored", "identity"})
    """What its steps answer; also ``code``, ``reencoded`` with a code, ``sampled`` with a prior."""

    def __init__(self, options: OptionsT, domains: Domains, signal: TensorSpec) -> None:
        super().__init__()
        self.options = options
        self.domains = domains
        self.signal = signal
        self.defences: Sequence[Callable[[Step, Tensor], Tensor]] = ()
        self.nets: nn.ModuleDict = Nets(self.build())

    @property
    def targets(self) -> tuple[str, ...]:
        """The domains (or attributes) that a translation can be asked for: all, by default.

        A method of one direction, such as DTN, names the domains that it can make.
        """
        return self.domains.names

    @abstractmethod
    def build(self) -> Mapping[str, nn.Module]:
        """Makes the nets, initialised as published, by name."""

    @abstractmethod
    def players(self) -> Sequence[Player]:
        """The players in the order in which they move. Called once per run."""

    @abstractmethod
    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """What to translate in this batch. Reads conditions and draws from ``rng`` only."""

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, *S) ``x`` (N, *S) translated from ``source`` to ``target``."""
        return self.decode(self.encode(x, source), target)

    def export_options(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """The options (all of them, plain) as a model directory records them.

        They rebuild the nets wherever the directory is copied: a method whose option names a file
        of the user's puts what stands for its content instead.
        """
        return options

    def require_target(self, name: str) -> None:
        """Raises `UsageError` where a domain or attribute is not one of `targets`."""
        if name in self.domains and name not in self.targets:
            raise UsageError(
                f"this model translates to {' or '.join(self.targets)} only",
                asked=f'target "{name}"',
                hint=f"Ask for {' or '.join(self.targets)}.",
            )

    def encode(self, x: Tensor, source: Condition) -> Code:
        """The code of ``x`` (N, *S), whose own condition is ``source``."""
        raise UsageError("this method has no code", asked=f"{type(self).__name__}.encode")

    def decode(self, code: Code, target: Condition) -> Tensor:
        """(N, *S) a code decoded into ``target``."""
        raise UsageError("this method has no code", asked=f"{type(self).__name__}.decode")

    def sample(self, step: Step, code: Code) -> Code:
        """A code as decoders read it in training, where that differs: with noise (UNIT).

        A translation outside of training does not pass here: it decodes what `encode` gives.
        """
        return code

    def prior(self, step: Step, count: int) -> Code:
        """A code drawn from the prior, for methods that sample (CoGAN)."""
        raise UsageError("this method has no prior", asked=f"{type(self).__name__}.prior")

    @property
    def inference_nets(self) -> tuple[str, ...]:
        """Names of the nets that a translation needs: all generators, encoders and decoders."""
        kinds = (Generator, Encoder, Decoder)
        return tuple(name for name, net in self.nets.items() if isinstance(net, kinds))

    def forward(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """Same as `translate`."""
        return self.translate(x, source, target)  # (N, *S)

    def add_loss(self, loss: Loss) -> tuple[Player, ...]:
        """Takes in the nets that an added loss brings along, and returns their players.

        Raises:
            UsageError: If the loss asks for something that this method's steps do not answer.
        """
        missing = sorted(set(loss.requires) - self.provides)
        if missing:
            raise UsageError(
                f"it needs {', '.join(missing)}, which the steps of {type(self).__name__} do not "
                f"provide (they provide {', '.join(sorted(self.provides))})",
                asked=f"loss {type(loss).__name__}",
            )
        players = []
        for nets, player in loss.extra_players(self):
            for name, net in nets.items():
                self.nets[name] = net
            players.append(player)
        return tuple(players)


def freeze(net: nn.Module) -> nn.Module:
    """Freezes a net for good: no player trains it, gradients still pass through it."""
    for parameter in net.parameters():
        parameter.requires_grad_(False)
        parameter.frozen = True  # type: ignore[attr-defined]
    return net


def at_least_float32(x: Tensor) -> Tensor:
    """``x`` for losses and sums: half precisions are raised to float32, float64 stays as it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def make_options(cls: type[Any], values: Mapping[str, Any], *, asked: str) -> Any:
    """Fills a frozen options dataclass from plain values, strictly.

    Args:
        cls: The dataclass.
        values: From a file, a preset or ``--set``; strings are converted to the field's type.
        asked: Who asks, for the error.

    Raises:
        UsageError: For an unknown key (with the near match) or a value of the wrong type.
    """
    known = [field.name for field in dataclasses.fields(cls) if field.init]
    for key in values:
        if key not in known:
            raise unknown(f"option of {asked}", key, known)
    return fill(cls, plain(values), asked=f"options of {asked}", lenient=True)
