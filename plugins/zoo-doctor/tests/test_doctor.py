"""What the doctor finds, and that it changes nothing."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from zoo_core.cli import run
from zoo_core.host.plugins import PluginHost
from zoo_core.untrusted import file_sha256
from zoo_doctor import places, software
from zoo_doctor.cli import CHECKS


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty cache and an empty home."""
    for name in [name for name in os.environ if name.startswith(("ZOO_MAX_", "HF_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "cache").mkdir(mode=0o755)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    code = run(["doctor", "--json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def wrong(rows: list[dict[str, Any]]) -> list[str]:
    return [row["subject"] for row in rows if row["state"] == "wrong"]


def test_a_sound_installation_has_nothing_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    code, rows = said(capsys, *(f"--only={name}" for name in CHECKS if name != "weights"))
    assert wrong(rows) == []
    assert code == 0
    assert {row["check"] for row in rows} == set(CHECKS) - {"weights", "leftovers"}
    assert {"python", "torch", "cpu"} <= {row["subject"] for row in rows}


def test_a_version_with_a_published_hole_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda n: "2.9.1" if n == "torch" else real(n))
    code, rows = said(capsys, "--only", "versions")
    assert (code, wrong(rows)) == (1, ["torch"])
    (row,) = (row for row in rows if row["subject"] == "torch")
    assert "CVE-2026-24747" in row["found"]
    assert row["mend"] == "pip install --upgrade torch"


def test_a_version_outside_the_bounds_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda n: "99.0" if n == "click" else real(n))
    code, rows = said(capsys, "--only", "versions")
    assert (code, wrong(rows)) == (1, ["click"])


def test_the_lower_bounds_exclude_every_version_of_the_table() -> None:
    table = software.read_yaml_file(software.UNSAFE)["packages"]
    for name, specifiers in software._required().items():
        if name in table:
            below = Version(table[name]["below"])
            lows = [part for text in specifiers for part in text.split(",") if ">=" in part]
            assert all(Version(low.removeprefix(">=")) >= below for low in lows), name


def test_a_broken_plugin_is_wrong() -> None:
    host = PluginHost([metadata.EntryPoint("bad", "no_such_module", "zoo")], strict=False)
    (row,) = (row for row in software.plugins(host) if row.subject == "bad")
    assert row.state == "wrong"
    assert "uninstall" in row.mend


def test_a_damaged_file_of_the_cache_is_wrong(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit = "ab" * 20
    file = machine / "cache/hub/models/org/name" / commit / "model.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"right")
    record = machine / "cache/trust/models/org/name.json"
    record.parent.mkdir(parents=True)
    seen = {"sha256": file_sha256(file), "bytes": 5, "date": "2026-01-31"}
    content = {"commits": {"": commit}, "files": {f"{commit}/model.safetensors": seen}}
    record.write_text(json.dumps(content))
    assert said(capsys, "--only", "weights")[0] == 0
    file.write_bytes(b"wrong")
    code, rows = said(capsys, "--only", "weights")
    assert code == 1
    (row,) = (row for row in rows if row["state"] == "wrong")
    assert "sha256" in row["found"]
    assert row["subject"].startswith("org/name@")


def test_old_leftovers_and_killed_runs_are_noted(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, young = machine / "cache/.zoo-1-a.part", machine / "cache/.zoo-2-b.part"
    killed = machine / "runs/one"
    killed.mkdir(parents=True)
    for path in (old, young, killed / ".writer.json"):
        path.write_text("{}")
    os.utime(old, (time.time() - 3e5,) * 2)
    code, rows = said(capsys, "--only", "leftovers", str(machine / "runs"))
    assert code == 0
    assert {row["subject"] for row in rows} == {str(old), str(killed)}
    assert all(row["state"] == "note" and row["mend"] for row in rows)
    assert old.exists()


@pytest.mark.parametrize(
    ("subject", "arrange"),
    [
        ("cache", lambda place, patch: (place / "cache").chmod(0o777)),
        ("HF_ENDPOINT", lambda place, patch: patch.setenv("HF_ENDPOINT", "http://u:p@mirror.example")),
        ("token", lambda place, patch: secret(place / "hf" / "token")),
    ],
)  # fmt: skip
def test_what_is_unsafe_is_wrong_and_shows_no_secret(
    subject: str,
    arrange: Callable[[Path, pytest.MonkeyPatch], object],
    machine: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arrange(machine, monkeypatch)
    code, rows = said(capsys, "--only", "safety")
    assert (code, wrong(rows)) == (1, [subject])
    assert "u:p" not in json.dumps(rows)
    assert "hf_secret" not in json.dumps(rows)


def test_a_raised_limit_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_MAX_PARAMETERS", "9000000000")
    (row,) = (row for row in places.safety() if row.subject == "ZOO_MAX_PARAMETERS")
    assert row.state == "note"


def test_a_cache_that_cannot_be_made_is_wrong(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (machine / "file").write_text("")
    monkeypatch.setenv("ZOO_CACHE", str(machine / "file" / "cache"))
    code, rows = said(capsys, "--only", "places")
    assert (code, wrong(rows)) == (1, ["cache"])


def test_a_check_of_another_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--only", "verions"]) == 2
    assert "versions" in capsys.readouterr().err


def test_without_json_it_says_the_same(
    capsys: pytest.CaptureFixture[str], machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    (machine / "cache").chmod(0o777)
    assert run(["doctor", "--only", "safety", "--only", "versions"]) == 1
    shown = capsys.readouterr().out
    assert "WRONG" in shown
    assert "chmod" in shown
    assert "1 wrong" in shown


def secret(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("hf_secret")
    path.chmod(0o644)
