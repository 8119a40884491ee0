"""The loop: moves a method's players, step by step, and knows nothing of the method itself.

Every step is a function of (state, seed, step): batches, plans, random draws and the global
random state all come from these numbers, so that a resumed run repeats an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from zoo_core.contracts.method import Method, Player, Term, at_least_float32
from zoo_core.contracts.spec import Progress, TrainConfig
from zoo_core.contracts.step import Step
from zoo_core.contracts.trainable_nets import TrainableNets
from zoo_core.errors import TrainingError
from zoo_train.averages import Ema, average, average_statistics
from zoo_train.data.sampling import BatchSource, PrefetchSampler
from zoo_train.devices import channels_last, generator_for, make_fabric, prepare, seed_all
from zoo_train.guard import LossMeter, require_finite
from zoo_train.player_state import PartialStep, PlayerState, StepInput
from zoo_train.step_runner import Turns, runner_for


class Trainer:
    """Moves the players of one method.

    Args:
        method: The method with its nets; they are moved to Fabric's device.
        sampler: Draws batches.
        config: The loop's settings; ``steps`` or ``epochs`` must be given.
        players: The players; None asks the method.
        fabric: Devices, precision and processes, launched; None for this process's CPU in
            float32.
        notify: Called with messages for the user.

    Attributes:
        done: Steps done.
        seen: Signals drawn since the trainer was made, over all processes.
        meter: Losses since `take_losses`, and values to be checked.
        runner: Runs the steps.
        weights: Weights of losses () by the id of their term, which replace the terms' own while
            a runner sets them; empty otherwise.

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
        notify: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.fabric = fabric or make_fabric("cpu", 1, "float32")
        _require_even_parts(config, self.fabric.world_size)
        if self.fabric.device.type != "cpu":
            sampler = PrefetchSampler(sampler, pin=self.fabric.device.type == "cuda")
        self.method, self.sampler, self.config = method, sampler, config
        self.steps = length(config, sampler.steps_per_epoch)
        players = tuple(method.players() if players is None else players)
        prepare(method, players, self.fabric.device)
        device = self.fabric.device
        self.player_states = [PlayerState.of(player, method, device) for player in players]
        self._trainable_nets = TrainableNets(method.nets)
        method.train()
        self.ema = (
            Ema({name: method.nets[name] for name in method.inference_nets}, config.ema)
            if config.ema is not None
            else None
        )
        self.done = self.seen = 0
        self.meter = LossMeter()
        self.weights: dict[int, Tensor | float] = {}
        self.runner = runner_for(self, notify)

    def progress(self, step: int | None = None) -> Progress:
        """How far training is, now or before the step of a number."""
        step = self.done if step is None else step
        return Progress(step, self.steps, self.sampler.steps_per_epoch)

    def rates(self) -> dict[str, float]:
        """The learning rate of each player, as last set."""
        return {state.player.name: state.rate for state in self.player_states}

    def step(self) -> None:
        """Makes one step: every player whose turn it is moves once.

        Raises:
            TrainingError: If a loss or a gradient is not finite; on devices other than the CPU
                it is raised by a later `check`.
        """
        number, config = self.done, self.config
        seed_all(config.seed, number, self.fabric.global_rank, self.fabric.device.type)
        self.method.train()
        turns = self._turns(number)
        for player_state, given in turns:
            player_state.schedule_rate(given.progress)
        self.runner.run(turns)
        average_statistics(self.method.nets, self.fabric)
        if self.ema is not None:
            self.ema.update(number)
        self.done = number + 1

    def run_turns(self, turns: Turns) -> None:
        """Lets players move in order; players with the same input share the `Step` of each part."""
        steps: dict[int, list[Step]] = {}
        for place, (player_state, given) in enumerate(turns):
            key = id(given)
            if key not in steps:
                sharing = [state for state, other in turns if other is given]
                steps[key] = self._steps_of(given, sharing)
            self._move(player_state, steps[key])
            if all(later is not given for _, later in turns[place + 1 :]):
                for step in steps.pop(key):
                    step.close()

    def check(self) -> None:
        """Raises `TrainingError` where a loss or gradient of the steps so far is not finite."""
        self.runner.report()
        self.meter.check()

    def take_losses(self) -> dict[str, float]:
        """Mean unweighted losses since the last call, over steps and processes."""
        self.check()
        names, means = self.meter.take()  # (T,)
        if names and self.fabric.world_size > 1:
            means = self.fabric.all_reduce(means, reduce_op="mean")  # type: ignore[assignment]
        return dict(zip(names, means.tolist(), strict=True))

    @contextmanager
    def exported(self) -> Iterator[Method[Any]]:
        """The method as samples, evaluation and the export see it: averaged, in eval mode."""
        self.method.eval()
        try:
            averaged = nullcontext() if self.ema is None else self.ema.applied()
            with self.runner.paused(), averaged:
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
            "meter": self._gather(self.meter.state_dict()),
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
                player_state.load_optimiser(state["optimisers"][player_state.player.name])
            if self.ema is not None:
                self.ema.load_state_dict(state["ema"])
            own = state["losses"][min(self.fabric.global_rank, len(state["losses"]) - 1)]
            for player_state in self.player_states:
                for term in player_state.player.terms:
                    term.loss.load_state_dict(own[f"{player_state.player.name}/{term.name}"])
            meters = state["meter"]
            self.meter.load_state_dict(meters[min(self.fabric.global_rank, len(meters) - 1)])
            torch.set_rng_state(state["random"])
            self.done = int(state["done"])
            self.runner.forget()
        except Exception as fault:  # whatever a checkpoint that others wrote makes torch raise
            raise TrainingError(
                f"the checkpoint does not fit this method and its options: {fault}",
                asked="--resume",
                hint="Train again into another directory, or restore the run's config.yaml.",
            ) from fault

    def _turns(self, number: int) -> list[tuple[PlayerState, StepInput]]:
        """The players that move in a step, in order, each with its input."""
        turns: list[tuple[PlayerState, StepInput]] = []
        shared: StepInput | None = None
        draw = 0
        for player_state in self.player_states:
            if not player_state.player.is_active(number):
                continue
            if player_state.player.own_batch:
                draw += 1
                turns.append((player_state, self._input(number, draw)))
            else:
                shared = shared or self._input(number, 0)
                turns.append((player_state, shared))
        return turns

    def _input(self, number: int, draw: int) -> StepInput:
        """This process's part of a batch and of its plan, on the CPU."""
        rank, world = self.fabric.global_rank, self.fabric.world_size
        rng = generator_for(self.config.seed, number, draw)
        whole = self.sampler.batch(number, draw)
        self.seen += sum(len(signal) for signal in whole.signals.values())
        routes = [route.shard(rank, world) for route in self.method.plan(whole, rng)]
        return StepInput(whole.shard(rank, world), routes, rng, self.progress(number))

    def _steps_of(self, given: StepInput, player_states: Sequence[PlayerState]) -> list[Step]:
        """The steps that some players share: one for each part of the batch."""
        given = given.to(self.fabric.device)
        moving = [name for player_state in player_states for name in player_state.player.nets]
        count = self.config.accumulate
        return [
            PartialStep(
                self.method,
                channels_last(part.batch),
                part.routes,
                progress=part.progress,
                rng=part.rng,
                rank=self.fabric.global_rank,
                world=self.fabric.world_size,
                moving=moving,
                trainable_nets=self._trainable_nets,
                part=(number, count),
            )
            for number, part in enumerate(given.parts(count))
        ]

    def _move(self, player_state: PlayerState, steps: Sequence[Step]) -> None:
        """One player's turn: its weighted losses, backward, average, clip, optimise."""
        player = player_state.player
        parameters: list[nn.Parameter] = []
        for parameter in player_state.parameters:
            parameter.grad = None
        for step in steps:
            with step.turn(player.nets, player.other_nets_mode):
                parameters = [p for p in player_state.parameters if p.requires_grad]
                with self.fabric.autocast():
                    total = self._objective(player, step)
                if total is not None and total.requires_grad:
                    share = total if len(steps) == 1 else total / len(steps)
                    torch.autograd.backward(share, inputs=parameters)
        average(parameters, self.fabric)
        limit = player.clip or self.config.clip
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if limit is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, limit, norm)
        self.meter.watch(self.done, player.name, "the gradient", norm)
        if self.fabric.device.type == "cpu":
            self.meter.check()
        player_state.optimiser.step()

    def _objective(self, player: Player, step: Step) -> Tensor | None:
        """The weighted sum () of a player's losses; a loss whose weight is 0 is not computed."""
        total: Tensor | None = None
        for term in player.terms:
            weight = self.weights.get(id(term)) if self.weights else term.weight_at(step.progress)
            if isinstance(weight, Tensor) or weight:
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
        value = loss.detach()
        self.meter.watch(self.done, player.name, f'the loss "{term.name}"', value)
        self.meter.add(f"{player.name}/{term.name}", value)
        return loss

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


def _require_even_parts(config: TrainConfig, processes: int) -> None:
    """Raises `TrainingError` where a batch cannot be shared out evenly."""
    parts = processes * config.accumulate
    if config.batch % parts:
        among = f"{processes} processes"
        if config.accumulate > 1:
            among = f"{among}, in {config.accumulate} parts each"
        raise TrainingError(
            f"cannot be shared out evenly to {among}",
            asked=f"batch {config.batch}",
            hint=f"Choose a multiple of {parts} with --batch.",
        )
