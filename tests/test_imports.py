"""What the core leaves alone: modules that a translation does not need, and the network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EMOJI = Path(__file__).parents[1] / "examples" / "emoji" / "noto" / "1f337.png"
NEEDED = {"zoo", "zoo_core", "zoo_images", "zoo_nn", "zoo_stargan"}
"""Packages of the distributions that a translation with StarGAN needs."""
MOST = {"tensor": 35, "file": 39}
"""Modules of the project, four entry modules among them, that translating a picture takes."""
CODE = r"""
import ast, sys, torch, zoo
picture = torch.zeros(1, 3, 64, 64) if sys.argv[1] == "tensor" else sys.argv[2]
# Engines belong to whoever installed them; torch needs none.
zoo.load("stargan-emoji", precision="float32", engine="torch")(picture, to="noto")
for name, module in sorted(sys.modules.items()):
    path = getattr(module, "__file__", None)
    if name.split(".")[0].startswith("zoo") and path:
        with open(path, encoding="utf-8") as file:
            if len(ast.parse(file.read()).body) > 1:  # a package that is a docstring is no module
                print(name)
"""


@pytest.fixture(scope="module", params=sorted(MOST))
def way(request: pytest.FixtureRequest) -> tuple[str, list[str]]:
    """What a picture comes as, and the modules with code that are imported on its way."""
    command = [sys.executable, "-c", CODE, request.param, EMOJI]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return request.param, done.stdout.split()


def test_a_translation_imports_nothing_of_training_commands_or_other_methods(
    way: tuple[str, list[str]],
) -> None:
    _, imported = way
    assert {"zoo_core.translate.translator", "zoo_stargan.method"} <= set(imported)
    # Every installed package is asked what it brings, used or not, by its entry module.
    others = [n for n in imported if n.split(".")[0] not in NEEDED and not n.endswith(".plugin")]
    assert not others
    assert not [name for name in imported if name.startswith("zoo_core.cli")]


def test_a_translation_takes_few_modules(way: tuple[str, list[str]]) -> None:
    kind, imported = way
    found = [name for name in imported if name.split(".")[0] in NEEDED]
    assert len(found) <= MOST[kind], "\n".join(found)


CONNECTIONS = r"""
import sys
seen = []
events = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind")
sys.addaudithook(lambda event, args: seen.append(event) if event in events else None)
from zoo_core.cli import run
picture, out = sys.argv[1:]
commands = (
    ["list"],
    ["info", "stargan-celeba"],
    ["translate", "stargan-emoji", picture, "--to", "twemoji", "--out", out],
    ["translate", "stargan-celeba", picture, "--to", "Male"],
    ["translate", "some/where", picture, "--to", "Male"],
)
print(*(run(command) for command in commands), file=sys.stderr)
print(seen)
"""


def test_the_core_opens_no_connection(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONNECTIONS, EMOJI, tmp_path / "out"],
        env=os.environ | {"ZOO_PLUGINS": "images,nn,stargan", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "0 0 0 1 2"
    assert done.stderr.count("pip install zoo-hub") == 2
    assert done.stdout.splitlines()[-1] == "[]"
