"""What the core itself brings, through the same hooks as every plugin."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.hookspecs import hookimpl
from zoo_core.spec import Component


@hookimpl
def zoo_signals() -> Iterable[Component]:
    """Pictures are the core's own kind of signal."""
    return [Component("image", "zoo_core.images.codec:ImageCodec", "RGB pictures in [-1, 1]")]
