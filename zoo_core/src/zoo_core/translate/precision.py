"""Which device computes, and in which precision: shared by translation and training."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor, nn

from zoo_core.errors import UsageError, unknown

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""Names of the precisions that a user can ask for, besides ``auto``."""

_CAST = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.Linear,
)


def resolve_device(asked: str | torch.device = "auto") -> torch.device:
    """The device to compute on.

    Args:
        asked: ``auto`` (CUDA, else Apple's MPS, else the CPU), or a device as torch names it.

    Raises:
        UsageError: If the device is unknown or not there.
    """
    if isinstance(asked, torch.device):
        device = asked
    elif asked == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    else:
        try:
            device = torch.device(asked)
        except RuntimeError as fault:
            raise unknown("device", asked, ["auto", "cpu", "cuda", "cuda:1", "mps"]) from fault
    if not _present(device):
        raise UsageError(
            "this device is not available here",
            asked=f'device "{device}"',
            hint="Use --device auto or --device cpu.",
        )
    return device


def supports_bfloat16(device: torch.device | str) -> bool:
    """Whether bfloat16 is faster than float32 on a device.

    On CPUs that takes AMX: with AVX512-bf16 alone the convolutions were measured to run 0.6 to
    0.8 times as fast as in float32, so such a CPU counts as one without.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(getattr(torch.cpu, "_is_amx_tile_supported", bool)())
    return False


def resolve_precision(device: torch.device | str, asked: str = "auto") -> torch.dtype:
    """The precision to compute in.

    Args:
        device: Where.
        asked: ``auto`` (bfloat16 where it is fast, else float32), ``float32`` or ``bfloat16``.

    Raises:
        UsageError: If the precision is unknown.
    """
    if asked == "auto":
        return torch.bfloat16 if supports_bfloat16(device) else torch.float32
    if asked not in PRECISIONS:
        raise unknown("precision", asked, ["auto", *PRECISIONS])
    return PRECISIONS[asked]


def at_least_float32(x: Tensor) -> Tensor:
    """``x`` for losses and sums: half precisions are raised to float32, float64 stays as it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def autocast(
    device: torch.device | str, dtype: torch.dtype
) -> contextlib.AbstractContextManager[object]:
    """A context in which the nets compute in ``dtype``; it does nothing for float32."""
    if dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, dtype=dtype)


def cast_weights(module: nn.Module, dtype: torch.dtype) -> None:
    """Casts the weights of convolutions and linear layers once, in place.

    To be used with `autocast`, which would otherwise cast them in every forward pass. Layers that
    are more than the plain ones (subclasses, parametrised ones) and all others are left to it.
    """
    for layer in module.modules():
        if type(layer) in _CAST and not hasattr(layer, "parametrizations"):
            layer.to(dtype)


def _present(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    if device.type == "mps":
        return torch.backends.mps.is_available()
    return device.type == "cpu"
