"""Writes a new plugin package from the template, which is itself a working plugin."""

from __future__ import annotations

import re
import shutil
import tempfile
from importlib import resources
from pathlib import Path

from zoo_core.errors import UsageError, ZooError
from zoo_core.host.plugins import PluginHost

LONGEST = 40
"""Characters of a name at most."""
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SKIPPED = shutil.ignore_patterns("__pycache__", ".*")


def method_name(name: str, host: PluginHost) -> str:
    """The name of a new method, checked.

    Args:
        name: As given; a leading ``zoo-`` is dropped.
        host: The plugins, whose names are taken.

    Raises:
        UsageError: If it cannot be a name, or is taken.
    """
    asked = f'method name "{name}"'
    method = name.removeprefix("zoo-")
    if not _NAME.fullmatch(method) or len(method) > LONGEST:
        near = re.sub(r"[^a-z0-9]+", "-", method.lower()).strip("-0123456789")[:LONGEST]
        raise UsageError(
            "a name is made of lowercase letters, digits and single dashes, begins with a letter "
            f"and has at most {LONGEST} characters",
            asked=asked,
            hint=f'Try "{near.strip("-")}".' if near.strip("-") else "Try my-method.",
        )
    taken = {plugin.name: plugin.distribution for plugin in host.plugins}
    taken |= {known: host.owner("method", known) for known in host.methods()}
    if method in taken:
        raise UsageError(
            f"{taken[method]} already brings this name", asked=asked, hint="Choose another name."
        )
    return method


def write_plugin(method: str, parent: Path) -> Path:
    """Writes the package ``zoo-METHOD`` into a folder, all of it or nothing.

    Args:
        method: A name that `method_name` has checked.
        parent: Folder of the package, made where it is missing.

    Returns:
        The package's folder.

    Raises:
        UsageError: If the package's folder exists.
        ZooError: If it cannot be written.
    """
    folder = parent / f"zoo-{method}"
    asked = f"folder {folder}"
    if folder.exists() or folder.is_symlink():
        raise UsageError(
            "it is there already", asked=asked, hint="Choose another name or another --dir."
        )
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".zoo-new-", dir=parent) as temporary:
            fresh = Path(temporary) / folder.name
            shutil.copytree(template(), fresh, ignore=_SKIPPED)
            _rename(fresh, method)
            fresh.rename(folder)
    except OSError as error:
        raise ZooError(
            f"cannot be written: {error.strerror or error}", asked=asked, hint="Give another --dir."
        ) from error
    return folder


def template() -> Path:
    """The template's folder: a plugin called ``my-method``."""
    return Path(str(resources.files("zoo_testing"))) / "templates" / "plugin"


def _rename(folder: Path, method: str) -> None:
    """Puts the method's name in place of the template's, in texts and in file names."""
    snake = method.replace("-", "_")
    title = "".join(part.capitalize() for part in method.split("-"))
    names = {"my-method": method, "my_method": snake, "MyMethod": title}
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before the folder
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            for old, new in names.items():
                text = text.replace(old, new)
            path.write_text(text, encoding="utf-8")
        path.rename(path.with_name(path.name.replace("my_method", snake)))
