"""What to say of a name that nothing installed brings: the package that does, or the near match."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo_core.errors import UsageError, unknown
from zoo_core.host.plugins import host
from zoo_core.untrusted import read_yaml_file

DISTRIBUTIONS = "distributions.yaml"
"""Name of the file inside the core that says which distribution brings what, by kind."""


def absent(
    kind: str, name: str, known: Iterable[str], *, asked: str, next_step: str | None = None
) -> UsageError:
    """Builds the error for a component that is not here.

    Args:
        kind: Its kind, ``command`` or ``public``.
        name: Its name.
        known: Names that are here.
        asked: What the user takes the component for, such as ``command``.
        next_step: A sentence that replaces the list of known names.
    """
    owner = read_yaml_file(Path(__file__).parent.with_name(DISTRIBUTIONS))[kind].get(name)
    if owner is None:
        return unknown(asked, name, known, next_step=next_step)
    return UsageError(
        f"the package {owner}, which brings it, is not loaded",
        asked=f'{asked} "{name}"',
        hint=f"To have it, {host().remedy(owner)}.",
    )
