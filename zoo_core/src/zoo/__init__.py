"""The public face of the zoo: load a model, translate, train.

```python
import zoo

translator = zoo.load("stargan-emoji")
picture = translator("cat.png", to="twemoji")
```

Importing it imports no torch; what needs torch is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo_core.host.hookspecs import hookimpl
    from zoo_core.train.start import train
    from zoo_core.translate.loading import list_models, load
    from zoo_core.translate.translator import Translator

__all__ = ["Translator", "hookimpl", "list_models", "load", "train"]

_PLACES = {
    "Translator": "zoo_core.translate.translator",
    "hookimpl": "zoo_core.host.hookspecs",
    "list_models": "zoo_core.translate.loading",
    "load": "zoo_core.translate.loading",
    "train": "zoo_core.train.start",
}


def __getattr__(name: str) -> object:
    """Imports a public name on first use."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted({*globals(), *__all__})
