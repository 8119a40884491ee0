"""Runs side by side: what differs, curves, and samples of a common step, on one page."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from zoo_core.errors import UsageError
from zoo_runs.compare.command import compare
from zoo_runs.compare.curves import POINTS, picture, thinned
from zoo_runs.compare.facts import (
    LARGEST_SHEET,
    RunFacts,
    common_sheet,
    curve_names,
    differing,
    read_runs,
)
from zoo_runs.compare.page import figures, render
from zoo_train.config import RunConfig
from zoo_train.directory import save_config


def made(path: Path, width: int = 8, *, steps: int = 3, sheets: tuple[int, ...] = (1,)) -> Path:
    """The directory of a run, as training leaves it."""
    (path / "log").mkdir(parents=True)
    (path / "samples").mkdir()
    save_config(RunConfig("cyclegan", options={"width": width}, domains={"a": str(path)}), path)
    lines = [
        {"step": step, "loss/g/cycle": 1 / step, "lr/g": 0.1, "images_per_second": 3.0}
        for step in range(1, steps + 1)
    ]
    lines.append({"step": steps + 1, "validation/l1": width / 10})
    (path / "log" / "stats.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    for step in sheets:
        Image.new("RGB", (8, 8)).save(path / "samples" / f"{step:06d}.png")
    return path


def test_settings_that_differ_are_told_and_places_are_not(tmp_path: Path) -> None:
    runs = read_runs([made(tmp_path / "a", 8), made(tmp_path / "b", 16)])
    assert differing(runs) == {"options.width": ["8", "16"]}


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [made(tmp_path / parent / "run") for parent in ("first", "second")]
    assert [run.name for run in read_runs(paths)] == ["first/run", "second/run"]


def test_curves_of_validation_come_first_and_speed_has_none(tmp_path: Path) -> None:
    runs = read_runs([made(tmp_path / "a"), made(tmp_path / "b")])
    assert curve_names(runs) == ["validation/l1", "loss/g/cycle", "lr/g"]


def test_samples_are_those_of_the_last_common_step(tmp_path: Path) -> None:
    paths = [made(tmp_path / "a", sheets=(1, 2, 5)), made(tmp_path / "b", sheets=(1, 2, 4))]
    assert common_sheet(read_runs(paths)) == 2


def test_long_curves_are_means_of_neighbours() -> None:
    curve = [(step, float(step % 2)) for step in range(1, 10 * POINTS + 1)]
    thin = thinned(curve)
    assert len(thin) == POINTS
    assert {value for _, value in thin} == {0.5}
    assert thin[-1][0] == 10 * POINTS


def test_a_curve_spans_its_picture_and_a_missing_one_is_left_out() -> None:
    svg = picture("a<b", [[(0, 1.0), (10, 3.0)], []])
    (points,) = re.findall(r'points="([^"]*)"', svg)
    (x0, y0), (x1, y1) = (map(float, point.split(",")) for point in points.split())
    assert x0 < x1
    assert y0 > y1  # the larger value is higher up
    assert "a<b" not in svg


def test_the_page_holds_all_and_loads_nothing(tmp_path: Path) -> None:
    runs = [made(tmp_path / "a", 8), made(tmp_path / "b", 16)]
    done = CliRunner().invoke(compare, [*map(str, runs), "--out", str(tmp_path / "page.html")])
    assert done.exit_code == 0, done.output
    assert "options.width: 8, 16" in done.output
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert page.count('src="data:image/png;base64,') == 2
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert "<td>0.3333 (0.3333 at 3 to 1 at 1)</td>" in page


@pytest.mark.parametrize("values", [[0.8], [0.8, 0.8]])
def test_a_value_that_does_not_change_stands_alone(values: list[float]) -> None:
    run = RunFacts("a", {}, {"l1": list(enumerate(values, 1))}, {})
    assert figures(run, "l1") == "0.8"


def test_one_run_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        CliRunner().invoke(compare, [str(tmp_path)], catch_exceptions=False)
    assert caught.value.asked == f"zoo compare {tmp_path}"


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError) as caught:
        read_runs([made(tmp_path / "a"), tmp_path / "empty"])
    assert caught.value.asked == f"directory {tmp_path / 'empty'}"


def rendered(*runs: Path) -> str:
    return render(read_runs(runs))


def test_a_link_puts_no_other_file_into_the_page(tmp_path: Path) -> None:
    runs = [made(tmp_path / "a"), made(tmp_path / "b")]
    Image.new("RGB", (9, 9)).save(tmp_path / "private.png")
    sheet = runs[0] / "samples" / "000001.png"
    sheet.unlink()
    sheet.symlink_to(tmp_path / "private.png")
    private = base64.b64encode((tmp_path / "private.png").read_bytes()).decode()
    assert private not in rendered(*runs)
    assert read_runs(runs)[0].sheets == {}


def test_what_is_no_png_or_beyond_the_bound_is_no_sheet(tmp_path: Path) -> None:
    run = made(tmp_path / "a", sheets=(1, 2, 3))
    (run / "samples" / "000002.png").write_bytes(b"a private text")
    with (run / "samples" / "000003.png").open("ab") as file:
        file.truncate(LARGEST_SHEET + 1)
    assert set(read_runs([run, made(tmp_path / "b")])[0].sheets) == {1}


def test_names_are_shown_and_not_obeyed_by_the_page(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    runs = [made(tmp_path / "a"), made(tmp_path / 'b"onload="x')]
    save_config(RunConfig(evil, options={evil: evil}, domains={evil: evil}), runs[0])
    line = {"step": 1, evil: 1.0, f"validation/{evil}": 2.0}
    (runs[0] / "log" / "stats.jsonl").write_text(json.dumps(line))
    page = rendered(*runs)
    assert "<script" not in page
    assert '"onload="' not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page


@pytest.mark.parametrize(
    "line",
    [
        '{"step": Infinity, "x": 1}', '{"step": 1e999, "x": 1}', '{"step": -5, "x": 1}',
        '{"step": 1' + "0" * 4_000 + ', "x": 1}', "[" * 100_000, '{"step": {}}', "null",
        '{"step": 9, "x": 1' + "0" * 4_000 + "}", '{"step": 9, "x": NaN}',
    ],
)  # fmt: skip
def test_lines_that_cannot_be_of_a_run_have_no_curve(line: str, tmp_path: Path) -> None:
    runs = [made(tmp_path / "a"), made(tmp_path / "b")]
    with (runs[0] / "log" / "stats.jsonl").open("a") as file:
        file.write(line + "\n")
    assert "x" not in curve_names(read_runs(runs))
    assert "Runs compared" in rendered(*runs)
