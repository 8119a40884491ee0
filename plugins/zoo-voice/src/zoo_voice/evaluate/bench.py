"""``zoo bench voice``: methods and baselines on spoken digits and words. Imports no torch."""

from __future__ import annotations

from zoo_evaluate.bench.protocol import Benchmark, Column, Task
from zoo_voice.evaluate.corpus import FSDD, WORDS20
from zoo_voice.evaluate.recipes import recipes

VOICE = Benchmark(
    name="voice",
    title="Voices",
    signal="speech",
    evaluator="zoo_voice.evaluate.assess:VoiceCellEvaluator",
    sources={
        speaker: f"{{root}}/{corpus.source(speaker, 'train')}"
        for corpus in (FSDD, WORDS20)
        for speaker in (*corpus.early, *corpus.late)
    },
    tasks=(
        Task("fsdd", ("jackson", "nicolas")),
        Task("fsdd-second", ("george", "lucas")),
        Task("words", WORDS20.speakers, whole=True),
    ),
    preset="small",
    size=0,
    judges=(*recipes(FSDD), *recipes(WORDS20)),
    columns=(
        Column("mcd", better="less", digits=2),
        Column("variance_ratio", better="one", digits=2),
        Column("target_accuracy", percent=True),
        Column("content_accuracy", percent=True),
        Column("speaker_nearest", percent=True),
        Column("naturalness", digits=2),
    ),
    factors=(),
    selection=(
        "The best of a training's snapshots has the highest product of: the share of converted "
        "validation takes that the judge of speakers takes for the target, the share whose word "
        "the judge of words reads, and the variance ratio (its inverse where it is above 1). It "
        "is the last state unless another is ahead by more than 0.05. No test take is looked at."
    ),
    protocol=(
        "Spoken digits (FSDD, 8 kHz) of two pairs of speakers, the second pair chosen before "
        "anything was trained; and 20 words of two languages (part of DSPSpeech-20, 16 kHz) of "
        "four speakers. Everything is at 16 kHz, without silence at the ends (35 dB below the "
        "loudest frame, 30 ms are kept).",
        "Test takes are 0 to 4 (digits) and 17 to 20 (words); validation takes 5 to 9 and 15 to "
        "16. Trainings are not parallel: jackson, george, M1 and M2 have takes 10 to 27 or 1 to "
        "7, nicolas, lucas, F1 and F2 have 28 to 49 or 8 to 14.",
        "mcd: mel-cepstral distortion in dB. WORLD in frames of 5 ms (DIO and StoneMask, 60 to "
        "500 Hz; CheapTrick), plus 1e-4 of the mean power; mel-cepstra of order 24, warping 0.42; "
        "frames whose c0 is within 30 dB of the largest; aligned by steps (1, 1), (1, 0) and (0, "
        "1) on c1 to c24; 10 / ln 10 * sqrt(2) * Euclidean distance, averaged over the path, over "
        "all test takes in which the target says the same word, and over the inputs. What is "
        "converted is synthesised and analysed anew.",
        "variance ratio: variance of c1 to c24 over the frames of an utterance, as a share of the "
        "target's real ones, geometric mean over coefficients. Distortion alone is won by "
        "shrinking the variance: a figure of it counts where this one is near 1.",
        "target accuracy: a judge of all speakers takes the conversion for the target. content "
        "accuracy: a judge of all words, whoever says them, reads the input's word. Judges are "
        "small convolutions over 40 log-mel bands, up to 3.8 kHz for digits, that learnt from all "
        "real training takes; since four speakers are few, that of their words heard them widely "
        "changed: stretched in time and in frequency, with and without harmonics.",
        "speaker nearest: Resemblyzer's encoder, which has heard none of these recordings, finds "
        "the conversion nearer to the mean of the target's test takes than to the source's. "
        "naturalness: DNSMOS (P.835, overall, 1 to 5). Both where the extra listeners of zoo-voice "
        "is installed; nothing is chosen by them.",
        "identity: the input, untouched. F0 only: resynthesised at the target's range of pitch. "
        "mean and variance: each coefficient's mean and variance moved to the target's as well, "
        "both of training frames within those 30 dB; a method that is no better has learnt "
        "nothing. kNN (features): each frame is then the mean of its 8 nearest of the target's; "
        "its mcd is of these cepstra, not of a waveform. floor: the target's own test takes "
        "against its others. Identity and floor are natural recordings; all else carries the 2 to "
        "3 dB of WORLD's resynthesis.",
        "A method of two voices takes part in the task of four only where it is asked for.",
    ),
    baselines=("identity", "F0 only", "mean and variance", "kNN (features)", "floor"),
    last="floor",
    shown=(
        "Spectrograms of test takes: inputs, conversions, and a real take in which the target "
        "says the word. Last state of the first seed, not chosen by hand."
    ),
    shades=64,
    one_seed=True,
    all_bars=True,
)
