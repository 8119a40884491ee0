"""Frozen backbones: found by name, never random, never changed, in their own normalisation."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from zoo_core.contracts.component import Component
from zoo_core.errors import DataError, UsageError, WeightsError
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_card import JudgeCard
from zoo_hub.source import HubSource
from zoo_nn.nets import backbones
from zoo_nn.nets.backbone import Backbone
from zoo_nn.nets.backbones import bare_backbone, open_backbone, without_state
from zoo_nn.nets.classifier import make_net
from zoo_nn.nets.timm_nets import create_net
from zoo_testing.hosts import InMemoryPlugin, host_with

pytestmark = pytest.mark.numeric

ARCHITECTURE = "test_byobnet"
"""A timm architecture of 0.2 M parameters, normalised as ImageNet is."""


def judge_at(directory: Path, **fields: object) -> Path:
    card = JudgeCard(task="content", classes=("0", "1"), domains=("a",), size=16, **fields)
    EvalClassifier(make_net(card), card).save(directory)
    return directory


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    torch.manual_seed(0)
    save_file(timm.create_model(ARCHITECTURE, pretrained=False).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def local(weights: Path) -> Backbone:
    return open_backbone(f"timm:{ARCHITECTURE}@{weights}")


@pytest.fixture(params=["digits", "timm", "own judge", "timm judge"])
def backbone(request: pytest.FixtureRequest, weights: Path, tmp_path: Path) -> Backbone:
    torch.manual_seed(0)
    if request.param == "own judge":
        return open_backbone(f"judge:{judge_at(tmp_path, widths=(4, 6, 8))}")
    if request.param == "timm judge":
        given = {"architecture": "timm:resnet10t", "arguments": {"channels": [4, 4, 8, 8]}}
        return open_backbone(f"judge:{judge_at(tmp_path, **given)}")
    return open_backbone(
        "digits" if request.param == "digits" else f"timm:{ARCHITECTURE}@{weights}"
    )


def pictures(channels: int = 3, side: int = 32) -> Tensor:
    return torch.rand(2, channels, side, side, generator=torch.Generator().manual_seed(3)) * 2 - 1


def test_every_layer_of_a_backbone_answers_at_once_or_alone(backbone: Backbone) -> None:
    x = pictures()
    with torch.inference_mode():
        whole = backbone(x, backbone.layers)
        assert sorted(whole) == sorted(backbone.layers)
        assert whole["embedding"].shape == (2, backbone.width)
        for layer, value in whole.items():
            assert torch.equal(backbone(x, [layer])[layer], value)
            assert value.dim() in (2, 4)


def test_layers_of_a_timm_net_are_what_its_parts_of_that_name_give(local: Backbone) -> None:
    given: dict[str, Tensor] = {}
    for layer in local.layers[:-1]:
        part = local.net.get_submodule(layer)
        part.register_forward_hook(lambda _m, _x, y, layer=layer: given.update({layer: y}))
    with torch.inference_mode():
        found = local(pictures(), local.layers)
    assert given
    assert all(torch.equal(found[layer], value) for layer, value in given.items())


def test_any_module_of_a_timm_net_is_a_layer_also_ahead_of_an_activation_in_place(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    net = timm.create_model("test_resnet", pretrained=False).eval()
    assert net.act1.inplace
    save_file(net.state_dict(), tmp_path / "w.safetensors")
    found = open_backbone(f"timm:test_resnet@{tmp_path / 'w.safetensors'}")
    x = pictures()
    with torch.inference_mode():
        both = found(x, ("bn1", "act1"))
        ahead = net.bn1(net.conv1(found.prepared(x)))
    torch.testing.assert_close(both["bn1"], ahead)
    assert float(ahead.min()) < 0
    torch.testing.assert_close(both["act1"], ahead.relu())
    assert not [m for m in found.net.modules() if m._forward_hooks]


def test_a_backbone_says_which_layers_to_compare(backbone: Backbone, local: Backbone) -> None:
    assert local.default_layers == local.layers[-3:-1]
    assert set(backbone.default_layers) <= set(backbone.layers)
    assert open_backbone("digits").default_layers == ("embedding",)


def test_a_backbone_is_frozen_and_stays_in_evaluation_mode(backbone: Backbone) -> None:
    nn.ModuleList([backbone]).train()
    assert not any(module.training for module in backbone.modules())
    assert all(getattr(p, "frozen", False) and not p.requires_grad for p in backbone.parameters())
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    x = pictures().requires_grad_()
    backbone(x)["embedding"].square().sum().backward()
    assert x.grad is not None
    assert x.grad.abs().max() > 0
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())


def test_grey_pictures_are_read_as_colour_ones_of_equal_channels(backbone: Backbone) -> None:
    x = pictures(channels=1)
    with torch.inference_mode():
        torch.testing.assert_close(
            backbone(x)["embedding"], backbone(x.expand(-1, 3, -1, -1).clone())["embedding"]
        )


def test_pictures_are_renormalised_to_what_the_net_was_trained_on(
    local: Backbone, weights: Path
) -> None:
    net = timm.create_model(ARCHITECTURE, pretrained=False).eval()
    net.load_state_dict(load_file(weights))
    x = pictures()
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    with torch.inference_mode():
        wanted = net.forward_head(net.forward_features((x * 0.5 + 0.5 - mean) / std), True)
        torch.testing.assert_close(local(x)["embedding"], wanted)


def test_a_judge_as_backbone_has_the_features_that_the_judge_has(tmp_path: Path) -> None:
    directory = judge_at(tmp_path, widths=(4, 6, 8))
    x = pictures(side=20)
    with torch.inference_mode():
        wanted = EvalClassifier.load(directory)(x).features
        torch.testing.assert_close(open_backbone(f"judge:{directory}")(x)["embedding"], wanted)


def test_a_size_of_its_own_resizes_what_a_backbone_reads(weights: Path) -> None:
    name = f"timm:{ARCHITECTURE}@{weights}"
    with torch.inference_mode():
        assert open_backbone(name)(pictures(), ["stages.0"])["stages.0"].shape[-1] == 8
        assert open_backbone(name, size=64)(pictures(), ["stages.0"])["stages.0"].shape[-1] == 16


def test_the_shipped_backbone_is_small_and_says_what_it_learnt_from() -> None:
    directory = Path(backbones.__file__).with_name("weights") / "digits"
    card = JudgeCard.read(directory)
    assert card.domains == ("mnist",)
    assert card.architecture.startswith("timm:")
    assert card.bytes == (directory / "judge.safetensors").stat().st_size < 600_000
    assert card.accuracy["mnist"]["test"] > 0.98


def test_no_weights_no_backbone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    for name in ("timm:resnet18", "resnet18"):
        with pytest.raises(WeightsError) as caught:
            open_backbone(name)
        told = str(caught.value)
        for part in ("random weights", "HF_HUB_OFFLINE", "timm/resnet18", "timm:resnet18@FILE"):
            assert part in told


def test_published_weights_are_fetched_where_the_cache_lacks_them(
    monkeypatch: pytest.MonkeyPatch, weights: Path
) -> None:
    references: list[str] = []

    def file(self: HubSource, reference: str, *, asked: str) -> Path:
        references.append(reference)
        return weights

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(HubSource, "file", file)
    open_backbone(f"timm:{ARCHITECTURE}.r160_in1k")
    assert references == [f"timm/{ARCHITECTURE}.r160_in1k:model.safetensors"]


@pytest.mark.parametrize("name", ["digit", "timm:", "timm:no_such_net", "judge:", "hub:x"])
def test_an_unknown_backbone_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        open_backbone(name)


def test_a_missing_file_or_judge_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        open_backbone(f"timm:{ARCHITECTURE}@{tmp_path / 'none.safetensors'}")
    with pytest.raises(DataError, match="no judge directory"):
        open_backbone(f"judge:{tmp_path}")


def test_an_unknown_layer_is_refused_with_the_near_match(local: Backbone) -> None:
    with pytest.raises(UsageError, match=r'Did you mean "stages\.2"'):
        local(pictures(), ["stage.2"])


def test_signals_that_are_no_pictures_are_refused(local: Backbone) -> None:
    with pytest.raises(UsageError, match="1 or 3 channels"):
        local(torch.zeros(2, 36, 128))


def test_a_plugin_may_bring_a_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    target = "zoo_nn.nets.backbones:digits"
    mine = InMemoryPlugin(
        "mine",
        [Component("backbone", "mine", target), Component("backbone", "odd", "torch.nn:ReLU")],
    )
    made = host_with(mine)
    monkeypatch.setattr("zoo_nn.nets.backbones.host", lambda: made)
    assert open_backbone("mine").width == 96
    with pytest.raises(UsageError) as caught:
        open_backbone("odd")
    assert caught.value.asked == 'backbone "odd"'


def test_a_net_without_state_gives_the_same_features_and_has_nothing_to_save(
    weights: Path,
) -> None:
    name = f"timm:{ARCHITECTURE}@{weights}"
    kept, bare = open_backbone(name), without_state(open_backbone(name))
    x = pictures()
    with torch.inference_mode():
        assert torch.equal(bare(x)["embedding"], kept(x)["embedding"])
        wanted = kept.double()(x.double())["embedding"]
        assert torch.equal(bare.double()(x.double())["embedding"], wanted)
    assert not bare.state_dict()
    assert not list(bare.parameters())


def test_a_form_rebuilds_the_net_around_its_weights(backbone: Backbone) -> None:
    bare = bare_backbone(backbone.form)
    bare.load_state_dict(backbone.state_dict())
    x = pictures()
    for layer in (backbone.layers[0], "embedding"):
        assert torch.equal(bare(x, [layer])[layer], backbone(x, [layer])[layer])
    assert bare.form == backbone.form
    assert all(parameter.frozen for parameter in bare.parameters())


@pytest.mark.parametrize(
    "form", [{}, {"classes": ["0", "1"]}, {"classes": 3, "size": 16}, {"x": 1}]
)
def test_what_is_no_form_is_refused(form: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="of the form"):
        bare_backbone(form)


@pytest.mark.parametrize(
    "arguments",
    [
        {"checkpoint_path": "samples.png"},
        {"pretrained": True},
        {"pretrained_cfg": {"file": "x.pth"}},
        {"cache_dir": "x"},
        {"channels": "x.pth"},
        {"channels": [8, "x.pth"]},
    ],
)
def test_a_stranger_cannot_have_timm_load_a_file(
    arguments: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []
    monkeypatch.setattr(timm, "create_model", lambda *a, **k: called.append(k))
    with pytest.raises(UsageError):
        create_net("resnet10t", arguments, asked="a card")
    assert not called
