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
    value = globals()[name] = _own(name) or _brought(name)
    return value


def __dir__() -> list[str]:
    """The public names."""
    from zoo_core.host.plugins import host

    return sorted({*globals(), *host().components("public")})


def _own(name: str) -> Any:
    """What the core brings; without the host, which may just be loading a plugin that asks."""
    from zoo_core.host.hookspecs import PUBLIC
    from zoo_core.host.isolation import resolve

    targets = [component.target for component in PUBLIC if component.name == name]
    return resolve(targets[0]) if targets else None


def _brought(name: str) -> Any:
    """What a plugin brings; raises `AbsentNameError` where none does."""
    from zoo_core.host.plugins import host

    known = host().components("public")
    if name in known:
        return host().load("public", name)
    from zoo_core.errors import AbsentNameError
    from zoo_core.host.absent import absent

    error = absent("public", name, known, asked="function")
    raise AbsentNameError(error.problem, asked=f"zoo.{name}", hint=error.hint)
