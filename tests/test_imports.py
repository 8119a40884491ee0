"""How much of the project one translation imports."""

from __future__ import annotations

import subprocess
import sys

MOST = 53
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
    assert not [name for name in found if name.startswith(("zoo_core.train", "zoo_core.cli"))]
    assert len(found) <= MOST, "\n".join(found)
