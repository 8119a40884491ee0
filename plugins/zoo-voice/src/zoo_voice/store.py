"""The recordings of one voice, analysed once, without pauses, and laid end to end."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoo_core.contracts.codec import InMemorySignal
from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import DataError, ZooError
from zoo_images.caching import caching, stamp
from zoo_voice.audio import Sound, load
from zoo_voice.loudness import loud
from zoo_voice.speaker import Speaker
from zoo_voice.world import HOP, RATE, pitch_and_timbre

CLIPPED = 1e-3
"""Share of samples at full scale from which a recording counts as clipped."""
_VERSION = 3  # part of every cache key: raise it when features would differ

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SpeechStoreContents:
    """What is known of a store beside its frames.

    Attributes:
        kept: Positions of the usable files among those asked for.
        skipped: Why each other file was left out.
        lengths: Frames of each kept recording.
        rates: Samples a second that occur, as they came.
        forms: Formats that occur.
        clipped: Number of recordings with clipped samples.
    """

    kept: list[int]
    skipped: list[str]
    lengths: list[int]
    rates: list[int]
    forms: list[str]
    clipped: int


class SpeechStore:
    """See `zoo_core.contracts.codec.SignalStore`: recordings of one voice, laid end to end.

    Words are often shorter than the frames that nets see, so that a signal begins in its recording
    and runs on into the next.

    Args:
        frames: (F, 2 + order) F0 in Hz (0 where unvoiced), then c0, c1 ...
        contents: What else is known.
        names: Name of each recording.
        spec: Form of the signals.
        speaker: Statistics to normalise by; None for the recordings' own.

    Attributes:
        frames: (F, order) float32, normalised.
        f0: (F,) F0 in Hz, 0 where unvoiced.
        energy: (F,) c0, as it is.
        starts: (M,) the first frame of each recording.
        lengths: (M,) its number of frames.
    """

    def __init__(
        self,
        frames: npt.NDArray[np.float32],
        contents: SpeechStoreContents,
        names: Sequence[str],
        spec: TensorSpec,
        speaker: Speaker | None = None,
    ) -> None:
        self.names: Sequence[str] = list(names)
        self.labels: Tensor | None = None
        self.kept: Sequence[int] = contents.kept
        self.skipped: Sequence[str] = contents.skipped
        self.own = Speaker.of(frames[:, 0], frames[:, 2:], frames[:, 1])
        self.speaker = speaker or self.own
        self.summary = _summary(contents, self.own)
        self._spec, self.lengths = spec, np.array(contents.lengths)
        self.starts = np.cumsum(self.lengths) - self.lengths  # (M,)
        self.f0, self.energy = frames[:, 0], frames[:, 1]  # (F,) each
        self.frames = self.speaker.normalise(frames[:, 2:]).astype(np.float32)  # (F, order)

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, indices: Sequence[int], rng: torch.Generator | None = None) -> Tensor:
        """(N, order, T) float32; with ``rng`` beginning anywhere in the recording."""
        chosen = np.asarray(indices, np.intp)  # (N,)
        begins = self.starts[chosen]  # (N,)
        if rng is not None:
            part = torch.rand(len(chosen), generator=rng).numpy()  # (N,)
            begins = begins + (part * self.lengths[chosen]).astype(np.intp)  # (N,)
        places = begins[:, None] + np.arange(self._spec.shape[-1])  # (N, T)
        picked = self.frames[places % len(self.frames)]  # (N, T, order)
        return torch.from_numpy(picked).transpose(1, 2).contiguous()  # (N, order, T)


def open_store(
    spec: TensorSpec,
    files: Sequence[Path | InMemorySignal],
    *,
    speaker: Speaker | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> SpeechStore:
    """Analyses recordings, or finds them analysed; see `zoo_core.contracts.codec.Codec.open`.

    The cache is keyed by a hash of the files' paths, times and sizes and of the analysis. It is
    complete or absent: it is written under a temporary name and renamed.

    Raises:
        DataError: If no recording can be used, or the cache cannot be written.
    """
    if not files:
        raise DataError("there are no recordings", asked="store of recordings")
    order = spec.channels
    folder = None if cache is None else Path(cache) / "speech" / _key(files, order)
    found = None if folder is None else _load(folder, order)
    if found is None:
        found = _analysed(files, order, progress)
        if folder is not None:
            _keep(folder, order, *found)
    frames, contents = found
    names = [files[i].name for i in contents.kept]
    return SpeechStore(frames, contents, names, spec, speaker)


def _analysed(
    files: Sequence[Path | InMemorySignal], order: int, progress: Progress | None
) -> tuple[npt.NDArray[np.float32], SpeechStoreContents]:
    """Frames (F, 2 + order) of all files in parallel, and what else is known."""
    kept, skipped, rows = [], [], []
    rates: set[int] = set()
    forms: dict[str, int] = {}
    clipped = 0
    with ThreadPoolExecutor(threads()) as pool:
        for position, answer in enumerate(pool.map(lambda file: _one(file, order), files)):
            if isinstance(answer, str):
                skipped.append(answer)
            else:
                kept.append(position)
                rows.append(answer[0])
                rates.add(answer[1].rate)
                forms[answer[1].form] = forms.get(answer[1].form, 0) + 1
                clipped += answer[1].clipped > CLIPPED
            if progress:
                progress(position + 1, len(files))
    if not kept:
        first = files[0]
        raise DataError(
            f"none of the {len(files)} recordings can be used; the first fault: {skipped[0]}",
            asked=f"folder {first.parent}" if isinstance(first, Path) else f"sample {first.name}",
            hint="Replace the files.",
        )
    common = sorted(forms, key=lambda form: (-forms[form], form))
    lengths = [len(row) for row in rows]
    contents = SpeechStoreContents(kept, skipped, lengths, sorted(rates), common, clipped)
    return np.concatenate(rows), contents


def _one(file: Path | InMemorySignal, order: int) -> tuple[npt.NDArray[np.float32], Any] | str:
    """Frames (T, 2 + order) of one recording with its facts, or why it cannot be used."""
    source, name = (file, str(file)) if isinstance(file, Path) else (file.value, file.name)
    try:
        if not isinstance(source, Path | Sound):
            raise DataError(f"it is a {type(source).__name__}, no recording", asked=name)
        samples, facts = load(source, name=name)
    except ZooError as error:
        return str(error)
    f0, cepstrum = pitch_and_timbre(samples, order)
    # Pauses are no voice. Two speakers differ in how long theirs are, and a net that has to make
    # as many of them as the target has turns words into silence, or silence into words.
    frames = np.column_stack([f0, cepstrum])[loud(cepstrum[:, 0])]  # (T, 2 + order)
    return frames.astype(np.float32), facts


def _keep(
    folder: Path, order: int, frames: npt.NDArray[np.float32], contents: SpeechStoreContents
) -> None:
    """Writes a cache folder, whole or not at all."""
    with caching(
        folder, lambda: _load(folder, order) is not None, what="analysed recordings"
    ) as work:
        np.save(work / "frames.npy", frames)
        (work / "contents.json").write_text(json.dumps(asdict(contents)), encoding="utf-8")


def _load(folder: Path, order: int) -> tuple[npt.NDArray[np.float32], SpeechStoreContents] | None:
    """What a cache folder holds, or None where it is absent or damaged."""
    try:
        contents = SpeechStoreContents(
            **json.loads((folder / "contents.json").read_text(encoding="utf-8"))
        )
        mapped = np.load(folder / "frames.npy", mmap_mode="r")
        shape = (sum(contents.lengths), 2 + order)
    except (OSError, ValueError, TypeError, EOFError, RecursionError):
        return None
    if mapped.shape != shape or mapped.dtype != np.float32:
        return None
    frames = np.array(mapped)
    return (frames, contents) if np.isfinite(frames).all() else None


def _key(files: Sequence[Path | InMemorySignal], order: int) -> str:
    digest = hashlib.blake2b(json.dumps([_VERSION, order]).encode(), digest_size=16)
    for text in map(_state, files):
        digest.update(text)
    return digest.hexdigest()


def _state(file: Path | InMemorySignal) -> bytes:
    """What changes when a recording does."""
    if isinstance(file, Path):
        return stamp(file)
    return b"".join(_bytes(file))


def _bytes(file: InMemorySignal) -> Iterator[bytes]:
    yield f"{file.name}\0".encode()
    if isinstance(file.value, Sound):
        values = np.asarray(file.value.samples)
        yield f"{file.value.rate}\0{values.dtype.str}\0{values.shape}\n".encode()
        yield np.ascontiguousarray(values).tobytes()


def _summary(contents: SpeechStoreContents, own: Speaker) -> str:
    seconds = sum(contents.lengths) * HOP / RATE
    rates = " and ".join(f"{rate:,}" for rate in contents.rates)
    pitch = float(np.exp(own.pitch[0]))
    text = f"{seconds:.1f} s, {rates} Hz, {', '.join(contents.forms)}, pitch {pitch:.0f} Hz"
    return f"{text}, {contents.clipped} clipped" if contents.clipped else text


def threads() -> int:
    """How many recordings are analysed at once."""
    if hasattr(os, "sched_getaffinity"):
        return min(8, len(os.sched_getaffinity(0)))
    return min(8, os.cpu_count() or 1)
