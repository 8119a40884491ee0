"""How a kind of signal is read, windowed, written and stored: one codec per kind, behind a hook.

The core knows signals as tensors only. Everything that is particular to pictures or to speech
(files, sizes, colours, sample rates, joins) is the codec's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import UsageError, WeightsError
from zoo_core.schema import fill

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from zoo_core.contracts.spec import TrainConfig

FAR = "each normalised by itself, since the nets look further than a window: borders may show"
"""What is said of a signal whose windows cannot share statistics."""


@dataclass
class Item:
    """One input, decoded.

    Attributes:
        value: The decoded signal in the codec's own form.
        name: File name or position, for messages and output names.
        form: Form in which it came and in which the output goes back (``path``, ``pil``,
            ``numpy``, ``tensor`` for images).
        info: What is needed to give the output the input's size and form. ``notes``: what of the
            input is not used or is doubtful, one plain phrase each.
    """

    value: Any
    name: str
    form: str
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Whole:
    """A signal that was cut into several windows, whose statistics they are to share.

    Attributes:
        count: Number of its windows.
        copy: What `reduced` makes, for messages: ``a copy at 1/4``.
        factor: How many of its places have to become one, along each flexible axis, for a copy
            that the nets can see at once; 1 where excerpts take the place of a copy.
        reduced: Makes a copy (C, *S) that is reduced by a factor.
        windows: Gives its windows anew, for another pass over them.
    """

    count: int
    copy: str
    factor: int
    reduced: Callable[[int], Tensor]
    windows: Callable[[], Iterator[Window]]


@dataclass
class Window:
    """A part of an item that goes through the nets at once; small items have just one.

    Attributes:
        signal: (C, *S) within the signal's range, every flexible axis a multiple of the stride.
        position: Where it belongs, in the codec's own form.
        whole: The signal that it is one of several windows of.
        own: Its own part along each flexible axis: those of all windows cover the whole once.
    """

    signal: Tensor
    position: Any
    whole: Whole | None = None
    own: tuple[slice, ...] | None = None


class StreamedOutput(ABC):
    """An output that is computed while it is written, since it is too large to hold: a video's."""

    @abstractmethod
    def write(
        self, path: Path, *, origin: str = "", progress: Callable[[float], None] | None = None
    ) -> None:
        """Computes and writes the output.

        Args:
            path: Where to. The file is whole or absent.
            origin: Hash of all that decides the content. What an earlier call of the same origin
                had finished before it was interrupted is kept; without an origin nothing is.
            progress: Called with the part (0 to 1) of the output that was written since the call
                before.

        Raises:
            DataError: If the input turns out to be damaged, or the output cannot be written.
        """


@dataclass(frozen=True)
class InMemorySignal:
    """A signal that a data source holds in memory rather than in a file.

    Attributes:
        name: Its index or name within the source.
        value: Anything that the codec's `Codec.wrap` accepts as one signal.
    """

    name: str
    value: Any


class SignalStore(Protocol):
    """The signals of one source, decoded once and read at random."""

    names: Sequence[str]
    """File name (or index) of each signal."""
    labels: Tensor | None
    """(M, K) attribute labels or (M,) class numbers, where the source has them."""
    kept: Sequence[int]
    """Position, among the files that were asked for, of each signal: broken files are left out."""
    skipped: Sequence[str]
    """Why each left-out file was left out, naming it."""
    summary: str
    """Sizes and format in plain words, such as ``72×72 to 128×128 px, PNG``."""

    def __len__(self) -> int: ...

    def batch(self, indices: Sequence[int], rng: torch.Generator | None = None) -> Tensor:
        """(N, *S) the signals of the given indices within the signal's range.

        With ``rng`` they are augmented at random (crop, flip, shift); without, they are the
        deterministic version that evaluation and samples use.
        """
        ...


class Codec(ABC):
    """Reads, windows, joins, writes and stores one kind of signal.

    Args:
        spec: Form of the signals that the nets see.
        preprocessing: What the weights were trained with, from the model's ``config.yaml``.

    Raises:
        WeightsError: If ``preprocessing`` is not of the form of `Preprocessing`.
    """

    kind: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    noun: ClassVar[str] = "signal"
    """What one signal is called in messages, such as ``picture``."""
    has_full_samples: ClassVar[bool] = False
    """Whether samples of a run are also whole inputs, in files: where a crop alone says little."""
    Preprocessing: ClassVar[type[Any] | None] = None
    """Dataclass of what `preprocessing` may hold, against which a model's is checked; None: all."""

    def __init__(self, spec: TensorSpec, preprocessing: Mapping[str, Any] | None = None) -> None:
        if self.Preprocessing is not None and preprocessing:
            fill(
                self.Preprocessing,
                preprocessing,
                asked="preprocessing of the model",
                error=WeightsError,
                hint="Export the model again with zoo train, or restore its config.yaml.",
            )
        self.spec = spec
        self.preprocessing = dict(preprocessing or {})
        self.identity: Callable[[], str] = str
        """Gives the hash of the model that it serves; empty where there is none."""

    def recognises(self, path: Path) -> bool:
        """Whether a file of another suffix than `suffixes` can be read, by its content."""
        return False

    def output_suffix(self, path: Path) -> str:
        """Suffix, with its dot, of what is written for the input ``path``."""
        return self.suffixes[0]

    @abstractmethod
    def read(self, path: Path) -> Item:
        """Decodes a file; raises `zoo_core.errors.DataError` that names the file and the fault."""

    @abstractmethod
    def wrap(self, value: Any) -> list[Item]:
        """Accepts a signal in memory (a batch gives several items).

        Raises:
            UsageError: If the value is of no accepted type, shape or range.
        """

    @abstractmethod
    def windows(
        self,
        item: Item,
        *,
        size: int | None = None,
        limit: int | None = None,
        source: str | None = None,
    ) -> Iterator[Window]:
        """Cuts an item into windows for the nets.

        Args:
            item: The decoded input.
            size: Working size asked for by the user, which the output then has too; None keeps
                the input's own.
            limit: Bound of one window's extent (pixels, frames); None for the default bound.
            source: The domain that the item is of, where that is known: signals may be prepared
                by what is known of their domain (a speaker's statistics).
        """

    @abstractmethod
    def join(
        self,
        item: Item,
        outputs: Iterable[tuple[Window, Tensor]],
        *,
        target: str | None = None,
    ) -> Any:
        """Puts translated windows together, in the form and size in which the item came.

        Where `windows` was asked for a size, the output has that size. ``target`` is the domain
        that the outputs are of, where they are of one.
        """

    def unwrap(self, value: Any, outputs: Sequence[Any]) -> Any:
        """Gives the outputs of the items of ``wrap(value)`` the form of ``value``.

        Args:
            value: What was wrapped: one signal, a batch, or a list of either.
            outputs: What `join` made of each item, in order.
        """
        return list(outputs) if isinstance(value, (list, tuple)) else outputs[0]

    def ask(self, **wishes: Any) -> None:
        """Takes what a user asks of reading and writing, by name, such as a value range.

        ``zoo translate --NAME VALUE`` asks for what is declared as a component of kind ``option``
        (`zoo_core.contracts.component.OptionSpec`).

        Raises:
            UsageError: If there is no such choice for this kind of signal, or the value is wrong.
        """
        for name, value in wishes.items():
            raise UsageError(f"a {self.noun} has no such choice", asked=f"{name} {value}")

    def render_with(self, renderer: Any) -> None:
        """Takes another way to make translated signals perceivable, such as a vocoder.

        Raises:
            UsageError: If there is one way only, or this is none for the kind.
        """
        raise UsageError(
            f"a {self.noun} is made in one way only",
            asked=f"renderer {type(renderer).__name__}",
            hint="Leave it out.",
        )

    @abstractmethod
    def write(self, value: Any, path: Path) -> Sequence[str] | None:
        """Writes an output to a file, atomically; gives what its format does not hold, if any."""

    @abstractmethod
    def open(
        self,
        files: Sequence[Path | InMemorySignal],
        config: TrainConfig,
        *,
        domain: str | None = None,
        cache: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> SignalStore:
        """Decodes files once into a (memory-mapped) store for training and evaluation.

        Args:
            files: Files, or signals in memory.
            config: Its preprocessing and augmentation are applied.
            domain: The domain that they are all of; None where the domains are mixed. What
                `preprocessing` has of a domain (from `fit_statistics`) applies to its signals.
            cache: Folder for what was decoded; None keeps it in memory.
            progress: Called with (files done, files in all).

        Raises:
            DataError: If no file can be used; single broken files are skipped and named.
        """

    @abstractmethod
    def sheet(
        self, rows: Sequence[tuple[str, Sequence[Tensor]]], columns: Sequence[str], path: Path
    ) -> None:
        """Writes labelled samples to look at: rows of signals (C, *S) with a title each."""

    def preview(
        self, rows: Iterable[tuple[str, Sequence[Item]]], columns: Sequence[str], path: Path
    ) -> None:
        """Writes labelled whole items to look at, such as inputs beside their translations.

        Unless a kind has a better picture of them, by `sheet`: the first window of each, at the
        size of the model.

        Args:
            rows: Title and items of each row, taken as they are needed.
            columns: Title of each column.
            path: Where to.
        """
        size = min(self.spec.shape[1:]) if self.spec.flexible >= 2 else None
        drawn = [
            (title, [next(self.windows(item, size=size)).signal for item in items])
            for title, items in rows
        ]
        self.sheet(drawn, columns, path)

    @classmethod
    def preprocessing_for(cls, spec: TensorSpec, config: TrainConfig) -> dict[str, Any]:
        """What ``config.yaml`` shall record of the preprocessing of a run."""
        return {}

    def fit_statistics(self, stores: Mapping[str, SignalStore]) -> dict[str, Any]:
        """What a model has to know of the data that it was trained on, as plain values.

        It joins `preprocessing` and is saved with the model, such as the statistics of each
        speaker's voice. Nothing, where signals are prepared alike whatever their domain.

        Args:
            stores: What `open` made, by domain.
        """
        return {}
