"""Weight initialisations that papers prescribe."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

CONVOLUTIONS = (
    nn.Conv1d,
    nn.Conv2d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.Linear,
)


def init_normal(net: nn.Module, std: float = 0.02) -> nn.Module:
    """Draws all convolution and linear weights from N(0, std²), biases 0 (DCGAN, CycleGAN §4).

    Args:
        net: Changed in place.
        std: Standard deviation.

    Returns:
        The same net.
    """
    return _init(net, lambda weight: nn.init.normal_(weight, 0.0, std))


def init_xavier_uniform(net: nn.Module, gain: float = 1.0, bias: float = 0.0) -> nn.Module:
    """Glorot's uniform initialisation of all convolution and linear weights (CoGAN).

    Args:
        net: Changed in place.
        gain: Factor of the standard deviation.
        bias: Value of all biases.

    Returns:
        The same net.
    """
    return _init(net, lambda weight: nn.init.xavier_uniform_(weight, gain), bias)


def init_xavier_normal(net: nn.Module, gain: float = 0.02) -> nn.Module:
    """Glorot's normal initialisation of all convolution and linear weights (CUT, GcGAN).

    Biases are drawn as torch draws them by default, which those papers' code leaves alone.

    Args:
        net: Changed in place.
        gain: Factor of the standard deviation.

    Returns:
        The same net.
    """
    for module in net.modules():
        if isinstance(module, CONVOLUTIONS):
            module.reset_parameters()
            nn.init.xavier_normal_(module.weight, gain)
    return net


def init_kaiming(net: nn.Module) -> nn.Module:
    """He's normal initialisation, fan in, of all convolution and linear weights (UNIT).

    Args:
        net: Changed in place.

    Returns:
        The same net.
    """
    return _init(net, nn.init.kaiming_normal_)


def _init(net: nn.Module, draw: Callable[[Tensor], Tensor], bias: float = 0.0) -> nn.Module:
    for module in net.modules():
        if isinstance(module, CONVOLUTIONS):
            draw(module.weight)
            if module.bias is not None:
                nn.init.constant_(module.bias, bias)
    return net
