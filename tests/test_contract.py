"""The contract that every installed method and every embedded model keeps."""

import pytest
from torch.nn.modules.instancenorm import _InstanceNorm

from zoo_core.catalogue.description import read_entries
from zoo_core.host.plugins import host
from zoo_testing.run import METHOD_CHECKS, MODEL_CHECKS, ConformanceCase, method_cases, model_cases
from zoo_testing.subject import subjects

METHODS = sorted(host().methods())
METHOD_CASES = [case for name in METHODS for case in method_cases(name, host())]
MODEL_CASES = model_cases(host())
NUMERIC = {"independent", "bfloat16", "gradients", "derivatives", "same-bits", "golden-outputs"}
"""Checks whose outcome hangs on rounding."""


def parameters(cases: list[ConformanceCase]) -> list[object]:
    marks = {True: [pytest.mark.numeric], False: []}
    return [pytest.param(case, id=case.id, marks=marks[case.check in NUMERIC]) for case in cases]


def names(cases: list[ConformanceCase]) -> list[str]:
    return [case.id for case in cases]


def test_every_method_is_examined_by_every_check_under_every_kind_of_condition():
    expected = {
        f"{name}-{kind}-{check}"
        for name in METHODS
        for kind in host().method(name).conditions
        for check in METHOD_CHECKS
    }
    assert {"cyclegan", "stargan"} <= set(METHODS)
    assert len(METHOD_CHECKS) >= 20
    assert set(names(METHOD_CASES)) == expected


def test_every_embedded_model_is_examined_by_every_check():
    embedded = [
        entry.id
        for _, path in host().registries()
        for entry in read_entries(path)
        if entry.weights.path is not None
        if entry.weights.repo is None or (path.parent / entry.weights.path).is_file()
    ]
    assert embedded, "no plugin embeds a model"
    assert set(names(MODEL_CASES)) == {
        f"{name}-model-{check}" for name in embedded for check in MODEL_CHECKS
    }


@pytest.mark.parametrize("name", METHODS)
def test_no_net_holds_torchs_own_instance_normalisation(name: str):
    """It is wrong for one picture in channels-last order on a CPU; zoo_nn.nets.norm has another."""
    for subject in subjects(name, host()):
        kinds = {type(layer) for layer in subject.build().modules()}
        assert not [kind for kind in kinds if issubclass(kind, _InstanceNorm)]


@pytest.mark.parametrize("case", parameters(METHOD_CASES))
def test_method_keeps_its_contract(case: ConformanceCase):
    case.run()


@pytest.mark.parametrize("case", parameters(MODEL_CASES))
def test_registry_is_true_of_the_model(case: ConformanceCase):
    case.run()
