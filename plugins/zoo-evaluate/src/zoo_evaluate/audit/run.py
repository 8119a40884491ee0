"""An audit: every direction there and back, one score, and what supports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo_core.contracts.method import Method
from zoo_core.errors import UsageError
from zoo_core.translate.translator import Translator
from zoo_evaluate.audit.direction_audit import DirectionAudit, ProgressCallback
from zoo_evaluate.audit.result import AuditConfig, AuditResult, DirectionResult
from zoo_evaluate.audit.score import everyone, interval, resamples, shares
from zoo_evaluate.context import EvalContext
from zoo_evaluate.directions import find_directions
from zoo_evaluate.eval_model import EvalModel, as_eval_model
from zoo_evaluate.run import PIXELS, Evaluated

MOST = 128
"""Largest default batch."""


def audit(
    model: EvalModel | Translator | Method[Any],
    data: Evaluated | Mapping[str, Tensor],
    config: AuditConfig | None = None,
    *,
    name: str = "",
    on_progress: ProgressCallback | None = None,
) -> AuditResult:
    """Looks for hidden information in every direction that a model can go there and back.

    Args:
        model: What translates. Load it in float32: coarser arithmetic is noise of its own.
        data: Real test signals: a data set, or signals (N, *S) by domain.
        config: Settings; `AuditConfig.quick` for the score alone.
        name: Name of the model, for the result; empty for its own.
        on_progress: Called after each batch with the direction, inputs done and inputs in all.

    Raises:
        UsageError: If the model cannot go there and back in any direction.
        DataError: If a domain is empty.
    """
    config, translator = config or AuditConfig(), as_eval_model(model)
    size = _batch(translator, config)
    dataset = _Held.of(data) if isinstance(data, Mapping) else data
    context = EvalContext(seed=config.seed, device=str(translator.device), batch=size)
    notes: list[str] = []
    directions = find_directions(
        dataset.stores,
        translator.domains,
        translator.signal,
        context,
        paired=config.paired,
        notes=notes,
    )
    audited_directions: dict[str, DirectionAudit] = {}
    for direction in directions:
        audited = DirectionAudit(direction, translator, config)
        try:
            audited.walk(on_progress)
        except UsageError as error:
            notes.append(f"{direction.name}: left out: {error.problem}")
            continue
        audited_directions[direction.name] = audited
    if not audited_directions:
        raise UsageError(
            f"it cannot go there and back in any direction ({'; '.join(notes)})",
            asked=f"audit of {name or translator.name}",
            hint="Without a way back nothing can be hidden for it.",
        )
    found = {name: _result(audited) for name, audited in audited_directions.items()}
    worst = max(found, key=lambda name: found[name].score.value)
    return AuditResult(
        model=name or translator.name,
        score=found[worst].score,
        worst=worst,
        directions=found,
        config=config,
        facts={
            "data": dataset.provenance(),
            "signal": {"kind": translator.signal.kind, "shape": list(translator.signal.shape)},
            "device": str(translator.device),
            "precision": translator.precision,
            "batch": size,
        },
        notes=tuple(notes),
    )


def hidden_score(
    model: EvalModel | Translator | Method[Any], x: Tensor, source: str, target: str
) -> float:
    """The score of one direction alone, cheaply: for tables.

    Args:
        model: What translates.
        x: (N, *S) real signals of the source domain.
        source: Name of their domain.
        target: Name of the domain to go to and come back from.

    Returns:
        0 for nothing hidden, 1 for all.

    Raises:
        UsageError: If the model does not translate there, or not back.
    """
    translator, config = as_eval_model(model), AuditConfig.quick(num_samples=len(x), paired=False)
    context = EvalContext(
        seed=config.seed, device=str(translator.device), batch=_batch(translator, config)
    )
    stores = _Held.of({source: x, target: x}).stores
    directions = find_directions(
        stores, translator.domains, translator.signal, context, paired=config.paired
    )
    audited = DirectionAudit(
        next(s for s in directions if s.source.name == source), translator, config
    )
    audited.walk()
    return float(shares(audited.measured, audited.mild, everyone(len(x))).max())


def _batch(translator: EvalModel, config: AuditConfig) -> int:
    """Signals at once."""
    side = max(1, translator.signal.shape[-1])
    return config.batch or max(2, min(MOST, PIXELS // side**2))


def _result(audited: DirectionAudit) -> DirectionResult:
    """The score of one direction with its interval, and all else that was measured."""
    config, measured = audited.config, audited.measured
    count = len(measured["exact"])
    of_each = shares(measured, audited.mild, everyone(count))[:, 0]  # (P,)
    rows = resamples(count, config.bootstrap, config.seed)
    drawn = shares(measured, audited.mild, rows).amax(0)  # (B,)
    top = int(of_each.argmax())
    curves = {
        kind: tuple(float(measured[f"{kind}:{sigma:g}"].mean()) for sigma in config.sigmas)
        for kind in ("white", "smooth")
        if f"{kind}:{config.sigmas[0]:g}" in measured
    }
    return DirectionResult(
        name=audited.direction.name,
        num_samples=count,
        score=interval(float(of_each[top]), drawn),
        witness=audited.mild[top],
        shares=dict(zip(audited.mild, of_each.tolist(), strict=True)),
        values=_values(measured, curves, config)
        | ({} if "probe" not in config.measures else _probed(audited)),
        curves=curves,
        exhibits=tuple(audited.exhibits),
    )


def _values(
    measured: Mapping[str, Tensor], curves: Mapping[str, Sequence[float]], config: AuditConfig
) -> dict[str, float]:
    mean = {name: float(values.mean()) for name, values in measured.items()}
    found = {"cycle_l1": mean["exact"], "other_input_l1": mean["any"]}
    for name in measured:
        kind, _, of = name.partition(":")
        if kind == "back":
            found[f"gap_{of}"] = mean[name] - mean["exact"]
            found[f"own_{of}"] = mean[f"own:{of}"]
    for kind, curve in curves.items():
        found[f"{kind}_noise_area"] = float(
            torch.trapezoid(torch.tensor(curve), torch.tensor(config.sigmas))
        )
    if "swap" in mean:
        found["swap_fine_wins"] = mean["swap"]
    if "honest" in mean:
        found["honesty_gap"] = mean["honest"] - mean["exact"]
    return found


def _probed(audited: DirectionAudit) -> dict[str, float]:
    return audited.readings.read(audited.config.seed)


@dataclass(frozen=True)
class _Held:
    """Signals in memory, as a data set."""

    stores: dict[str, Any]

    @classmethod
    def of(cls, signals: Mapping[str, Tensor]) -> _Held:
        """Signals (N, *S) by domain; nothing is paired."""
        return cls({name: _HeldStore(x, name) for name, x in signals.items()})

    def provenance(self) -> list[str]:
        """What is held, in plain words."""
        return [f"{name}: {len(store)} signals in memory" for name, store in self.stores.items()]


class _HeldStore:
    """The signals (N, *S) of one domain."""

    labels: Tensor | None = None
    skipped: Sequence[str] = ()
    summary = "in memory"

    def __init__(self, signals: Tensor, name: str) -> None:
        self.signals = signals
        self.names: Sequence[str] = [f"{name} {at}" for at in range(len(signals))]
        self.kept: Sequence[int] = range(len(signals))

    def __len__(self) -> int:
        return len(self.signals)

    def batch(self, indices: Sequence[int], rng: torch.Generator | None = None) -> Tensor:
        """(N, *S) the signals of the given indices."""
        return self.signals[list(indices)]
