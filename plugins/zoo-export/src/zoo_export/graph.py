"""The translation of pictures as one module: bytes in, bytes out, for any batch and size.

Shapes: N batch, H and W of the picture, h and w as the nets see it, C their channels, K domains.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Condition, TensorSpec
from zoo_images.pixels import LUMA, bounds
from zoo_images.tiles import LEAST


class Direction(nn.Module):
    """Translates pictures from one domain (where the method must know it) to one target.

    Args:
        method: The method with its weights, in float32 on the CPU.
        source: The inputs' own condition vector (K,); zeros where it is unknown.
        target: The condition vector (K,) of the output.
        domains: Names of both, for methods with nets of their own for each domain.
    """

    def __init__(
        self,
        method: Method[Any],
        source: Tensor,
        target: Tensor,
        domains: tuple[str | None, str | None] = (None, None),
    ) -> None:
        super().__init__()
        self.method, self.domains = method, domains
        self.register_buffer("source", source)
        self.register_buffer("target", target)
        self.source: Tensor
        self.target: Tensor

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """The translated picture, uint8 (N, H, W, 3), and what the nets gave, (N, C, h, w)."""
        count = picture.shape[0]
        source = Condition(self.source.expand(count, -1), self.domains[0])  # (N, K)
        target = Condition(self.target.expand(count, -1), self.domains[1])  # (N, K)
        return translated(self.method, picture, source, target)


class Chosen(nn.Module):
    """Translates pictures to a target that is an input, for methods whose nets read a condition.

    Args:
        method: The method with its weights, in float32 on the CPU.
    """

    def __init__(self, method: Method[Any]) -> None:
        super().__init__()
        self.method = method
        self.exclusive = method.domains.kind == "domains"
        self.register_buffer("rows", torch.eye(len(method.domains)))  # (K, K)
        self.rows: Tensor

    def forward(self, picture: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """As `Direction.forward`; ``target`` is a position (N,) or attributes (N, K)."""
        label = self.rows[target] if self.exclusive else target  # (N, K)
        return translated(
            self.method, picture, Condition(torch.zeros_like(label)), Condition(label)
        )


class PicturesOnly(nn.Module):
    """The first output of `Direction` or `Chosen`.

    Args:
        module: One of them.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *given: Tensor) -> Tensor:
        """The translated picture, uint8 (N, H, W, 3)."""
        picture: Tensor = self.module(*given)[0]
        return picture  # (N, H, W, 3)


class Nets(nn.Module):
    """The nets alone, from signals to signals, for engines that translate in torch's place.

    Args:
        method: The method with its weights, in float32 on the CPU.
        domains: Names of both domains, for methods with nets of their own for each.
    """

    def __init__(
        self, method: Method[Any], domains: tuple[str | None, str | None] = (None, None)
    ) -> None:
        super().__init__()
        self.method, self.domains = method, domains

    def forward(self, x: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """(N, C, H, W) ``x`` (N, C, H, W) translated; conditions are vectors (N, K)."""
        return self.method.translate(
            x, Condition(source, self.domains[0]), Condition(target, self.domains[1])
        )  # (N, C, H, W)


def translated(
    method: Method[Any], picture: Tensor, source: Condition, target: Condition
) -> tuple[Tensor, Tensor]:
    """The translated picture, uint8 (N, H, W, 3), and what the nets gave, (N, C, h, w).

    Args:
        method: The method.
        picture: uint8 (N, H, W, 3).
        source: The inputs' own condition.
        target: The condition of the outputs.
    """
    spec = method.signal
    height, width = picture.shape[1], picture.shape[2]
    x = to_signal(picture, spec)  # (N, C, H, W)
    if spec.flexible >= 2:
        x = x[:, :, reflected(height, spec.stride)]  # (N, C, h, W)
        x = x[:, :, :, reflected(width, spec.stride)]  # (N, C, h, w)
    y = method.translate(x, source, target)  # (N, C, h, w)
    top, left = (y.shape[2] - height) // 2, (y.shape[3] - width) // 2
    # By positions: of a slice torch.export would fix how padded and given sizes relate.
    inner = y[:, :, torch.arange(height) + top]  # (N, C, H, w)
    inner = inner[:, :, :, torch.arange(width) + left]  # (N, C, H, W)
    return to_picture(inner, spec), y


def to_signal(picture: Tensor, spec: TensorSpec) -> Tensor:
    """(N, C, H, W) within the range of the nets: uint8 pictures (N, H, W, 3); C is 1 for grey."""
    low, high = bounds(spec)
    x = picture.permute(0, 3, 1, 2).to(torch.float32) * ((high - low) / 255) + low  # (N, 3, H, W)
    if spec.channels == 1:
        x = (x * torch.tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)  # (N, 1, H, W)
    return x  # (N, C, H, W)


def to_picture(signal: Tensor, spec: TensorSpec) -> Tensor:
    """uint8 (N, H, W, 3), rounded and clipped: signals (N, C, H, W) in the range of the nets."""
    low, high = bounds(spec)
    scaled = (signal - low) * (255 / (high - low))  # (N, C, H, W)
    rounded = scaled.round().clamp(0, 255).to(torch.uint8)  # (N, C, H, W)
    return rounded.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)  # (N, H, W, 3)


def reflected(extent: int, stride: int) -> Tensor:
    """Positions (padded,) that an axis is read at: mirrored beyond its border, as often as needed.

    The same as `zoo_images.tiles.plan` gives for a picture that is one tile.

    Args:
        extent: Of the axis, in pixels.
        stride: The padded extent is a multiple of it, no less than `zoo_images.tiles.LEAST`.
    """
    padded = (torch.sym_max(extent, LEAST) + stride - 1) // stride * stride
    positions: Tensor = torch.arange(padded) - (padded - extent) // 2  # (padded,)
    # A tensor, since the exporter knows no remainder by a number that depends on the size.
    period = torch.ones_like(positions).mul(torch.sym_max(2 * extent - 2, 1))  # (padded,)
    folded = torch.remainder(positions, period)  # (padded,)
    return folded.minimum(period - folded)  # (padded,)


class CentredNorms(TorchFunctionMode):
    """While it is entered, instance normalisation takes the mean away beforehand.

    ONNX Runtime computes ``x * a + (b - mean * a)``, which cancels where the mean is large beside
    the deviation: on stargan-emoji it is off by 1.2e-4, and by 2.7e-5 with the mean taken away.
    OpenVINO gains nothing by it and loses a tenth to a fifth of its time.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Called for every function of torch."""
        if function is functional.instance_norm:
            x, *rest = args
            args = (x - x.mean(tuple(range(2, x.ndim)), keepdim=True), *rest)  # (N, C, *S)
        return function(*args, **(kwargs or {}))
