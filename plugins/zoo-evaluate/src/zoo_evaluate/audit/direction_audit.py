"""One direction, there and back, with everything that is measured on the way.

Shapes: N batch, ``*S`` any signal (an image is C H W).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo_core.contracts.signals import Condition
from zoo_core.errors import UsageError
from zoo_evaluate.audit.perturb import Noises, perturbations
from zoo_evaluate.audit.probe import Readings
from zoo_evaluate.audit.result import AuditConfig, Exhibit
from zoo_evaluate.context import Direction
from zoo_evaluate.directions import own_condition, target_condition
from zoo_evaluate.eval_model import EvalModel
from zoo_evaluate.picture_metrics import l1
from zoo_nn.filters import lowpass, rounded

DETAIL = 1.0
"""Standard deviation in samples of the Gaussian that parts fine detail from the rest."""
COARSE = 4
"""Bits to which a signal is rounded to see what is faint: 16 shades."""
LOUDER = 100.0
"""Factor by which the faint part is amplified in pictures."""
ProgressCallback = Callable[[str, int, int], None]


class DirectionAudit:
    """One direction of an audit.

    Args:
        direction: The direction.
        translator: The model.
        config: Settings.

    Attributes:
        measured: (N,) per input and name, after `walk`.
        readings: Fine and faint parts of translations and the inputs, for the probe.
        exhibits: Sample signals.
        mild: Names of the perturbations that nobody sees.
    """

    def __init__(self, direction: Direction, translator: EvalModel, config: AuditConfig) -> None:
        self.direction, self.translator, self.config = direction, translator, config
        self.signal = translator.signal
        self._noises = Noises(self.signal, torch.Generator().manual_seed(config.seed))
        every = perturbations(self.signal, self._noises, config)
        self._changes = [p for p in every if p.mild or "gaps" in config.measures]
        self.mild = [p.name for p in every if p.mild]
        self._found: dict[str, list[Tensor]] = defaultdict(list)
        self.readings = Readings()
        self.exhibits: list[Exhibit] = []

    @property
    def measured(self) -> dict[str, Tensor]:
        """(N,) what was found of each input, by name."""
        return {name: torch.cat(parts) for name, parts in self._found.items()}

    def walk(self, on_progress: ProgressCallback | None = None) -> None:
        """Measures all chosen inputs.

        Raises:
            UsageError: If the model does not translate there, or not back.
        """
        done, at = 0, self.chosen()
        if len(at) < 2:
            raise UsageError("an audit needs at least two inputs", asked=self.direction.name)
        batches = -(-len(at) // max(2, self.direction.context.batch))
        for positions in at.chunk(batches):  # even parts: none of one input alone
            with torch.inference_mode():
                self._measure(positions)
            done += len(positions)
            if on_progress is not None:
                on_progress(self.direction.name, done, len(at))

    def chosen(self) -> Tensor:
        """(N,) positions of the inputs in random order: neighbours are strangers."""
        references = self.direction.references
        every = references.sources if references else torch.arange(len(self.direction.source))
        rng = torch.Generator().manual_seed(self.config.seed)
        return every[torch.randperm(len(every), generator=rng)[: self.config.num_samples]]

    def _measure(self, at: Tensor) -> None:
        """One batch of inputs at the given positions."""
        self._noises.renew()
        round_trip, measures = self._round_trip(at), self.config.measures
        x = self.direction.source.signals(at).to(self.translator.device)  # (N, *S)
        y = round_trip.there(x)  # (N, *S)
        back = round_trip.back(y)  # (N, *S)
        self._keep("exact", l1(back, x))
        self._keep("any", _other_inputs(x, back))
        for change in self._changes:
            disturbed = change.apply(y)  # (N, *S)
            self._keep(f"back:{change.name}", l1(round_trip.back(disturbed), x))
            self._keep(f"own:{change.name}", l1(disturbed, y))
        if "curves" in measures:
            self._curves(round_trip, y)
        if "swap" in measures and self.signal.flexible:
            self._swap(round_trip, y, back)
        true = self._references(at)  # (N, *S) or None
        if "honesty" in measures and true is not None:
            self._keep("honest", l1(round_trip.back(true), x))
        if "probe" in measures and self.signal.flexible:
            for kind, part in {"fine": self._detail, "faint": self._faint}.items():
                self.readings.add(kind, part(y), x, None if true is None else part(true))
        if len(self.exhibits) < self.config.samples:
            self._exhibit(round_trip, x, y, back, true)

    def _curves(self, round_trip: RoundTrip, y: Tensor) -> None:
        """Response of the way back to noise on what a file would hold (Bashkirova et al.: SN)."""
        low, high = self.signal.low, self.signal.high
        held = y if low is None or high is None else rounded(y, low, high)  # (N, *S)
        calm = round_trip.back(held)  # (N, *S)
        kinds = {"white": self._noises.white}
        if self.signal.flexible:
            kinds["smooth"] = self._noises.smooth
        for kind, noise in kinds.items():
            for sigma in self.config.sigmas:
                moved = round_trip.back(held + noise(y, sigma)) if sigma else calm  # (N, *S)
                self._keep(f"{kind}:{sigma:g}", l1(moved, calm))

    def _swap(self, round_trip: RoundTrip, y: Tensor, back: Tensor) -> None:
        """Coarse of one translation, fine of another: whose reconstruction appears?"""
        detail = self._detail(y)  # (N, *S)
        mixed = round_trip.back(y - detail + detail.roll(1, 0))  # (N, *S)
        fine_wins = l1(mixed, back.roll(1, 0)) < l1(mixed, back)  # (N,)
        self._keep("swap", fine_wins.float())

    def _exhibit(
        self, round_trip: RoundTrip, x: Tensor, y: Tensor, back: Tensor, true: Tensor | None
    ) -> None:
        """Sample rows: what comes back, what comes back of a disturbed translation, and why."""
        mild = [change for change in self._changes if change.mild]
        worst = max(mild, key=lambda change: float(self._found[f"back:{change.name}"][-1].mean()))
        disturbed = worst.apply(y)  # (N, *S)
        real = self._reals(len(x)) if true is None else true  # (N, *S)
        columns = {
            "input": x,
            "translation": y,
            "sent back": back,
            f"with {worst.name}": disturbed,
            "that sent back": round_trip.back(disturbed),
            f"faint x{LOUDER:g}": self._louder(y),
            f"real {self.direction.target.name}": real,
            f"its faint x{LOUDER:g}": self._louder(real),
        }
        names = self.direction.source.names()
        for row in range(min(self.config.samples - len(self.exhibits), len(x))):
            signals = {title: value[row].float().cpu() for title, value in columns.items()}
            self.exhibits.append(Exhibit(names[int(round_trip.at[row])], signals))

    def _detail(self, y: Tensor) -> Tensor:
        """(N, *S) fine detail: what a Gaussian of `DETAIL` takes away."""
        return y - lowpass(y, DETAIL, self.signal.flexible)

    def _faint(self, y: Tensor) -> Tensor:
        """(N, *S) what rounding to `COARSE` bits takes away: shades that nobody tells apart."""
        low, high = self.signal.low, self.signal.high
        if low is None or high is None:
            return self._detail(y)
        return y - rounded(y, low, high, COARSE)

    def _louder(self, y: Tensor) -> Tensor:
        """(N, *S) the faint part amplified around the middle of the range."""
        low = -1.0 if self.signal.low is None else self.signal.low
        high = 1.0 if self.signal.high is None else self.signal.high
        middle, half = (low + high) / 2, (high - low) / 2
        return middle + half * torch.tanh(self._faint(y) / half * LOUDER)

    def _references(self, at: Tensor) -> Tensor | None:
        """(N, *S) the references of the inputs at the given positions, if there are any."""
        references = self.direction.references
        if references is None:
            return None
        return self.direction.target.signals(references.of(at)).to(self.translator.device)

    def _reals(self, count: int) -> Tensor:
        """(N, *S) some real signals of the target."""
        at = torch.arange(count) % len(self.direction.target)
        return self.direction.target.signals(at).to(self.translator.device)

    def _round_trip(self, at: Tensor) -> RoundTrip:
        """There and back of the inputs at the given positions."""
        domains = self.translator.domains
        own = own_condition(self.direction.source, at, domains)
        wanted = target_condition(self.direction, at, domains)
        return RoundTrip(self.translator, at, own, wanted, self.config.seed)

    def _keep(self, name: str, values: Tensor) -> None:
        self._found[name].append(values.detach().float().cpu())


@dataclass(frozen=True)
class RoundTrip:
    """The way of one batch there and back, with the same random draws in every call.

    Attributes:
        translator: The model.
        at: (N,) positions of the inputs.
        own: Their own conditions, (N, K).
        wanted: The conditions that they are translated to, (N, K).
        seed: Seed of what the model draws.
    """

    translator: EvalModel
    at: Tensor
    own: Condition
    wanted: Condition
    seed: int

    def there(self, x: Tensor) -> Tensor:
        """(N, *S) inputs translated."""
        return self._translated(x, self.own, self.wanted)

    def back(self, y: Tensor) -> Tensor:
        """(N, *S) translations, or what became of them, translated back."""
        return self._translated(y, self.wanted, self.own)

    def _translated(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return self.translator.signals(x, source, target)


def _other_inputs(x: Tensor, back: Tensor) -> Tensor:
    """(N,) mean distance of each input to what came back of others, up to four."""
    shifts = range(1, min(5, len(x)))
    return torch.stack([l1(back.roll(shift, 0), x) for shift in shifts]).mean(0)
