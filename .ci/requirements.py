"""Prints what `make setup` installs, as pip reads it: all distributions, editable, and tools.

They are the dependencies of the root project. pip would install that project's own copies first and
the editable ones afterwards, every distribution built twice; named so, each is built once.
"""

from __future__ import annotations

import tomllib
from pathlib import Path


def main() -> None:
    """Writes the requirements to standard output."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    for dependency in project["dependencies"]:
        name, _, place = dependency.partition(" @ {root:uri}/")
        _, bracket, extras = name.partition("[")
        print(f"-e ./{place}{bracket}{extras}" if place else dependency)


if __name__ == "__main__":
    main()
