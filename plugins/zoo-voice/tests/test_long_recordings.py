"""Windows of a long recording share its statistics."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from zoo_core.contracts.signals import TensorSpec
from zoo_core.translate.streaming import Job, StreamPlan, stream
from zoo_voice.audio import Sound
from zoo_voice.codec import SpeechCodec
from zoo_voice.stretches import OVERLAP, excerpts
from zoo_voice.world import HOP, RATE

SPEC = TensorSpec("speech", (24, 64), None, None, stride=4, flexible=1)
pytestmark = pytest.mark.numeric


class Keeping(SpeechCodec):
    """Keeps what the nets made, put together from the windows' own parts."""

    made: torch.Tensor

    def join(self, item: Any, outputs: Any, *, target: Any = None) -> Sound:
        parts = [y if w.own is None else y[:, w.own[0]] for w, y in outputs]
        self.made = torch.cat(parts, 1)  # (order, T)
        return item.value


def normalised(samples: Any, way: str, limit: int | None) -> tuple[Any, tuple[str, ...]]:
    """(order, T) through a net that does nothing but normalise, and the notes."""
    codec = Keeping(SPEC)
    (item,) = codec.wrap(Sound(samples, RATE))

    def compute(x: Any, names: Any) -> Any:
        return dict.fromkeys(names, functional.instance_norm(x))

    plan = StreamPlan(codec, compute, {"a": "a"}, limit=limit, windows=way)
    (result,) = stream(plan, [Job("recording", lambda: item)])
    assert result.error is None
    return codec.made.numpy(), result.notes


@pytest.fixture(scope="module")
def changing(voice: Any) -> Any:
    """A voice that goes on to a soft one of another tract."""
    return np.concatenate([voice(3.0, 117, pauses=False), 0.1 * voice(3.0, 210, 0.8)])


def test_own_parts_cover_a_recording_once(changing: Any) -> None:
    codec = SpeechCodec(SPEC)
    (item,) = codec.wrap(Sound(changing, RATE))
    windows = list(codec.windows(item, limit=4 * OVERLAP))
    (whole,) = codec.windows(item, limit=10**6)
    own = sum(window.own[0].stop - window.own[0].start for window in windows)
    assert abs(own - whole.signal.shape[1]) < SPEC.stride + len(windows)
    assert {window.whole.count for window in windows} == {len(windows)}


@pytest.mark.slow
def test_windows_are_normalised_as_the_whole_recording_is(changing: Any) -> None:
    whole, notes = normalised(changing, "fast", 10**6)
    assert notes == ()
    apart = {}
    for way in ("own", "fast", "exact"):
        made, (note,) = normalised(changing, way, 4 * OVERLAP)
        count = min(made.shape[1], whole.shape[1])
        apart[way] = np.abs(made[:, :count] - whole[:, :count]).mean()
        assert note.startswith("4 windows") or note.startswith("5 windows")
    assert apart["exact"] < apart["own"] / 1.5
    assert apart["fast"] < apart["own"] / 1.5


def test_excerpts_are_spread_evenly_whatever_the_blocks() -> None:
    samples = np.arange(10.0 * RATE)
    for size in (10 * RATE, 1700, 12_345):
        blocks = [samples[i : i + size] for i in range(0, len(samples), size)]
        found = excerpts(blocks, len(samples), 2000 * HOP // 2)
        assert len(found) == 10
        last = len(samples) - len(found[0])
        for start, part in zip(np.linspace(0, last, 10), found, strict=True):
            assert np.array_equal(part, samples[int(start) : int(start) + len(part)])
