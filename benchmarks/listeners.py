"""What listeners from elsewhere hear in baselines and models of voices; with judges, all figures.

    pip install -e "plugins/zoo-voice[listeners]"
    python benchmarks/listeners.py fsdd $ZOO_DATA
    python benchmarks/listeners.py words20 $ZOO_DATA --model stargan-vc-words
    python benchmarks/listeners.py fsdd $ZOO_DATA --model DIR --judges judges --split validation

Prints a line for each direction of each baseline of ``zoo bench voice`` and of each model, and the
mean over directions. ``--judges`` is a folder as ``zoo bench voice --work`` has it; judges that are
not there are trained. Choose by validation takes, and report test takes.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import torch

import zoo
from zoo_voice.evaluate.corpus import CORPORA
from zoo_voice.evaluate.figures import Figures, compare, find_judges, heard
from zoo_voice.evaluate.rows import BASELINES, ConvertedUtterances, converted, energy_too
from zoo_voice.evaluate.scene import Scene, Voices

MODELS = {"fsdd": ["cyclegan-vc-fsdd"], "words20": ["stargan-vc-words"]}
THREE_DIGITS = {"target_accuracy", "content_accuracy", "speaker_nearest"}


def of_model(name: str) -> Callable[[Scene], ConvertedUtterances]:
    """What a model makes of a scene's inputs."""
    translator = zoo.load(name, precision="float32", device="cpu")
    return lambda scene: converted(scene, translator)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus", choices=sorted(MODELS))
    parser.add_argument("root", type=Path, help="folder that holds voice/fsdd and voice/words20")
    parser.add_argument("--model", action="append", help="models; the embedded one without it")
    parser.add_argument("--judges", type=Path, help="folder of judges; without it, listeners alone")
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--no-baselines", action="store_true", help="models alone")
    options = parser.parse_args()
    torch.set_num_threads(1)
    models = options.model or MODELS[options.corpus]
    speakers = zoo.load(models[0], precision="float32", device="cpu").domains.names
    voices = Voices(options.root, CORPORA[options.corpus])
    scenes = [Scene(voices, a, b, options.split) for a in speakers for b in speakers if a != b]
    judges = find_judges(options.judges, voices, report=print) if options.judges else None
    rows: dict[str, Callable[[Scene], ConvertedUtterances]] = {}
    if not options.no_baselines:
        rows |= dict(BASELINES) | {"mean and variance, energy too": energy_too}
    rows |= {name: of_model(name) for name in models}
    names: list[str] = []
    for name, make in rows.items():
        found = []
        for scene in scenes:
            made = make(scene)
            one = compare(scene, made, judges, listen=True) if judges else heard(scene, made)
            if not names:
                names = list(one)
                print("| | | " + " | ".join(names) + " |\n|---|---" + "|---" * len(names) + "|")
            print(f"| {name} | {scene.source} → {scene.target} | {_cells(one)} |", flush=True)
            found.append(one)
        print(f"| {name} | mean | {_cells(_mean(found))} |", flush=True)


def _mean(found: list[Figures]) -> Figures:
    return {key: mean(one[key] for one in found) for key in found[0]}


def _cells(figures: Figures) -> str:
    return " | ".join(
        f"{value:.3f}" if k in THREE_DIGITS else f"{value:.2f}" for k, value in figures.items()
    )


if __name__ == "__main__":
    main()
