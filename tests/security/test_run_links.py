"""Links in runs: they lead out of none but to folders that the user named for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo_core.errors import TrainingError, ZooError
from zoo_testing.small_runs import train_small
from zoo_train.checkpoint import Checkpoints
from zoo_train.export_run import export_from_checkpoint
from zoo_train.own_files import ALLOWED, LARGE
from zoo_train.start import resume_run


def resume(run: Path) -> None:
    resume_run(run, steps=4, quiet=True)


def export(run: Path) -> None:
    export_from_checkpoint(run, run.parent / "exported")


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on another disk, to which the user lets links of runs lead."""
    (tmp_path / "disk" / "of-run").mkdir(parents=True)
    monkeypatch.setenv(ALLOWED, os.pathsep.join(["/nowhere", str(tmp_path / "disk")]))
    return tmp_path / "disk"


def moved(folder: Path, to: Path) -> None:
    """Moves a folder and leaves a link in its place."""
    shutil.move(folder, to)
    folder.symlink_to(to)


@pytest.mark.parametrize("act", [resume, export])
@pytest.mark.parametrize("name", ["checkpoint", "samples", "log", "cache", "model"])
def test_a_folder_that_is_a_link_is_not_written_to(
    name: str, act: Callable[[Path], None], run: Path, mine: Path
) -> None:
    shutil.rmtree(run / name)
    (run / name).symlink_to(mine)
    before = {path: path.read_bytes() for path in mine.iterdir()}
    with pytest.raises(ZooError) as caught:
        act(run)
    assert {path: path.read_bytes() for path in mine.iterdir()} == before
    assert str(run) in str(caught.value)


@pytest.mark.parametrize("name", [".writer.json", ".lock", "log/stats.jsonl", "log/stats.csv"])
def test_a_file_that_is_a_link_is_not_written_to(name: str, run: Path, mine: Path) -> None:
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(mine / "file")
    with pytest.raises(TrainingError) as caught:
        resume(run)
    assert (mine / "file").read_text() == "precious"
    assert caught.value.asked == str(run / name)
    assert "link" in caught.value.problem


def test_a_folder_that_is_no_run_yet_has_no_links_either(
    pictures: Path, mine: Path, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".writer.json").symlink_to(mine / "file")
    with pytest.raises(TrainingError):
        train_small(tmp_path / "new", pictures)
    assert (mine / "file").read_text() == "precious"


@pytest.mark.parametrize("name", [".writer.json", "log/stats.jsonl", "checkpoint/step-00000009.pt"])
def test_a_pipe_is_not_waited_for(name: str, run: Path) -> None:
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    with pytest.raises(TrainingError) as caught:
        resume(run)
    assert caught.value.asked == str(run / name)


def test_a_run_that_is_itself_a_link_goes_on(run: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run)
    resume(tmp_path / "link")
    assert (run / "model" / "model.safetensors").is_file()


def test_large_folders_may_be_links_where_the_user_allows_it(run: Path, disk: Path) -> None:
    (run / "snapshots").mkdir()
    for name in LARGE:
        moved(run / name, disk / name)
    resume(run)
    export(run)
    assert Checkpoints(disk / "checkpoint").steps() == [2, 4]
    assert (run / "checkpoint").is_symlink()


def test_a_new_run_may_begin_with_such_a_link(pictures: Path, disk: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "checkpoint").symlink_to(disk / "of-run")
    train_small(tmp_path / "new", pictures)
    assert Checkpoints(disk / "of-run").steps() == [2]


def test_what_a_killed_run_left_behind_such_a_link_is_removed(run: Path, disk: Path) -> None:
    moved(run / "checkpoint", disk / "checkpoint")
    (disk / "checkpoint" / ".step-00000003.pt.part").write_text("half")
    resume(run)
    assert not (disk / "checkpoint" / ".step-00000003.pt.part").exists()


@pytest.mark.parametrize("name", ["log", "samples", "model"])
def test_other_folders_may_not(name: str, run: Path, disk: Path) -> None:
    moved(run / name, disk / name)
    with pytest.raises(TrainingError) as caught:
        resume(run)
    assert caught.value.asked == str(run / name)
    assert ALLOWED not in (caught.value.hint or "")


@pytest.mark.parametrize("target", ["mine", "disk"])
def test_a_link_to_elsewhere_or_to_the_folder_itself_stays_refused(
    target: str, run: Path, disk: Path, mine: Path, tmp_path: Path
) -> None:
    shutil.rmtree(run / "checkpoint")
    (run / "checkpoint").symlink_to(tmp_path / target)
    with pytest.raises(TrainingError) as caught:
        resume(run)
    assert caught.value.asked == str(run / "checkpoint")
    assert f"{ALLOWED}=FOLDER" in (caught.value.hint or "")


def test_what_lies_behind_an_allowed_link_leads_nowhere_else(
    run: Path, disk: Path, mine: Path
) -> None:
    moved(run / "checkpoint", disk / "checkpoint")
    (disk / "checkpoint" / "step-00000004.pt").symlink_to(mine / "file")
    with pytest.raises(TrainingError) as caught:
        resume(run)
    assert caught.value.asked == str(run / "checkpoint" / "step-00000004.pt")
    assert (mine / "file").read_text() == "precious"
