"""Runs tests with the lowest versions that the distributions of the workspace allow.

    python .ci/lowest.py FOLDER               make the environment FOLDER, and run the quick tests
    python .ci/lowest.py FOLDER -- -k judge   with arguments for pytest

Every ``NAME>=VERSION`` of every pyproject.toml is installed as ``NAME==VERSION``; of several bounds
the highest counts. What these packages need in turn is chosen by pip.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECTS = [
    ROOT / "zoo_core",
    *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml")),
]
TOOLS = {
    "build",
    "hatchling",
    "hypothesis",
    "import-linter",
    "ipykernel",
    "mkdocs-material",
    "mkdocstrings",
}
TOOLS |= {"mypy", "nbclient", "nbformat", "ruff", "types-pyyaml"}
"""What only developers use: of these the newest is as good."""
QUICK = [
    "tests/test_bad_input.py",
    "tests/test_least_installation.py",
    "zoo_core/tests",
    "plugins/zoo-images/tests",
    "plugins/zoo-voice/tests/test_speech.py",
    "plugins/zoo-runtime/tests/test_hostile_models.py",
    "plugins/zoo-export/tests/test_engines_of_graphs.py",
    "plugins/zoo-runs/tests/test_compare.py",
    "plugins/zoo-runs/tests/test_options.py",
    "plugins/zoo-hub/tests/test_hub_load.py",
]
"""Tests that together touch every dependency, and take some minutes."""


def requirements() -> Iterator[Requirement]:
    """All requirements of the workspace on packages of others, those of extras included."""
    for project in [ROOT, *PROJECTS]:
        facts = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras = facts.get("optional-dependencies", {}).values()
        for text in [*facts.get("dependencies", []), *(text for extra in extras for text in extra)]:
            requirement = Requirement(text)
            if not requirement.name.startswith("zoo-"):
                yield requirement


def lowest() -> dict[str, Version]:
    """The lowest allowed version of each package."""
    found: dict[str, Version] = {}
    for requirement in requirements():
        name = canonicalize_name(requirement.name)
        for part in requirement.specifier:
            if part.operator == ">=" and name not in TOOLS:
                found[name] = max(Version(part.version), found.get(name, Version("0")))
    return dict(sorted(found.items()))


def install(folder: Path, versions: dict[str, Version]) -> Path:
    """Makes the environment; its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pins = [f"{name}=={version}" for name, version in versions.items()]
    newest = sorted({str(r) for r in requirements() if canonicalize_name(r.name) in TOOLS})
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, *pins, *newest], check=True)
    editable = [text for project in PROJECTS for text in ("-e", str(project))]
    subprocess.run([*pip, "--no-deps", *editable], check=True)
    subprocess.run([python, "-m", "pip", "check"], check=True)
    return python


def main(arguments: list[str]) -> int:
    """Installs and tests; the exit code of pytest."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    if cut != 1:
        print(__doc__, file=sys.stderr)
        return 2
    versions = lowest()
    print("\n".join(f"{name}=={version}" for name, version in versions.items()), flush=True)
    python = install(Path(arguments[0]).absolute(), versions)
    tests = arguments[cut + 1 :] or [*QUICK, "-m", "not slow"]
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    threads = {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=os.environ | threads, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
