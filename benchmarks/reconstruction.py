"""What a model with a code loses in the code, and what in the translation.

    python benchmarks/reconstruction.py combogan-emoji $ZOO_DATA/emoji/test
    python benchmarks/reconstruction.py runs/emoji/model $ZOO_DATA/emoji/test --count 100

For each domain, its test pictures are decoded by its own decoder and by the others', and compared:
L1 to the input, or to the picture of the same name in the other domain; and how much fine detail
there is, as a share of what real pictures of the decoder's domain have (mean absolute difference to
the picture smoothed by 1 pixel in 64; 1 is right, less is blurred).
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

import zoo
from zoo_core.contracts.signals import Condition
from zoo_core.contracts.spec import TrainConfig
from zoo_core.host.plugins import host
from zoo_nn.filters import lowpass
from zoo_train.data.dataset import open_sources


def detail(x: Tensor) -> float:
    """Mean absolute value of what a Gaussian of 1 pixel in 64 takes away."""
    return float((x - lowpass(x, x.shape[-1] / 64, 2)).abs().mean())


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("root", type=Path, help="a folder for each domain, the same names in each")
    parser.add_argument("--count", type=int, default=48)
    options = parser.parse_args()
    model = zoo.load(options.model, precision="float32", engine="torch", device="cpu")
    method, names = model.method, model.domains.names
    codec = host().load("codec", "image")(method.signal)
    sources = {name: str(options.root / name) for name in names}
    data = open_sources(sources, codec=codec, config=TrainConfig(), split="all", cache=None)
    shared = sorted(
        set.intersection(*({Path(n).stem for n in s.names} for s in data.stores.values()))
    )
    some = shared[:: max(1, len(shared) // options.count)][: options.count]
    real = {}
    for name, store in data.stores.items():
        at = {Path(one).stem: number for number, one in enumerate(store.names)}
        real[name] = store.batch([at[one] for one in some])  # (N, 3, H, W)
    print(f"{options.model}: {len(some)} pictures of each domain, in [-1, 1]")
    print("| from | to | L1 | untranslated | detail |\n|---|---|---|---|---|")
    for source in names:
        for target in names:
            own, to = (Condition.of(model.domains, name, len(some)) for name in (source, target))
            with torch.no_grad():
                made = method.translate(real[source], own, to)  # (N, 3, H, W)
            apart, idle = ((x - real[target]).abs().mean() for x in (made, real[source]))
            share = detail(made) / detail(real[target])
            print(f"| {source} | {target} | {apart:.3f} | {idle:.3f} | {share:.2f} |", flush=True)


if __name__ == "__main__":
    main()
