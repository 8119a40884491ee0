"""Speech taken apart and put together again: cepstra, WORLD, statistics, windows, joins, stores."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
import torch
from PIL import Image

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError, UsageError, WeightsError
from zoo_voice import join
from zoo_voice.audio import Sound
from zoo_voice.cepstrum import envelope, floored, mel_cepstrum, unfloored, warping
from zoo_voice.codec import SpeechCodec
from zoo_voice.join import Joiner
from zoo_voice.loudness import loud, trimmed
from zoo_voice.speaker import Speaker
from zoo_voice.world import HOP, RATE, analyse, synthesise

SPEC = TensorSpec("speech", (24, 64), None, None, 4, 1)
CONFIG = TrainConfig()


def codec_of(*voices: tuple[str, Any]) -> SpeechCodec:
    """A codec that knows some voices by a recording of each."""
    known = {}
    for name, samples in voices:
        analysis = analyse(samples, 24)
        spoken = loud(analysis.cepstrum[:, 0])
        known[name] = Speaker.of(analysis.f0[spoken], analysis.cepstrum[spoken, 1:]).plain()
    return SpeechCodec(SPEC, {"speakers": known})


def through(codec: SpeechCodec, value: Any, target: str, **options: Any) -> Any:
    """A recording that no net changes."""
    (item,) = codec.wrap(value)
    pairs = ((window, window.signal) for window in codec.windows(item, **options))
    return codec.join(item, pairs, target=target).samples


def with_energy(mean: float, deviation: float) -> Speaker:
    return Speaker((np.log(100.0), 0.1), np.zeros(2), np.ones(2), (mean, deviation))


def test_energy_gets_the_mean_and_deviation_of_the_other_voice() -> None:
    moved = with_energy(-3.0, 0.5).level(np.array([-6.0, -4.0, -5.0]), with_energy(-5.0, 1.0))
    np.testing.assert_allclose(moved, [-3.5, -2.5, -3.0])


def test_energy_stays_where_a_voice_s_is_not_known() -> None:
    energy, unknown = np.array([-6.0, -4.0]), Speaker((np.log(100.0), 0.1), np.zeros(2), np.ones(2))
    np.testing.assert_array_equal(with_energy(-3.0, 0.5).level(energy, unknown), energy)
    np.testing.assert_array_equal(unknown.level(energy, with_energy(-3.0, 0.5)), energy)


@pytest.mark.parametrize("energy", [[-5.0], [-5.0, 0.0], ["loud", 1.0], [float("nan"), 1.0]])
def test_a_wrong_energy_of_a_voice_is_refused(energy: Any) -> None:
    plain = with_energy(-5.0, 1.0).plain() | {"energy": energy}
    with pytest.raises(WeightsError) as caught:
        Speaker.from_plain(plain, 2, asked='voice "low"')
    assert caught.value.asked == 'voice "low"'


def test_a_conversion_is_as_loud_as_the_target(voice: Any) -> None:
    low, faint = voice(0.6, 110.0, 1.1), 0.1 * voice(0.6, 200.0, 0.85, seed=1)
    known = {}
    for name, samples in (("low", low), ("faint", faint)):
        analysis = analyse(samples, 24)
        spoken = analysis.cepstrum[loud(analysis.cepstrum[:, 0])]
        known[name] = Speaker.of(analysis.f0, spoken[:, 1:], spoken[:, 0]).plain()
    codec = SpeechCodec(SPEC, {"speakers": known})
    made = through(codec, Sound(low, RATE), "faint", source="low")
    level = lambda x: 20 * np.log10(np.std(x))  # noqa: E731
    assert abs(level(made) - level(faint)) < 4 < level(low) - level(faint)


def test_warping_by_nothing_is_the_identity() -> None:
    np.testing.assert_array_equal(warping(6, 6, 0.0), np.eye(7))


def test_warping_is_the_all_pass_map_of_the_frequency_axis() -> None:
    alpha, inner = 0.42, 8
    cepstrum = np.random.default_rng(0).normal(size=inner + 1) / (1 + np.arange(inner + 1))
    warped = warping(inner, 200, alpha) @ cepstrum
    omega = np.linspace(0.1, 3.0, 20)
    moved = omega + 2 * np.arctan(alpha * np.sin(omega) / (1 - alpha * np.cos(omega)))
    plain = np.cos(omega[:, None] * np.arange(inner + 1)) @ cepstrum
    mel = np.cos(moved[:, None] * np.arange(201)) @ warped
    np.testing.assert_allclose(mel, plain, atol=1e-9)


def test_a_smooth_envelope_comes_back_from_its_mel_cepstrum() -> None:
    wanted = np.random.default_rng(0).normal(size=(5, 25)) / (1 + np.arange(25))
    power = envelope(wanted, 513)
    np.testing.assert_allclose(mel_cepstrum(power, 24), wanted, atol=1e-6)
    np.testing.assert_allclose(
        mel_cepstrum(np.full((1, 513), np.e**2), 24)[0, :2], [1, 0], atol=1e-9
    )


def test_the_mel_cepstrum_counts_ripples_along_the_axis_that_0_42_warps() -> None:
    omega = np.linspace(0, np.pi, 513)
    mel = omega + 2 * np.arctan(0.42 * np.sin(omega) / (1 - 0.42 * np.cos(omega)))
    ripples = mel_cepstrum(np.exp(2 * np.cos(3 * mel))[None], 24)[0]
    np.testing.assert_allclose(ripples, np.eye(25)[3], atol=1e-4)


def test_the_floor_is_relative_to_the_mean_power() -> None:
    power = np.array([[1.0, 3.0], [0.0, 0.0]])
    np.testing.assert_allclose(floored(power) - power, 1e-4)
    np.testing.assert_allclose(floored(9 * power), 9 * floored(power))
    back = unfloored(floored(power))
    np.testing.assert_allclose(back, power, atol=1e-5)
    assert back.min() > 0


def test_synthesis_sounds_like_what_was_analysed(voice: Any) -> None:
    samples = voice(0.9)
    first = analyse(samples, 24)
    again = analyse(synthesise(first), 24)
    voiced = (first.f0[:-1] > 0) & (again.f0[: len(first) - 1] > 0)
    assert voiced.mean() > 0.5
    drift = np.abs(np.log(again.f0[: len(voiced)][voiced] / first.f0[:-1][voiced]))
    assert np.median(drift) < 0.01
    strong = first.cepstrum[:-1, 0] > first.cepstrum[:, 0].max() - 2.3  # within 20 dB
    gap = (again.cepstrum[: len(strong)] - first.cepstrum[:-1])[strong, 1:]
    distortion = 10 * np.sqrt(2) / np.log(10) * np.linalg.norm(gap, axis=1).mean()
    assert distortion < 4.0


def test_aperiodicity_between_the_frames_that_were_looked_at_is_near_theirs(
    voice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = voice(0.9)
    thinned = analyse(samples, 24)
    monkeypatch.setattr("zoo_voice.world.THINNED", 1)
    every = analyse(samples, 24)
    assert thinned.aperiodicity.shape == every.aperiodicity.shape == (len(every), 1)
    voiced = every.f0 > 0
    gap = np.abs(thinned.aperiodicity - every.aperiodicity)[voiced]
    assert 0 < gap.mean() < 1.0
    np.testing.assert_array_equal(thinned.cepstrum, every.cepstrum)


def test_telephone_speech_keeps_its_voicing(tmp_path: Path, voice: Any) -> None:
    soundfile.write(tmp_path / "x.wav", voice(0.9, rate=8000), 8000)
    codec = codec_of(("a", voice()))
    (window,) = codec.windows(codec.read(tmp_path / "x.wav"))
    analysis = window.position.analysis
    assert np.median(analysis.aperiodicity[analysis.f0 > 0]) < -6


def test_speech_does_not_gain_a_floor_each_time_that_it_is_synthesised(voice: Any) -> None:
    narrow = soxr.resample(voice(0.9, rate=8000), 8000, RATE)  # nothing above 4 kHz
    first = analyse(narrow, 24)
    again = analyse(synthesise(first), 24)
    strong = first.cepstrum[:-1, 0] > first.cepstrum[:, 0].max() - 2.3  # within 20 dB
    both = [
        envelope(one.cepstrum[: len(strong)][strong], 513)[:, 330:450] for one in (first, again)
    ]
    before, after = (10 * np.log10(power).mean() for power in both)  # dB from 5 to 7 kHz
    assert abs(after - before) < 1.5


def test_pitch_is_moved_in_voiced_frames_only_and_stays_within_reach() -> None:
    low = Speaker((np.log(100.0), 0.1), np.zeros(2), np.ones(2))
    high = Speaker((np.log(200.0), 0.2), np.zeros(2), np.ones(2))
    f0 = np.array([0.0, 100.0, 100.0 * np.exp(0.1), 1e4, 0.1])
    np.testing.assert_allclose(
        high.sing(f0, low), [0.0, 200.0, 200.0 * np.exp(0.2), 600.0, 50.0], rtol=1e-6
    )


def test_pitch_statistics_bear_octave_errors() -> None:
    f0 = np.full(100, 131.0) * np.exp(0.1 * np.random.default_rng(0).normal(size=100))
    f0[:15] /= 2
    middle, spread = Speaker.of(f0, np.zeros((100, 2))).pitch
    assert abs(middle - np.log(131.0)) < 0.05
    assert spread < 0.2


def test_the_spread_of_a_normal_pitch_is_its_standard_deviation() -> None:
    quantiles = [NormalDist(np.log(131.0), 0.1).inv_cdf((i + 0.5) / 999) for i in range(999)]
    spread = Speaker.of(np.exp(quantiles), np.zeros((999, 2))).pitch[1]
    assert spread == pytest.approx(0.1, rel=0.01)


def test_a_voice_without_a_voiced_frame_has_statistics() -> None:
    whisper = Speaker.of(np.zeros(9), np.zeros((9, 2)))
    assert np.isfinite([*whisper.pitch, *whisper.deviation]).all()


def test_statistics_come_back_from_plain_values() -> None:
    rng = np.random.default_rng(0)
    first = Speaker.of(rng.uniform(80, 200, 50), rng.normal(size=(50, 24)))
    again = Speaker.from_plain(first.plain(), 24, asked="x")
    np.testing.assert_allclose(again.mean, first.mean, atol=1e-6)
    np.testing.assert_allclose(again.pitch, first.pitch, atol=1e-6)
    values = rng.normal(size=(7, 24))
    np.testing.assert_allclose(first.denormalise(first.normalise(values)), values)


@pytest.mark.parametrize(
    "change",
    [
        {"pitch": None},
        {"pitch": [4.0]},
        {"mean": [0.0]},
        {"deviation": "?"},
        {"pitch": [4.0, 0.0]},
        {"mean": [float("nan")] * 24},
    ],
)
def test_damaged_statistics_are_refused(change: dict[str, Any]) -> None:
    good = Speaker((4.0, 0.1), np.zeros(24), np.ones(24)).plain()
    with pytest.raises(WeightsError, match="statistics of the voice"):
        Speaker.from_plain(good | change, 24, asked="voice")


def test_signals_are_normalised_by_the_source_and_given_back_as_the_target(voice: Any) -> None:
    low, high = voice(0.9, 110), voice(0.9, 200, 0.85)
    codec = codec_of(("low", low), ("high", high))
    (item,) = codec.wrap(Sound(low, RATE))
    (window,) = codec.windows(item, source="low")
    spoken = np.flatnonzero(loud(window.position.analysis.cepstrum[:, 0]))
    assert window.signal[:, spoken].mean(1).abs().max() < 0.01
    assert (window.signal[:, spoken].std(1) - 1).abs().max() < 0.05
    assert window.signal.shape[1] % SPEC.stride == 0
    made = through(codec, Sound(low, RATE), "high", source="low")
    f0 = analyse(made, 24).f0
    assert 185 < np.median(f0[f0 > 0]) < 215
    assert len(made) == len(low)


def test_without_a_source_the_recording_speaks_for_its_voice(voice: Any) -> None:
    low = voice(0.9, 110)
    codec = codec_of(("low", low), ("high", voice(0.9, 200)))
    known = through(codec, Sound(low, RATE), "high", source="low")
    guessed = through(codec, Sound(low, RATE), "high")
    np.testing.assert_allclose(guessed, known, atol=1e-3)


def test_voices_that_the_model_does_not_know_are_refused(voice: Any) -> None:
    codec = codec_of(("low", voice()))
    (item,) = codec.wrap(Sound(voice(), RATE))
    with pytest.raises(WeightsError, match='voice "none"'):
        next(codec.windows(item, source="none"))
    with pytest.raises(WeightsError, match='voice "none"'):
        codec.join(item, [], target="none")
    with pytest.raises(UsageError, match="one speaker"):
        codec.join(item, [], target=None)
    with pytest.raises(UsageError, match="speech keeps its length"):
        next(codec.windows(item, size=64))


def loudness(samples: Any, step: int = 320) -> Any:
    """(m,) level in dB of stretches of 20 ms."""
    count = len(samples) // step
    power = (np.asarray(samples[: count * step], np.float64).reshape(count, step) ** 2).mean(1)
    return 10 * np.log10(power + 1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("pauses", [True, False])
def test_windows_are_joined_without_a_dip_or_a_click(voice: Any, pauses: bool) -> None:
    samples = voice(4.0, 117, pauses=pauses)
    codec = codec_of(("a", samples))
    whole = through(codec, Sound(samples, RATE), "a", source="a")
    cut = through(codec, Sound(samples, RATE), "a", source="a", limit=384)
    (item,) = codec.wrap(Sound(samples, RATE))
    assert len(list(codec.windows(item, limit=384))) == 3
    assert len(cut) == len(whole) == len(samples)
    strong = loudness(whole) > loudness(whole).max() - 20
    moved = [np.roll(whole, shift) for shift in range(-join.SHIFT, join.SHIFT + 1, 20)]
    gap = np.min([np.abs(loudness(cut) - loudness(other)) for other in moved], axis=0)[strong]
    assert gap.max() < 3.0
    assert np.abs(np.diff(cut)).max() < 1.3 * np.abs(np.diff(whole)).max()


def test_tones_out_of_phase_meet_in_phase() -> None:
    time = np.arange(16_000) / RATE
    joiner = Joiner()
    joiner.add(np.sin(2 * np.pi * 110 * time), 0)
    joiner.add(np.sin(2 * np.pi * 110 * time + 2.5), 10_000)
    made = joiner.finish(26_000)
    assert np.abs(loudness(made[:25_600]) - loudness(made[:320])).max() < 0.5
    assert np.abs(np.diff(made[:-160])).max() < 1.1 * 2 * np.pi * 110 / RATE


def test_the_same_tone_is_joined_to_the_same_tone() -> None:
    tone = np.sin(2 * np.pi * 110 * np.arange(26_000) / RATE)
    joiner = Joiner()
    joiner.add(tone[:16_000], 0)
    joiner.add(tone[10_000:], 10_000)
    np.testing.assert_allclose(joiner.finish(26_000), tone, atol=1e-6)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(
    tmp_path: Path, voice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(join, "IN_MEMORY", 2_000)
    unit = voice(2.0)
    codec = codec_of(("a", unit))
    peaks = []
    for name, times in (("short.wav", 3), ("long.wav", 9)):
        soundfile.write(tmp_path / name, np.tile(unit, times), RATE)
        tracemalloc.start()
        made = through(codec, tmp_path / name, "a", source="a", limit=400)
        codec.write(Sound(made, RATE), tmp_path / f"out-{name}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert soundfile.info(tmp_path / f"out-{name}").frames == times * len(unit)
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ""])
def test_outputs_are_written_whole_in_the_format_of_their_suffix(
    tmp_path: Path, voice: Any, suffix: str
) -> None:
    path = tmp_path / "new" / f"x{suffix}"
    codec_of().write(Sound(3 * voice(), RATE), path)  # too loud by far: scaled, not clipped
    samples, rate = soundfile.read(path)
    assert rate == RATE
    assert 0.5 < np.abs(samples).max() <= 1.0
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path, voice: Any) -> None:
    with pytest.raises(UsageError, match="no format that recordings are written in"):
        codec_of().write(Sound(voice(), RATE), tmp_path / "x.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        codec_of().write(Sound(voice(), RATE), tmp_path / "file" / "x.wav")


def test_silence_at_the_ends_is_trimmed_but_for_a_margin() -> None:
    energy = np.full(100, -9.0)
    energy[40:60] = 0.0
    assert trimmed(energy) == slice(34, 66)


def test_a_store_gives_crops_that_run_on_into_the_next_recording(speakers: Any) -> None:
    store = SpeechCodec(SPEC).open(sorted(speakers["low"].iterdir()), CONFIG)
    assert len(store) == 5
    plain = store.batch([0, 4])
    assert plain.shape == (2, 24, 64)
    assert torch.equal(plain, store.batch([0, 4]))
    draw = torch.Generator().manual_seed(1)
    drawn = store.batch([0] * 64, draw)
    assert len({row.numpy().tobytes() for row in drawn}) > 20
    assert torch.equal(drawn, store.batch([0] * 64, torch.Generator().manual_seed(1)))
    assert "s, 16,000 Hz, WAV PCM_16, pitch 1" in store.summary


def test_pauses_are_no_part_of_a_voice(tmp_path: Path, voice: Any) -> None:
    word = voice(0.5, pauses=False)
    pause = 1e-3 * np.random.default_rng(0).normal(size=RATE)
    for name, parts in (("plain", [word, word]), ("paused", [word, pause, word])):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "x.wav", np.concatenate(parts), RATE, "FLOAT")
    voices = {
        name: SpeechCodec(SPEC).open([tmp_path / name / "x.wav"], CONFIG).own
        for name in ("plain", "paused")
    }
    assert np.allclose(voices["plain"].mean, voices["paused"].mean, atol=0.05)
    assert np.allclose(voices["plain"].deviation, voices["paused"].deviation, rtol=0.2, atol=0.02)


def test_a_model_s_statistics_of_a_voice_rule_its_store(speakers: Any, voice: Any) -> None:
    files = sorted(speakers["low"].iterdir())
    known = codec_of(("high", voice(0.9, 200, 0.85)))
    own = SpeechCodec(SPEC).open(files, CONFIG, domain="high")
    ruled = known.open(files, CONFIG, domain="high")
    assert not torch.allclose(own.batch([0]), ruled.batch([0]), atol=0.1)
    assert torch.equal(known.open(files, CONFIG, domain="low").batch([0]), own.batch([0]))
    assert known.fit_statistics({"high": ruled}) == {"speakers": known.preprocessing["speakers"]}


def test_features_are_kept_and_found_again(
    tmp_path: Path, speakers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted(speakers["low"].iterdir())
    told: list[tuple[int, int]] = []
    first = SpeechCodec(SPEC).open(
        files, CONFIG, cache=tmp_path, progress=lambda *at: told.append(at)
    )
    assert told == [(i, 5) for i in range(1, 6)]
    monkeypatch.setattr("zoo_voice.store.pitch_and_timbre", None)  # nothing is analysed again
    again = SpeechCodec(SPEC).open(files, CONFIG, cache=tmp_path)
    assert torch.equal(again.batch(range(5)), first.batch(range(5)))
    assert again.summary == first.summary


@pytest.mark.parametrize("name", ["frames.npy", "contents.json"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, speakers: Any, name: str) -> None:
    files = sorted(speakers["low"].iterdir())[:2]
    first = SpeechCodec(SPEC).open(files, CONFIG, cache=tmp_path)
    (kept,) = tmp_path.rglob(name)
    kept.write_bytes(kept.read_bytes()[:50])
    again = SpeechCodec(SPEC).open(files, CONFIG, cache=tmp_path)
    assert torch.equal(again.batch([0, 1]), first.batch([0, 1]))


def test_samples_are_drawn_as_pictures(tmp_path: Path) -> None:
    rows = [("low", [torch.zeros(24, 64), torch.ones(24, 64)])]
    SpeechCodec(SPEC).sheet(rows, ["input", "high"], tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert image.width > 4 * 64
        assert len(set(image.convert("L").tobytes())) > 20


@pytest.mark.parametrize(
    "spec",
    [
        TensorSpec(),
        TensorSpec("speech", (24, 64), -1.0, 1.0, 4, 1),
        TensorSpec("speech", (24, 64), None, None, 4, 0),
    ],
)
def test_other_forms_are_not_speech(spec: TensorSpec) -> None:
    with pytest.raises(UsageError, match="speech has the shape"):
        SpeechCodec(spec)


def test_frames_and_samples_agree(voice: Any) -> None:
    for count in (1600, 1601, 1679, 16_000):
        analysis = analyse(voice(1.1)[:count], 24)
        assert len(analysis) == count // HOP + 1
        assert len(synthesise(analysis)) == (len(analysis) - 1) * HOP
