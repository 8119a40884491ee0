"""Checks on losses: their form, and that they ask the step only for what they declare."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from zoo_core.contracts.interfaces import Code
from zoo_core.contracts.method import Term
from zoo_core.contracts.step import Step
from zoo_testing.error import ConformanceError
from zoo_testing.session import Session
from zoo_testing.subject import Subject

ANSWERS = ("translated", "restored", "identity", "code", "reencoded")
"""What a route answers; a step answers ``sampled`` besides."""


def losses_scalar(subject: Subject) -> None:
    """Every loss is a finite float32 scalar, in float32 and under bfloat16 autocast."""
    for precision in ("float32", "bfloat16"):
        session = Session(subject)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            for owner, term, step in _terms(session):
                value = term.loss(step)
                what = f"loss {term.name} of player {owner} in {precision}"
                if not isinstance(value, torch.Tensor) or value.shape != ():
                    form = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value)
                    raise ConformanceError(
                        "losses-scalar", f"{what} has shape {form}", "End it with `.mean()`."
                    )
                if value.dtype != torch.float32:
                    raise ConformanceError(
                        "losses-scalar",
                        f"{what} is {value.dtype}",
                        "Bring what it reads to float32 first: `x.float()`.",
                    )
                if not torch.isfinite(value):
                    raise ConformanceError(
                        "losses-scalar",
                        f"{what} is {value.item()}",
                        "Look for logarithms and divisions of 0; prefer the functions "
                        "`..._with_logits`.",
                    )


def losses_declared(subject: Subject) -> None:
    """A loss asks only for what its ``requires`` names, and the method provides all of it."""
    session = Session(subject)
    for player in session.players:
        names = [term.name for term in player.terms]
        if len(set(names)) != len(names):
            raise ConformanceError(
                "losses-declared",
                f"two losses of player {player.name} have one name: {', '.join(names)}",
                "Name every term of a player differently: they are logged by name.",
            )
    for owner, term, step in _terms(session):
        missing = sorted(set(term.loss.requires) - session.method.provides)
        if missing:
            raise ConformanceError(
                "losses-declared",
                f"loss {term.name} of player {owner} requires {', '.join(missing)}, "
                "which the method does not provide",
                "Add it to the method's `provides`, or take another loss.",
            )
        heard = _overhear(step)
        term.loss(step)
        if hidden := sorted(heard - set(term.loss.requires)):
            raise ConformanceError(
                "losses-declared",
                f"loss {term.name} of player {owner} asks for {', '.join(hidden)} "
                "without declaring it",
                f"Set `requires = {tuple(sorted({*term.loss.requires, *hidden}))}` in "
                f"{type(term.loss).__name__}.",
            )


def batch_untouched(subject: Subject) -> None:
    """No loss changes the batch: the next player sees the same."""
    session = Session(subject)
    for owner, term, step in _terms(session):
        before = {key: value.clone() for key, value in step.batch.signals.items()}
        term.loss(step)
        for key, value in step.batch.signals.items():
            if not torch.equal(value, before[key]):
                raise ConformanceError(
                    "batch-untouched",
                    f"loss {term.name} of player {owner} changes the batch's signals of {key}",
                    "Work on a copy: in-place operations write into what the next player reads.",
                )


def provided(subject: Subject) -> None:
    """A step answers all that the method says it provides, each computed once."""
    session = Session(subject)
    step = session.bind(session.players[0])
    for what in sorted(session.method.provides):
        if what not in (*ANSWERS, "sampled"):
            raise ConformanceError(
                "provided",
                f'`provides` names "{what}", which no step answers',
                f"Known: {', '.join((*ANSWERS, 'sampled'))}.",
            )
        for where, first, second in _answers(step, what):
            if first is not second:
                raise ConformanceError(
                    "provided",
                    f"{what} of {where} is computed twice",
                    "Hand the step the same tensors: build conditions once, in `plan`.",
                )
            tensor = first.content if isinstance(first, Code) else first
            if not isinstance(tensor, torch.Tensor) or not torch.isfinite(tensor).all():
                raise ConformanceError(
                    "provided",
                    f"{what} of {where} is not finite or no tensor",
                    "Mend `translate`, `encode` or `decode`.",
                )


def _answers(step: Step, what: str) -> Iterator[tuple[str, object, object]]:
    asks = (
        [(name, lambda name=name: step.sampled(name)) for name in step.method.domains.names]
        if what == "sampled"
        else [(route.name, lambda route=route: getattr(route, what)) for route in step.routes]
    )
    for where, ask in asks:
        try:
            yield where, ask(), ask()
        except Exception as error:
            raise ConformanceError(
                "provided",
                f"{what} of {where} fails: {type(error).__name__}: {str(error).rstrip('.')}",
                f"Mend it, or take {what} from the method's `provides`.",
            ) from error


def _terms(session: Session) -> Iterator[tuple[str, Term, Step]]:
    """Every term with its player's name and a step in which the player moves."""
    for player in session.players:
        step = session.bind(player)
        with step.turn(player.nets, player.other_nets_mode):
            for term in player.terms:
                yield player.name, term, step


def _overhear(step: Step) -> set[str]:
    """Lets a step note what it is asked for, until it is overheard anew."""
    heard: set[str] = set()
    asking: list[str] = []

    def note(owner: type, name: str, target: object, *args: object) -> object:
        if not asking:  # what an answer itself asks for is not the loss's request
            heard.add(name)
        asking.append(name)
        try:
            found = getattr(owner, name)
            return getattr(found, "fget", found)(target, *args)
        finally:
            asking.pop()

    def spy(owner: type, names: tuple[str, ...]) -> type:
        owner = owner.__mro__[1] if owner.__name__ == "Overheard" else owner
        members: dict[str, object] = {}
        for name in names:
            is_property = isinstance(getattr(owner, name), property)

            def member(self: object, *args: object, name: str = name) -> object:
                return note(owner, name, self, *args)

            members[name] = property(member) if is_property else member
        return type("Overheard", (owner,), members)

    step.__class__ = spy(type(step), ("sampled",))
    for route in step.routes:
        route.__class__ = spy(type(route), ANSWERS)
    return heard
