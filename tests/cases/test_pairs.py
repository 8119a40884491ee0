"""Partners by request alone, and pictures that a model was trained on are not called test."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from zoo_core import cli
from zoo_core.catalogue.description import ModelConfig
from zoo_core.catalogue.registry import Registry
from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.errors import DataError, UsageError, WeightsError
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import build_method, find_model
from zoo_evaluate.held_out import unknown_training
from zoo_train.card import Card
from zoo_train.data.trained_on import (
    MOST,
    TRAINED_ON,
    TrainedOn,
    content_hashes,
    read_trained_on,
    to_json,
)
from zoo_train.writing import write_model

NETS = {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 1}


def pictures(folder: Path, count: int = 4, form: str = "{}.png", shade: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for at in range(1, count + 1):
        Image.new("RGB", (16, 16), (40 * at % 256, shade, 7 * at)).save(folder / form.format(at))
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "model"
    config = ModelConfig("cyclegan", NETS, Domains(("a", "b")), TensorSpec(shape=(3, 16, 16)))
    write_model(folder, build_method(config), config, card=Card(title="tiny"))
    return folder


def evaluated(model: Path, *words: object) -> dict:
    asked = ["evaluate", str(model), *map(str, words), "--json", "--precision", "float32"]
    result = CliRunner().invoke(cli.cli, asked)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return json.loads(result.stdout)


def test_case_17_equal_names_are_mentioned_and_not_taken_for_partners(model, tmp_path):
    pictures(tmp_path / "a")
    pictures(tmp_path / "b", shade=200)
    found = evaluated(model, "--data", tmp_path, "--split", "all")
    assert not {"l1", "psnr", "retrieval"} & set(found["mean"])
    note = "a->b: 4 of 4 names are those of signals of the target"
    assert any(line.startswith(note) and "--paired" in line for line in found["notes"])


def test_partners_are_used_when_they_are_asked_for(model, tmp_path):
    pictures(tmp_path / "a")
    pictures(tmp_path / "b", shade=200)
    found = evaluated(model, "--data", tmp_path, "--paired", "--metrics", "l1")
    assert found["protocol"]["directions"]["a->b"]["metrics"]["l1"]["rule"] == "name"


def test_partners_are_used_when_the_data_set_declares_them(model, tmp_path):
    pictures(tmp_path / "a")
    pictures(tmp_path / "b", shade=200)
    (tmp_path / "dataset.yaml").write_text("paired: true\n")
    assert "l1" in evaluated(model, "--data", tmp_path)["mean"]
    assert "l1" not in evaluated(model, "--data", tmp_path, "--unpaired")["mean"]
    (tmp_path / "dataset.yaml").write_text("paired: perhaps\n")
    with pytest.raises(DataError) as caught:
        evaluated(model, "--data", tmp_path)
    assert '"paired"' in caught.value.problem


def test_names_that_end_in_the_letters_of_a_pair_declare_it(model, tmp_path):
    pictures(tmp_path / "a", form="{}_A.png")
    pictures(tmp_path / "b", form="{}_B.png", shade=200)
    assert "l1" in evaluated(model, "--data", tmp_path)["mean"]


def test_a_metric_that_needs_partners_says_how_to_ask_for_them(model, tmp_path):
    pictures(tmp_path / "a")
    pictures(tmp_path / "b", shade=200)
    with pytest.raises(UsageError) as caught:
        evaluated(model, "--data", tmp_path, "--metrics", "l1")
    assert "--paired" in caught.value.problem


def test_data_without_splits_is_not_called_test(model, tmp_path):
    pictures(tmp_path / "a")
    pictures(tmp_path / "b", shade=200)
    found = evaluated(model, "--data", tmp_path, "--metrics", "cycle")
    assert found["protocol"]["split"] == "none"
    (note,) = (note for note in found["notes"] if "trained-on.json" in note)
    assert note.endswith("its card does not say either")


def test_without_hashes_the_words_of_the_card_are_told():
    folder = find_model("stargan-emoji", Registry.load(host()), host())
    note = unknown_training(folder)
    assert TRAINED_ON in note
    assert "its card says: 1,406 emoji code points" in note
    assert note.endswith("188 further code points are for tests and were not used.")


@pytest.mark.parametrize(
    ("card", "end"),
    [
        ("# a\n\n## Data\n\nTwo\nlines \x1b[31m.\n\nMore.\n", "says: Two lines \\x1b[31m."),
        ("# a\n\n## Data\n\n## Metrics\n\nNone.\n", "does not say either"),
        ("## Data\n\n" + "x" * 10_000, "x…"),
        (None, "does not say either"),
    ],
)
def test_of_a_strangers_card_a_paragraph_is_told_and_no_more(card, end, tmp_path):
    if card is not None:
        (tmp_path / "README.md").write_text(card)
    note = unknown_training(tmp_path)
    assert note.endswith(end)
    assert len(note) < 1_000


def test_the_test_split_is_used_where_there_is_one(model, tmp_path):
    for split, count in (("Train", 4), ("Test", 3)):
        for shade, domain in enumerate("ab"):
            pictures(tmp_path / split / domain, count, split + "{}.png", shade)
    found = evaluated(model, "--data", tmp_path, "--metrics", "cycle")
    assert found["protocol"]["split"] == "test"
    assert "3 pictures" in found["protocol"]["data"][0]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one step on four pictures of each domain."""
    root = tmp_path_factory.mktemp("trained")
    pictures(root / "data" / "a")
    pictures(root / "data" / "b", shade=200)
    asked = ["train", "cyclegan", "--preset", "32px", "--size", "16", "--batch", "2"]
    asked += ["--steps", "1", "--device", "cpu", "--precision", "float32", "--quiet"]
    asked += [word for key, value in NETS.items() for word in ("--set", f"{key}={value}")]
    asked += ["--data", str(root / "data"), "--out", str(root / "run")]
    result = CliRunner().invoke(cli.cli, asked, catch_exceptions=False)
    assert result.exit_code == 0
    return root / "run"


def test_pictures_that_were_trained_on_are_counted_and_never_called_test(run, tmp_path):
    for domain in "ab":  # under other names, in a folder that claims to be a test
        for at, path in enumerate(sorted((run.parent / "data" / domain).iterdir())):
            copy = tmp_path / "test" / domain / f"new{at}.png"
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    found = evaluated(run, "--data", tmp_path, "--metrics", "cycle")
    assert found["protocol"]["split"] == "not held out"
    assert "a: 4 of 4 pictures were trained on" in found["notes"]
    shown = CliRunner().invoke(
        cli.cli, ["evaluate", str(run), "--data", str(tmp_path), "--metrics", "cycle"]
    )
    assert "a, b: 4 of 4 pictures were trained on" in shown.stdout
    assert "split: test" not in shown.stdout


def test_some_trained_on_pictures_among_new_ones_are_counted(run, tmp_path):
    for shade, domain in enumerate("ab"):
        pictures(tmp_path / "test" / domain, 3, shade=100 + shade)
    old = sorted((run.parent / "data" / "a").iterdir())[0]
    (tmp_path / "test" / "a" / "old.png").write_bytes(old.read_bytes())
    found = evaluated(run, "--data", tmp_path, "--metrics", "cycle")
    assert found["protocol"]["trained_on"] == {
        "a": {"count": 1, "of": 4},
        "b": {"count": 0, "of": 3},
    }
    assert "a: 1 of 4 pictures were trained on" in found["notes"]


def test_a_run_remembers_names_and_its_model_hashes_alone(run):
    of_run = json.loads((run / TRAINED_ON).read_text())
    of_model = json.loads((run / "model" / TRAINED_ON).read_text())
    assert of_run["domains"]["a"]["count"] == 4
    assert sorted(of_run["domains"]["a"]["names"]) == ["1.png", "2.png", "3.png", "4.png"]
    assert "names" not in of_model["domains"]["a"]
    assert of_model["domains"]["a"]["hashes"] == of_run["domains"]["a"]["hashes"]


def test_what_is_remembered_is_bounded_and_a_fair_sample(tmp_path):
    hashes = [f"{(at * 0x9E3779B97F4A7C15) % 2**64:016x}" for at in range(3 * MOST)]
    (tmp_path / TRAINED_ON).write_text(to_json({"a": hashes}))
    assert (tmp_path / TRAINED_ON).stat().st_size < 300_000
    known = read_trained_on(tmp_path)
    assert len(known.hashes) == MOST
    seen, of = known.count(hashes[:300])
    assert seen == of
    assert 60 < of < 140
    assert known.count([f"{(at * 12345 + 7) % 2**64:016x}" for at in range(9)])[0] == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"domains": 3}',
        '{"domains": {"a": {"count": 1, "hashes": "xyz"}}}',
        '{"domains": {"a": {"count": {}, "hashes": ""}}}',
    ],
)
def test_a_damaged_record_is_an_error_that_names_it(tmp_path, text):
    (tmp_path / TRAINED_ON).write_text(text)
    with pytest.raises(WeightsError) as caught:
        read_trained_on(tmp_path)
    assert TRAINED_ON in caught.value.asked


def test_a_model_without_record_knows_nothing(tmp_path):
    assert read_trained_on(tmp_path) is None
    assert TrainedOn(frozenset({"aa"})).count(["aa", "bb"]) == (1, 2)


def test_slices_of_one_file_are_known_and_no_duplicates(tmp_path):
    (tmp_path / "volume.tif").write_bytes(b"slices")
    (tmp_path / "copy.tif").write_bytes(b"slices")
    volume, copy = tmp_path / "volume.tif", tmp_path / "copy.tif"
    hashes = content_hashes([volume, volume, volume])
    assert len(set(hashes)) == 3
    assert content_hashes([copy, copy, copy]) == hashes


def test_large_files_are_told_apart_by_size_beginning_and_end(tmp_path, monkeypatch):
    from zoo_train.data import trained_on

    monkeypatch.setattr(trained_on, "_WHOLE", 8)
    contents = [b"abcd----wxyz", b"abcd-----wxyz", b"Abcd----wxyz", b"abcd----wxyZ", b"abcd"]
    paths = [tmp_path / str(number) for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    assert len(set(content_hashes(paths))) == len(contents)
