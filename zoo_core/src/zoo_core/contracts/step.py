"""A step: the translations of one batch, each computed once, on demand, for all players."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code, DiscriminatorOutput
from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import Progress
from zoo_core.contracts.trainable_nets import TrainableNets
from zoo_core.errors import UsageError, unknown

T = TypeVar("T")


class MethodProtocol(Protocol):
    """What a step and its losses ask of a method: `zoo_core.contracts.method.Method` has it."""

    nets: nn.ModuleDict
    domains: Domains
    signal: TensorSpec
    defences: Sequence[Callable[[Step, Tensor], Tensor]]
    has_code: ClassVar[bool]

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, *S) ``x`` (N, *S) translated from ``source`` to ``target``."""

    def encode(self, x: Tensor, source: Condition) -> Code:
        """The code of ``x`` (N, *S), whose own condition is ``source``."""

    def decode(self, code: Code, target: Condition) -> Tensor:
        """(N, *S) a code decoded into ``target``."""

    def sample(self, step: Step, code: Code) -> Code:
        """A code as decoders read it in training."""

    def prior(self, step: Step, count: int) -> Code:
        """A code drawn from the prior."""


@dataclass
class Route:
    """One route of a step: the batch's signals of ``source``, to be translated to ``target``.

    A method plans routes; the step binds them. Every answer is computed once and kept until the
    step ends.

    Attributes:
        source: Key of the batch: a domain's name, or `zoo_core.contracts.signals.MIXED`.
        target: Condition (N, K) of the output.
        name: For logs and for losses that apply to some routes only, such as ``a->b``.
        transform: Applied to the route's real signals (N, *S) before the nets see them, such as a
            rotation (GcGAN); None leaves them as they are.
    """

    source: str
    target: Condition
    name: str = ""
    transform: Callable[[Tensor], Tensor] | None = None
    _step: Step | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.name = self.name or f"{self.source}->{self.target.domain or 'mixed'}"

    @property
    def step(self) -> Step:
        """The step that this route belongs to."""
        if self._step is None:
            raise RuntimeError(f"route {self.name} is not bound to a step")
        return self._step

    @property
    def signal(self) -> Tensor:
        """(N, *S) the real input."""
        return self._transformed(self.step.batch.signals[self.source])

    @property
    def source_condition(self) -> Condition:
        """(N, K) the input's own condition."""
        return self.step.batch.conditions[self.source]

    @property
    def translated(self) -> Tensor:
        """(N, *S) the input translated to ``target``."""
        return self.step.translate(self.signal, self.source_condition, self.target)

    @property
    def restored(self) -> Tensor:
        """(N, *S) the translation, translated back to ``source``."""
        return self.step.translate(
            self.step.apply_defence(self.translated), self.target, self.source_condition
        )

    @property
    def identity_input(self) -> Tensor:
        """(N, *S) what `identity` should equal: a real signal of the target domain, or the input.

        Where the whole route has one target domain, it is the batch's real signal of that domain
        (CycleGAN feeds the net for b a real b). In a mixed batch it is the input itself.
        """
        real = self.step.batch.signals.get(self.target.domain or "")
        return self.signal if real is None else self._transformed(real)

    @property
    def identity_condition(self) -> Condition:
        """(N, K) the own condition of `identity_input`."""
        if self.identity_input is self.signal:
            return self.source_condition
        return self.step.batch.conditions[self.target.domain or ""]

    @property
    def identity(self) -> Tensor:
        """(N, *S) `identity_input` translated into the domain that it already has."""
        own = self.identity_condition
        return self.step.translate(self.identity_input, own, own)

    @property
    def code(self) -> Code:
        """The input in the common space."""
        return self.step.encode(self.signal, self.source_condition)

    @property
    def reencoded(self) -> Code:
        """The translation in the common space."""
        return self.step.encode(self.translated, self.target)

    def shard(self, rank: int, world: int) -> Route:
        """The part of one process."""
        target = self.target if world == 1 else self.target[slice(rank, None, world)]
        return Route(self.source, target, self.name, self.transform)

    def _transformed(self, x: Tensor) -> Tensor:
        return x if self.transform is None else self.step.transformed(x, self.transform)


class Step:
    """The real signals of one batch, and what the method's nets make of them.

    Args:
        method: The method whose nets translate.
        batch: Real signals of this process.
        routes: What to translate, planned by the method for this batch.
        progress: How far training is.
        rng: Generator of the same numbers in all processes, for draws that belong to the batch; on
            the CPU, or on the signals' own device.
        rank: Number of this process.
        world: Number of processes.
        moving: Names of the nets that some player trains in this step. Translations carry a
            graph for these only. None: whatever the parameters' own flags say.
        trainable_nets: Who learns and who is in which mode, for the method's nets, where a run has
            it at hand; None: the nets are walked when it is first asked.
    """

    def __init__(
        self,
        method: MethodProtocol,
        batch: Batch,
        routes: Iterable[Route],
        *,
        progress: Progress | None = None,
        rng: torch.Generator | None = None,
        rank: int = 0,
        world: int = 1,
        moving: Sequence[str] | None = None,
        trainable_nets: TrainableNets | None = None,
    ) -> None:
        self.method, self.batch = method, batch
        self.progress = progress or Progress()
        self.rng, self.rank, self.world = rng, rank, world
        self._moving, self._given_trainable_nets = moving, trainable_nets
        self._memo: dict[object, object] = {}
        self._kept: list[object] = []
        self._verdicts: dict[tuple[str, int], tuple[Tensor, DiscriminatorOutput]] | None = None
        self.counts: dict[str, int] = {"translate": 0, "encode": 0, "decode": 0, "judge": 0}
        self.routes: tuple[Route, ...] = tuple(routes)
        for route in self.routes:
            route._step = self

    @cached_property
    def _trainable_nets(self) -> TrainableNets:
        return self._given_trainable_nets or TrainableNets(self.method.nets)

    def real(self, domain: str) -> Tensor:
        """(N, *S) the batch's real signals of a domain."""
        if domain not in self.batch.signals:
            raise UsageError(
                f"the batch holds {', '.join(self.batch.signals)}",
                asked=f'real signals of "{domain}"',
            )
        return self.batch.signals[domain]

    def net(self, name: str) -> nn.Module:
        """A net of the method, by name."""
        if name not in self.method.nets:
            raise unknown("net", name, self.method.nets)
        return self.method.nets[name]

    def select(self, names: Sequence[str] | None = None) -> tuple[Route, ...]:
        """The routes of the given names, or all."""
        return tuple(route for route in self.routes if names is None or route.name in names)

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, *S) ``x`` translated from ``source`` to ``target``, computed once per step."""
        if self.method.has_code:
            return self.decode(self.encode(x, source), target)
        key = ("translate", id(x), source.key, target.key)
        return self._once(
            key, "translate", (x, source, target), lambda: self.method.translate(x, source, target)
        )

    def encode(self, x: Tensor, source: Condition) -> Code:
        """The code of ``x``, computed once per step."""
        key = ("encode", id(x), source.key)
        return self._once(
            key,
            "encode",
            (x, source),
            lambda: self.method.sample(self, self.method.encode(x, source)),
        )

    def decode(self, code: Code, target: Condition) -> Tensor:
        """(N, *S) ``code`` decoded to ``target``, computed once per step."""
        key = ("decode", id(code), target.key)
        return self._once(key, "decode", (code, target), lambda: self.method.decode(code, target))

    @property
    def prior(self) -> Code:
        """The code of N signals drawn from the method's prior, which all domains share (CoGAN)."""
        size = len(next(iter(self.batch.conditions.values())))
        return self._once("prior", "", (), lambda: self.method.prior(self, size))

    def sampled(self, domain: str) -> Tensor:
        """(N, *S) signals of a domain made from `prior`: corresponding ones in every domain."""
        return self.decode(self.prior, self.condition(domain, len(self.prior.content)))

    def transformed(self, x: Tensor, transform: Callable[[Tensor], Tensor]) -> Tensor:
        """(N, *S) ``x`` after a transform, computed once per step, so that all see one tensor."""
        key = ("transformed", id(x), id(transform))
        return self._once(key, "", (x, transform), lambda: transform(x))

    def detached(self, x: Tensor) -> Tensor:
        """``x`` without its graph: the same tensor for all who ask, so that `judge` sees one."""
        return self._once(("detached", id(x)), "", (x,), x.detach)

    def condition(self, domain: str, count: int) -> Condition:
        """The condition of ``count`` signals that are all of one domain, made once per step."""
        own = self.batch.conditions.get(domain)
        if own is not None and own.domain == domain and len(own) == count:
            return own  # already on the device, where making one would be waited for
        device = next(iter(self.batch.signals.values())).device
        key = ("condition", domain, count)
        return self._once(
            key, "", (), lambda: Condition.of(self.method.domains, domain, count, device)
        )

    def judge(self, critic: str, x: Tensor) -> DiscriminatorOutput:
        """What a discriminator says of ``x`` (N, *S), computed once per player's turn.

        Adversarial and classification losses share one forward pass. Outside of a `turn` nothing
        is kept, since nobody says when the critic changes.
        """
        net = self.net(critic)
        key = (critic, id(x))
        if self._verdicts is not None and key in self._verdicts:
            return self._verdicts[key][1]
        self.counts["judge"] += 1
        verdict: DiscriminatorOutput = net(x)
        if self._verdicts is not None:
            self._verdicts[key] = (x, verdict)  # ids stay unique only while the objects live
        return verdict

    @contextmanager
    def turn(
        self, nets: Sequence[str], other_nets_mode: Literal["train", "eval"] = "train"
    ) -> Iterator[None]:
        """A player's turn: just the named nets' parameters require gradients, verdicts are kept.

        Args:
            nets: The player's nets.
            other_nets_mode: Mode of all other nets, as for `zoo_core.contracts.method.Player`.
        """
        self._verdicts = {}
        still = () if other_nets_mode == "train" else [n for n in self.method.nets if n not in nets]
        try:
            with self._trainable_nets.only(nets), self._trainable_nets.in_eval(still, nets):
                yield
        finally:
            self._verdicts = None

    def close(self) -> None:
        """Ends the step: it forgets all answers, and its routes belong to no step.

        Step and routes know each other, so that their tensors would stay until Python looks for
        such cycles. Given back at once, their memory serves the next step.
        """
        for route in self.routes:
            route._step = None
        self._memo.clear()
        self._kept.clear()

    def apply_defence(self, translated: Tensor) -> Tensor:
        """(N, *S) the translation as the way back sees it: through the defences, once per step."""

        def seen() -> Tensor:
            x = translated
            for defence in self.method.defences:
                x = defence(self, x)  # (N, *S)
            return x

        return self._once(("seen", id(translated)), "", (translated,), seen)

    def rand(self, count: int, *shape: int) -> Tensor:
        """(count, *shape) uniform in [0, 1); the same numbers for any number of processes."""
        return self._draw(torch.rand, count, shape)

    def randn(self, count: int, *shape: int) -> Tensor:
        """(count, *shape) standard normal; the same numbers for any number of processes."""
        return self._draw(torch.randn, count, shape)

    def _draw(self, draw: Callable[..., Tensor], count: int, shape: Sequence[int]) -> Tensor:
        device = next(iter(self.batch.signals.values())).device
        place = None if self.rng is None else self.rng.device
        size = (count * self.world, *shape)
        numbers = draw(size, generator=self.rng, device=place)  # (count * world, *shape)
        return numbers[self.rank :: self.world].to(device)  # (count, *shape)

    def _once(self, key: object, what: str, keep: object, compute: Callable[[], T]) -> T:
        if key not in self._memo:
            if what:
                self.counts[what] += 1
            with self._thawed():
                self._memo[key] = compute()
            self._kept.append(keep)  # ids stay unique only while the objects live
        return self._memo[key]  # type: ignore[return-value]

    @contextmanager
    def _thawed(self) -> Iterator[None]:
        """Lets translations carry a graph for all nets that move, whoever asks first."""
        if self._moving is None:
            yield
            return
        with self._trainable_nets.only(self._moving):
            yield
