"""What a plugin writes for a foreign layout: an `Importer`, a component of kind ``importer``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from torch import Tensor

from zoo_core.contracts.signals import TensorSpec

Shapes = Mapping[str, tuple[int, ...]]
"""Shape of each tensor of a file by its key; wrappers and prefixes are already taken off."""

STATISTICS = r"\.(running_mean|running_var|num_batches_tracked)"
"""Suffixes of the running statistics of a normalisation, for `ForeignNet.left_out`."""


@dataclass(frozen=True)
class ForeignNet:
    """One net that a file holds.

    Attributes:
        net: Name of our net; ``{0}``, ``{1}`` … stand for the names of the domains.
        theirs: The file's key of a tensor, given our key within the net.
        scope: What the keys of this net begin with, where a file holds several.
        left_out: Pattern of keys (in full) that our net has no use for, such as running statistics.
        options: What the shapes tell of the method's options.
        conditions: Number of domains or attributes, where the shapes tell it.
        shape: Shape of a signal; None for each extent that the shapes do not tell.
        adapt: Turns a tensor of the file, given its key there, into ours of the same shape: for
            filters in another order of the channels. None: all are taken as they are.
    """

    net: str
    theirs: Callable[[str], str]
    scope: str = ""
    left_out: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    conditions: int | None = None
    shape: tuple[int | None, ...] = ()
    adapt: Callable[[str, Tensor], Tensor] | None = None


class Importer(ABC):
    """Recognises one layout of foreign checkpoints, and says where its tensors belong.

    It sees shapes alone: `zoo_import` builds the nets, takes every tensor from where
    `ForeignNet.theirs` says, and refuses what is missing, extra or misshapen.
    """

    method: ClassVar[str]
    """Name of the method whose nets the layout fits."""
    kind: ClassVar[Literal["domains", "attributes"]] = "domains"
    """Kind of the conditions, where the user does not say."""
    domains: ClassVar[tuple[str, ...]] = ()
    """Names of the domains, where the user gives none; empty: the user must."""
    signal: ClassVar[TensorSpec] = TensorSpec(shape=(3, 256, 256))
    """Form of the signals, where neither the shapes nor the user say."""
    scale: ClassVar[Literal["own", "trained", "whole"]] = "own"
    """How pictures of other sizes are translated; see `zoo_core.contracts.spec.TrainConfig`."""
    version: ClassVar[int] = 1
    """To be raised whenever the same file is converted into anything else than before."""

    @abstractmethod
    def parts(self, shapes: Shapes) -> Sequence[ForeignNet]:
        """The nets in a file; none where the file is of another layout.

        A file that lacks some tensors still is of the layout: what lacks is told by name later.

        Raises:
            WeightsError: If it is a variant of the layout that our nets do not compute.
        """

    def complete(self, nets: Sequence[str], domains: Sequence[str]) -> Mapping[str, Any]:
        """Options that only all parts together tell, such as which generators there are.

        Args:
            nets: Names of all nets that were found.
            domains: Names of the domains or attributes.
        """
        return {}
