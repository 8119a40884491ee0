"""Which digit becomes which: whether a translation permutes digits or forgets them.

    python benchmarks/permutations.py $ZOO_DATA/digits --judges runs/bench/digits/judges \
        latent-adversarial-mnist-usps xgan-mnist-usps fader-mnist-usps

Translates test digits of MNIST and USPS, has the target's judge of content read them, and prints
for each direction: the share that is read as the input says; the share that the best one-to-one
map of digits makes right (a code that permutes has a high one); and what each digit becomes most
often. By chance, of 500 digits, the first is 0.10 and the second about 0.15.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

import zoo
from zoo_core.contracts.codec import SignalStore
from zoo_core.contracts.signals import Condition, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.host.plugins import host
from zoo_core.translate.translator import Translator
from zoo_evaluate.examples import class_labels
from zoo_evaluate.judge import EvalClassifier
from zoo_train.data.dataset import open_sources

BATCH = 100


def confusion(
    model: Translator, judge: EvalClassifier, store: SignalStore, ways: tuple[str, str], count: int
) -> Tensor:
    """(10, 10) how often each digit, the row, is read as each other after translation."""
    labels = class_labels(store)
    if labels is None:
        raise SystemExit("the digits have no labels")
    table = torch.zeros(10, 10)
    at = torch.randperm(len(store), generator=torch.Generator().manual_seed(0))[:count]
    for some in torch.split(at, BATCH):
        x = store.batch(some.tolist())  # (N, 3, 32, 32)
        own, to = (Condition.of(model.domains, name, len(x)) for name in ways)
        with torch.no_grad():
            read = judge(model.method.translate(x, own, to)).logits.argmax(1)  # (N,)
        table.index_put_((labels[some], read), torch.ones(len(x)), accumulate=True)
    return table


def best_map(table: Tensor) -> float:
    """The largest sum of ten entries, one of each row and of each column."""
    most = {0: 0.0}  # by the columns that are taken, as bits
    for row in table.tolist():
        more: dict[int, float] = {}
        for taken, total in most.items():
            for column, value in enumerate(row):
                if not taken >> column & 1:
                    key = taken | 1 << column
                    more[key] = max(more.get(key, 0.0), total + value)
        most = more
    return max(most.values())


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="folder that holds MNIST, and USPS in USPS")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--judges", type=Path, required=True, help="holds content-mnist and -usps")
    parser.add_argument("--count", type=int, default=500)
    options = parser.parse_args()
    sources = {"mnist": f"mnist:{options.root}", "usps": f"usps:{options.root / 'USPS'}"}
    codec = host().load("codec", "image")(TensorSpec(shape=(3, 32, 32)))
    data = open_sources(sources, codec=codec, config=TrainConfig(), split="test", cache=None)
    judges = {name: EvalClassifier.load(options.judges / f"content-{name}") for name in sources}
    print(
        "| model | direction | kept | under the best map | 0 to 9 become |\n|---|---|---|---|---|"
    )
    for name in options.models:
        model = zoo.load(name, precision="float32", engine="torch", device="cpu")
        for ways in (("mnist", "usps"), ("usps", "mnist")):
            if ways[1] not in model.method.targets:
                continue
            table = confusion(model, judges[ways[1]], data.stores[ways[0]], ways, options.count)
            kept = float(table.diagonal().sum() / table.sum())
            best = best_map(table) / float(table.sum())
            become = " ".join(f"{int(row.argmax())} ({row.max() / row.sum():.2f})" for row in table)
            print(
                f"| {name} | {' → '.join(ways)} | {kept:.3f} | {best:.3f} | {become} |", flush=True
            )


if __name__ == "__main__":
    main()
