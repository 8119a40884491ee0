"""The loop: moves a method's players, step by step, and knows nothing of the method itself.

Every step is a function of (state, seed, step): batches, plans, random draws and the global
random state all come from these numbers, so that a resumed run repeats an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from zoo_core.contracts.method import Method, Player, Term
from zoo_core.contracts.spec import Progress, TrainConfig
from zoo_core.contracts.step import Step
from zoo_core.contracts.trainable_nets import TrainableNets
from zoo_core.errors import TrainingError
from zoo_core.train.data.sampling import BatchSource, PrefetchSampler
from zoo_core.train.devices import channels_last, make_fabric, prepare
from zoo_core.train.ema import Ema
from zoo_core.train.gradients import average, average_statistics, norm_and_clip
from zoo_core.train.guard import FiniteGuard, require_finite
from zoo_core.train.memory import keep_freed_memory
from zoo_core.train.seeds import generator_for, seed_all
from zoo_core.translate.precision import at_least_float32


@dataclass
class PlayerState:
    """A player with what it needs to move: its optimiser and its parameters."""

    player: Player
    optimiser: torch.optim.Optimizer
    parameters: list[nn.Parameter]


class Trainer:
    """Moves the players of one method.

    Args:
        method: The method with its nets; they are moved to Fabric's device.
        sampler: Draws batches.
        config: The loop's settings; ``steps`` or ``epochs`` must be given.
        players: The players; None asks the method.
        fabric: Devices, precision and processes, launched; None for this process's CPU in
            float32.

    Attributes:
        done: Steps done.
        seen: Signals drawn since the trainer was made, over all processes.
        losses: Sums of unweighted losses since `take_losses`, by ``player/term``.

    Raises:
        TrainingError: If the length of the run is not given, or the batch cannot be shared out
            evenly.
    """

    def __init__(
        self,
        method: Method[Any],
        sampler: BatchSource,
        config: TrainConfig,
        *,
        players: Sequence[Player] | None = None,
        fabric: Fabric | None = None,
    ) -> None:
        self.fabric = fabric or make_fabric("cpu", 1, "float32")
        if config.batch % self.fabric.world_size:
            raise TrainingError(
                f"cannot be shared out evenly to {self.fabric.world_size} processes",
                asked=f"batch {config.batch}",
                hint="Choose a multiple with --batch.",
            )
        if self.fabric.device.type != "cpu":
            sampler = PrefetchSampler(sampler)
        else:
            keep_freed_memory()
        self.method, self.sampler, self.config = method, sampler, config
        self.steps = length(config, sampler.steps_per_epoch)
        players = tuple(method.players() if players is None else players)
        prepare(method, players, self.fabric.device)
        self.player_states = [self._player_state(player) for player in players]
        self._trainable_nets = TrainableNets(method.nets)
        method.train()
        self.ema = (
            Ema({name: method.nets[name] for name in method.inference_nets}, config.ema)
            if config.ema is not None
            else None
        )
        self.done = self.seen = 0
        self.losses: dict[str, Tensor] = {}
        self._counted: dict[str, int] = {}
        self._guard = FiniteGuard()

    def progress(self, step: int | None = None) -> Progress:
        """How far training is, now or before the step of a number."""
        step = self.done if step is None else step
        return Progress(step, self.steps, self.sampler.steps_per_epoch)

    def rates(self) -> dict[str, float]:
        """The learning rate of each player, as last set."""
        return {m.player.name: float(m.optimiser.param_groups[0]["lr"]) for m in self.player_states}

    def step(self) -> None:
        """Makes one step: every player whose turn it is moves once.

        Raises:
            TrainingError: If a loss or a gradient is not finite; on devices other than the CPU
                it is raised by a later `check`.
        """
        number, config = self.done, self.config
        seed_all(config.seed, number, self.fabric.global_rank, self.fabric.device.type)
        if not self.method.training:  # to set every layer's mode takes time
            self.method.train()
        moving = [
            player_state
            for player_state in self.player_states
            if player_state.player.is_active(number)
        ]
        shared = [player_state for player_state in moving if not player_state.player.own_batch]
        step = self._bind(number, 0, shared) if shared else None
        draw = 0
        for player_state in moving:
            if player_state.player.own_batch:
                draw += 1
                own = self._bind(number, draw, [player_state])
                self._move(player_state, own)
                own.close()
            elif step is not None:
                self._move(player_state, step)
        if step is not None:
            step.close()
        average_statistics(self.method.nets, self.fabric)
        if self.ema is not None:
            self.ema.update(number)
        self.done = number + 1

    def check(self) -> None:
        """Raises `TrainingError` where a loss or gradient of the steps so far is not finite."""
        self._guard.check()

    def take_losses(self) -> dict[str, float]:
        """Mean unweighted losses since the last call, over steps and processes."""
        self.check()
        names = sorted(self.losses)
        if not names:
            return {}
        means = torch.stack([self.losses[name] / self._counted[name] for name in names])  # (T,)
        if self.fabric.world_size > 1:
            means = self.fabric.all_reduce(means, reduce_op="mean")  # type: ignore[assignment]
        self.losses.clear()
        self._counted.clear()
        return dict(zip(names, means.tolist(), strict=True))

    @contextmanager
    def exported(self) -> Iterator[Method[Any]]:
        """The method as samples, evaluation and the export see it: averaged, in eval mode."""
        self.method.eval()
        try:
            if self.ema is None:
                yield self.method
            else:
                with self.ema.applied():
                    yield self.method
        finally:
            self.method.train()

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs, as tensors and plain values.

        Every process must call it; what each one remembers by itself (image pools) is gathered.

        Raises:
            TrainingError: If anything is not finite.
        """
        self.check()
        require_finite(self.method.nets.items(), self.done)
        memory = {
            f"{player_state.player.name}/{term.name}": term.loss.state_dict()
            for player_state in self.player_states
            for term in player_state.player.terms
        }
        return {
            "done": self.done,
            "nets": self.method.nets.state_dict(),
            "ema": None if self.ema is None else self.ema.state_dict(),
            "optimisers": {m.player.name: m.optimiser.state_dict() for m in self.player_states},
            "schedules": self.rates(),
            "losses": self._gather(memory),
            "random": torch.get_rng_state(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state`.

        Raises:
            TrainingError: If it is of other nets or players.
        """
        try:
            self.method.nets.load_state_dict(state["nets"])
            for player_state in self.player_states:
                player_state.optimiser.load_state_dict(
                    state["optimisers"][player_state.player.name]
                )
            if self.ema is not None:
                self.ema.load_state_dict(state["ema"])
            own = state["losses"][min(self.fabric.global_rank, len(state["losses"]) - 1)]
            for player_state in self.player_states:
                for term in player_state.player.terms:
                    term.loss.load_state_dict(own[f"{player_state.player.name}/{term.name}"])
            torch.set_rng_state(state["random"])
            self.done = int(state["done"])
        except (KeyError, RuntimeError, ValueError, TypeError) as fault:
            raise TrainingError(
                f"the checkpoint does not fit this method and its options: {fault}",
                asked="--resume",
                hint="Train again into another directory, or restore the run's config.yaml.",
            ) from fault

    def _bind(self, number: int, draw: int, player_states: Sequence[PlayerState]) -> Step:
        """The step that some players share: this process's part of the batch and of the plan."""
        rank, world = self.fabric.global_rank, self.fabric.world_size
        rng = generator_for(self.config.seed, number, draw)
        whole = self.sampler.batch(number, draw)
        self.seen += sum(len(signal) for signal in whole.signals.values())
        routes = self.method.plan(whole, rng)
        device = self.fabric.device
        batch, bound = whole.shard(rank, world), [route.shard(rank, world) for route in routes]
        if device.type != "cpu":  # where batches are drawn
            batch = batch.to(device)
            for route in bound:
                route.target = route.target.to(device)
        return Step(
            self.method,
            channels_last(batch),
            bound,
            progress=self.progress(number),
            rng=rng,
            rank=rank,
            world=world,
            moving=[name for player_state in player_states for name in player_state.player.nets],
            trainable_nets=self._trainable_nets,
        )

    def _move(self, player_state: PlayerState, step: Step) -> None:
        """One player's turn: its weighted losses, backward, average, clip, optimise."""
        player, number = player_state.player, step.progress.step
        with step.turn(player.nets, player.other_nets_mode):
            parameters = [p for p in player_state.parameters if p.requires_grad]
            for parameter in player_state.parameters:
                parameter.grad = None
            with self.fabric.autocast():
                total = self._objective(player, step)
            if total is not None and total.requires_grad:
                torch.autograd.backward(total, inputs=parameters)
            average(parameters, self.fabric)
            norm = norm_and_clip(parameters, player.clip or self.config.clip)
            self._guard.watch(number, player.name, "the gradient", norm)
            if self.fabric.device.type == "cpu":
                self._guard.check()
            rate = player.optimiser.lr * player.optimiser.schedule(step.progress)
            for group in player_state.optimiser.param_groups:
                group["lr"] = rate
            player_state.optimiser.step()

    def _objective(self, player: Player, step: Step) -> Tensor | None:
        """The weighted sum () of a player's losses; a loss whose weight is 0 is not computed."""
        total: Tensor | None = None
        for term in player.terms:
            weight = term.weight_at(step.progress)
            if weight:
                loss = self._loss(player, term, step)
                total = loss * weight if total is None else total + loss * weight
        return total

    def _loss(self, player: Player, term: Term, step: Step) -> Tensor:
        loss: Tensor = term.loss(step)
        if loss.dim():
            raise TrainingError(
                f"it gave a tensor of shape {tuple(loss.shape)}, not a scalar",
                asked=f'loss "{term.name}" of player "{player.name}"',
            )
        loss = at_least_float32(loss)
        value, name = loss.detach(), f"{player.name}/{term.name}"
        self._guard.watch(step.progress.step, player.name, f'the loss "{term.name}"', value)
        self.losses[name] = self.losses[name] + value if name in self.losses else value
        self._counted[name] = self._counted.get(name, 0) + 1
        return loss

    def _player_state(self, player: Player) -> PlayerState:
        parameters: dict[int, nn.Parameter] = {}
        for name in player.nets:
            for parameter in self.method.nets[name].parameters():
                if not getattr(parameter, "frozen", False):
                    parameters[id(parameter)] = parameter  # nets may share layers
        wanted = player.optimiser
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[wanted.name]
        optimiser = kind(
            list(parameters.values()),
            lr=wanted.lr,
            betas=wanted.betas,
            weight_decay=wanted.weight_decay,
            fused=self.fabric.device.type in ("cpu", "cuda"),
        )
        return PlayerState(player, optimiser, list(parameters.values()))

    def _gather(self, memory: dict[str, Any]) -> list[dict[str, Any]]:
        if self.fabric.world_size == 1:
            return [memory]
        gathered: list[Any] = [None] * self.fabric.world_size
        torch.distributed.all_gather_object(gathered, memory)
        return gathered


def length(config: TrainConfig, steps_per_epoch: int) -> int:
    """Steps of a run; raises `TrainingError` where neither steps nor epochs are given."""
    if config.steps is not None:
        return config.steps
    if config.epochs is None:
        raise TrainingError("its length is not given", asked="run", hint="Give --steps.")
    return config.epochs * steps_per_epoch
