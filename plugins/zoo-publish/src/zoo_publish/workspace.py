"""For maintainers: the index from the plugins' registries, and new models into a plugin."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo_core.catalogue.index import FILE, Index, write_index
from zoo_core.catalogue.manifest import ModelEntry, parse_file
from zoo_core.catalogue.registry import file_hash
from zoo_core.errors import PluginError, UsageError
from zoo_core.schema import write_yaml

REGISTRY = "registry.yaml"
"""Name of a plugin's registry, beside its entry module, and of the index at the root."""


def indexed_files(root: Path) -> dict[Path, str]:
    """The files that hold the index, with the text that they should have.

    Args:
        root: The workspace, which has ``zoo_core/`` and ``plugins/``.

    Raises:
        UsageError: If ``root`` is no workspace.
        PluginError: If a registry is wrong, or two have the same id.
    """
    core = root / "zoo_core" / "src" / "zoo_core"
    if not core.is_dir() or not (root / "plugins").is_dir():
        raise UsageError(
            "it holds no zoo_core and plugins, so it is not the workspace",
            asked=f"folder {root}",
            hint="Run it in the root of the repository, or give --root.",
        )
    text = write_index(build_index(root))
    return {root / REGISTRY: text, core / FILE: text}


def stale(root: Path) -> list[Path]:
    """Files of the index whose text is not what `indexed_files` gives."""
    return [path for path, text in indexed_files(root).items() if _text(path) != text]


def build_index(root: Path) -> Index:
    """Reads and validates the registries of all plugins of a workspace."""
    hashes: dict[str, str] = {}
    models: dict[str, list[Mapping[str, Any]]] = {}
    owners: dict[str, Path] = {}
    for path in sorted(root.glob(f"plugins/*/src/*/{REGISTRY}")):
        distribution = distribution_of(path.parents[2])
        entries = parse_file(path)
        for entry in entries:
            if entry.id in owners:
                raise PluginError(
                    f"this id is in both {owners[entry.id]} and {path}",
                    asked=f'model "{entry.id}"',
                )
            owners[entry.id] = path
        hashes[distribution] = file_hash(path) or ""
        models[distribution] = [values_of(entry) for entry in entries]
    return Index(hashes, models)


def write_registry(path: Path, entries: list[ModelEntry]) -> None:
    """Writes a plugin's registry, sorted by id."""
    ordered = sorted(entries, key=lambda entry: entry.id)
    path.write_text(
        write_yaml({"models": [values_of(entry) for entry in ordered]}), encoding="utf-8"
    )


def values_of(entry: ModelEntry) -> dict[str, Any]:
    """An entry as plain values: what was set, in the order of the schema."""
    return entry.model_dump(mode="json", exclude_unset=True)


def distribution_of(plugin: Path) -> str:
    """Name of the distribution in a plugin's folder.

    Raises:
        PluginError: If its ``pyproject.toml`` is missing or names none.
    """
    path = plugin / "pyproject.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return str(data["project"]["name"])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise PluginError(
            "it is no pyproject.toml that names a project", asked=str(path)
        ) from error


def package_of(plugin: Path) -> Path:
    """The one package in a plugin's ``src``.

    Raises:
        UsageError: If there is none, or several.
    """
    packages = [path.parent for path in plugin.glob("src/*/plugin.py")]
    if len(packages) != 1:
        raise UsageError(
            f"it holds {len(packages)} packages with a plugin.py, expected one in src/",
            asked=f"plugin {plugin}",
            hint="Give the folder of a plugin, such as plugins/zoo-stargan.",
        )
    return packages[0]


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
