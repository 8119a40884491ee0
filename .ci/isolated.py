"""Runs the tests of each distribution where nothing is installed but what it declares.

    python .ci/isolated.py                    every distribution
    python .ci/isolated.py zoo-nn zoo-images  some of them
    python .ci/isolated.py zoo-nn -- -k norm  with arguments for pytest

Builds the wheel of every distribution of the workspace. The environment of each holds wheels and
links to the installed packages that it needs, directly or through others: nothing is downloaded.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import venv
import zipfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECTS = [
    ROOT / "zoo_core",
    *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml")),
]


def needed(name: str, extras: frozenset[str], ours: dict[str, list[str]]) -> set[str]:
    """Names of all distributions that one needs, itself included."""
    found: set[str] = set()
    queue = [(name, extras)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while queue:
        current, wanted = queue.pop()
        if (current, wanted) in seen:
            continue
        seen.add((current, wanted))
        try:
            texts = ours.get(current) or metadata.requires(current) or []
        except metadata.PackageNotFoundError:
            continue  # for another platform, or an extra that is not installed here
        found.add(current)
        for requirement in map(Requirement, texts):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": e}) for e in (wanted or {""})):
                queue.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return found


def build(project: Path, out: Path) -> tuple[str, Path, list[str]]:
    """Builds a wheel: the name of the distribution, the file, and what it requires."""
    folder = out / project.name
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder, project]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        text = archive.read(path).decode()
    name = re.search(r"^Name: (.+)$", text, re.M)
    assert name is not None
    return canonicalize_name(name[1]), wheel, re.findall(r"^Requires-Dist: (.+)$", text, re.M)


def environment(folder: Path, names: set[str], wheels: dict[str, Path]) -> Path:
    """A virtual environment that holds just these distributions; its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in names:
        if name in wheels:
            with zipfile.ZipFile(wheels[name]) as archive:
                archive.extractall(site)
            continue
        found = metadata.distribution(name)
        tops = {
            path.parts[0]
            for path in found.files or ()
            if path.parts[0] not in ("..", "__pycache__")
        }
        for top in sorted(tops):
            source, target = Path(str(found.locate_file(top))), site / top
            if target.is_symlink() and source.is_dir():  # a namespace that several share
                _share(target, source)
            elif not target.exists():
                target.symlink_to(source)
    return folder / "bin" / "python"


def _share(target: Path, source: Path) -> None:
    if target.resolve() == source.resolve():
        return
    first = target.resolve()
    target.unlink()
    target.mkdir()
    for folder in (first, source):
        for child in folder.iterdir():
            (target / child.name).symlink_to(child)


def main(arguments: list[str]) -> int:
    """Runs the tests and says which distributions failed."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    chosen, extra = arguments[:cut], arguments[cut + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        built = [build(project, Path(folder)) for project in PROJECTS]
        wheels = {name: wheel for name, wheel, _ in built}
        ours = {name: requires for name, _, requires in built}
        failed = []
        for project in PROJECTS:
            name = "zoo-core" if project.name == "zoo_core" else project.name
            if chosen and name not in chosen:
                continue
            held = needed(name, frozenset({"test"}), ours)
            python = environment(Path(folder) / "env" / name, held, wheels)
            others = sorted(n for n in held if n.startswith("zoo-") and n != name)
            print(f"== {name}, with {', '.join(others)}", flush=True)
            kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
            code = subprocess.run(
                [python, "-m", "pytest", "-q", "-c", ROOT / "pyproject.toml", "--rootdir", ROOT,
                 "-p", "no:cacheprovider", project / "tests", *extra],
                env=kept | {"PYTHONDONTWRITEBYTECODE": "1"},
                cwd=folder,
                check=False,
            ).returncode  # fmt: skip
            if code not in (0, 5):
                failed.append(name)
    print("failed: " + ", ".join(failed) if failed else "all passed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
