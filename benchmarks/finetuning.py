"""Does starting from a published model help? A few steps from its weights, and from random ones.

    python benchmarks/finetuning.py DATA --domain noto --domain twemoji

DATA holds a folder for each domain; files of one name show the same. The embedded model
`cyclegan-mnist-mnistm`, which knows digits, is trained on for a few steps, and the same nets with
the same options from random weights. Both are measured on a tenth of the pictures, which is kept
from training: L1 to the reference and L1 of there and back, in [-1, 1].
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
FIGURES = ("l1", "cycle_l1", "l1_untranslated")


def figures(run: Path) -> dict[str, float]:
    """The figures of a run's last step."""
    line = json.loads((run / "log" / "stats.jsonl").read_text().splitlines()[-1])
    return {name: line[f"validation/{name}"] for name in FIGURES}


def main() -> None:
    """Trains, and prints a row for each run and the means."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--domain", action="append", required=True, help="Two of its folders.")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    wanted = parser.parse_args()

    model = zoo.load(MODEL, device="cpu").config
    options = plain(
        make_options(host().load("method", model.method).Options, model.options, asked=MODEL)
    )
    found: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(wanted.seeds):
            for start in (MODEL, "random"):
                out = Path(folder) / f"{start}-{seed}"
                train: dict[str, Any] = {
                    "batch": wanted.batch, "seed": seed, "hold_out": 0.1, "scale": "trained",
                    "precision": "float32",
                }  # fmt: skip
                zoo.train(
                    model.method,
                    domains={name: wanted.data / name for name in wanted.domain},
                    preset="32px",
                    steps=wanted.steps,
                    settings=options | {f"train.{key}": value for key, value in train.items()},
                    pretrained=MODEL if start == MODEL else None,
                    controls={"validate": f"every={wanted.steps},metrics=l1+cycle,paired=true"},
                    device="cpu",
                    threads=wanted.threads,
                    out=out,
                    quiet=True,
                )
                found.setdefault(start, []).append(figures(out))
                print(f"{start}, seed {seed}: {found[start][-1]}", flush=True)
    print(f"| after {wanted.steps} steps from | L1 to the reference | L1 of there and back |")
    print("|---|---|---|")
    for start, rows in found.items():
        cells = []
        for name in ("l1", "cycle_l1"):
            values = [row[name] for row in rows]
            each = ", ".join(f"{value:.3f}" for value in values)
            cells.append(f"{statistics.mean(values):.3f} ({each})")
        print(f"| {start} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
