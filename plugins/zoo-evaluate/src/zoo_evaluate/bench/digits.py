"""``zoo bench digits``: every method on MNIST, USPS and MNIST-M, 32 px RGB, both directions."""

from __future__ import annotations

from dataclasses import replace

from zoo_evaluate.bench.protocol import (
    Adaptation,
    Benchmark,
    ClassifierConfig,
    Column,
    Override,
    PublishedFigure,
    Task,
)
from zoo_evaluate.judge_card import SCALES

_HERE = "zoo_evaluate.bench"
_UNIT = "arXiv:1703.00848"
_CYCADA = "arXiv:1711.03213"
_COGAN = "mingyuliutw/CoGAN f940c28, USAGE_PYTORCH.md"
_DASPOT = "a results table of DASPOT"
_ON_TEST = "best of many checkpoints, chosen on the target's test labels"
_OTHER = "another classifier and protocol"

_SMALL = (16, 32, 64, 96)


def _source(domain: str, steps: int, scales: tuple[float, float] = SCALES) -> ClassifierConfig:
    """A classifier that knows the pictures and labels of one domain alone."""
    return ClassifierConfig(
        f"source-{domain}",
        "content",
        (domain,),
        steps,
        floor=0.9,
        widths=_SMALL,
        role="source",
        scales=scales,
    )


def _domain(first: str, second: str, steps: int) -> ClassifierConfig:
    """A classifier that tells two domains apart, whether their pictures are soft or sharp."""
    return ClassifierConfig(
        f"domain-{first}-{second}",
        "domain",
        (first, second),
        steps,
        floor=0.98,
        widths=_SMALL,
        degraded=True,
    )


def _jury(first: ClassifierConfig, convnext: int | None = None) -> tuple[ClassifierConfig, ...]:
    """Three instruments of different architecture: the zoo's own net, a ResNet, a ConvNeXt.

    The first alone has the floor of its data; the others are there to differ.

    Args:
        first: The first of them.
        convnext: Steps of the ConvNeXt, which learns slowly where pictures are hard; None: as
            many as the others'.
    """
    others = {
        "resnet": ("timm:resnet18", {"layers": (1, 1, 1, 1), "channels": (16, 32, 64, 96)}),
        "convnext": (
            "timm:convnext_atto",
            {"depths": (1, 1, 1, 1), "dims": (24, 48, 96, 128), "patch_size": 2},
        ),
    }
    steps = {"convnext": convnext or first.steps}
    return first, *(
        replace(
            first,
            name=f"{first.name}-{name}",
            architecture=net,
            arguments=arguments,
            steps=steps.get(name, first.steps),
            floor=0.9,
        )
        for name, (net, arguments) in others.items()
    )


DIGITS = Benchmark(
    name="digits",
    title="Digits",
    sources={
        "mnist": "mnist:{root}/digits",
        "usps": "usps:{root}/digits/USPS",
        "mnistm": "{root}/digits/MNIST-M",
    },
    tasks=(
        Task("mnist-usps", ("mnist", "usps")),
        Task("mnist-mnistm", ("mnist", "mnistm")),
    ),
    preset="32px",
    size=32,
    judges=(
        *_jury(ClassifierConfig("content-mnist", "content", ("mnist",), 700, floor=0.99)),
        *_jury(ClassifierConfig("content-usps", "content", ("usps",), 600, floor=0.95)),
        # After 900 steps the ConvNeXt reads 0.825 of MNIST-M.
        *_jury(ClassifierConfig("content-mnistm", "content", ("mnistm",), 900, floor=0.93), 2700),
        *_jury(_domain("mnist", "usps", 250)),
        *_jury(_domain("mnist", "mnistm", 250)),
        _source("mnist", 800),
        # Digits of USPS fill their pictures; elsewhere they are smaller.
        _source("usps", 600, scales=(0.55, 1.2)),
        # After 600 steps it read 0.898 and 0.904, too near to its floor.
        _source("mnistm", 1500),
    ),
    columns=(
        Column("content_accuracy", "content", "content_accuracy", percent=True),
        Column("domain_accuracy", "domain", "domain_accuracy", percent=True),
        Column("adaptation_accuracy", measure=f"{_HERE}.adaptation:accuracy", percent=True),
        Column("adaptation_short", measure=f"{_HERE}.adaptation:short", percent=True),
        Column("cycle_l1", "cycle", "cycle_l1", better="less"),
        Column("reference_l1", "l1", "l1", better="less"),
        Column("fid", "fid", "fid", better="less", digits=2),
        Column("hidden", measure=f"{_HERE}.hidden:score", better="less"),
    ),
    factors=("read", "domain"),
    protocol=(
        "Splits are the standard ones: MNIST 60,000 + 10,000, USPS 7,291 + 2,007, MNIST-M the "
        "first 6,000 + 1,000. All pictures are 32x32 RGB. Trainings are unpaired and see no label.",
        "content accuracy: a judge of the target domain, trained on real target pictures, reads "
        "the translation of a source test picture.",
        "domain accuracy: a judge of the two domains takes the translation for the target. It has "
        "learnt that a picture keeps its domain when it is blurred, pale or noisy.",
        "adaptation accuracy: a classifier trained only on translated source training pictures "
        "with their labels, tested on all real test pictures of the target. This is the figure "
        "that papers print. At most 12,000 translations, 500 steps of 128, the judges' net.",
        "adaptation short: the same by a smaller net, from at most 6,000 translations in 400 steps "
        "of 64. Older rows have this one alone.",
        "cycle L1 and L1 to the reference: mean absolute difference, pictures in [-1, 1]. "
        "References exist on mnist-mnistm only, and there the inputs are those that have one.",
        "FID: between translations and all real test pictures of the target, features of the "
        "target's content judge (not comparable with FIDs of an Inception network).",
        "hidden: score of `zoo audit`, how much of its input a translation carries out of sight; "
        "0 is clean.",
        "At most 2,000 test inputs per direction, chosen by seed. A method that translates slowly "
        "may have fewer of them and of pictures for the adaptation, which its cells say.",
        "content and domain accuracy: the mean of up to three judges of different architecture; "
        "what each said stands in `jury` of the cells, who was asked in `judges`, and who was no "
        "instrument and is missing in `left_out`. Cells without `jury` have the first judge alone.",
        "Rows that no net made: blurred, the input through a Gaussian of 1 pixel in 32; median "
        "picture, of the target's training pictures, for every input; half median, half of it and "
        "half the input; nearest picture, the target's training picture that is nearest by L1. A "
        "figure that one of them matches says nothing of a method.",
    ),
    adaptation=Adaptation(),
    short=Adaptation(6000, 400, 64, (16, 32, 64, 64)),
    extractor="content",
    baselines=(
        "source only",
        "blurred",
        "median picture",
        "half median",
        "nearest picture",
        "target only",
    ),
    overrides={
        "dtn": Override(options={"f": "judge:{source_judge}"}),
        # A code with places keeps slant, width and stroke, which the embedding has lost.
        "dtn-spatial": Override(
            method="dtn",
            options={"f": "judge:{source_judge}", "layer": "stage3", "places": False},
            train={"batch": 16, "ema": 0.998},
        ),
        "embedding": Override(options={"backbone": "judge:{source_judge}", "direction": "forward"}),
        # A background is nothing that a digit determines: noise lets the generator choose one.
        "embedding-noise": Override(
            method="embedding",
            options={"backbone": "judge:{source_judge}", "direction": "forward", "noise": 10},
        ),
        # The adaptation of pixels of CyCADA: a cycle, and a classifier of the source that agrees.
        "cyclegan-semantic": Override(
            method="cyclegan",
            extra_losses=("embedding:weight=10,backbone=judge:{source_judge},layers=embedding",),
        ),
        "cogan": Override(inputs=200, pictures=1000, held=100),
    },
    published=(
        PublishedFigure("CoGAN", "mnist->usps", "95.XX", "V", _COGAN, _ON_TEST),
        PublishedFigure("CoGAN", "usps->mnist", "93.XX", "V", _COGAN, _ON_TEST),
        PublishedFigure("CoGAN", "mnist->usps", "95.65", "R", f"table of {_UNIT}", _ON_TEST),
        PublishedFigure("CoGAN", "usps->mnist", "93.15", "R", f"table of {_UNIT}", _ON_TEST),
        PublishedFigure("UNIT", "mnist->usps", "95.97", "R", _UNIT, _ON_TEST),
        PublishedFigure("UNIT", "usps->mnist", "93.58", "R", _UNIT, _ON_TEST),
        PublishedFigure(
            "CyCADA", "mnist->usps", "95.6 ± 0.2", "V2", f"{_CYCADA}, {_DASPOT}", _OTHER
        ),
        PublishedFigure(
            "CyCADA", "usps->mnist", "96.5 ± 0.1", "V2", f"{_CYCADA}, {_DASPOT}", _OTHER
        ),
        PublishedFigure("CyCADA, pixels only", "mnist->usps", "95.6", "R", _CYCADA, _OTHER),
        PublishedFigure("CyCADA, pixels only", "usps->mnist", "96.4", "R", _CYCADA, _OTHER),
        PublishedFigure("ADDA", "mnist->usps", "89.4", "R", f"table 1 of {_CYCADA}", _OTHER),
        PublishedFigure("ADDA", "usps->mnist", "90.1", "R", f"table 1 of {_CYCADA}", _OTHER),
        PublishedFigure("source only", "mnist->usps", "82.2", "R", f"table 1 of {_CYCADA}", _OTHER),
        PublishedFigure("source only", "usps->mnist", "69.6", "R", f"table 1 of {_CYCADA}", _OTHER),
        PublishedFigure("target only", "mnist->usps", "96.3", "R", f"table 1 of {_CYCADA}", _OTHER),
        PublishedFigure("target only", "usps->mnist", "99.2", "R", f"table 1 of {_CYCADA}", _OTHER),
        PublishedFigure("PixelDA", "mnist->usps", "95.9", "R", "arXiv:1612.05424", _OTHER),
        PublishedFigure(
            "PixelDA",
            "mnist->mnistm",
            "98.2",
            "V2",
            "arXiv:1612.05424; README of mahfuj9346449/Deep-Domain-adaptation",
            "all of MNIST-M; " + _OTHER,
        ),
        PublishedFigure("SBADA-GAN", "mnist->usps", "97.6", "V2", _DASPOT, _OTHER),
        PublishedFigure("SBADA-GAN", "usps->mnist", "95.0", "V2", _DASPOT, _OTHER),
        PublishedFigure(
            "DANN, run again", "mnist->usps", "88.4", "V2", "s-chh/PyTorch-DANN", _OTHER
        ),
        PublishedFigure(
            "DANN, run again", "usps->mnist", "95.7", "V2", "s-chh/PyTorch-DANN", _OTHER
        ),
    ),
)
