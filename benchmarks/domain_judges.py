"""What judges of two domains say of real pictures that were only blurred, paled or dirtied.

    python benchmarks/domain_judges.py $ZOO_DATA/digits runs/bench/digits/judges/domain-mnist-usps*

Prints for each judge and change the share of test pictures of MNIST and of USPS that it still takes
for what they are. A judge that takes blurred MNIST for USPS measures sharpness, not style.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.host.plugins import host
from zoo_evaluate.judge import EvalClassifier
from zoo_nn.filters import lowpass
from zoo_train.data.dataset import open_sources

NOISE = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "as it is": lambda x: x,
    "blur 0.5 px": lambda x: lowpass(x, 0.5, 2),
    "blur 1 px": lambda x: lowpass(x, 1.0, 2),
    "blur 2 px": lambda x: lowpass(x, 2.0, 2),
    "half contrast": lambda x: x / 2,
    "darker": lambda x: (x - 1) / 2,
    "noise 0.2": lambda x: (x + 0.2 * NOISE).clamp(-1, 1),
}


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="folder that holds MNIST, and USPS in USPS")
    parser.add_argument("judges", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=500)
    options = parser.parse_args()
    sources = {"mnist": f"mnist:{options.root}", "usps": f"usps:{options.root / 'USPS'}"}
    codec = host().load("codec", "image")(TensorSpec(shape=(3, 32, 32)))
    data = open_sources(sources, codec=codec, config=TrainConfig(), split="test", cache=None)
    rng = torch.Generator().manual_seed(0)
    pictures = {
        name: store.batch(torch.randperm(len(store), generator=rng)[: options.count].tolist())
        for name, store in data.stores.items()
    }
    print("| judge | " + " | ".join(CHANGES) + " |\n" + "|---" * (1 + len(CHANGES)) + "|")
    for path in options.judges:
        judge = EvalClassifier.load(path)
        cells = []
        for change in CHANGES.values():
            shares = []
            for name, x in pictures.items():
                with torch.inference_mode():
                    said = judge(change(x)).logits.argmax(1)  # (N,)
                own = judge.card.classes.index(name)
                shares.append(f"{(said == own).float().mean():.3f}")
            cells.append(", ".join(shares))
        print(f"| {path.name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
