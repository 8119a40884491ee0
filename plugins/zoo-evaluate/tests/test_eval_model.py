"""What is measured translates where its method does, and nowhere else."""

from __future__ import annotations

import pytest
import torch

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.errors import UsageError
from zoo_core.host.plugins import host
from zoo_core.translate.translator import Translator
from zoo_evaluate.eval_model import as_eval_model
from zoo_testing.tiny import TinyCodeMethod, TinyOptions

DOMAINS = Domains(("day", "night"))
SPEC = TensorSpec(shape=(3, 8, 8), stride=2)


class OneWay(TinyCodeMethod):
    """Translates to the last domain only."""

    @property
    def targets(self) -> tuple[str, ...]:
        return self.domains.names[-1:]


def test_an_evaluation_leaves_the_other_direction_out() -> None:
    codec = host().load("codec", "image")(SPEC, {})
    config = ModelConfig("tiny-code", {}, DOMAINS, SPEC)
    method = OneWay(TinyOptions(), DOMAINS, SPEC)
    translator = Translator(method, config, codec, precision="float32", device="cpu")
    x = torch.rand(1, 3, 8, 8) * 2 - 1
    day, night = (Condition.of(DOMAINS, name, 1) for name in DOMAINS)
    for model in (translator, translator.method):
        asked = as_eval_model(model)
        assert asked.signals(x, day, night).shape == x.shape
        with pytest.raises(UsageError) as caught:
            asked.signals(x, night, day)
        assert "night only" in caught.value.problem
