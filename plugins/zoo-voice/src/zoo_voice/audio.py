"""Recordings: read from any file as 16 kHz mono in blocks, and written so that a file is whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from zoo_core.errors import DataError, UsageError
from zoo_core.files import replacing
from zoo_voice.cepstrum import Floats
from zoo_voice.cut_off import cut_off
from zoo_voice.world import RATE

FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".oga": ("OGG", "VORBIS"),
    ".aiff": ("AIFF", "PCM_16"),
    ".aif": ("AIFF", "PCM_16"),
    ".au": ("AU", "PCM_16"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
"""Formats by suffix, as libsndfile names them; the first is the one that is written by default."""
LOWEST_RATE = 4_000
"""Samples a second below which a recording holds too little of speech."""
SHORTEST = 0.1
"""Seconds below which nothing can be analysed."""
SILENT = 1e-3
"""Peak, relative to full scale and about the mean, below which a recording counts as silent."""
BLOCK = 1 << 16  # frames that are read at once
_DEEPER = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE")
_SIGNATURES = (
    b"RIFF", b"RF64", b"BW64", b"riff", b"FORM", b".snd", b"fLaC", b"OggS", b"NIST_1A", b"caff",
    b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xfa",
)  # fmt: skip
"""How files begin of which libsndfile reads some, the last five those of MP3."""
_FULL = 0.999  # a sample beyond it counts as clipped


@dataclass(frozen=True)
class Sound:
    """A recording in memory; ``samples, rate = sound`` takes it apart.

    Attributes:
        samples: (n,) mono or (n, channels): floats within [-1, 1], or integers of full scale.
        rate: Samples a second.
        texts: What is said of it, such as its ``title``, by libsndfile's names.
    """

    samples: npt.NDArray[Any]
    rate: int
    texts: Mapping[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.samples, self.rate))

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class Facts:
    """What is known of a recording once it was read in full.

    Attributes:
        seconds: Its length.
        rate: Samples a second, as it came.
        channels: Number of channels.
        form: Format in plain words, such as ``WAV PCM_16``.
        clipped: Share of the samples that are at full scale, 0 to 1.
        texts: As of `Sound`.
    """

    seconds: float
    rate: int
    channels: int
    form: str
    clipped: float
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What of it does not come out, in plain words: outputs are 16 kHz mono of 16 bits."""
        notes = []
        if self.channels > 1:
            notes.append(f"{self.channels} channels, which are averaged: outputs have one")
        if self.rate > RATE:
            notes.append(f"{self.rate:,} samples a second, of which outputs have {RATE:,}")
        if self.form.endswith(_DEEPER):
            notes.append(f"samples of {self.form.split()[-1]}, which outputs have in 16 bits")
        return tuple(notes)


def blocks(source: Path | Sound, *, name: str) -> Iterator[Floats]:
    """Reads a recording as 16 kHz mono, block by block.

    Args:
        source: A file of any rate, resolution and number of channels, or a recording in memory.
        name: What to call it in errors.

    Yields:
        (n,) samples within about [-1, 1]; channels are averaged.

    Raises:
        DataError: If there is no such file, or it is damaged.
        UsageError: If a recording in memory has a wrong shape, type or rate.
    """
    rate, parts = _opened(source, name)
    resampler = None if rate == RATE else soxr.ResampleStream(rate, RATE, 1, dtype="float64")
    for part in parts:
        mono = part.mean(axis=1)  # (n,)
        yield mono if resampler is None else resampler.resample_chunk(mono)  # (n,)
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros(0), last=True)  # (n,)


def examine(source: Path | Sound, *, name: str) -> Facts:
    """Reads a recording once from end to end, in bounded memory, and refuses what is unusable.

    Raises:
        DataError: If it cannot be read, holds values that are not numbers, or is too short, of too
            low a rate, or silent.
        UsageError: As `blocks`.
    """
    rate, parts = _opened(source, name)
    frames, full, channels = 0, 0, 1
    low, high, loudest = np.inf, -np.inf, 0.0
    for part in parts:
        if not np.isfinite(part).all():
            raise DataError(
                "it holds values that are not finite numbers", asked=name, hint="Export it again."
            )
        frames, channels = frames + len(part), part.shape[1]
        full += int((np.abs(part) >= _FULL).sum())
        if len(part):
            mono = part.mean(axis=1)  # (n,)
            low, high = min(low, float(mono.min())), max(high, float(mono.max()))
            loudest = max(loudest, float(np.ptp(part, axis=0).max()) / 2)
    if frames == 0:
        raise DataError("it holds no samples", asked=name, hint="Record or fetch it again.")
    if rate < LOWEST_RATE:
        raise DataError(
            f"it has {rate} samples a second, fewer than {LOWEST_RATE}: too few for speech",
            asked=name,
            hint="Use a recording of 8,000 or more.",
        )
    if frames / rate < SHORTEST:
        raise DataError(
            f"it lasts {1000 * frames / rate:.0f} ms, less than {1000 * SHORTEST:.0f}",
            asked=name,
            hint="Use a longer recording, or join several.",
        )
    if (high - low) / 2 < SILENT <= loudest:
        raise DataError(
            "its channels cancel each other when they are averaged",
            asked=name,
            hint="Keep one of them, or turn one over.",
        )
    if (high - low) / 2 < SILENT:
        raise DataError("it is silent", asked=name, hint="Record it again, or louder.")
    form, texts = _form(source)
    return Facts(frames / rate, rate, channels, form, full / (frames * channels), texts)


def load(source: Path | Sound, *, name: str) -> tuple[Floats, Facts]:
    """(n,) a whole recording at 16 kHz mono, with what is known of it; raises as `examine`."""
    facts = examine(source, name=name)
    return np.concatenate(list(blocks(source, name=name))), facts


def is_recording(path: Path) -> bool:
    """Whether a file begins as a recording does and can be read, whatever it is called."""
    try:
        with path.open("rb") as file:
            return file.read(16).startswith(_SIGNATURES) and soundfile.info(path).frames > 0
    except (OSError, soundfile.LibsndfileError):
        return False


def save(sound: Sound, path: Path) -> Sequence[str]:
    """Writes a recording under a temporary name, then renames it; scales it down if it clips.

    Returns:
        What the format does not hold of what is said of it.

    Raises:
        UsageError: If the suffix names no format.
        DataError: If the file cannot be written; nothing is left behind.
    """
    suffix = path.suffix.lower() or next(iter(FORMATS))
    if suffix not in FORMATS:
        raise UsageError(
            f'"{path.suffix}" is no format that recordings are written in',
            asked=str(path),
            hint=f"Use one of {', '.join(FORMATS)}.",
        )
    form, resolution = FORMATS[suffix]
    samples = sound.samples
    starts = range(0, len(samples), BLOCK)
    peak = max((float(np.abs(samples[at : at + BLOCK]).max()) for at in starts), default=0.0)
    gain = 1.0 if peak <= 1.0 else 0.99 / peak
    lost = []
    try:
        with (
            replacing(path) as part,
            soundfile.SoundFile(part, "w", sound.rate, 1, resolution, format=form) as file,
        ):
            for name, text in sound.texts.items():
                try:
                    setattr(file, name, text)
                except soundfile.LibsndfileError:
                    lost.append(name)
            for at in starts:
                file.write(np.asarray(samples[at : at + BLOCK], np.float64) * gain)
    except (OSError, soundfile.LibsndfileError) as error:
        raise DataError(
            f"it cannot be written ({getattr(error, 'strerror', None) or error})",
            asked=str(path),
            hint="Choose a folder that exists, may be written to and has space left.",
        ) from error
    return (f"{', '.join(lost)}, which the {form} does not hold",) if lost else ()


def _opened(source: Path | Sound, name: str) -> tuple[int, Iterator[Floats]]:
    """Samples a second, and blocks (n, channels) of floats."""
    if isinstance(source, Sound):
        return source.rate, _memory(source, name)
    if not source.exists():
        raise DataError("there is no such file", asked=name, hint="Check the path.")
    if not source.is_file():
        raise DataError("it is no file", asked=name, hint="Give a recording, or a folder of them.")
    if source.stat().st_size == 0:
        raise DataError("the file is empty (0 bytes)", asked=name, hint="Fetch or save it again.")
    if missing := cut_off(source):
        raise DataError(f"it is cut off: {missing}", asked=name, hint="Fetch or save it again.")
    try:
        return soundfile.info(source).samplerate, _file(source, name)
    except (soundfile.LibsndfileError, OSError) as error:
        raise _unreadable(error, name) from error


def _file(path: Path, name: str) -> Iterator[Floats]:
    try:
        with soundfile.SoundFile(path) as file:
            done, promised = 0, file.frames
            while len(part := file.read(BLOCK, "float64", always_2d=True)):
                done += len(part)
                yield part  # (n, channels)
                if file.seekable() and file.tell() > promised:
                    break  # an MP3 that tells a wrong length: soundfile would read backwards
    except (soundfile.LibsndfileError, OSError) as error:
        raise _unreadable(error, name) from error
    if done < promised and path.suffix.lower() != ".mp3":  # an MP3's length is an estimate
        raise DataError(
            f"it is damaged: it ends after {done:,} of {promised:,} samples",
            asked=name,
            hint="Fetch or save it again.",
        )


def _memory(sound: Sound, name: str) -> Iterator[Floats]:
    samples = sound.samples
    if not isinstance(samples, np.ndarray) or samples.ndim not in (1, 2) or sound.rate < 1:
        raise UsageError(
            "a recording in memory is an array (n,) or (n, channels) with samples a second",
            asked=name,
            hint="Write zoo_voice.audio.Sound(samples, rate).",
        )
    scale = 1.0
    if np.issubdtype(samples.dtype, np.signedinteger):
        scale = float(np.iinfo(samples.dtype).max)
    elif not np.issubdtype(samples.dtype, np.floating):
        raise UsageError(
            f"its samples are {samples.dtype}",
            asked=name,
            hint="Use floats within [-1, 1], or signed integers of full scale.",
        )
    columns = samples[:, None] if samples.ndim == 1 else samples  # (n, channels)
    starts = range(0, len(columns), BLOCK)
    return (np.asarray(columns[at : at + BLOCK], np.float64) / scale for at in starts)


def _form(source: Path | Sound) -> tuple[str, Mapping[str, str]]:
    """The format, and what is said of a recording, without the program that wrote it."""
    if isinstance(source, Sound):
        return "arrays", source.texts
    with soundfile.SoundFile(source) as file:
        texts = {k: v for k, v in file.copy_metadata().items() if k != "software"}
        return f"{file.format} {file.subtype}", texts


def _unreadable(error: Exception, name: str) -> DataError:
    reason = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
    return DataError(
        f"it is no recording that can be decoded ({str(reason).rstrip('.')})",
        asked=name,
        hint=f"Formats that are read: {', '.join(suffix[1:] for suffix in FORMATS)}.",
    )
