"""Checks on states: same seed same bits, round trips, resuming."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch

from zoo_testing.error import ConformanceError
from zoo_testing.session import Session
from zoo_testing.subject import Subject

_LONGEST = 12
"""A comparison of runs stops after so many steps."""


def same_bits(subject: Subject) -> None:
    """The same seed gives the same weights and, step for step, the same losses."""
    first, second = Session(subject), Session(subject)
    if different := _different(first, second):
        raise ConformanceError(
            "same-bits",
            f"two builds of one seed differ in {different}",
            "Initialise with torch's global generator only: it is seeded for you.",
        )
    steps = range(_length(first))
    first.run(steps)
    second.run(steps)
    if first.history != second.history or _different(first, second):
        raise ConformanceError(
            "same-bits",
            f"two runs of one seed differ after {len(steps)} steps",
            "Draw through `step.rand`, `step.randn`, the `rng` of `plan` or torch's global "
            "generator; never from `random`, NumPy or a generator of your own.",
        )


def state_round_trip(subject: Subject) -> None:
    """A state dict loaded into a fresh instance gives identical translations."""
    trained = Session(subject)
    trained.run(range(_length(trained) // 2))
    method, fresh = trained.method.eval(), Session(subject, seed=1).method.eval()
    try:
        fresh.load_state_dict(method.state_dict())
    except RuntimeError as error:
        raise ConformanceError(
            "state-round-trip",
            f"a fresh instance refuses the state: {str(error).splitlines()[-1].strip()}",
            "Build every net in `build`, and none later.",
        ) from error
    batch = subject.batch(seed=3)
    for ours, theirs in zip(
        subject.translations(method, batch), subject.translations(fresh, batch), strict=True
    ):
        with torch.no_grad():
            expected = method(ours.x, ours.source, ours.target)
            found = fresh(theirs.x, theirs.source, theirs.target)
        if not torch.equal(expected, found):
            raise ConformanceError(
                "state-round-trip",
                f"{ours.name} differs after the state was loaded into a fresh instance",
                "What a translation reads is a parameter or a buffer (`register_buffer`), not a "
                "plain attribute.",
            )


def resume(subject: Subject) -> None:
    """A run that is resumed from a checkpoint gives the same bits as one without a break."""
    straight = Session(subject)
    length = _length(straight)
    straight.run(range(length))
    before, after = Session(subject), Session(subject)
    before.run(range(length // 2))
    with torch.random.fork_rng(devices=[]):
        after.load_state(copy.deepcopy(before.state()))
    after.run(range(length // 2, length))
    different = _different(straight, after)
    if before.history + after.history != straight.history or different:
        raise ConformanceError(
            "resume",
            "a resumed run differs from one without a break"
            + (f" in {different}" if different else " in its losses"),
            "Keep what a loss or net remembers from step to step in buffers or in "
            "`get_extra_state`, and draw random numbers from the step.",
        )


def _length(session: Session) -> int:
    """Enough steps for every player to move twice, within bounds; even."""
    return min(2 * max(player.every for player in session.players), _LONGEST)


def _different(one: Session, other: Session) -> str:
    """Name of the first tensor in which two sessions differ; empty where they are equal."""
    ours, theirs = _flat("", one.state()), _flat("", other.state())
    for name, value in ours.items():
        if name == "random":
            continue  # every step seeds the global state anew
        found = theirs.get(name)
        if isinstance(value, torch.Tensor) and isinstance(found, torch.Tensor):
            if not torch.equal(value, found):
                return name
        elif value is not found and value != found:
            return name
    return ""


def _flat(name: str, value: Any) -> dict[str, Any]:
    """The values of a nested state by their path."""
    if isinstance(value, Mapping):
        items: Any = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        return {name: value}
    found: dict[str, Any] = {}
    for key, part in items:
        found |= _flat(f"{name}.{key}" if name else str(key), part)
    return found
