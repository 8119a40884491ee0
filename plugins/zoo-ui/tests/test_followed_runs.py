"""Training runs as the page follows them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from zoo_core.errors import UsageError
from zoo_train.directory import CONFIG, WRITER
from zoo_train.logs import stats_path
from zoo_ui.app import build_app
from zoo_ui.command import HOST
from zoo_ui.runs import Runs

NAME = "emoji/first"


def test_a_run_tells_how_far_it_is(runs: Path) -> None:
    told = Runs(runs).told(NAME)
    assert (told["done"], told["total"], told["rate"], told["left"]) == (100, 400, 2.0, 150.0)
    assert (told["training"], told["sheet"], len(told["curves"])) == (True, 100, 2)


def test_what_a_run_writes_is_told_at_once(runs: Path) -> None:
    followed = Runs(runs)
    followed.told(NAME)
    log = stats_path(runs / NAME)
    with log.open("a") as file:
        file.write(json.dumps({"step": 400, "loss/generator/cycle": 0.1}) + "\n")
    os.utime(log, (0, log.stat().st_mtime + 1))
    assert (followed.told(NAME)["done"], followed.told(NAME)["training"]) == (400, False)


def test_a_run_that_was_ended_is_not_training(runs: Path) -> None:
    (runs / NAME / WRITER).unlink()
    told = Runs(runs).told(NAME)
    assert (told["training"], told["left"]) == (False, None)


@pytest.mark.parametrize("name", ["..", "../secret", "/etc", "notes", "emoji", ""])
def test_no_name_leads_out_of_the_folder(name: str, runs: Path) -> None:
    (runs / NAME).rename(runs.parent / "secret")
    with pytest.raises(UsageError) as caught:
        Runs(runs).told(name)
    assert caught.value.problem == "there is no run of this name"


@pytest.mark.parametrize("part", ["", CONFIG, "log"])
def test_links_are_not_followed(part: str, runs: Path) -> None:
    secret = runs.parent / "secret"
    (runs / NAME / part).rename(secret)
    (runs / NAME / part).symlink_to(secret)
    assert Runs(runs).names() == []


def test_the_page_follows_runs_where_a_folder_is_named(runs: Path) -> None:
    page = TestClient(build_app(device="cpu", runs=runs), base_url=f"http://{HOST}")
    assert page.get("/models").json()["runs"] is True
    assert page.get("/runs").json() == [NAME]
    assert page.get("/run", params={"run": NAME}).json()["done"] == 100
    answer = page.get("/sheet", params={"run": NAME, "step": "100"})
    assert answer.content == (runs / NAME / "samples" / "000100.png").read_bytes()
    for step in ("99", "-1", "../../x", ""):
        assert page.get("/sheet", params={"run": NAME, "step": step}).status_code == 404


def test_without_a_folder_no_run_is_shown(runs: Path) -> None:
    page = TestClient(build_app(device="cpu"), base_url=f"http://{HOST}")
    assert page.get("/models").json()["runs"] is False
    assert page.get("/run", params={"run": NAME}).status_code == 422


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Runs(tmp_path / "absent")
    assert caught.value.asked == f"--runs {tmp_path / 'absent'}"
