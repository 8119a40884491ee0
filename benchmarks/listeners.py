"""What listeners from elsewhere hear in baselines and embedded voices, on test takes.

    pip install -e "plugins/zoo-voice[listeners]"
    python benchmarks/listeners.py fsdd $ZOO_DATA
    python benchmarks/listeners.py words20 $ZOO_DATA --model stargan-vc-words

Prints a row for each baseline of ``zoo bench voice`` and each model, the mean over directions
last: how often the voice is nearer to the target than to the source, and naturalness. Nothing is
chosen by these figures.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import zoo
from zoo_voice.evaluate.corpus import CORPORA
from zoo_voice.evaluate.figures import Figures, heard
from zoo_voice.evaluate.rows import BASELINES, ConvertedUtterances, converted, energy_too
from zoo_voice.evaluate.scene import Scene, Voices

MODELS = {"fsdd": ["cyclegan-vc-fsdd"], "words20": ["stargan-vc-words"]}


def of_model(name: str) -> Callable[[Scene], ConvertedUtterances]:
    """What a model makes of a scene's inputs."""
    translator = zoo.load(name, precision="float32")
    return lambda scene: converted(scene, translator)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", choices=sorted(MODELS))
    parser.add_argument("root", type=Path, help="folder that holds voice/fsdd and voice/words20")
    parser.add_argument("--model", action="append", help="models; the embedded one without it")
    options = parser.parse_args()
    models = options.model or MODELS[options.corpus]
    speakers = zoo.load(models[0]).domains.names
    voices = Voices(options.root, CORPORA[options.corpus])
    scenes = [Scene(voices, a, b) for a in speakers for b in speakers if a != b]
    rows = dict(BASELINES) | {"mean and variance, energy too": energy_too}
    rows |= {name: of_model(name) for name in models}
    print("| | " + " | ".join(f"{one.source} → {one.target}" for one in scenes) + " | mean |")
    print("|---" * (len(scenes) + 2) + "|")
    for name, make in rows.items():
        found = [heard(scene, make(scene)) for scene in scenes]
        print(f"| {name} | " + " | ".join(map(_cell, found)) + f" | {_cell(_mean(found))} |")


def _mean(found: list[Figures]) -> Figures:
    return {key: mean(one[key] for one in found) for key in found[0]}


def _cell(figures: Figures) -> str:
    return ", ".join(f"{value:.2f}" for value in figures.values())


if __name__ == "__main__":
    main()
