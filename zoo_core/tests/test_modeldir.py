"""The model directory: its configuration, its atomic writing, its golden file."""

from pathlib import Path

import pytest
import torch

from zoo_core.catalogue.description import ModelConfig, parse_config
from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.errors import UsageError, WeightsError, ZooError
from zoo_core.models.card import Card
from zoo_core.models.golden import check_golden, read_golden
from zoo_core.models.modeldir import build_method, read_config, write_model
from zoo_core.models.weights import load_weights
from zoo_core.untrusted import read_yaml

GOOD = """
method: tiny
options: {width: 3}
domains: {names: [a, b]}
signal: {shape: [3, 8, 8], stride: 2}
"""


def parsed(text, asked="x"):
    return parse_config(read_yaml(text, asked=asked, error=WeightsError), asked)


def test_configuration_survives_writing_and_reading(config):
    assert parsed(config.to_yaml()) == config


def test_tuples_and_training_facts_become_plain_values():
    config = ModelConfig("tiny", {"betas": (0.5, 0.9)}, Domains(("a", "b")), training={"steps": 3})
    read = parsed(config.to_yaml())
    assert read.options == {"betas": [0.5, 0.9]}
    assert read.training == {"steps": 3}


def test_domain_names_that_look_like_other_types_stay_text():
    config = ModelConfig("tiny", {}, Domains(("1", "yes", "null")))
    assert parsed(config.to_yaml()).domains.names == ("1", "yes", "null")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (GOOD + "metod: x", 'did you mean "method"'),
        (GOOD.replace("stride", "strid"), 'did you mean "signal.stride"'),
        (GOOD.replace("names", "name"), 'did you mean "domains.names"'),
        (GOOD.replace("[a, b]", "[a, a]"), "named twice"),
        (GOOD.replace("[3, 8, 8]", "[3, 8, x]"), "signal.shape.2"),
        (GOOD.replace("[3, 8, 8]", "eight"), "signal.shape"),
        (GOOD.replace("stride: 2", 'stride: "2"'), "signal.stride"),
        (GOOD.replace("tiny", "[tiny]"), "method"),
        (GOOD.replace("{width: 3}", "[3]"), "options"),
        ("domains: {names: [a, b]}", '"method" is missing'),
        ("method: tiny", '"domains" is missing'),
        ("format: 99" + GOOD, "format is 99"),
        ("", "nothing, not a mapping"),
        ("- a", "a list, not a mapping"),
        ("just text", "text, not a mapping"),
        ("a: [", "not valid YAML"),
        ("a: !!python/object/apply:os.system [ls]", "not valid YAML"),
        ("a: &x [1]\nb: *x", "alias"),
        (GOOD + "method: again", "given twice"),
        ("a: 2026-99-99", "not valid YAML"),
        ("[" * 20000, "nested too deeply"),
        ("{[1]: 2}", "not valid YAML"),
        ("1: 2", "not a string"),
        ("method: tiny\ndomains: {names: [a, b]}\ntraining: {day: 2026-01-01}", "date"),
        ("\x00\x01\x02", "not valid YAML"),
    ],
)
def test_wrong_configuration_says_what_is_wrong(text, part):
    with pytest.raises(WeightsError) as caught:
        parsed(text, "dir/config.yaml")
    assert "config.yaml" in str(caught.value)
    assert part in str(caught.value)


def test_binary_configuration_is_an_error(tmp_path):
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\x00garbage")
    with pytest.raises(WeightsError, match="not a text file"):
        read_config(tmp_path)


def test_directory_without_configuration_is_an_error(tmp_path):
    with pytest.raises(WeightsError, match="no model directory"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("config", "part"),
    [
        (ModelConfig("tiney", {}, Domains(("a", "b"))), 'Did you mean "tiny"'),
        (ModelConfig("tiny", {"widht": 3}, Domains(("a", "b"))), 'Did you mean "width"'),
        (ModelConfig("tiny", {"width": "x"}, Domains(("a", "b"))), '"width": input should be'),
        (ModelConfig("tiny", {}, Domains(("a",))), "takes 2 to any number of domains, got 1"),
        (ModelConfig("tiny-code", {}, Domains(("a", "b", "c"))), "takes 2 domains, got 3"),
        (ModelConfig("tiny-code", {}, Domains(("a",), "attributes")), "not attributes"),
    ],
)
def test_configuration_that_fits_no_method_is_an_error(tiny_host, config, part):
    with pytest.raises(UsageError, match=part):
        build_method(config, tiny_host)


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
    assert not Path(tmp_path / "m" / "golden.safetensors").exists()
