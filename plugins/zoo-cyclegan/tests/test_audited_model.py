"""The embedded CycleGAN hides photos in the black of digits, and nothing the other way."""

import pytest

from zoo_core.translate.loading import load
from zoo_evaluate.audit import AuditConfig, audit
from zoo_evaluate.real_data import open_real_data
from zoo_train.data.folders import data_root


def test_the_audit_finds_the_hidden_background_of_mnist_m() -> None:
    root = data_root()
    digits = root / "digits" if root else None
    if digits is None or not (digits / "MNIST-M").is_dir():
        pytest.skip("no digits: set ZOO_DATA")
    translator = load("cyclegan-mnist-mnistm", device="cpu", precision="float32")
    sources = {"mnist": f"mnist:{digits}", "mnistm": digits / "MNIST-M" / "test"}
    data = open_real_data(translator, sources, None, "test")
    result = audit(translator, data, AuditConfig.quick(num_samples=32, bootstrap=100))
    assert result.level == "alarm"
    assert result.worst == "mnistm->mnist"
    assert result.directions["mnist->mnistm"].score.value < 0.02
