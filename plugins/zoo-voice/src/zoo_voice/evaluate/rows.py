"""What fills a row of the table: a model, or one of the baselines that every model is held against.

Each maps a `Scene` to what was made of its inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from zoo_core.translate.translator import Translator
from zoo_voice.audio import Sound
from zoo_voice.cepstrum import Floats
from zoo_voice.evaluate.distance import compared, timbre
from zoo_voice.evaluate.scene import Scene
from zoo_voice.world import RATE, Analysis, synthesise

NEIGHBOURS = 8
"""Frames of the target that a frame is replaced by the mean of."""


@dataclass(frozen=True)
class ConvertedUtterances:
    """What was made of the inputs of a scene.

    Attributes:
        samples: (n,) each, at 16 kHz: what judges hear.
        timbres: (T, 24) each: what is compared.
        words: What is said in each.
        references: The real cepstra that each is compared with.
    """

    samples: Sequence[Floats]
    timbres: Sequence[Floats]
    words: Sequence[str]
    references: Sequence[Sequence[Floats]]


def converted(scene: Scene, translator: Translator) -> ConvertedUtterances:
    """The inputs as a model converts them, analysed anew."""
    sounds = [Sound(one.samples, RATE) for one in scene.inputs]
    outputs = translator.translate(sounds, scene.target, source=scene.source)
    return _of_inputs(scene, [np.asarray(output.samples, np.float64) for output in outputs])


def identity(scene: Scene) -> ConvertedUtterances:
    """The inputs, untouched."""
    return _of_inputs(scene, [one.samples for one in scene.inputs])


def pitch_only(scene: Scene) -> ConvertedUtterances:
    """The inputs with the target's range of pitch, and their own timbre."""
    return _of_inputs(scene, [synthesise(_sung(scene, one)) for one in _analyses(scene)])


def mean_variance(scene: Scene) -> ConvertedUtterances:
    """The same, with each coefficient's mean and variance moved to the target's."""
    return _of_inputs(scene, [synthesise(_moved(scene, one)) for one in _analyses(scene)])


def energy_too(scene: Scene) -> ConvertedUtterances:
    """The same, with the energy's mean and variance as well: what a net gives that changes nothing.

    It is none of the `BASELINES`: distances do not see c0, listeners do.
    """
    (own, _), (other, _) = (scene.voices.learnt(who) for who in (scene.source, scene.target))
    samples = []
    for analysis in _analyses(scene):
        moved = _moved(scene, analysis)
        energy = other.level(moved.cepstrum[:, 0], own)  # (T,)
        samples.append(synthesise(moved.with_voice(moved.f0, moved.cepstrum[:, 1:], energy)))
    return _of_inputs(scene, samples)


def neighbours(scene: Scene) -> ConvertedUtterances:
    """The same, and each frame replaced by the mean of its nearest training frames of the target.

    Its cepstra are compared as they are, without synthesis; judges hear them synthesised.
    """
    _, frames = scene.voices.learnt(scene.target)
    pool = torch.from_numpy(frames)  # (F, 24)
    samples, timbres = [], []
    for analysis in _analyses(scene):
        moved = _moved(scene, analysis)
        own = torch.from_numpy(moved.cepstrum[:, 1:])  # (T, 24)
        near = torch.cdist(own, pool).topk(NEIGHBOURS, largest=False).indices  # (T, 8)
        other = moved.with_voice(moved.f0, pool[near].mean(1).numpy())
        samples.append(synthesise(other))
        timbres.append(compared(other.cepstrum))
    words = [one.word for one in scene.inputs]
    return ConvertedUtterances(samples, timbres, words, [scene.references(word) for word in words])


def floor(scene: Scene) -> ConvertedUtterances:
    """The target's own takes, each compared with its other takes of the word."""
    real = scene.real
    return ConvertedUtterances(
        [one.samples for one in real],
        [one.timbre for one in real],
        [one.word for one in real],
        [scene.references(one.word, besides=number) for number, one in enumerate(real)],
    )


BASELINES: Mapping[str, Callable[[Scene], ConvertedUtterances]] = {
    "identity": identity,
    "F0 only": pitch_only,
    "mean and variance": mean_variance,
    "kNN (features)": neighbours,
    "floor": floor,
}
"""The rows that frame the table."""


def _of_inputs(scene: Scene, samples: Sequence[Floats]) -> ConvertedUtterances:
    """What was made of each input, in their order."""
    words = [one.word for one in scene.inputs]
    references = [scene.references(word) for word in words]
    return ConvertedUtterances(samples, [timbre(each) for each in samples], words, references)


def _analyses(scene: Scene) -> list[Analysis]:
    return scene.voices.analyses(scene.source, scene.split)


def _sung(scene: Scene, analysis: Analysis) -> Analysis:
    (own, _), (other, _) = (scene.voices.learnt(who) for who in (scene.source, scene.target))
    return analysis.with_voice(other.sing(analysis.f0, own), analysis.cepstrum[:, 1:])


def _moved(scene: Scene, analysis: Analysis) -> Analysis:
    (own, _), (other, _) = (scene.voices.learnt(who) for who in (scene.source, scene.target))
    sung = _sung(scene, analysis)
    return sung.with_voice(sung.f0, other.denormalise(own.normalise(sung.cepstrum[:, 1:])))
