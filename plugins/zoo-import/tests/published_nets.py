"""Published architectures, stated again layer by layer with the keys of their checkpoints.

Written from the papers and the layouts alone; nothing here uses the nets of the library.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional


class Residual(nn.Module):
    """``x + layers(x)``; ``name`` is what the layers are called."""

    def __init__(self, name: str, *layers: nn.Module) -> None:
        super().__init__()
        self.name = name
        setattr(self, name, nn.Sequential(*layers))

    def forward(self, x: Tensor) -> Tensor:
        return x + getattr(self, self.name)(x)


class Named(nn.Module):
    """Sequences under names, one after the other."""

    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        for part in self.children():
            x = part(x)
        return x


class Blur(nn.Module):
    """The filters of CUT: ``up`` doubles after repeating the border, else halves a reflection."""

    def __init__(self, channels: int, *, up: bool) -> None:
        super().__init__()
        self.up = up
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0] if up else [1.0, 2.0, 1.0])
        kernel = taps[:, None] * taps[None, :]
        kernel = kernel / kernel.sum() * (4 if up else 1)
        self.register_buffer("filt", kernel[None, None].repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        groups = x.shape[1]
        if not self.up:
            return functional.conv2d(nn.ReflectionPad2d(1)(x), self.filt, stride=2, groups=groups)
        x = nn.ReplicationPad2d(1)(x)
        y = functional.conv_transpose2d(x, self.filt, stride=2, padding=2, groups=groups)
        return y[:, :, 1:, 1:][:, :, :-1, :-1]


def resnet_layers(
    width: int = 6,
    blocks: int = 2,
    *,
    statistics: bool = False,
    dropout: bool = False,
    block: str = "conv_block",
    up: str = "transpose",
    blur_down: bool = False,
    channels: int = 3,
) -> nn.Sequential:
    """The residual generator in all its published variants."""

    def norm(count: int) -> nn.Module:
        return nn.InstanceNorm2d(count, track_running_stats=statistics)

    def residual() -> nn.Module:
        deep = 4 * width
        middle = [nn.Dropout(0.5)] if dropout else []
        first = [nn.ReflectionPad2d(1), nn.Conv2d(deep, deep, 3), norm(deep), nn.ReLU()]
        second = [nn.ReflectionPad2d(1), nn.Conv2d(deep, deep, 3), norm(deep)]
        return Residual(block, *first, *middle, *second)

    layers = [nn.ReflectionPad2d(3), nn.Conv2d(channels, width, 7), norm(width), nn.ReLU()]
    for count in (width, 2 * width):
        stride = 1 if blur_down else 2
        layers += [nn.Conv2d(count, 2 * count, 3, stride, 1), norm(2 * count), nn.ReLU()]
        layers += [Blur(2 * count, up=False)] if blur_down else []
    layers += [residual() for _ in range(blocks)]
    for count in (2 * width, width):
        if up == "transpose":
            layers += [nn.ConvTranspose2d(2 * count, count, 3, 2, 1, 1)]
        elif up == "nearest":
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(2 * count, count, 3, 1, 1)]
        else:
            layers += [Blur(2 * count, up=True), nn.Conv2d(2 * count, count, 3, 1, 1)]
        layers += [norm(count), nn.ReLU()]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh())


def patch_layers(width: int = 6, layers: int = 3, *, statistics: bool = False) -> nn.Sequential:
    """PatchGAN."""
    body = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    inner = width
    for level in range(1, layers + 1):
        outer = width * min(2**level, 8)
        body += [
            nn.Conv2d(inner, outer, 4, 2 if level < layers else 1, 1),
            nn.InstanceNorm2d(outer, track_running_stats=statistics),
            nn.LeakyReLU(0.2),
        ]
        inner = outer
    return nn.Sequential(*body, nn.Conv2d(inner, 1, 4, 1, 1))


def stargan_pieces(width: int, blocks: int, conditions: int) -> list[list[nn.Module]]:
    """StarGAN's generator in five pieces."""

    def stage(convolution: nn.Module) -> list[nn.Module]:
        return [convolution, affine(convolution.out_channels), nn.ReLU()]

    def affine(count: int) -> nn.Module:
        norm = nn.InstanceNorm2d(count, affine=True, track_running_stats=True)
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
        return norm

    def residual() -> nn.Module:
        deep = 4 * width
        first = stage(nn.Conv2d(deep, deep, 3, 1, 1, bias=False))
        return Residual("main", *first, nn.Conv2d(deep, deep, 3, 1, 1, bias=False), affine(deep))

    return [
        stage(nn.Conv2d(3 + conditions, width, 7, 1, 3, bias=False)),
        stage(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False))
        + stage(nn.Conv2d(2 * width, 4 * width, 4, 2, 1, bias=False)),
        [residual() for _ in range(blocks)],
        stage(nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1, bias=False))
        + stage(nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False)),
        [nn.Conv2d(width, 3, 7, 1, 3, bias=False), nn.Tanh()],
    ]


def yunjey_generator(width: int = 6, blocks: int = 2, conditions: int = 5) -> Named:
    """StarGAN's generator as one sequence, ``main``."""
    pieces = stargan_pieces(width, blocks, conditions)
    return Named(main=nn.Sequential(*itertools.chain(*pieces)))


def lornatang_generator(width: int = 6, blocks: int = 2, conditions: int = 5) -> Named:
    """StarGAN's generator as five sequences."""
    names = ("first_layer", "down_sampling", "trunk", "up_sampling", "last_layer")
    pieces = stargan_pieces(width, blocks, conditions)
    return Named(**{n: nn.Sequential(*p) for n, p in zip(names, pieces, strict=True)})


def with_label(x: Tensor, label: list[float]) -> Tensor:
    """What StarGAN's generator reads: the label as further channels."""
    maps = torch.tensor(label)[None, :, None, None].expand(len(x), -1, *x.shape[2:])
    return torch.cat([x, maps], dim=1)


class StarGANDiscriminator(nn.Module):
    """Real or made, and of which domain."""

    def __init__(self, size: int = 64, width: int = 4, layers: int = 6, count: int = 5) -> None:
        super().__init__()
        widths = [3, *(width << level for level in range(layers))]
        body: list[nn.Module] = []
        for inner, outer in itertools.pairwise(widths):
            body += [nn.Conv2d(inner, outer, 4, 2, 1), nn.LeakyReLU(0.01)]
        self.main = nn.Sequential(*body)
        self.conv1 = nn.Conv2d(widths[-1], 1, 3, 1, 1, bias=False)
        self.conv2 = nn.Conv2d(widths[-1], count, size >> layers, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.main(x)
        return self.conv1(features), self.conv2(features)[:, :, 0, 0]


class Upit(nn.Module):
    """All four nets; ``G_B`` makes B of A."""

    def __init__(self, width: int = 6, blocks: int = 2, *, dropout: bool = False) -> None:
        super().__init__()
        self.G_A = resnet_layers(width, blocks, dropout=dropout)
        self.G_B = resnet_layers(width, blocks, dropout=dropout)
        self.D_A, self.D_B = patch_layers(width), patch_layers(width)
