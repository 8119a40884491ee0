"""Alarms: inverted colours and collapse are noticed, ordinary translations are not."""

import pytest
import torch

from zoo_runs.alarms import alarms, correlation, spread

pytestmark = pytest.mark.numeric

INPUTS = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_inverted_colours_raise_an_alarm() -> None:
    (text,) = alarms("a->b", INPUTS, -INPUTS)
    assert "negatively" in text
    assert "a->b" in text


def test_one_output_for_all_inputs_raises_an_alarm() -> None:
    outputs = INPUTS[:1].expand(8, -1, -1, -1)
    assert any("collapsed" in text for text in alarms("a->b", INPUTS, outputs))


def test_a_darker_copy_raises_none() -> None:
    assert alarms("a->b", INPUTS, INPUTS * 0.5 - 0.3) == []


def test_unrelated_outputs_raise_none() -> None:
    outputs = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    assert alarms("a->b", INPUTS, outputs) == []


def test_correlation_of_a_constant_output_is_zero() -> None:
    assert correlation(INPUTS, torch.zeros_like(INPUTS)) == 0.0


def test_spread_of_one_signal_is_zero() -> None:
    assert spread(INPUTS[:1]) == 0.0
