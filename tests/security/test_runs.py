"""Runs that others made: going on with one, or exporting it, does no harm."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from zoo_core.errors import TrainingError, UsageError, WeightsError, ZooError
from zoo_testing.small_runs import NAMES
from zoo_train.config import RunConfig
from zoo_train.export_run import export_from_checkpoint
from zoo_train.guard import enough_memory
from zoo_train.request import resolve
from zoo_train.start import resume_run

Change = Callable[[Any], object]


def resume(run: Path) -> None:
    resume_run(run, steps=4, quiet=True)


def export(run: Path) -> None:
    export_from_checkpoint(run, run.parent / "exported")


def change_config(run: Path, **values: Any) -> None:
    """Settings by dotted names, ``__`` for a dot."""
    path = run / "config.yaml"
    config = yaml.safe_load(path.read_text())
    for name, value in values.items():
        group, _, key = name.rpartition("__")
        (config[group] if group else config)[key] = value
    path.write_text(yaml.safe_dump(config))


def change_checkpoint(run: Path, change: Change) -> None:
    (path,) = (run / "checkpoint").iterdir()
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)


def endless() -> torch.Tensor:
    """40 GB of one number."""
    return torch.zeros(1).expand(10**10)


@pytest.mark.parametrize(
    ("values", "error", "asked"),
    [
        ({"processes": 100_000}, UsageError, "processes 100000"),
        ({"threads": 1_000_000}, UsageError, "threads 1000000"),
        ({"train__batch": 10**9}, UsageError, "batch 1000000000"),
        ({"train__load_size": 10**6}, UsageError, "load_size 1000000"),
        ({"options__width": 100_000}, WeightsError, "run {run}"),
        ({"options__blocks": 1_000_000}, WeightsError, "run {run}"),
        ({"extra_losses": ["cycle:weight=" + "[" * 20_000]}, UsageError, None),
        ({"controls": {"time": "9" * 5_000 + "s"}}, UsageError, None),
    ],
)
def test_numbers_that_nobody_means_are_refused(
    values: dict[str, Any], error: type[ZooError], asked: str | None, run: Path
) -> None:
    change_config(run, **values)
    with pytest.raises(error) as caught:
        resume(run)
    assert asked is None or caught.value.asked == asked.format(run=run)


def test_what_a_run_reads_and_takes_is_told_before_anything_else(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loss = "cycle:weight=0.5"
    change_config(run, controls={"time": "1h"}, trackers=["csv"], extra_losses=[loss])
    (run / "progress.json").unlink()
    shutil.rmtree(run / "checkpoint")
    domains = yaml.safe_load((run / "config.yaml").read_text())["domains"]
    resume_run(run)
    reads = ", ".join(f"{name} from {domains[name]}" for name in NAMES)
    assert capsys.readouterr().out.splitlines()[:2] == [
        f"as its config.yaml says, it reads {reads}",
        f"as its config.yaml says, it takes --time 1h, --loss {loss}, --tracker csv",
    ]


def test_files_that_options_name_are_told_of() -> None:
    options = {"f": "judges/mine", "objective": "lsgan", "width": 4}
    config = RunConfig("dtn", options=options, data="digits")
    (line,) = config.uses()
    assert line.endswith("it reads data from digits, f from judges/mine")


def test_an_export_refuses_such_numbers_too(run: Path) -> None:
    change_config(run, train__load_size=10**6)
    with pytest.raises(UsageError) as caught:
        export(run)
    assert caught.value.asked == "load_size 1000000"


@pytest.mark.parametrize("preset", [["32px"], {"a": 1}])
def test_a_model_to_start_from_says_any_preset(
    preset: object, made: Path, pictures: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(made / "model", model)
    config = yaml.safe_load((model / "config.yaml").read_text())
    config["training"]["preset"] = preset
    (model / "config.yaml").write_text(yaml.safe_dump(config))
    asked = resolve(
        "cyclegan",
        pretrained=str(model),
        domains={name: str(pictures / name) for name in NAMES},
    )
    assert asked.preset == "paper"


def test_a_lack_of_memory_is_a_sentence() -> None:
    with pytest.raises(TrainingError) as caught, enough_memory("out/run"):
        torch.empty(10**15)
    assert caught.value.asked == "run out/run"
    with pytest.raises(RuntimeError, match="another"), enough_memory("out/run"):
        raise RuntimeError("another")


@pytest.mark.parametrize(
    "text",
    ["{", "[" * 100_000, "[]", "{}", '{"steps": 2, "config": {}, "data": []}', " " * 1_100_000],
)
def test_a_damaged_note_of_what_was_done_is_named(text: str, run: Path) -> None:
    (run / "progress.json").write_text(text)
    with pytest.raises(TrainingError) as caught:
        resume(run)
    assert caught.value.asked == str(run / "progress.json")


def of_one_parameter(state: dict[str, Any]) -> dict[str, Any]:
    """What the optimiser of the first player keeps of its first parameter."""
    optimiser = next(iter(state["optimisers"].values()))
    held: dict[str, Any] = optimiser["state"][0]
    return held


@pytest.mark.parametrize(
    "change",
    [
        lambda state: of_one_parameter(state).update(exp_avg=torch.zeros(3)),
        lambda state: of_one_parameter(state).pop("exp_avg_sq"),
        lambda state: of_one_parameter(state).update(exp_avg=endless()),
        lambda state: state.update(losses=[]),
        lambda state: state.update(meter=[{"sums": {"x": torch.ones(3)}, "counts": {"x": 1}}]),
        lambda state: state.update(meter=[{"sums": {"x": endless()}, "counts": {"x": 1}}]),
        lambda state: state.update(done=[2]),
        lambda state: state.update(done=-5),
        lambda state: state.pop("done"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(change: Change, run: Path) -> None:
    change_checkpoint(run, change)
    with pytest.raises(TrainingError):
        resume(run)


def test_moments_are_kept_in_the_form_of_their_parameters(run: Path) -> None:
    """Fused optimisers write past the end of a moment that repeats one number."""
    shutil.copytree(run, run.with_name("other"))

    def dense(state: dict[str, Any]) -> None:
        moment = of_one_parameter(state)["exp_avg"]
        of_one_parameter(state)["exp_avg"] = torch.full(moment.shape, 0.5)

    def transposed(state: dict[str, Any]) -> None:
        moment = of_one_parameter(state)["exp_avg"]
        of_one_parameter(state)["exp_avg"] = torch.full(moment.shape[::-1], 0.5).permute(3, 2, 1, 0)

    weights = []
    for each, change in ((run, dense), (run.with_name("other"), transposed)):
        change_checkpoint(each, change)
        resume(each)
        weights.append((each / "model" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_settings_of_an_optimiser_are_those_of_the_run(made: Path, run: Path) -> None:
    def change(state: dict[str, Any]) -> None:
        for optimiser in state["optimisers"].values():
            optimiser["param_groups"][0].update(betas=(0.0, 0.0), weight_decay=9.0)

    shutil.copytree(made, run.with_name("other"))
    change_checkpoint(run, change)
    weights = []
    for each in (run, run.with_name("other")):
        resume(each)
        weights.append((each / "model" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


class Taking:
    """Makes six gigabytes as soon as it is unpickled, which torch's restricted reader allows."""

    def __reduce__(self) -> tuple[Any, ...]:
        return bytearray, (6 * 10**9,)


def test_a_checkpoint_calls_nothing(run: Path) -> None:
    (path,) = (run / "checkpoint").iterdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps(Taking(), 2))
        archive.writestr("a/version", "3\n")
        archive.writestr("a/byteorder", "little")
    with pytest.raises(TrainingError) as caught:
        resume(run)
    assert "it would call builtins.bytearray" in caught.value.problem


def test_a_checkpoint_is_no_compressed_archive(run: Path) -> None:
    (path,) = (run / "checkpoint").iterdir()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}.")
        archive.writestr("a/data/0", b"\0" * 1_000_000)
    with pytest.raises(TrainingError) as caught:
        resume(run)
    assert "its archive is compressed" in caught.value.problem


def test_a_log_of_others_gives_the_card_numbers_alone(run: Path) -> None:
    lines = [{"step": 2, "images_per_second": 1, "loss/x": "\x1b[2J", "loss/y": 0.5}]
    (run / "log" / "stats.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    export(run)
    config = yaml.safe_load((run.parent / "exported" / "config.yaml").read_text())
    assert config["training"]["losses"] == {"y": 0.5}
