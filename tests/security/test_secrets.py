"""Tokens and passwords that are planted in the environment appear in no message."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo_core.cli import run
from zoo_testing.hub_server import Claim, Close, Garble, HubServer, Status

TOKEN, PASSWORD = "hf_" + "Qx7" * 11, "s3cr3tPassw0rd"
FAULTS = {
    "not allowed": Status(401, message="who are you?"),
    "forbidden": Status(403, error="GatedRepo", message="no"),
    "absent": Status(404, error="RepoNotFound"),
    "out of order": Status(500, message="try later"),
    "asks for the token": Status(400, message=f"bad token {TOKEN}"),
    "closed": Close(),
    "garbled": Garble(),
    "no commit": Claim({"X-Repo-Commit": "none"}),
    "another place": Status(302, headers={"Location": f"http://me:{PASSWORD}@127.0.0.1:9/x"}),
}
COMMANDS = {
    "translate": lambda model: ["translate", "org/name", "x.png", "--to", "b"],
    "publish": lambda model: ["publish", str(model), "--repo", "org/name"],
    "verify": lambda model: ["verify", "--all"],
    "info": lambda model: ["info", "org/name"],
    "doctor": lambda model: ["doctor", "--json", "--only", "safety", "--only", "places"],
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_message_holds_a_token_or_a_password(
    command: str,
    fault: str,
    hub: HubServer,
    small_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", hub.url.replace("http://", f"http://me:{PASSWORD}@"))
    monkeypatch.setenv("ZOO_HUB_TIMEOUT", "0.5")
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    monkeypatch.chdir(tmp_path)
    hub.add("org/name", {"config.yaml": b"x", "model.safetensors": b"y"})
    hub.misbehave(FAULTS[fault])
    run(COMMANDS[command](small_model))
    shown = capfd.readouterr()
    assert shown.out + shown.err
    for secret in (TOKEN, PASSWORD):
        assert secret not in shown.out + shown.err


def test_the_files_of_a_run_hold_no_token(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", f"https://me:{PASSWORD}@mirror.example")
    domains = [
        text for name in ("dark", "light") for text in ("--domain", f"{name}={pictures / name}")
    ]
    small = ["width=4", "blocks=1", "critic_width=4", "critic_layers=2"]
    settings = [text for value in small for text in ("--set", value)]
    command = ["train", "stargan", "--preset", "32px", "--size", "16", "--steps", "2", "--quiet"]
    command += ["--device", "cpu", "--precision", "float32", "--out", str(tmp_path / "run")]
    assert run([*command, *domains, *settings]) == 0
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        content = path.read_bytes()
        assert TOKEN.encode() not in content
        assert PASSWORD.encode() not in content


def test_a_full_device_is_said_without_a_traceback(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import subprocess
    import sys

    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "zoo_core", "list", "--json"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
