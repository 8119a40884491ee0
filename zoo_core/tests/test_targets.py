"""A method of one direction is asked for its targets alone, by every command."""

from __future__ import annotations

import pytest
import torch

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.errors import UsageError
from zoo_core.host.plugins import host
from zoo_core.translate.translator import Translator
from zoo_testing.tiny import TinyCodeMethod, TinyOptions

DOMAINS = Domains(("day", "night"))
SPEC = TensorSpec(shape=(3, 8, 8), stride=2)


class OneWay(TinyCodeMethod):
    """Translates to the last domain only."""

    @property
    def targets(self) -> tuple[str, ...]:
        return self.domains.names[-1:]


@pytest.fixture
def translator() -> Translator:
    method = OneWay(TinyOptions(), DOMAINS, SPEC)
    codec_class = host().load("codec", "image")
    config = ModelConfig("tiny-code", {}, DOMAINS, SPEC)
    codec = codec_class(SPEC, config.preprocessing)
    return Translator(method, config, codec, precision="float32", device="cpu")


def test_the_target_is_translated_to(translator: Translator) -> None:
    x = torch.rand(2, 3, 8, 8) * 2 - 1
    assert translator(x, to="night", source="day").shape == x.shape


def test_another_domain_is_refused_by_name(translator: Translator) -> None:
    x = torch.rand(1, 3, 8, 8) * 2 - 1
    for ask in (
        lambda: translator(x, to="day", source="night"),
        lambda: translator(x, to={"day": 1}, source="night"),
        lambda: translator.decode(translator.encode(x, "night"), "day"),
    ):
        with pytest.raises(UsageError) as caught:
            ask()
        assert "night only" in caught.value.problem


def test_all_means_all_targets(translator: Translator) -> None:
    assert translator.targets("all") == ["night"]
    with pytest.raises(UsageError) as caught:
        translator.targets("all", source="night")
    assert "night only" in caught.value.problem


def test_there_is_no_way_back(translator: Translator) -> None:
    with pytest.raises(UsageError) as caught:
        translator.cycle(torch.rand(1, 3, 8, 8) * 2 - 1, to="night")
    assert caught.value.asked == 'target "day"'
