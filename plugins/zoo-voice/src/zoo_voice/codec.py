"""The codec of speech: recordings in, normalised mel-cepstra for the nets, recordings out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor

from zoo_core.contracts.codec import Codec, InMemorySignal, Item, SignalStore, Whole, Window
from zoo_core.contracts.signals import MIXED, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import PluginError, UsageError, WeightsError
from zoo_voice.audio import FORMATS, Sound, blocks, examine, is_recording, save
from zoo_voice.cepstrum import ALPHA, FLOOR, Floats
from zoo_voice.join import Joiner
from zoo_voice.loudness import loud
from zoo_voice.preprocessing import Preprocessing
from zoo_voice.speaker import Speaker
from zoo_voice.store import SpeechStore, open_store
from zoo_voice.stretches import LEAST, OVERLAP, WINDOW, FramePosition, excerpts, stretches
from zoo_voice.vocoder import Vocoder, World
from zoo_voice.world import HOP, RATE, analyse


class SpeechCodec(Codec):
    """Reads, windows, joins, writes and stores speech; see `zoo_core.contracts.codec.Codec`.

    A signal is (order, T): mel-cepstral coefficients c1 to c_order of frames of 5 ms, with mean 0
    and deviation 1 over the voice that speaks. Aperiodicity and timing stay those of the recording;
    its F0 is moved to the target's range, its energy (c0) to the target's mean and deviation.

    Args:
        spec: Form of the signals; ``shape[0]`` is the order.
        preprocessing: What the weights were trained with; ``speakers`` has the statistics of each
            domain's voice.

    Raises:
        UsageError: If the spec is not that of speech.
        WeightsError: If ``preprocessing`` is none of speech.
    """

    kind: ClassVar[str] = "speech"
    suffixes: ClassVar[tuple[str, ...]] = tuple(FORMATS)
    noun: ClassVar[str] = "recording"
    has_full_samples: ClassVar[bool] = True
    Preprocessing: ClassVar[type[Any] | None] = Preprocessing

    def __init__(self, spec: TensorSpec, preprocessing: Mapping[str, Any] | None = None) -> None:
        super().__init__(spec, preprocessing)
        if len(spec.shape) != 2 or spec.flexible != 1 or (spec.low, spec.high) != (None, None):
            raise UsageError(
                "speech has the shape (order, frames), one flexible axis and no bounds",
                asked=f"signal of shape {spec.shape}",
            )
        self.vocoder: Vocoder = World()

    def recognises(self, path: Path) -> bool:
        """Whether a file is a recording by its content; see `zoo_voice.audio.is_recording`."""
        return is_recording(path)

    def read(self, path: Path) -> Item:
        """Reads a file once to see that it can be used; its samples are read again in windows."""
        path = Path(path)
        return self._item(path, str(path), "path")

    def wrap(self, value: Any) -> list[Item]:
        """Accepts a path, a `zoo_voice.audio.Sound`, or a list of them."""
        if isinstance(value, (str, Path)):
            return [self.read(Path(value))]
        if isinstance(value, Sound):
            return [self._item(value, "input", "sound")]
        if isinstance(value, (list, tuple)) and value:
            return [item for part in value for item in self.wrap(part)]
        raise UsageError(
            f"a {type(value).__name__} is no recording, or says no rate",
            asked="input",
            hint="Give a path, zoo_voice.audio.Sound(samples, rate), or a list of them.",
        )

    def windows(
        self,
        item: Item,
        *,
        size: int | None = None,
        limit: int | None = None,
        source: str | None = None,
    ) -> Iterator[Window]:
        """Cuts a recording into windows (order, T) that overlap, analysing as it goes.

        Args:
            item: From `read` or `wrap`.
            size: Must be None: speech keeps its length.
            limit: Most frames of a window; None: `WINDOW`.
            source: Whose voice it is. None: the recording's first window is the voice's own
                statistics.

        Raises:
            UsageError: If a size is asked for, or the model knows no such voice.
            DataError: If the recording cannot be read.
        """
        if size is not None:
            raise UsageError("speech keeps its length", asked=f"size {size}", hint="Leave it out.")
        speaker = None if source is None else self._speaker(source)
        frames = max(LEAST, WINDOW if limit is None else limit)
        total = round(item.info["facts"].seconds * RATE)
        whole: Whole | None = None
        if total > frames * HOP:
            whole = Whole(
                count=math.ceil((total - OVERLAP * HOP) / ((frames - OVERLAP) * HOP)),
                copy=f"excerpts of {frames * HOP / RATE:g} s",
                factor=1,
                reduced=lambda factor: self._excerpts(item, speaker, total, frames * HOP),
                windows=lambda: self.windows(item, limit=limit, source=source),
            )
        for begin, samples in stretches(blocks(item.value, name=item.name), frames * HOP):
            analysis = analyse(samples, self.spec.channels)
            if speaker is None:
                spoken = loud(analysis.cepstrum[:, 0])  # (T,)
                cepstrum = analysis.cepstrum[spoken]  # (T', order + 1)
                speaker = Speaker.of(analysis.f0[spoken], cepstrum[:, 1:], cepstrum[:, 0])
            signal = self._signal(speaker.normalise(analysis.cepstrum[:, 1:]))  # (order, T)
            # Half of what windows share is each one's own.
            first = OVERLAP // 2 if begin else 0
            last = signal.shape[1] if begin + len(samples) >= total else frames - OVERLAP // 2
            position = FramePosition(analysis, speaker, begin, len(samples))
            yield Window(signal, position, whole, (slice(first, last),))

    def join(
        self,
        item: Item,
        outputs: Iterable[tuple[Window, Tensor]],
        *,
        target: str | None = None,
    ) -> Sound:
        """Synthesises translated windows in the voice of ``target``.

        Returns:
            The recording at 16 kHz mono, as long as it came. A long one lies in a file without a
            name, which is gone with it.

        Raises:
            UsageError: If the target is no voice that the model knows.
        """
        if target is None:
            raise UsageError("it is not one voice", asked="target", hint="Ask for one speaker.")
        voice, joiner, end = self._speaker(target), Joiner(), 0
        try:
            for window, output in outputs:
                place = cast("FramePosition", window.position)
                joiner.add(self._spoken(window, output, voice), place.begin)
                end = place.begin + place.count
            if not end:
                raise UsageError("there is nothing to join", asked=item.name)
            return Sound(joiner.finish(end), RATE, item.info["facts"].texts)
        finally:
            joiner.close()

    def render_with(self, renderer: Any) -> None:
        """Takes another `zoo_voice.vocoder.Vocoder` in place of WORLD."""
        if not isinstance(renderer, Vocoder):
            raise UsageError(
                "it is no vocoder",
                asked=f"renderer {type(renderer).__name__}",
                hint="Derive it from zoo_voice.vocoder.Vocoder.",
            )
        self.vocoder = renderer

    def write(self, value: Any, path: Path) -> Sequence[str]:
        """Writes a `Sound` atomically, in the format that the suffix names (none: WAV, 16 bits)."""
        if not isinstance(value, Sound):
            raise UsageError(f"a {type(value).__name__} is no recording", asked=str(path))
        return save(value, Path(path))

    def open(
        self,
        files: Sequence[Path | InMemorySignal],
        config: TrainConfig,
        *,
        domain: str | None = None,
        cache: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> SpeechStore:
        """Analyses recordings once; see `zoo_voice.store.open_store`.

        They are normalised by what the model knows of the domain's voice, if it does, else by
        their own statistics.
        """
        known = None if domain is None else self.preprocessing.get("speakers", {}).get(domain)
        speaker = None if known is None or domain is None else self._speaker(domain)
        return open_store(self.spec, files, speaker=speaker, cache=cache, progress=progress)

    def sheet(
        self, rows: Sequence[tuple[str, Sequence[Tensor]]], columns: Sequence[str], path: Path
    ) -> None:
        """Writes a labelled grid of spectral envelopes; see `zoo_voice.sheet.draw`."""
        from zoo_voice.sheet import draw

        draw(rows, columns, Path(path))

    def preview(
        self, rows: Iterable[tuple[str, Sequence[Item]]], columns: Sequence[str], path: Path
    ) -> None:
        """Writes a labelled grid of spectrograms; see `zoo_voice.spectrogram.draw`."""
        from zoo_voice.spectrogram import draw

        sounds = ((title, [(item.value, item.name) for item in items]) for title, items in rows)
        draw(sounds, columns, Path(path))

    @classmethod
    def preprocessing_for(cls, spec: TensorSpec, config: TrainConfig) -> dict[str, Any]:
        """What ``config.yaml`` records of the analysis."""
        return {
            "analysis": "world",
            "rate": RATE,
            "hop": HOP,
            "alpha": ALPHA,
            "floor": FLOOR,
            "order": spec.channels,
        }

    def fit_statistics(self, stores: Mapping[str, SignalStore]) -> dict[str, Any]:
        """The statistics of each domain's voice.

        Raises:
            UsageError: If the recordings are of no domain.
        """
        if MIXED in stores:
            raise UsageError(
                "a recording has one speaker, not attributes",
                asked="the data of the run",
                hint="Name each speaker: --domain NAME=FOLDER.",
            )
        voices = {name: cast("SpeechStore", store).speaker for name, store in stores.items()}
        return {"speakers": {name: voice.plain() for name, voice in voices.items()}}

    def _excerpts(self, item: Item, speaker: Speaker | None, total: int, size: int) -> Tensor:
        """(order, T) stretches of a recording as the nets see them, ``size`` samples together."""
        assert speaker is not None  # (its first window was analysed)
        parts = excerpts(blocks(item.value, name=item.name), total, size)
        cepstra = [analyse(samples, self.spec.channels).cepstrum[:, 1:] for samples in parts]
        return self._signal(speaker.normalise(np.concatenate(cepstra)))  # (order, T)

    def _spoken(self, window: Window, output: Tensor, voice: Speaker) -> Floats:
        """(n,) one translated window, synthesised."""
        place = cast("FramePosition", window.position)
        made = output.detach().cpu().double().numpy().T  # (T', order)
        timbre = voice.denormalise(made[: len(place.analysis)])  # (T, order)
        f0 = voice.sing(place.analysis.f0, place.source)  # (T,)
        energy = voice.level(place.analysis.cepstrum[:, 0], place.source)  # (T,)
        wave = self.vocoder.speak(place.analysis.with_voice(f0, timbre, energy))  # (n,)
        wanted = ((len(place.analysis) - 1) * HOP,)
        if wave.shape != wanted:
            name = type(self.vocoder).__name__
            raise PluginError(f"it made shape {wave.shape} of {wanted}", asked=f"vocoder {name}")
        return wave  # (n,)

    def _item(self, source: Path | Sound, name: str, form: str) -> Item:
        facts = examine(source, name=name)
        return Item(source, name, form, {"facts": facts, "notes": facts.notes})

    def _speaker(self, name: str) -> Speaker:
        speakers = self.preprocessing.get("speakers", {})
        if name not in speakers:
            raise WeightsError(
                "the model's config.yaml has no statistics of this voice",
                asked=f'voice "{name}"',
                hint="Export the model again with zoo train, or restore the file.",
            )
        return Speaker.from_plain(speakers[name], self.spec.channels, asked=f'voice "{name}"')

    def _signal(self, values: Any) -> Tensor:
        """(order, T') float32 of (T, order); the last frame repeated up to what nets take."""
        stride, count = self.spec.stride, len(values)
        wanted = max(self.spec.shape[-1], -(-count // stride) * stride)
        padded = np.pad(values, ((0, wanted - count), (0, 0)), mode="edge")  # (T', order)
        return torch.from_numpy(np.ascontiguousarray(padded.T, np.float32))  # (order, T')
