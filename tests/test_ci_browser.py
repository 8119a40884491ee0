"""Continuous integration without a Chromium gets one, or goes on without, in bounded time."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "chromium"


def fetched(folder: Path, **stubs: str) -> subprocess.CompletedProcess[str]:
    """Runs the script where there are only a shell's own commands and these."""
    tools = folder / "bin"
    tools.mkdir()
    for name in ("sh", "timeout", "sleep", "touch"):
        (tools / name).symlink_to(
            next(Path(p) / name for p in ("/bin", "/usr/bin") if (Path(p) / name).exists())
        )
    for name, body in stubs.items():
        path = tools / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    return subprocess.run(
        ["/bin/sh", str(SCRIPT)],
        cwd=folder,
        env={"PATH": str(tools), "PATIENCE": "1", "VENV": str(folder / "none")},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_a_browser_that_is_there_is_left_alone(tmp_path: Path) -> None:
    done = fetched(tmp_path, chromium="exit 1", id="echo 0", apt_get="touch called")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "called").exists()


def test_root_gets_that_of_the_distribution(tmp_path: Path) -> None:
    done = fetched(
        tmp_path, id="echo 0", apt_get='case "$*" in *--no-download*) touch called;; esac'
    )
    assert done.returncode == 0
    assert "none to be had" not in done.stdout
    assert (tmp_path / "called").exists()


def test_nobody_else_touches_the_system(tmp_path: Path) -> None:
    done = fetched(tmp_path, id="echo 1000", apt_get="touch called")
    assert done.returncode == 0
    assert "will skip" in done.stdout
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("apt_get", ["exit 100", "sleep 60"])
def test_what_cannot_be_fetched_ends_nothing_and_in_time(apt_get: str, tmp_path: Path) -> None:
    done = fetched(tmp_path, id="echo 0", apt_get=apt_get)
    assert done.returncode == 0
    assert "will skip" in done.stdout
