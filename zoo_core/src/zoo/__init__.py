"""The public face of the zoo: load a model, translate, and what plugins add.

```python
import zoo

translator = zoo.load("stargan-emoji")
picture = translator("cat.png", to="twemoji")
```

Importing it imports no torch; what needs torch is imported on first use. Plugins add names, as
components of kind ``public``: ``zoo.train`` comes with zoo-nn, ``zoo.evaluate`` with zoo-evaluate.
The core knows no plugin, so for a type checker these are of type ``Any``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo_core.host.hookspecs import hookimpl
    from zoo_core.translate.loading import list_models, load
    from zoo_core.translate.translator import Translator

__all__ = ["Translator", "hookimpl", "list_models", "load"]


def __getattr__(name: str) -> Any:
    """Imports a public name on first use."""
    if name.startswith("_"):  # what tools ask of every module
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from zoo_core.host.public import public_name

    value = globals()[name] = public_name(name)
    return value


def __dir__() -> list[str]:
    """The public names."""
    from zoo_core.host.public import public_names

    return sorted({*globals(), *public_names()})
