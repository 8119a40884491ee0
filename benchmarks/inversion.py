"""Where the translation of CoGAN, a descent, loses what its weights lose in float16.

    python benchmarks/inversion.py $ZOO_DATA/digits
    python benchmarks/inversion.py $ZOO_DATA/digits --model runs/cogan/model --steps 0 20 100

Translates the same MNIST test pictures by nets that differ by rounding alone, and prints how far
the results are apart, and how far the descent leaves its goal: for some lengths of the descent and
for some values of Adam's epsilon. Rounding is imitated by noise, for which a model that was stored
in float16 will do: each weight is changed by at most half a unit in its last place.
"""

import argparse
import copy
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

import zoo
from zoo_core.contracts.codec import SignalStore
from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Condition, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.host.plugins import host
from zoo_train.data.dataset import open_sources

ROUNDINGS = {"float32": 2**-24, "float16": 2**-11, "bfloat16": 2**-8}
"""Largest relative error of rounding to each."""


def pictures(root: Path, size: int, count: int) -> Tensor:
    """(N, 3, H, H) the first MNIST test pictures."""
    codec = host().load("codec", "image")(TensorSpec(shape=(3, size, size)))
    data = open_sources(
        {"mnist": f"mnist:{root}"}, codec=codec, config=TrainConfig(), split="test", cache=None
    )
    store: SignalStore = data.stores["mnist"]
    return store.batch(list(range(count)))


def rounded(method: Method[Any], error: float) -> Method[Any]:
    """The same nets, each weight off by a relative error of at most ``error``."""
    other, rng = copy.deepcopy(method), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in other.parameters():
            noise = 2 * torch.rand(weight.shape, generator=rng) - 1
            weight.mul_(1 + error * noise)
    return other


def main() -> None:
    """Prints a table for each value of epsilon."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="folder that holds MNIST")
    parser.add_argument("--model", default="cogan-mnist-usps")
    parser.add_argument("--steps", type=int, nargs="+", default=[0, 1, 5, 20])
    parser.add_argument("--eps", type=float, nargs="+", default=[1e-8, 1.0, 100.0])
    parser.add_argument("--count", type=int, default=32)
    options = parser.parse_args()
    model = zoo.load(options.model, precision="float32", engine="torch", device="cpu")
    method, names = model.engine.method, model.domains
    x = pictures(options.root, method.signal.shape[-1], options.count)
    own, to = (Condition.of(names, name, len(x)) for name in ("mnist", "usps"))

    def translated(nets: Method[Any], steps: int, eps: float) -> tuple[Tensor, float]:
        """Pictures of USPS, and the mean L1 by which MNIST's decoder misses the inputs."""
        nets.options = type(nets.options)(**{**vars(nets.options), "steps": steps})
        with patch.object(torch.optim, "Adam", partial(torch.optim.Adam, eps=eps)):
            code = nets.encode(x, own)
        with torch.no_grad():
            gap = (nets.decode(code, own) - x).abs().mean()
            return nets.decode(code, to), float(gap)

    print(f"{options.model}: {len(x)} pictures in [-1, 1]; mean and largest difference")
    for eps in options.eps:
        print(f"\n| eps {eps:g} | misses the input by | " + " | ".join(ROUNDINGS) + " |")
        print("|---" * (2 + len(ROUNDINGS)) + "|")
        for steps in options.steps:
            exact, gap = translated(method, steps, eps)
            cells = [f"{steps} steps", f"{gap:.4f}"]
            for error in ROUNDINGS.values():
                apart = (translated(rounded(method, error), steps, eps)[0] - exact).abs()
                cells.append(f"{apart.mean():.1e}, {apart.max():.1e}")
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
