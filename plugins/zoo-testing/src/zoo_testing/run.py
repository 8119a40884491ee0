"""Runs the checks: every check on every case, each with an outcome of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from zoo_core.errors import ZooError
from zoo_core.host.plugins import PluginHost
from zoo_testing import derivatives, losses, models, passes, players, states, static, translations
from zoo_testing.error import ConformanceError
from zoo_testing.models import ModelSubject, embedded_models
from zoo_testing.subject import Subject, subjects

SubjectT = TypeVar("SubjectT", Subject, ModelSubject)


def _named(*checks: Callable[[SubjectT], None]) -> dict[str, Callable[[SubjectT], None]]:
    return {check.__name__.replace("_", "-"): check for check in checks}


METHOD_CHECKS: Mapping[str, Callable[[Subject], None]] = _named(
    static.entry_light,
    static.options_frozen,
    static.presets_valid,
    static.nets_known,
    static.targets_known,
    translations.shapes,
    translations.finite,
    translations.in_range,
    translations.independent,
    translations.input_untouched,
    translations.other_sizes,
    translations.repeatable,
    translations.bfloat16,
    losses.losses_scalar,
    losses.losses_declared,
    losses.provided,
    losses.batch_untouched,
    passes.passes_once,
    players.one_optimiser,
    players.reach,
    players.gradients,
    derivatives.derivatives,
    states.same_bits,
    states.state_round_trip,
    states.resume,
)
"""Every check on a method, by name, in the order in which they run."""

MODEL_CHECKS: Mapping[str, Callable[[ModelSubject], None]] = _named(
    models.registry_bytes,
    models.registry_agrees,
    models.weights_fit,
    models.golden_outputs,
)
"""Every check on a model with embedded weights, by name."""


@dataclass(frozen=True)
class ConformanceCase:
    """One check on one subject.

    Attributes:
        name: Method or model.
        kind: Kind of condition; ``model`` for a model.
        check: Name of the check.
        examine: Runs the check.
    """

    name: str
    kind: str
    check: str
    examine: Callable[[], None]

    @property
    def id(self) -> str:
        """Name for reports and for pytest."""
        return f"{self.name}-{self.kind}-{self.check}"

    def run(self) -> None:
        """Runs the check.

        Raises:
            ConformanceError: If the subject breaks its contract, also by raising.
        """
        try:
            self.examine()
        except ConformanceError:
            raise
        except Exception as error:
            text = str(error) if isinstance(error, ZooError) else f"{type(error).__name__}: {error}"
            raise ConformanceError(
                self.check, f"it raised {text.rstrip('.')}", "See the traceback with pytest."
            ) from error


@dataclass(frozen=True)
class ConformanceOutcome:
    """What a case gave.

    Attributes:
        name: Method or model.
        kind: Kind of condition; ``model`` for a model.
        check: Name of the check.
        message: What is wrong and how to mend it; None where the check passed.
        seconds: How long it took.
    """

    name: str
    kind: str
    check: str
    message: str | None
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the check passed."""
        return self.message is None


def subject_cases(subject: Subject) -> list[ConformanceCase]:
    """All checks on a method under one kind of condition."""
    return [
        ConformanceCase(subject.name, subject.kind, name, partial(check, subject))
        for name, check in METHOD_CHECKS.items()
    ]


def method_cases(name: str, host: PluginHost) -> list[ConformanceCase]:
    """All checks on a registered method, once per kind of condition; imports no method yet.

    Raises:
        UsageError: If no method has this name.
    """
    return [case for subject in subjects(name, host) for case in subject_cases(subject)]


def model_cases(host: PluginHost, method: str | None = None) -> list[ConformanceCase]:
    """All checks on the installed models with embedded weights, of one method or of all."""
    return [
        ConformanceCase(subject.name, subject.kind, name, partial(check, subject))
        for subject in embedded_models(host, method)
        for name, check in MODEL_CHECKS.items()
    ]


def run_cases(cases: Iterable[ConformanceCase]) -> Iterator[ConformanceOutcome]:
    """Runs cases one after the other; a failure ends none of the others."""
    for case in cases:
        start = time.perf_counter()
        message = None
        try:
            case.run()
        except ConformanceError as error:
            message = error.advice
        yield ConformanceOutcome(
            case.name, case.kind, case.check, message, time.perf_counter() - start
        )
