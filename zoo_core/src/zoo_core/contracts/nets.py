"""Nets by name, where names hold those of domains, which may be any text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import ItemsView, Iterator, KeysView, Mapping

from torch import nn

_ODD = re.compile(r"[./\\{}]")


def safe_name(name: str) -> str:
    """A form of a net's name that may be part of a parameter's: itself, unless it holds odd signs.

    Odd signs become ``_``, and a few digits keep names apart that differ in these alone.
    """
    if not _ODD.search(name):
        return name
    digits = hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=4).hexdigest()
    return f"{_ODD.sub('_', name)}-{digits}"


class Nets(nn.ModuleDict):
    """Nets by any name; their parameters are named by its safe form.

    Args:
        nets: The nets.
    """

    def __init__(self, nets: Mapping[str, nn.Module]) -> None:
        self._names: dict[str, str] = {}
        super().__init__(dict(nets))

    def __getitem__(self, key: str) -> nn.Module:
        return super().__getitem__(safe_name(key))

    def __setitem__(self, key: str, module: nn.Module) -> None:
        self._names[safe_name(key)] = key
        super().__setitem__(safe_name(key), module)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(safe_name(key))

    def __contains__(self, key: str) -> bool:
        return super().__contains__(safe_name(key))

    def __iter__(self) -> Iterator[str]:
        return (self._names[key] for key in self._modules)

    def keys(self) -> KeysView[str]:
        """The names."""
        return dict.fromkeys(self).keys()

    def items(self) -> ItemsView[str, nn.Module]:
        """The names and their nets."""
        return dict(zip(self, self._modules.values(), strict=True)).items()
