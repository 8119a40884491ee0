"""Weights are verified, then loaded strictly or not at all."""

import hashlib
import json
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from zoo_core.catalogue.registry import Model
from zoo_core.errors import WeightsError
from zoo_core.models.modeldir import build_method, model_files
from zoo_core.models.weights import load_weights, no_init
from zoo_core.untrusted import file_sha256, verify


@pytest.fixture
def method(tiny_host, config):
    return build_method(config, tiny_host)


@pytest.fixture
def tamper(tiny_model):
    """Rewrites the model's tensors."""

    def change(edit):
        path = tiny_model / "model.safetensors"
        tensors = load_file(path)
        edit(tensors)
        save_file(tensors, path)
        return path

    return change


def test_missing_file_is_an_error_and_no_random_model(method, tmp_path):
    with pytest.raises(WeightsError, match="the file is missing"):
        load_weights(method, tmp_path / "model.safetensors")


def test_hash_and_size_are_checked(tmp_path):
    path = tmp_path / "garbage"
    path.write_bytes(b"not safetensors at all")
    with pytest.raises(WeightsError, match="sha256 is"):
        verify(path, sha256="0" * 64)
    with pytest.raises(WeightsError, match="has 22 bytes, expected 23"):
        verify(path, size=23)


def test_right_hash_and_size_pass(tiny_model):
    path = tiny_model / "model.safetensors"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert file_sha256(path) == digest
    verify(path, sha256=digest, size=path.stat().st_size)


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -1])
def test_truncated_file_is_an_error(tiny_model, method, keep):
    path = tiny_model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WeightsError, match="damaged or no safetensors file"):
        load_weights(method, path)


@pytest.mark.parametrize(
    "header",
    [
        b"{",
        b"[]",
        b"\xff\xfe",
        json.dumps({"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}).encode(),
        json.dumps({"a": {"dtype": "F32", "shape": [9**9], "data_offsets": [0, 4]}}).encode(),
        json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}).encode(),
        json.dumps({"a": 3}).encode(),
    ],
)
def test_garbage_header_is_an_error(tmp_path, method, header):
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
    with pytest.raises(WeightsError, match="damaged or no safetensors file"):
        load_weights(method, path)


def test_header_longer_than_the_file_is_an_error(tmp_path, method):
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")
    with pytest.raises(WeightsError, match="damaged"):
        load_weights(method, path)


def test_diff_names_missing_unexpected_and_misshapen_keys(tamper, method):
    def edit(tensors):
        tensors["generator.first.wieght"] = tensors.pop("generator.first.weight")
        tensors["generator.last.bias"] = torch.zeros(5)

    with pytest.raises(WeightsError) as caught:
        load_weights(method, tamper(edit))
    text = str(caught.value)
    assert "missing: generator.first.weight" in text
    assert "unexpected: generator.first.wieght" in text
    assert "misshapen: generator.last.bias: (5,) in the file, (3,) in the net" in text


def test_long_diffs_are_cut(tamper, method):
    def edit(tensors):
        tensors.update({f"extra.{i}": torch.zeros(1) for i in range(50)})

    with pytest.raises(WeightsError) as caught:
        load_weights(method, tamper(edit))
    assert "and 42 more unexpected" in str(caught.value)
    assert len(str(caught.value).splitlines()) < 15


def test_failed_loading_leaves_the_nets_as_they_were(tamper, method):
    before = {key: value.clone() for key, value in method.state_dict().items()}

    def edit(tensors):
        tensors["generator.last.bias"][0] = float("inf")

    with pytest.raises(WeightsError, match=r"not finite: generator\.last\.bias"):
        load_weights(method, tamper(edit))
    assert all(torch.equal(value, before[key]) for key, value in method.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.int64, torch.float64, torch.uint8, torch.bool])
def test_wrong_type_is_an_error(tamper, method, dtype):
    def edit(tensors):
        tensors["generator.last.bias"] = tensors["generator.last.bias"].to(dtype)

    with pytest.raises(WeightsError, match=r"of a wrong type: generator\.last\.bias"):
        load_weights(method, tamper(edit))


@pytest.mark.numeric
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_files_load_as_float32(tamper, method, dtype):
    def edit(tensors):
        for key in tensors:
            tensors[key] = tensors[key].to(dtype)

    load_weights(method, tamper(edit))
    assert {parameter.dtype for parameter in method.parameters()} == {torch.float32}


def test_directory_instead_of_file_is_missing(tmp_path):
    with pytest.raises(WeightsError, match="missing"):
        verify(tmp_path)


def model(weights, directory):
    data = {"id": "tiny-x", "task": "test", "weights": weights}
    if weights.get("format"):
        data["config"] = {"method": "tiny", "domains": {"names": ["a", "b"]}}
    return Model(data, "zoo-x", directory / "registry.yaml")


def embedded(path, /, **changes):
    known = {"path": path.name, "sha256": file_sha256(path), "bytes": path.stat().st_size}
    return {"source": "embedded", **known, **changes}


def test_embedded_weights_are_found_beside_the_registry(tmp_path, tiny_host):
    path = tmp_path / "weights" / "m.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"1234")
    weights = embedded(path, path="weights/m.safetensors")
    assert model_files(model(weights, tmp_path), tiny_host) == path.parent


@pytest.mark.parametrize("changes", [{"sha256": "0" * 64}, {"bytes": 5}])
def test_embedded_weights_that_are_not_those_meant_are_refused(tmp_path, tiny_host, changes):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"1234")
    with pytest.raises(WeightsError) as caught:
        model_files(model(embedded(path, **changes), tmp_path), tiny_host)
    assert "expected" in caught.value.problem


def test_embedded_weights_that_are_gone_are_an_error(tmp_path, tiny_host):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"1234")
    gone = model(embedded(path), tmp_path)
    path.unlink()
    with pytest.raises(WeightsError) as caught:
        model_files(gone, tiny_host)
    assert "missing" in caught.value.problem


def test_foreign_formats_that_nothing_reads_are_refused(tmp_path, tiny_host):
    path = tmp_path / "m.pth"
    path.write_bytes(b"1234")
    with pytest.raises(WeightsError) as caught:
        model_files(model(embedded(path, format="of-others"), tmp_path), tiny_host)
    assert '"of-others"' in caught.value.problem


def test_a_method_that_weights_will_fill_draws_nothing(tiny_host, config, tiny_model):
    before = torch.random.get_rng_state()
    made = no_init(lambda: build_method(config, tiny_host))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert any(isinstance(net, torch.nn.Conv2d) for net in made.modules())
    load_weights(made, tiny_model)
    expected = load_file(tiny_model / "model.safetensors")
    assert torch.equal(made.nets["generator"].first.weight, expected["generator.first.weight"])
    assert torch.nn.Linear(4, 4).weight.std() > 0, "initialisation works again"
