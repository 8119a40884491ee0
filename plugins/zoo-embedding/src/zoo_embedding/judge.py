"""Judges that begin at what ImageNet taught: few pictures and few steps make a good one."""

from __future__ import annotations

from torch import nn

from zoo_embedding.imagenet import ARCHITECTURE, imagenet
from zoo_nn.nets.classifier import PictureArchitecture, TimmNet


class ImagenetArchitecture(PictureArchitecture):
    """``imagenet``: EfficientNet-Lite0, which starts from its ImageNet weights.

    A trained judge holds all weights itself: only training needs those of ImageNet.
    """

    size = 128
    widths = (1280,)
    rate = 5e-4

    def make_net(self) -> nn.Module:
        """The net: with ImageNet's weights below the classifier, unless a file's are to come.

        Raises:
            WeightsError: If a judge is to be trained and ImageNet's weights are not at hand.
        """
        net = TimmNet(ARCHITECTURE, len(self.card.classes))
        if not self.card.sha256:  # no file yet: it is to be trained
            head = net.net.get_classifier()
            for value in head.parameters():
                nn.init.zeros_(value)  # timm's first guesses are so sure that they spoil the rest
            taught = imagenet().net.state_dict()
            net.net.load_state_dict(taught | head.state_dict(prefix="classifier."))
        return net
