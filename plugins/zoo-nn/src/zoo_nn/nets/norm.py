"""Instance normalisation that is right in every memory format, and fast in the one it is given.

Use this in place of torch's. Torch's `torch.nn.InstanceNorm2d` gives wrong gradients on CPUs where
a batch holds one picture and the gradient arrives in the channels-last format (seen in torch 2.10,
2.13 and 2.14), and it copies pictures in that format to the other one in every pass. Exported nets
have no backward pass, and engines look for the operation: there it is the one taken. So it is where
a mode watches the functions of torch, as the one does by which windows share their statistics.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import has_torch_function_unary

EPS = 1e-5
"""What is added to every variance unless a net was published with another, as in torch."""

_LARGE = 1 << 15
"""Values per picture from which its own pass costs less than a change of the memory format."""


class InstanceNorm(nn.Module):
    """Gives every channel of every signal the mean 0 and the variance 1, over all its places.

    In training and in eval mode alike it is the signal's own mean and variance that count; nothing
    is remembered of other signals.

    Args:
        channels: Channels C of the signals.
        affine: Whether every channel is then scaled and shifted by learnt parameters (``weight``,
            ``bias``, each (C,)), which begin as 1 and 0.
        eps: What is added to every variance.
    """

    def __init__(self, channels: int, *, affine: bool = False, eps: float = EPS) -> None:
        super().__init__()
        self.channels, self.eps = channels, eps
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalises ``x`` (N, C, *S), of at least two places; see `instance_norm`."""
        return instance_norm(x, self.weight, self.bias, self.eps)  # (N, C, *S)

    def extra_repr(self) -> str:
        """What printing shows in the brackets."""
        return f"{self.channels}, affine={self.weight is not None}"


class GroupNorm(nn.GroupNorm):
    """`torch.nn.GroupNorm`, whose backward pass is fast for pictures in any memory format."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalises ``x`` (N, C, *S)."""
        if x.device.type == "cpu" and _channels_last(x) and _learns(x, self.weight):
            return _channel_by_channel(x, self.num_groups, self.weight, self.bias, self.eps)
        return super().forward(x)  # (N, C, *S)


def instance_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = EPS
) -> Tensor:
    """Normalises every channel of every signal by its own mean and variance.

    Four forms of the same arithmetic, each where it is the fastest that is right. On a CPU that is
    group normalisation with a group per channel, but for backward passes over channels-last
    pictures. ``benchmarks/norm.py`` has the figures.

    Args:
        x: Signals (N, C, *S).
        weight: Scale (C,) of each channel, or None for 1.
        bias: Shift (C,) of each channel, or None for 0.
        eps: What is added to every variance.

    Returns:
        (N, C, *S).

    Raises:
        ValueError: If a channel has one value only, which is its own mean.
    """
    exported = torch.compiler.is_exporting() or torch.jit.is_tracing()
    if exported or (has_torch_function_unary(x) and not _learns(x, weight)):
        return functional.instance_norm(x, weight=weight, bias=bias, eps=eps)  # (N, C, *S)
    if x.device.type != "cpu":
        return _place_by_place(x, weight, bias, eps)  # (N, C, *S)
    if math.prod(x.shape[2:]) < 2:
        raise ValueError(f"a channel needs more than one value to be normalised: {tuple(x.shape)}")
    if _learns(x, weight) and _channels_last(x) and not torch.compiler.is_compiling():
        if x[0].numel() >= _LARGE:
            return _picture_by_picture(x, weight, bias, eps)  # (N, C, H, W)
        return _channel_by_channel(x, x.shape[1], weight, bias, eps)  # (N, C, H, W)
    return functional.group_norm(x, x.shape[1], weight, bias, eps)  # (N, C, *S)


def _place_by_place(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """`instance_norm` on accelerators: torch's own, as signals that have one memory format only.

    There a pass per picture would launch many short kernels, and autocast would widen group
    normalisation to float32.
    """
    flat = x.flatten(2)  # (N, C, prod(S))
    y = functional.instance_norm(flat, weight=weight, bias=bias, eps=eps)  # (N, C, prod(S))
    return y.view(x.shape)  # (N, C, *S)


def _picture_by_picture(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """`instance_norm` of pictures in the channels-last format.

    Such a picture is a table, a row per pixel and a column per channel: batch normalisation of the
    rows, for which torch has fast forward and backward passes. A table lies in memory in one way
    only, while pictures of one item may claim two formats at once, torch's error.
    """
    _, channels, *size = x.shape
    if weight is None or bias is None:  # with these, statistics of bfloat16 stay in float32
        wide = torch.promote_types(x.dtype, torch.float32)
        weight = torch.ones(channels, dtype=wide, device=x.device)  # (C,)
        bias = torch.zeros(channels, dtype=wide, device=x.device)  # (C,)
    tables = x.permute(0, 2, 3, 1).flatten(1, 2)  # (N, H W, C)
    made = [
        functional.batch_norm(table, None, None, weight, bias, training=True, eps=eps)
        for table in tables
    ]  # N x (H W, C)
    pictures = [table.view(1, *size, channels).permute(0, 3, 1, 2) for table in made]
    # Not a view of a stack: an activation in place would copy all of that in its backward pass.
    return torch.cat(pictures)  # (N, C, H, W)


def _channel_by_channel(
    x: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """Group normalisation of pictures (N, C, H, W) in the channels-last format, which it keeps.

    In between a channel lies in one piece: torch's backward pass is slow where it does not.
    """
    y = functional.group_norm(x.contiguous(), groups, weight, bias, eps)  # (N, C, H, W)
    return y.contiguous(memory_format=torch.channels_last)  # (N, C, H, W)


def _channels_last(x: Tensor) -> bool:
    """Whether ``x`` holds pictures that lie in memory pixel by pixel."""
    if x.dim() != 4 or x.is_contiguous():
        return False
    return x.is_contiguous(memory_format=torch.channels_last)


def _learns(x: Tensor, weight: Tensor | None) -> bool:
    """Whether a backward pass may follow."""
    needed = x.requires_grad or (weight is not None and weight.requires_grad)
    return needed and torch.is_grad_enabled()
