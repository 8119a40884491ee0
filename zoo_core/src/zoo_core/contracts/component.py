"""Light descriptions of what plugins bring: all that a module of hooks need import."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from zoo_core.errors import PluginError

_NAME = re.compile(r"[A-Za-z0-9][\w.+:-]*")
_CONTROL = re.compile(r"[\0-\x1f]")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(frozen=True)
class Component:
    """What a plugin brings, found by kind and name: a metric, an importer, a command …

    Attributes:
        kind: What it is; see ``zoo plugins --kinds`` for the kinds that installed packages declare.
        name: Unique name within its kind, without spaces.
        target: Lazy target ``"package.module:Name"``, imported when it is first used.
        summary: One line.

    Raises:
        PluginError: If an attribute is of another type or form.
    """

    kind: str
    name: str
    target: str
    summary: str = ""

    def __post_init__(self) -> None:
        for key in ("kind", "name", "target", "summary"):
            value = getattr(self, key)
            if not isinstance(value, str) or _CONTROL.search(value):
                raise PluginError(
                    f"its {key} is {value!r}, not one line of text", asked=self._asked
                )
        if not _NAME.fullmatch(self.name) or not _NAME.fullmatch(self.kind):
            raise PluginError(
                f"a name holds letters, digits and any of _ . + : -, not {self.name!r}",
                asked=self._asked,
            )
        if self.target and not _TARGET.fullmatch(self.target):
            raise PluginError(
                f'its target {self.target!r} is not of the form "package.module:Name"',
                asked=self._asked,
            )

    @property
    def _asked(self) -> str:
        return f"{type(self).__name__} {self.name!r}"


@dataclass(frozen=True)
class Kind(Component):
    """A kind of component, declared by the package that uses components of this kind.

    Attributes:
        target: Class that the targets of this kind are subclasses or instances of; empty where
            any callable will do.
        spec: Class of the descriptions, for kinds that say more of a component than `Component`.
    """

    kind: str = field(default="kind", init=False)
    spec: type[Component] = Component


@dataclass(frozen=True)
class MethodSpec(Component):
    """A method.

    Attributes:
        name: Unique name, such as ``cyclegan``.
        target: Lazy target of the `zoo_core.contracts.method.Method`.
        summary: One line for ``zoo list --methods``.
        paper: Citation with arXiv number where there is one.
        domains: Fewest and most domains; None for no upper bound.
        conditions: Kinds of `zoo_core.contracts.signals.Domains` that it handles.
        signal: Kind of signal that it translates.
        presets: Names of its presets, the default one first.
    """

    kind: str = field(default="method", init=False)
    paper: str = ""
    domains: tuple[int, int | None] = (2, 2)
    conditions: tuple[str, ...] = ("domains",)
    signal: str = "image"
    presets: tuple[str, ...] = ("paper", "64px", "32px")

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("paper", "signal"):
            if not isinstance(getattr(self, key), str):
                raise PluginError(f"its {key} is {getattr(self, key)!r}", asked=self._asked)
        for key in ("conditions", "presets"):
            names = getattr(self, key)
            if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
                raise PluginError(
                    f"its {key} are {names!r}, not a tuple of names", asked=self._asked
                )
        match self.domains:
            case (int(), int() | None):
                return
        raise PluginError(f"its domains are {self.domains!r}", asked=self._asked)


@dataclass(frozen=True)
class LossSpec(Component):
    """A loss that ``zoo train ... --loss NAME:key=value`` can add to any method.

    Attributes:
        name: Unique name, such as ``embedding``.
        target: Lazy target of a `zoo_core.contracts.method.Loss` class; its constructor's keyword
            arguments are the options.
        player: Name of the player whose objective it joins.
        weight: Its weight unless ``weight=`` says otherwise.
    """

    kind: str = field(default="loss", init=False)
    player: str = "generator"
    weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.player, str) or not isinstance(self.weight, int | float):
            raise PluginError(
                f"its player is {self.player!r} and its weight {self.weight!r}", asked=self._asked
            )


@dataclass(frozen=True)
class OptionSpec(Component):
    """An option of ``zoo translate``: what a user may ask of reading and writing.

    Attributes:
        name: Its name, which ``--NAME VALUE`` has and `zoo_core.contracts.codec.Codec.ask` takes.
        target: Lazy target of a function that turns the text of a value into the value, or raises
            `zoo_core.errors.UsageError`.
        summary: Its help.
        metavar: What the help calls the value, such as ``LOW,HIGH``.
    """

    kind: str = field(default="option", init=False)
    metavar: str = "VALUE"
