"""The configuration of a model directory."""

import pytest

from zoo_core.catalogue.description import ModelConfig, parse_config
from zoo_core.contracts.signals import Domains
from zoo_core.errors import UsageError, WeightsError
from zoo_core.models.modeldir import build_method, read_config
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
