"""A speaker encoder as constraint: conversions must be heard as the target's voice.

Shapes: N words, M recordings, F frames of 5 ms of all of them, T frames of a word, Q coefficients,
B mel bands, E embedding, K pitches.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo_core.contracts.codec import SignalStore
from zoo_core.contracts.method import Loss
from zoo_core.contracts.step import Step
from zoo_core.errors import UsageError
from zoo_nn.nets.backbones import without_state
from zoo_voice.evaluate.listeners import PART, load_speaker_encoder
from zoo_voice.hearing import Hearing, pitch_numbers
from zoo_voice.store import SpeechStore

_MOST = 200  # recordings of a voice that its embedding is the mean of
_TOGETHER = 50  # of them that are heard at once


class SpeakerSimilarity(Loss):
    """``mean max(0, gap - (cos(e, near) - cos(e, away)))`` of what an encoder hears, e.

    Recordings of every voice are drawn and converted as a whole: timbre by the nets, pitch and
    energy by the statistics, as ``zoo translate`` does it. ``near`` and ``away`` are the mean
    embeddings of the target's and of the source's recordings, and ``gap`` is how much nearer the
    target's own are to ``near`` than to ``away``: nothing is gained by being more like the target
    than the target. The encoder is Resemblyzer's (extra ``listeners``), which is frozen; it is
    the one that the metric ``speaker`` asks, which therefore judges such a model with favour.

    Args:
        frames: Most frames of 5 ms of a recording that are heard, a multiple of 4.
        words: Recordings that a step draws for each pair of voices; None: as many as its batch
            holds. K voices are K (K - 1) pairs: with many, few words of each are enough.

    Raises:
        UsageError: If the package of the encoder is not installed.
    """

    requires = ("translated",)

    def __init__(self, frames: int = 128, words: int | None = None) -> None:
        super().__init__()
        if not 0 < frames <= 2 * PART or frames % 4:
            raise UsageError(
                f"it hears 4 to {2 * PART} frames of 5 ms, a multiple of 4",
                asked=f"frames {frames}",
            )
        if words is not None and words < 1:
            raise UsageError("it hears one or more of each pair", asked=f"words {words}")
        self.frames, self.words = frames, words
        encoder = without_state(load_speaker_encoder())
        # An LSTM keeps a list of its weights beside them, which it renews when it is moved. In
        # training mode, since cuDNN has no way back otherwise; the encoder has no dropout.
        self.encoder = encoder.to(torch.float32).train()
        self.voices = nn.ModuleDict()
        self.pairs = nn.ModuleDict()

    def show(self, stores: Mapping[str, SignalStore]) -> None:
        """Takes the recordings of the run; see `zoo_train.data.seen.SeesData`.

        Raises:
            UsageError: If they are not the recordings of two or more voices.
        """
        if len(stores) < 2 or not all(isinstance(one, SpeechStore) for one in stores.values()):
            raise UsageError(
                "it compares voices, each a domain of its own",
                asked="--loss speaker",
                hint="Name each speaker: --domain NAME=FOLDER.",
            )
        speech = cast("Mapping[str, SpeechStore]", stores)
        self.hearing = Hearing(next(iter(speech.values())).frames.shape[1])
        self.voices = nn.ModuleDict({_key(name): _Voice(one) for name, one in speech.items()})
        own = {name: self._own(name, store) for name, store in speech.items()}  # (M', E) each
        for source, target in itertools.permutations(speech, 2):
            self.pairs[_key(source, target)] = _Pair(
                speech[source], speech[target], own[source], own[target]
            )

    def forward(self, step: Step) -> Tensor:
        """Mean over all pairs of voices: ()."""
        if not self.pairs:
            raise UsageError("it has been shown no recordings", asked="--loss speaker")
        names = list(itertools.permutations(step.method.domains.names, 2))
        pairs = [cast("_Pair", self.pairs[_key(*pair)]) for pair in names]
        mel = torch.stack([self._made(step, *pair) for pair in names])  # (pairs, N, 160, B)
        heard = self._heard(mel.flatten(0, 1)).unflatten(0, mel.shape[:2])  # (pairs, N, E)
        margins = torch.stack(
            [one.gap - e @ one.direction for one, e in zip(pairs, heard, strict=True)]
        )
        return functional.relu(margins).mean()  # () of (pairs, N)

    def _made(self, step: Step, source: str, target: str) -> Tensor:
        """(N, 160, B) recordings of ``source`` drawn by chance, as the nets convert them."""
        voice, pair = self._voice(source), cast("_Pair", self.pairs[_key(source, target)])
        count = self.words or len(next(iter(step.batch.conditions.values())))
        places, spoken = voice.draw(step.rand(count, 2), self.frames)  # (N, T)
        x = voice.frames[places].transpose(1, 2)  # (N, Q, T)
        own, wanted = (step.condition(name, count) for name in (source, target))
        timbre = step.translate(x, own, wanted).transpose(1, 2)  # (N, T, Q)
        return self._mel(target, timbre, pair.energy[places], pair.pitch[places], spoken)

    def _mel(
        self, name: str, timbre: Tensor, energy: Tensor, pitch: Tensor, spoken: Tensor
    ) -> Tensor:
        """(N, 160, B) words in a voice; ``timbre`` (N, T, Q), all else (N, T)."""
        voice = self._voice(name)
        with torch.autocast(timbre.device.type, enabled=False):
            plain = timbre.float() * voice.deviation + voice.mean  # (N, T, Q)
            cepstrum = torch.cat([energy[..., None], plain], dim=2)  # (N, T, Q + 1)
            mel: Tensor = self.hearing(cepstrum, pitch, spoken)  # (N, 160, B)
        return mel

    def _heard(self, mel: Tensor) -> Tensor:
        """(N, E) what the encoder hears of ``mel`` (N, 160, B)."""
        with torch.autocast(mel.device.type, enabled=False):
            embedded: Tensor = self.encoder(mel)  # (N, E)
        return embedded

    @torch.no_grad()
    def _own(self, name: str, store: SpeechStore) -> Tensor:
        """(M', E) embeddings of a voice's own recordings, from their beginnings."""
        voice, heard = self._voice(name), []
        energy, pitch = torch.from_numpy(store.energy), pitch_numbers(store.f0)  # (F,) each
        chosen = torch.linspace(0, len(store) - 1, min(_MOST, len(store))).long()  # (M',)
        for some in chosen.split(_TOGETHER):
            places, spoken = voice.words(some, torch.zeros(len(some)), self.frames)  # (n, T)
            mel = self._mel(name, voice.frames[places], energy[places], pitch[places], spoken)
            heard.append(self._heard(mel))  # (n, E)
        return torch.cat(heard)

    def _voice(self, name: str) -> _Voice:
        return cast("_Voice", self.voices[_key(name)])


class _Constants(nn.Module):
    """Tensors that move between devices and are saved with nothing."""

    def _keep(self, **tensors: Any) -> None:
        for name, value in tensors.items():
            self.register_buffer(name, torch.as_tensor(value), persistent=False)


class _Voice(_Constants):
    """The recordings of a voice, and its statistics."""

    frames: Tensor
    starts: Tensor
    lengths: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, store: SpeechStore) -> None:
        super().__init__()
        self._keep(
            frames=store.frames,  # (F, Q)
            starts=store.starts,  # (M,)
            lengths=store.lengths,  # (M,)
            mean=store.speaker.mean.astype(np.float32),  # (Q,)
            deviation=store.speaker.deviation.astype(np.float32),  # (Q,)
        )

    def draw(self, chance: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """`words` by chance (N, 2), uniform in [0, 1): which recording, and where it begins."""
        which = (chance[:, 0] * len(self.starts)).long()  # (N,)
        return self.words(which, chance[:, 1], frames)

    def words(self, which: Tensor, begin: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """(N, T) places of frames, and (N, T) whether they still belong to the recording.

        Args:
            which: (N,) numbers of recordings.
            begin: (N,) where to begin in one that is longer than T, 0 to 1.
            frames: T.
        """
        spare = (self.lengths[which] - frames).clamp_min(0)  # (N,)
        begins = self.starts[which] + (begin * (spare + 1)).long()  # (N,)
        steps = torch.arange(frames, device=which.device)  # (T,)
        spoken = steps < self.lengths[which, None]  # (N, T)
        return (begins[:, None] + steps) % len(self.frames), spoken


class _Pair(_Constants):
    """What is known of a conversion: where it should be heard, and what the nets do not make."""

    direction: Tensor
    gap: Tensor
    energy: Tensor
    pitch: Tensor

    def __init__(
        self, source: SpeechStore, target: SpeechStore, away: Tensor, near: Tensor
    ) -> None:
        super().__init__()
        direction = _mean(near) - _mean(away)  # (E,)
        energy = target.speaker.level(source.energy, source.speaker)  # (F,)
        self._keep(
            direction=direction,
            gap=(near @ direction).mean(),  # ()
            energy=energy.astype(np.float32),
            pitch=pitch_numbers(target.speaker.sing(source.f0, source.speaker)),  # (F,)
        )


def _mean(voices: Tensor) -> Tensor:
    """(E,) the mean of embeddings (M', E), a unit vector."""
    return functional.normalize(voices.mean(0), dim=0)


def _key(*names: str) -> str:
    """A name that a module may have, other than that of any other domain or pair."""
    return " ".join(name.encode().hex() for name in names)
