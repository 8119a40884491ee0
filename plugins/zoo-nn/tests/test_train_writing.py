"""Model directories that are written: whole or not at all, with a golden file that proves them."""

from pathlib import Path

import pytest
import torch

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.errors import UsageError, WeightsError, ZooError
from zoo_core.models.golden import read_golden
from zoo_core.models.modeldir import build_method, read_config
from zoo_core.models.weights import load_weights
from zoo_testing.subject import Subject
from zoo_testing.tiny import CODE_SPEC, SPEC, TinyCodeMethod, TinyMethod
from zoo_train.card import Card
from zoo_train.golden import check_golden, routes_between
from zoo_train.writing import replacing_folder, write_model


@pytest.mark.numeric
def test_written_model_gives_the_same_outputs(tiny_host, tiny_model, config):
    method = build_method(read_config(tiny_model), tiny_host)
    assert read_config(tiny_model) == config
    load_weights(method, tiny_model)
    assert check_golden(method, tiny_model) < 1e-6


@pytest.mark.numeric
def test_golden_file_tells_other_weights(tiny_host, tiny_model, config):
    torch.manual_seed(7)
    with pytest.raises(WeightsError, match="differs from the golden one"):
        check_golden(build_method(config, tiny_host), tiny_model)


def test_golden_file_keeps_the_domain_of_each_row(tmp_path, write_tiny, code_config):
    golden = read_golden(write_tiny(tmp_path / "m", code_config) / "golden.safetensors")
    pairs = [(g.source.domain, g.target.domain) for g in golden]
    assert pairs == [("day", "night"), ("night", "day")]
    assert all(len(g.input) == len(g.output) == len(g.target) for g in golden)


def test_training_nets_are_stored_apart(tiny_host, tiny_model, config):
    method = build_method(config, tiny_host)
    load_weights(method, tiny_model / "training.safetensors", only=("critic",))
    with pytest.raises(WeightsError, match="unexpected: critic"):
        load_weights(method, tiny_model / "training.safetensors")


def test_half_precision_storage_halves_the_file(tmp_path, tiny_host, write_tiny):
    config = ModelConfig(
        "tiny", {"width": 64}, Domains(("a", "b", "c")), TensorSpec(shape=(3, 8, 8))
    )
    full = write_tiny(tmp_path / "full", config) / "model.safetensors"
    half = write_tiny(tmp_path / "half", config, half=True) / "model.safetensors"
    assert half.stat().st_size < 0.6 * full.stat().st_size
    method = build_method(config, tiny_host)
    load_weights(method, tmp_path / "half")
    assert next(method.parameters()).dtype == torch.float32
    assert check_golden(method, tmp_path / "half") < 1e-6
    assert check_golden(method, tmp_path / "full", tolerance=0.05) > 0


@pytest.mark.numeric
def test_same_weights_give_the_same_bytes(tmp_path, write_tiny, config):
    first, second = write_tiny(tmp_path / "a", config), write_tiny(tmp_path / "b", config)
    names = sorted(path.name for path in first.iterdir())
    assert "golden.safetensors" in names
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_old_model_is_replaced_whole(tmp_path, write_tiny, config, code_config):
    write_tiny(tmp_path / "m", config)
    write_tiny(tmp_path / "m", code_config)
    assert read_config(tmp_path / "m") == code_config
    assert not (tmp_path / "m" / "training.safetensors").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_failed_writing_keeps_the_old_model(tmp_path, tiny_host, write_tiny, config):
    write_tiny(tmp_path / "m", config)
    before = (tmp_path / "m" / "model.safetensors").read_bytes()
    broken = build_method(config, tiny_host)
    with torch.no_grad():
        next(broken.nets["generator"].parameters()).fill_(float("nan"))
    with pytest.raises(WeightsError, match="not finite"):
        write_model(tmp_path / "m", broken, config, card=Card("x"))
    assert (tmp_path / "m" / "model.safetensors").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_folder_that_is_no_model_is_not_replaced(tmp_path, tiny_host, config):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_bytes(b"x")
    with pytest.raises(UsageError, match="is no model directory"):
        write_model(tmp_path / "photos", build_method(config, tiny_host), config, card=Card("x"))
    assert (tmp_path / "photos" / "cat.png").exists()


def test_place_that_cannot_be_made_is_an_error(tmp_path, tiny_host, config):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ZooError, match="cannot be written"):
        write_model(
            tmp_path / "file" / "m", build_method(config, tiny_host), config, card=Card("x")
        )


def test_writing_moves_no_random_numbers(tmp_path, tiny_host, batch_of, config):
    method = build_method(config, tiny_host)
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    write_model(tmp_path / "m", method, config, card=Card("x"), sample_batch=batch_of(config))
    assert torch.equal(torch.rand(3), expected)


def test_further_files_are_copied(tmp_path, tiny_host, config):
    picture = tmp_path / "some.png"
    picture.write_bytes(b"png")
    write_model(
        tmp_path / "m",
        build_method(config, tiny_host),
        config,
        card=Card("x"),
        files={"samples.png": picture},
    )
    assert (tmp_path / "m" / "samples.png").read_bytes() == b"png"
    assert not (tmp_path / "m" / "golden.safetensors").exists()


def test_routes_between_lead_from_every_part_to_every_other_domain():
    apart = Subject(CODE_SPEC, "domains", None, TinyCodeMethod)
    routes = routes_between(apart.domains, apart.domains.names, apart.batch())
    assert [route.name for route in routes] == ["domain1->domain2", "domain2->domain1"]
    mixed = Subject(SPEC, "domains", None, TinyMethod)
    assert len(routes_between(mixed.domains, mixed.domains.names, mixed.batch())) == 3


def test_a_folder_is_replaced_whole_and_a_failure_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for text in ("first", "second"):
        with replacing_folder(folder) as work:
            (work / text).write_text(text)

    def stop_halfway() -> None:
        with replacing_folder(folder) as work:
            (work / "third").write_text("third")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        stop_halfway()
    assert [path.name for path in folder.iterdir()] == ["second"]
    assert list(tmp_path.iterdir()) == [folder]
