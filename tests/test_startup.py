"""The catalogue answers at once: no torch on the way to it, and little time."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "timm", "numpy", "PIL", "lightning_fabric", "huggingface_hub")
COMMANDS = [
    ("--help",),
    ("--version",),
    ("list",),
    ("list", "--json"),
    ("list", "--methods"),
    ("info", "cyclegan"),
    ("info", "stargan", "--json"),
    ("plugins",),
    ("plugins", "--json"),
    ("train", "--help"),
    ("translate", "--help"),
    ("evaluate", "--help"),
    ("check", "--help"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_light_command_imports_nothing_heavy(command: tuple[str, ...]) -> None:
    code = (
        "import sys\n"
        "from zoo_core.cli import run\n"
        f"status = run({list(command)!r})\n"
        f"print('loaded:', *[name for name in {HEAVY} if name in sys.modules])\n"
        "sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded:"
    assert len(done.stdout.splitlines()) > 1


def test_the_package_itself_is_light() -> None:
    code = f"import sys, zoo; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
