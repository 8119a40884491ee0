"""How methods are configured, and how far training is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from zoo_core.contracts.signals import TensorSpec


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
