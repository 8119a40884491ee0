"""What the core itself brings, through the same hooks as every plugin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core.hookspecs import hookimpl
from zoo_core.spec import Component, LossSpec

if TYPE_CHECKING:
    from zoo_core.hub.reference import Reference


@hookimpl
def zoo_signals() -> Iterable[Component]:
    """Pictures are the core's own kind of signal."""
    return [Component("image", "zoo_core.images.codec:ImageCodec", "RGB pictures in [-1, 1]")]


@hookimpl
def zoo_datasets() -> Iterable[Component]:
    """Data sets that torchvision reads from disk, and CelebA's layout."""
    here = "zoo_core.data.torchvision_sets"
    return [
        Component(
            "attribute-list",
            "zoo_core.data.celeba:CelebA",
            "CelebA's layout: img_align*/, list_attr*.txt, list_eval_partition.txt",
        ),
        Component("mnist", f"{here}:mnist", "MNIST, padded to 32×32; ROOT holds MNIST/raw"),
        Component("usps", f"{here}:usps", "USPS, 16×16; ROOT holds usps.bz2 and usps.t.bz2"),
    ]


@hookimpl
def zoo_networks() -> Iterable[Component]:
    """The backbone that the zoo ships."""
    target = "zoo_core.nets.backbones:digits"
    return [Component("digits", target, "A small timm ResNet that has learnt MNIST's digits")]


@hookimpl
def zoo_open_reference(
    reference: Reference | None, entry: Mapping[str, object] | None, file: Path | None
) -> Path | None:
    """Converts foreign weights of the catalogue, or of a repository, by the importers."""
    from zoo_core.importing.foreign import open_reference

    return open_reference(reference, entry, file)


@hookimpl
def zoo_losses() -> Iterable[LossSpec]:
    """Constraints that join any method whose steps provide what they ask for."""
    consistency, regularisers = "zoo_core.losses.consistency", "zoo_core.losses.regularisers"
    return [
        LossSpec("cycle", f"{consistency}:Cycle", "There and back again is the input"),
        LossSpec(
            "identity", f"{consistency}:Identity", "The target's own signals stay as they are"
        ),
        LossSpec("likeness", f"{consistency}:Likeness", "A translation looks like its input"),
        LossSpec("semantic", f"{consistency}:SemanticConsistency", "A translation keeps its code"),
        LossSpec(
            "latent",
            "zoo_core.losses.latent:Indistinguishable",
            "Codes tell nothing of their domain",
        ),
        LossSpec("kl", f"{regularisers}:KullbackLeibler", "Codes stay near a standard normal"),
        LossSpec("tv", f"{regularisers}:TotalVariation", "Translations are smooth"),
        LossSpec(
            "guess",
            "zoo_core.losses.guess:Guess",
            "Input and what came back of it cannot be told apart",
            weight=2.0,
        ),
        LossSpec(
            "embedding",
            "zoo_core.losses.embedding:EmbeddingDistance",
            "A frozen net sees the same in the translation as in the input",
        ),
        LossSpec("r1", "zoo_core.losses.gradient:R1", "Critics are flat at reals", "discriminator"),
    ]


@hookimpl
def zoo_defences() -> Iterable[Component]:
    """What a translation may go through before it is translated back."""
    here = "zoo_core.defences"
    return [
        Component("noise", f"{here}:Noise", "White noise; std=0.1 as published"),
        Component("quantise", f"{here}:Quantise", "8 bits, gradients straight through"),
        Component("lowpass", f"{here}:LowPass", "A Gaussian filter"),
    ]


@hookimpl
def zoo_commands() -> Iterable[Component]:
    """The commands of ``zoo``, in the order in which the help shows them."""
    return [
        Component(
            "list", "zoo_core.cli.catalogue:list_command", "List models, or methods with --methods."
        ),
        Component(
            "info", "zoo_core.cli.catalogue:info", "Show all that is known of a model or a method."
        ),
        Component(
            "translate", "zoo_core.cli.translate:translate", "Translate files, folders or globs."
        ),
        Component("train", "zoo_core.cli.train:train", "Train a method on unpaired domains."),
        Component(
            "evaluate", "zoo_core.cli.evaluate:evaluate", "Measure a model by a named protocol."
        ),
        Component(
            "audit",
            "zoo_core.cli.audit:audit",
            "Look for the input hidden inside the output.",
        ),
        Component(
            "judge",
            "zoo_core.cli.judge:judge",
            "Train and inspect judges (classifiers of real data).",
        ),
        Component("bench", "zoo_core.cli.bench:bench", "Compare methods by one protocol."),
        Component(
            "verify",
            "zoo_core.cli.verify:verify",
            "Compare weights with their size and hash.",
        ),
        Component(
            "plugins",
            "zoo_core.cli.plugins:plugins",
            "List plugins, and what is wrong with broken ones.",
        ),
        Component("new", "zoo_core.cli.check:new", "Write a new plugin package, ready to install."),
        Component("check", "zoo_core.cli.check:check", "Run the conformance kit on a method."),
        Component("publish", "zoo_core.cli.publish:publish_command", "Upload a model to the Hub."),
        Component(
            "import",
            "zoo_core.cli.importing:import_command",
            "Make a model of a checkpoint that others trained.",
        ),
        Component(
            "registry", "zoo_core.cli.registry:registry", "Build or check the index of all models."
        ),
    ]


@hookimpl
def zoo_benchmarks() -> Iterable[Component]:
    """What ``zoo bench`` compares methods on."""
    here = "zoo_core.evaluate.bench"
    return [
        Component("digits", f"{here}.digits:DIGITS", "MNIST, USPS and MNIST-M at 32 px."),
        Component("emoji", f"{here}.emoji:EMOJI", "Three vendors' emoji, with ground truth."),
    ]


@hookimpl
def zoo_metrics() -> Iterable[Component]:
    """What ``zoo evaluate`` measures unless told otherwise."""
    here = "zoo_core.evaluate"
    return [
        Component("fid", f"{here}.distribution_metrics:Fid", "Fréchet distance of features"),
        Component("kid", f"{here}.distribution_metrics:Kid", "kernel distance of features"),
        Component("domain", f"{here}.judged_metrics:DomainAccuracy", "is it of the target domain?"),
        Component("content", f"{here}.judged_metrics:ContentAccuracy", "does it show the same?"),
        Component("cycle", f"{here}.picture_metrics:Cycle", "L1 of there and back"),
        Component("l1", f"{here}.picture_metrics:PartnerL1", "L1 to the true partner"),
        Component("psnr", f"{here}.picture_metrics:PartnerPsnr", "PSNR to the true partner"),
        Component("ssim", f"{here}.picture_metrics:PartnerSsim", "SSIM to the true partner"),
        Component("retrieval", f"{here}.picture_metrics:Retrieval", "is the partner the nearest?"),
    ]
