"""Does starting from a published model help? A few steps from its weights, and from random ones.

    python benchmarks/finetuning.py DIGITS --judge READS --judge TELLS

The embedded model `cyclegan-mnist-mnistm` is trained on for a few steps with USPS in the place of
MNIST, and the same nets with the same options from random weights. DIGITS holds `USPS` and
`MNIST-M/train`; READS is a judge of the digits of MNIST-M (`zoo judge train --task content`), TELLS
one of USPS and MNIST-M (`--task domain`). A tenth of the signals is kept from training, and
measured after the last step: L1 of there and back, in [-1, 1]; how often READS reads the digit of a
USPS picture in its translation; and how often TELLS takes a translation for the target. Digits that
are read say nothing alone: an untranslated picture has its digit, too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import zoo
from zoo_core.contracts.method import make_options
from zoo_core.host.plugins import host
from zoo_core.schema import plain

MODEL = "cyclegan-mnist-mnistm"
FIGURES = {
    "cycle_l1": "L1 of there and back",
    "content_accuracy": "digit read in translations",
    "domain_accuracy": "taken for the target",
}


def figures(run: Path) -> dict[str, float]:
    """The figures of a run's last step."""
    line = json.loads((run / "log" / "stats.jsonl").read_text().splitlines()[-1])
    return {name: line[f"validation/{name}"] for name in FIGURES}


def main() -> None:
    """Trains, and prints a row for each run and the means."""
    parser = argparse.ArgumentParser()
    parser.add_argument("digits", type=Path)
    parser.add_argument("--judge", action="append", required=True, help="directory; repeatable")
    parser.add_argument("--samples", type=int, default=500, help="most inputs of a direction")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    wanted = parser.parse_args()

    model = zoo.load(MODEL, device="cpu").config
    options_class = host().load("method", model.method).Options
    options = plain(make_options(options_class, model.options, asked=MODEL))
    train: dict[str, Any] = {"batch": wanted.batch, "hold_out": 0.1, "precision": "float32"}
    validate = (
        f"every={wanted.steps},metrics=cycle+content+domain,judges={'+'.join(wanted.judge)},"
        f"samples={wanted.samples}"
    )
    found: dict[str, list[dict[str, float]]] = {MODEL: [], "random weights": []}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(wanted.seeds):
            for start, rows in found.items():
                out = Path(folder) / f"{start}-{seed}"
                zoo.train(
                    model.method,
                    domains={
                        "usps": f"usps:{wanted.digits / 'USPS'}",
                        "mnistm": wanted.digits / "MNIST-M" / "train",
                    },
                    preset="32px",
                    steps=wanted.steps,
                    settings=options
                    | {f"train.{key}": value for key, value in {**train, "seed": seed}.items()},
                    pretrained=MODEL if start == MODEL else None,
                    controls={"validate": validate},
                    device="cpu",
                    threads=wanted.threads,
                    out=out,
                    quiet=True,
                )
                rows.append(figures(out))
                print(f"{start}, seed {seed}: {rows[-1]}", flush=True)
    print(f"| {wanted.steps} steps from | {' | '.join(FIGURES.values())} |")
    print("|---|---|---|---|")
    for start, rows in found.items():
        cells = []
        for name in FIGURES:
            values = [row[name] for row in rows]
            each = ", ".join(f"{value:.3f}" for value in values)
            cells.append(f"{statistics.mean(values):.3f} ({each})")
        print(f"| {start} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
