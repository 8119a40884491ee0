"""``zoo bench emoji``: the multi-domain methods between three vendors' emoji, with ground truth."""

from __future__ import annotations

from zoo_evaluate.bench.protocol import Benchmark, ClassifierConfig, Column, Task

_VENDORS = ("noto", "twemoji", "openmoji")

EMOJI = Benchmark(
    name="emoji",
    title="Emoji",
    sources={name: f"{{root}}/emoji128/{{split}}/{name}" for name in _VENDORS},
    tasks=(Task("emoji", _VENDORS),),
    preset="64px",
    size=64,
    judges=(ClassifierConfig("domain-emoji", "domain", _VENDORS, steps=400, floor=0.9),),
    columns=(
        Column("reference_l1", "l1", "l1", better="less"),
        Column("ssim", "ssim", "ssim"),
        Column("retrieval", "retrieval", "retrieval", percent=True),
        Column("domain_accuracy", "domain", "domain_accuracy", percent=True),
        Column("cycle_l1", "cycle", "cycle_l1", better="less"),
        Column("fid", "fid", "fid", better="less", digits=2),
        Column("hidden", measure="zoo_evaluate.bench.hidden:score", better="less"),
    ),
    factors=("domain", "restored"),
    protocol=(
        "1,594 code points as three vendors draw them: 1,406 to train on, unpaired, and 188 to "
        "test on, split by code point; vector drawings rendered at 128 pixels, read as 64x64 RGB "
        "on white. Every code point exists in all three, so each translation has a ground truth, "
        "which is used to measure alone.",
        "L1 and SSIM: to the same code point of the target vendor, pictures in [-1, 1].",
        "retrieval: the real target picture that is nearest to the translation by L1, among all "
        "188, is the same code point.",
        "domain accuracy: a judge of the three vendors takes the translation for the target's.",
        "cycle L1: mean absolute difference of there and back, pictures in [-1, 1].",
        "FID: features of the domain judge (not comparable with FIDs of an Inception network).",
        "hidden: score of `zoo audit`, how much of its input a translation carries out of sight; "
        "0 is clean.",
        "A method of two domains is trained once for each pair of vendors; its parameters are "
        "those of one pair.",
        "Rows that no net made: blurred, the input through a Gaussian of 1 pixel in 32; median "
        "picture, of the target's training pictures, for every input; half median, half of it and "
        "half the input; nearest picture, the target's training picture that is nearest by L1. A "
        "figure that one of them matches says nothing of a method.",
    ),
    methods=("stargan", "combogan", "fader", "cyclegan", "unit", "gcgan"),
    inputs=188,
    held=150,
    all_bars=True,
    baselines=("untranslated", "blurred", "median picture", "half median", "nearest picture"),
    shown=(
        "Test pictures: inputs, translations, and references. Last state, not chosen by hand. "
        "Drawn by Noto Emoji (Apache-2.0), Twemoji (CC BY 4.0) and OpenMoji (CC BY-SA 4.0); what "
        "is made of them is shown under CC BY-SA 4.0."
    ),
)
