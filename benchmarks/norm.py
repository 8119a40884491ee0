"""The zoo's instance normalisation against torch's, alone and in CycleGAN's residual generator.

    python benchmarks/norm.py [--side 128] [--blocks 9] [--repeats 5] [--device cpu]

Prints, for each precision, memory format and batch, torch's time and how many times as fast the
zoo's is: a forward pass without gradients, then a forward and a backward pass. The two take turns
in one run, and the shortest of the repeats counts; on a CPU, processor time of one thread. Beside
it, of one picture, by how much of its norm torch's gradient is off.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Mapping
from functools import partial

import torch
from benchmarking import fastest
from torch import Tensor, nn

from zoo_core.contracts.signals import Condition
from zoo_core.translate.engine import autocast
from zoo_nn.nets.norm import InstanceNorm
from zoo_nn.nets.resnet import ResnetGenerator

Normal = Callable[[int], nn.Module]
KINDS: Mapping[str, Normal] = {"torch": nn.InstanceNorm2d, "zoo": InstanceNorm}
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
FORMATS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}
TO = Condition(torch.ones(1, 1))


class Layer(nn.Module):
    """A normalisation alone, of 256 channels."""

    def __init__(self, normal: Normal) -> None:
        super().__init__()
        self.normal = normal(256)

    def forward(self, x: Tensor) -> Tensor:
        """Normalises ``x`` (N, 256, H, W)."""
        y: Tensor = self.normal(x)  # (N, 256, H, W)
        return y  # (N, 256, H, W)


class Generator(nn.Module):
    """The published residual generator with a normalisation of choice."""

    def __init__(self, normal: Normal, blocks: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = ResnetGenerator(blocks=blocks)
        for module in list(self.net.modules()):
            for name, layer in list(module.named_children()):
                if isinstance(layer, InstanceNorm):
                    setattr(module, name, normal(layer.channels))

    def forward(self, x: Tensor) -> Tensor:
        """Translates ``x`` (N, 3, H, W)."""
        y: Tensor = self.net(x, TO)  # (N, 3, H, W)
        return y  # (N, 3, H, W)


def forward(net: nn.Module, x: Tensor, dtype: torch.dtype) -> None:
    """A pass as in translation."""
    with torch.no_grad(), autocast(x.device, dtype):
        net(x)
    settle(x)


def both(net: nn.Module, x: Tensor, dtype: torch.dtype) -> Tensor:
    """A pass as in training; the gradient (N, C, H, W) by the input, which stands in for noise."""
    upstream = x.flip(2, 3).contiguous(memory_format=layout_of(x))  # (N, C, H, W)
    x = x.detach().requires_grad_()  # (N, C, H, W)
    with autocast(x.device, dtype):
        y = net(x)  # (N, C, H, W)
    y.backward(upstream.to(y.dtype))
    settle(x)
    assert x.grad is not None
    return x.grad


def layout_of(x: Tensor) -> torch.memory_format:
    """The memory format of pictures (N, C, H, W)."""
    return torch.contiguous_format if x.is_contiguous() else torch.channels_last


def settle(x: Tensor) -> None:
    """Waits until a GPU has done all that it was asked for."""
    if x.device.type == "cuda":
        torch.cuda.synchronize()


def compare(
    title: str, make: Callable[[Normal], nn.Module], x: Tensor, settings: argparse.Namespace
) -> None:
    """Prints the lines of one kind of net, given one input (1, C, H, W)."""
    print(title)
    for dtype, layout, batch in itertools.product(PRECISIONS, FORMATS, (1, 4)):
        given = x.repeat(batch, 1, 1, 1).contiguous(memory_format=FORMATS[layout])  # (N, C, H, W)
        given = given.to(PRECISIONS[dtype]) if "one" in title else given  # (N, C, H, W)
        nets = {kind: make(normal).to(x.device) for kind, normal in KINDS.items()}
        for net in nets.values():
            net.to(memory_format=FORMATS[layout])
        words = [f"{dtype:9} {layout:14} batch {batch}"]
        for what, run in (("forward", forward), ("both", both)):
            calls = {k: partial(run, net, given, PRECISIONS[dtype]) for k, net in nets.items()}
            clock = time.process_time if x.device.type == "cpu" else time.perf_counter
            best = fastest(calls, settings.repeats, clock)
            words.append(
                f"{what} {1e3 * best['torch']:7.1f} ms {best['torch'] / best['zoo']:5.2f} x"
            )
        if batch == 1:
            off, ours = (both(nets[kind], given, PRECISIONS[dtype]).double() for kind in KINDS)
            words.append(f"off by {float((off - ours).norm() / ours.norm()):.1g}")
        print("  " + "   ".join(words), flush=True)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=128, help="Of the generator's pictures.")
    parser.add_argument("--blocks", type=int, default=9, help="Of the generator.")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    settings = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__} on {settings.device}")
    torch.manual_seed(0)
    inner = torch.randn(1, 256, 64, 64, device=settings.device)
    compare("one normalisation, 256 channels of 64 x 64", Layer, inner, settings)
    side = settings.side
    pictures = torch.rand(1, 3, side, side, device=settings.device) * 2 - 1
    compare(
        f"residual generator, {settings.blocks} blocks, {side} x {side}",
        lambda normal: Generator(normal, settings.blocks),
        pictures,
        settings,
    )


if __name__ == "__main__":
    main()
