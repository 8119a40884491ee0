"""What the core leaves alone: modules that a translation does not need, and the network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EMOJI = Path(__file__).parents[1] / "examples" / "emoji" / "noto" / "1f337.png"
MOST = 55
"""Modules of the project that one translation may import; packages that hold none do not count."""
CODE = r"""
import sys, torch, zoo
translator = zoo.load("stargan-emoji", precision="float32")
translator(torch.zeros(1, 3, 64, 64), to="noto")
for name, module in sorted(sys.modules.items()):
    path = getattr(module, "__file__", None)
    if name.split(".")[0].startswith("zoo") and path:
        with open(path, encoding="utf-8") as file:
            if "import " in file.read():
                print(name)
"""


def test_a_translation_imports_nothing_of_training_commands_or_other_methods() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    found = [name for name in done.stdout.split() if not name.endswith(".plugin")]
    assert {"zoo_core.translate.translator", "zoo_stargan.method"} <= set(found)
    packages = {name.split(".")[0] for name in found if "." in name}
    assert packages == {"zoo_core", "zoo_images", "zoo_nn", "zoo_stargan"}
    assert not [name for name in found if name.startswith(("zoo_train", "zoo_core.cli"))]
    assert len(found) <= MOST, "\n".join(found)


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
