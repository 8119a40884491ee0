"""The model card is good Markdown for people and good metadata for the Hub."""

import ast

import pytest
from huggingface_hub import ModelCard

from zoo_core.catalogue.description import MetricValue, ModelConfig
from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_train.card import Card


@pytest.fixture
def text():
    config = ModelConfig(
        "stargan",
        {},
        Domains(("apple", "noto")),
        TensorSpec(shape=(3, 64, 64)),
        training={"command": "zoo train stargan"},
    )
    card = Card(
        "stargan-emoji",
        "Redraws an emoji.",
        data="Three emoji sets.",
        licence="Apache-2.0",
        paper="Choi et al. 2018",
        limitations="Flags.",
        tags=("emoji", "stargan"),
        metrics=[MetricValue("domain accuracy", 0.91, "200 test code points", 0.9, "mean of six")],
    )
    return card.render(config, {"generator": 2_100_000})


def test_front_matter_is_read_by_the_hub_library(text):
    data = ModelCard(text).data
    assert data.license == "apache-2.0"
    assert data.library_name == "zoo"
    assert data.tags == ["unpaired-translation", "image", "stargan", "emoji"]
    result = data.eval_results[0]
    assert (result.metric_name, result.metric_value) == ("domain accuracy", 0.91)


@pytest.mark.parametrize(
    "part",
    [
        "# stargan-emoji",
        "`apple`, `noto`",
        "3 × 64 × 64",
        "generator 2,100,000",
        "## Intended use",
        "## Limitations",
        "Three emoji sets.",
        "| domain accuracy | 0.91 | 0.9 | 200 test code points (mean of six) |",
        "command: zoo train stargan",
    ],
)
def test_card_tells_people_what_they_need(text, part):
    assert part in text


def test_the_sample_of_a_card_loads_the_model_by_its_name(text):
    sample = ast.parse(text.partition("```python\n")[2].partition("```")[0])
    calls = [node for node in ast.walk(sample) if isinstance(node, ast.Call)]
    loaded = [
        ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "zoo.load"
    ]
    assert loaded == ["stargan-emoji"]


def test_card_without_figures_says_so():
    text = Card("x").render(ModelConfig("m", {}, Domains(("a", "b"))))
    assert "None measured yet." in text
    assert ModelCard(text).data.eval_results is None
