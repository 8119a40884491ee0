"""``zoo bench maps``: photographs from above to maps and back, by GcGAN's protocol."""

from __future__ import annotations

from zoo_evaluate.bench.protocol import (
    Benchmark,
    ClassifierConfig,
    Column,
    Override,
    PublishedFigure,
    Task,
)

_GCGAN = "arXiv:1809.05852"
_TRAINED = "the same protocol; trained for 200 epochs"
_ROWS = (
    ("GAN alone", ("33.27", "19.3", "42.0")),
    ("CycleGAN", ("28.15", "41.8", "63.7")),
    ("GcGAN-Mix-comb", ("27.98", "42.8", "64.6")),
)

MAPS = Benchmark(
    name="maps",
    title="Maps",
    sources={"photo": "{root}/maps/{split}A", "map": "{root}/maps/{split}B"},
    tasks=(Task("maps", ("photo", "map")),),
    preset="paper",
    size=256,
    judges=(
        ClassifierConfig(
            "domain-maps", "domain", ("photo", "map"), 150, 16, 0.98, widths=(16, 32, 64, 96)
        ),
    ),
    columns=(
        Column("rmse", "pixels", "pixels_rmse", better="less", digits=2),
        Column("acc5", "pixels", "pixels_acc5", percent=True),
        Column("acc10", "pixels", "pixels_acc10", percent=True),
        Column("fid", "fid", "fid", better="less", digits=2),
    ),
    factors=("domain", "restored"),
    protocol=(
        "1,096 aligned pairs of photograph and map to train on, unpaired, and 1,098 to test on: "
        "CycleGAN's folders trainA, trainB, testA and testB. They are not redistributed.",
        "The nets see and make pictures of 256x256. What they make is compared as 8-bit pictures, "
        "as PNG files hold them, never as JPEG. The reference is decoded at its own size and "
        "brought to 256x256 by bilinear interpolation that is not antialiased.",
        "rmse: per picture, the root of the mean over pixels of the squared difference summed over "
        "channels, in levels of 255; then the mean over pictures.",
        "acc5, acc10: share of pixels whose largest channel difference is strictly below 5 or 10 "
        "levels.",
        "FID: between translations and the same real test pictures, features of the domain judge "
        "(not comparable with FIDs of an Inception network).",
        "untranslated: the input. constant colour: one picture of the target's median colour, "
        "channel by channel, over all training pictures. random picture: a real training picture "
        "of the target, chosen by chance for each input. ceiling: the reference itself, at "
        "256x256 as the nets are shown pictures (bicubic, antialiased): what a perfect "
        "translation would score.",
    ),
    methods=("cyclegan", "gcgan", "gcgan-mixed"),
    evaluator="zoo_evaluate.bench.maps_cells:MapsAssessor",
    overrides={
        "gcgan-mixed": Override(method="gcgan", options={"geometry": ["rotation", "flip"]}),
    },
    baselines=("untranslated", "constant colour", "random picture", "ceiling"),
    last="ceiling",
    all_bars=True,
    published=tuple(
        PublishedFigure(name, "photo->map", value, "R", _GCGAN, _TRAINED, column)
        for name, values in _ROWS
        for column, value in zip(("rmse", "acc5", "acc10"), values, strict=True)
    ),
)
