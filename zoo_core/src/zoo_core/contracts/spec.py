"""Light descriptions that plugins hand to the core: importing this module imports no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from zoo_core.contracts.signals import TensorSpec
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


@dataclass(frozen=True)
class TrainConfig:
    """How a run trains; the loop's side of a preset. Counts are steps of the loop.

    Attributes:
        batch: Signals per domain and step, over all processes.
        accumulate: Parts that a batch is computed in, one after another, for less memory.
        steps: Length of the run; None: ``epochs`` decides.
        epochs: Passes over the largest domain, where ``steps`` is None.
        load_size: Images are resized to it before cropping to the signal's size; None: no crop.
        resize: How an image of another shape is resized: until it would ``cover`` the size, whose
            centre is kept; ``squash``, to the very size; ``shorter``, its shorter side alone.
        resample: Filter of it; ``lanczos4`` is OpenCV's.
        flip: Whether to mirror images at random.
        mirror: Whether ``flip`` decides for ``each`` image or for a ``batch`` at once.
        crop_first: Centre crop of the source image before resizing (CelebA: 178).
        scale: How a picture of another size is translated later on: at its ``own`` size, right for
            textures and scenes; scaled to the ``trained`` size and back, right where a domain's
            pictures all show one whole thing, such as a face; or at its own size unless it is too
            large for one window, then scaled down and back as a ``whole``, right where the tone of
            tiles that are translated one by one differs.
        shift: Largest random translation in pixels (edge-padded), for drawings that must not flip.
        ema: Decay of the moving average of the translating nets; None for none.
        clip: Largest gradient norm per player; None for no clipping.
        precision: ``auto``, ``float32`` or ``bfloat16``.
        speed: How steps run: ``eager``, operation by operation, or the name of a component of kind
            ``step-runner``. ``auto``: on a GPU as CUDA graphs, elsewhere ``eager``.
        sample_every: Steps between sample grids.
        checkpoint_every: Steps between checkpoints.
        snapshot_every: Steps between models that are kept in ``snapshots/``; None for none.
        log_every: Steps between log lines.
        seed: Seed of everything random.
        hold_out: Share of each source that is kept from training, for validation.
        ranges: ``LOW,HIGH`` by domain: values of black and white, for kinds of signals that have
            them; all others are chosen by what the domain's files hold.
    """

    batch: int = 1
    accumulate: int = 1
    steps: int | None = None
    epochs: int | None = None
    load_size: int | None = None
    resize: Literal["cover", "squash", "shorter"] = "cover"
    resample: Literal["bicubic", "bilinear", "lanczos4"] = "bicubic"
    flip: bool = False
    mirror: Literal["each", "batch"] = "each"
    crop_first: int | None = None
    scale: Literal["own", "trained", "whole"] = "own"
    shift: int = 0
    ema: float | None = None
    clip: float | None = None
    precision: str = "auto"
    speed: str = "auto"
    sample_every: int = 500
    checkpoint_every: int = 500
    snapshot_every: int | None = None
    log_every: int = 50
    seed: int = 0
    hold_out: float = 0.0
    ranges: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Preset:
    """A named configuration of a method.

    Attributes:
        options: Values that differ from the defaults of the method's options dataclass.
        signal: Form of the signals.
        train: The loop's side.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    signal: TensorSpec = field(default_factory=TensorSpec)
    train: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True)
class Progress:
    """How far training is; schedules and weights are functions of it.

    Attributes:
        step: Steps already done.
        steps: Steps in all.
        steps_per_epoch: Steps in one pass over the largest domain.
    """

    step: int = 0
    steps: int = 1
    steps_per_epoch: int = 1

    @property
    def epoch(self) -> int:
        """Current epoch, counted from 1."""
        return self.step // self.steps_per_epoch + 1

    @property
    def fraction(self) -> float:
        """Part of the training that is done, 0 to 1."""
        return min(1.0, self.step / max(1, self.steps))
