"""What judges of two domains say of real pictures that were only blurred, paled or dirtied.

    python benchmarks/domain_judges.py $ZOO_DATA/digits runs/bench/digits/judges/domain-mnist-usps*
    python benchmarks/domain_judges.py $ZOO_DATA/digits JUDGE --model unit-mnist-usps

Prints for each judge and change the share of test pictures of MNIST and of USPS that it still takes
for what they are. A judge that takes blurred MNIST for USPS measures sharpness, not style. Then the
share of each model's translations, there and back, that it takes for the target.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import zoo
from zoo_core.contracts.signals import Condition, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.host.plugins import host
from zoo_core.translate.translator import Translator
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


@torch.inference_mode()
def taken(judge: EvalClassifier, x: Tensor, domain: str) -> float:
    """Share of pictures (N, 3, 32, 32) that a judge takes for a domain's."""
    said = judge(x).logits.argmax(1)  # (N,)
    return float((said == judge.card.classes.index(domain)).float().mean())


@torch.no_grad()
def translated(model: Translator, x: Tensor, source: str, target: str) -> Tensor:
    """(N, 3, 32, 32) pictures of the target."""
    own, to = (Condition.of(model.domains, name, len(x)) for name in (source, target))
    y: Tensor = model.method.translate(x, own, to)  # (N, 3, 32, 32)
    return y


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="folder that holds MNIST, and USPS in USPS")
    parser.add_argument("judges", type=Path, nargs="+")
    parser.add_argument("--model", action="append", default=[])
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
    judges = {path.name: EvalClassifier.load(path) for path in options.judges}
    print("| judge | " + " | ".join(CHANGES) + " |\n" + "|---" * (1 + len(CHANGES)) + "|")
    for title, judge in judges.items():
        cells = [
            ", ".join(f"{taken(judge, change(x), name):.3f}" for name, x in pictures.items())
            for change in CHANGES.values()
        ]
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)
    if options.model:
        print("\n| model | direction | " + " | ".join(judges) + " |")
        print("|---" * (2 + len(judges)) + "|")
    for title in options.model:
        model = zoo.load(title, precision="float32", engine="torch", device="cpu")
        for source, target in (("mnist", "usps"), ("usps", "mnist")):
            if target in model.method.targets:
                y = translated(model, pictures[source], source, target)
                said = " | ".join(f"{taken(judge, y, target):.3f}" for judge in judges.values())
                print(f"| {title} | {source} → {target} | {said} |", flush=True)


if __name__ == "__main__":
    main()
