"""Speed and memory of voice conversion on one thread: analysis, nets, synthesis.

    python benchmarks/voice.py [MODEL] [--recordings FOLDER] [--skip-memory]

Prints seconds of audio per second of the clock and of the processor (on a busy machine the first is
lower), what each part takes, and the peak memory of 1 and 10 minutes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarking import peak_of_zoo

import zoo
from zoo_core.finding import find_files
from zoo_core.translate.translator import Translator
from zoo_voice.audio import Sound, load, save
from zoo_voice.world import RATE

MODEL = "cyclegan-vc-fsdd"
EXAMPLES = Path(__file__).parents[1] / "examples" / "voice"
SPEECH = 60.0
"""Seconds of speech that speed is measured on."""


def spoken(folder: Path, seconds: float) -> Any:
    """(n,) recordings of a folder, one after the other, over and over."""
    files = find_files(folder, (".wav", ".flac")).files
    whole = np.concatenate([load(path, name=str(path))[0] for path in files])  # (n,)
    count = round(seconds * RATE)
    return np.tile(whole, -(-count // len(whole)))[:count]  # (n,)


def best(call: Callable[[], object], repeats: int) -> tuple[float, float]:
    """The shortest wall-clock and processor time of a call, in seconds, after one unmeasured."""
    call()
    walls, used = [], []
    for _ in range(repeats):
        wall, process = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        used.append(time.process_time() - process)
    return min(walls), min(used)


def speed(translator: Translator, samples: Any, repeats: int) -> None:
    """Prints seconds of audio per second, and the share of each part."""
    source, target = translator.domains.names[:2]
    sound, codec = Sound(samples, RATE), translator.codec
    wall, used = best(lambda: translator(sound, to=target, source=source), repeats)
    (item,) = codec.wrap(sound)
    windows = list(codec.windows(item, source=source))
    goal = translator.engine.vector(target)
    origin = translator.engine.vector(source)
    made = [translator.engine.translate(w.signal[None], origin, goal)[0] for w in windows]
    parts = {
        "analysis": lambda: list(codec.windows(item, source=source)),
        "nets": lambda: [
            translator.engine.translate(w.signal[None], origin, goal) for w in windows
        ],
        "synthesis": lambda: codec.join(item, zip(windows, made, strict=True), target=target),
    }
    seconds = sound.seconds
    print(f"speech              {seconds:.0f} s at {RATE} Hz, threads {torch.get_num_threads()}")
    print(f"conversion          {seconds / wall:8.1f} s of audio/s (wall clock)")
    print(f"conversion          {seconds / used:8.1f} s of audio/s (processor time)")
    for name, call in parts.items():
        share = best(call, repeats)[1]
        print(f"  {name:18}{1000 * share / seconds:8.1f} ms per s of audio")


def memory(model: str, target: str, samples: Any, minutes: tuple[int, int]) -> None:
    """Prints the peak memory of converting files of some minutes each."""
    with tempfile.TemporaryDirectory() as place:
        peaks = []
        for count in minutes:
            path = Path(place) / f"{count}.wav"
            whole = np.resize(samples, count * 60 * RATE)
            save(Sound(whole.astype(np.float32), RATE), path)
            out = str(Path(place) / f"out{count}.wav")
            peaks.append(peak_of_zoo(["translate", model, str(path), "--to", target, "--out", out]))
            print(f"{count:3} min             {peaks[-1].mebibytes:8.0f} MiB")
        print(f"ratio               {peaks[1].mebibytes / peaks[0].mebibytes:8.2f}")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "model", nargs="?", default=MODEL, help="name from `zoo list`, or a directory"
    )
    parser.add_argument("--recordings", type=Path, default=EXAMPLES, help="a folder per voice")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--skip-memory", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes whose memory is measured
    samples = spoken(options.recordings, SPEECH)
    translator = zoo.load(options.model, device="cpu")
    print(f"model               {options.model}")
    speed(translator, samples, options.repeats)
    if not options.skip_memory:
        memory(options.model, translator.domains.names[1], samples, (1, 10))


if __name__ == "__main__":
    main()
