"""Backbones by name: `open_backbone` finds one with trained weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import nn

from zoo_core.errors import UsageError, unknown
from zoo_core.host.plugins import host
from zoo_core.untrusted import file_sha256, refuse_while_building
from zoo_nn.nets.backbone import EMBEDDING, Backbone, OwnBackbone, TimmBackbone
from zoo_nn.nets.classifier import Classifier, ClassifierNet, TimmNet, make_net
from zoo_nn.nets.classifier_card import ClassifierCard
from zoo_nn.nets.timm_nets import create_net, is_timm, trained_net

_FORM = {"architecture", "arguments", "classes", "size", "widths"}


def open_backbone(name: str, *, size: int | None = None) -> Backbone:
    """The backbone of a name, with trained weights.

    Args:
        name: One that a plugin or the core brings (``digits``); ``timm:NAME`` (or just ``NAME``),
            with the weights that timm publishes on the Hub; ``timm:NAME@FILE``, with those of a
            file; or ``judge:DIR``, what ``zoo judge train`` wrote.
        size: Side in pixels to which pictures are resized; None: the backbone's own.

    Raises:
        UsageError: If there is no backbone of this name.
        WeightsError: If its weights are missing, damaged, or do not fit; or if the options of a
            stranger's model ask for one of files or of the Hub.
    """
    brought = host().components("backbone")
    kind, colon, rest = name.partition(":")
    if not colon and name not in brought and is_timm(name):
        kind, rest = "timm", name
    if kind in ("timm", "judge") and rest:
        refuse_while_building(f"the backbone {kind}:{rest}")
    if kind == "timm" and rest:
        backbone: Any = _from_timm(rest, f"backbone timm:{rest}")
    elif kind == "judge" and rest:
        backbone = from_judge(Path(rest))
    elif name not in brought:
        raise unknown("backbone", name, [*brought, "timm:NAME", "timm:NAME@FILE", "judge:DIR"])
    else:
        backbone = host().load("backbone", name)()
    if not isinstance(backbone, Backbone):
        raise UsageError(
            f"it is a {type(backbone).__name__}, no backbone",
            asked=f'backbone "{name}"',
            hint="A backbone is a zoo_nn.nets.backbone.Backbone.",
        )
    if size is not None:
        backbone.size = size
    return backbone


def digits() -> Backbone:
    """The backbone that the zoo ships: a small ResNet of timm that has learnt MNIST's digits."""
    return from_judge(Path(__file__).with_name("weights") / "digits")


def from_judge(directory: Path) -> Backbone:
    """The net of a judge directory as a backbone, whichever architecture it has.

    Raises:
        DataError: If it is no judge directory.
        WeightsError: If its weights are missing, damaged or not those of its card.
    """
    return _of_judge(Classifier.load(directory))


def bare_backbone(form: Mapping[str, Any]) -> Backbone:
    """The backbone of a `Backbone.form`, with random weights: for a model that holds its weights.

    Raises:
        UsageError: If it is no such form.
    """
    asked = f"backbone of the form {dict(form)}"
    if set(form) == {"timm"}:
        return _of_timm(str(form["timm"]), create_net(str(form["timm"]), {}, asked=asked), "")
    if foreign := sorted(set(form) - _FORM):
        raise UsageError(f"there is no key {', '.join(foreign)}", asked=asked)
    try:
        card = ClassifierCard.model_validate(form)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{where}: {first['msg'].lower()}", asked=asked) from error
    return _of_judge(Classifier(make_net(card), card))


def without_state(module: nn.Module) -> nn.Module:
    """Turns all parameters and buffers into constants, which no checkpoint and no model holds.

    For frozen nets that anyone can open again by their name. The module still moves between
    devices, and gradients still pass through it.
    """
    for part in module.modules():
        named = (*part.named_parameters(recurse=False), *part.named_buffers(recurse=False))
        for name, tensor in named:
            delattr(part, name)
            part.register_buffer(name, tensor.detach(), persistent=False)
    return module


def _from_timm(rest: str, asked: str) -> TimmBackbone:
    architecture, _, file = rest.partition("@")
    net, path = trained_net(architecture, Path(file) if file else None, asked=asked, fetched=True)
    return _of_timm(architecture, net, file_sha256(path))


def _of_timm(architecture: str, net: Any, sha256: str) -> TimmBackbone:
    config: Mapping[str, Any] = net.pretrained_cfg
    fixed = int(config["input_size"][-1]) if config.get("fixed_input_size") else None
    backbone = TimmBackbone(net, config["mean"], config["std"], size=fixed, sha256=sha256)
    backbone.form = {"timm": architecture}
    return backbone


def _of_judge(judge: Classifier) -> Backbone:
    card = judge.card
    backbone: Backbone
    if isinstance(judge.net, TimmNet):
        half = [0.5] * 3  # judges read [-1, 1]
        backbone = TimmBackbone(judge.net.net, half, half, size=card.size, sha256=card.sha256)
        backbone.default_layers = (EMBEDDING,)
    elif isinstance(judge.net, ClassifierNet):
        backbone = OwnBackbone(judge)
    else:
        raise UsageError(
            f"a net of architecture {card.architecture} has no layers that a loss could compare",
            asked="backbone of a judge",
            hint="Use a judge of pictures.",
        )
    backbone.form = card.model_dump(mode="json", include=_FORM)
    return backbone
