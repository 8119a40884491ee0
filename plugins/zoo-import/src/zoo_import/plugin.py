"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from zoo_core.contracts.component import Component, Kind
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """The command zoo import, and the kind of component that describes a layout."""
    return [
        Kind(
            "importer", "zoo_import.contract:Importer", "Layouts of checkpoints of other projects"
        ),
        Component(
            "command", "import", "zoo_import.cli:import_command", "Import a foreign checkpoint."
        ),
    ]


@hookimpl
def zoo_open_reference(
    reference: str | None, entry: Mapping[str, object] | None, file: Path | None
) -> Path | None:
    """Converts foreign weights of the catalogue, or of a repository, by the importers."""
    from zoo_import.foreign import open_reference

    return open_reference(reference, entry, file)
