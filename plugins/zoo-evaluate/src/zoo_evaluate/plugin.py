"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component, Kind
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """Metrics, benchmarks and the commands that run them."""
    here, bench, cli = "zoo_evaluate", "zoo_evaluate.bench", "zoo_evaluate.cli"
    return [
        Kind("metric", f"{here}.metrics:Metric", "Metrics for zoo evaluate --metrics"),
        Kind("extractor", f"{here}.extractors:Extractor", "Features for FID and KID, --extractor"),
        Kind("perturbation", f"{here}.audit.perturb:Perturbation", "What zoo audit disturbs by"),
        Kind("benchmark", f"{bench}.protocol:Benchmark", "Comparisons of methods for zoo bench"),
        Component("metric", "fid", f"{here}.distribution_metrics:Fid", "Fréchet distance"),
        Component("metric", "kid", f"{here}.distribution_metrics:Kid", "kernel distance"),
        Component(
            "metric", "domain", f"{here}.judged_metrics:DomainAccuracy", "of the target domain?"
        ),
        Component("metric", "content", f"{here}.judged_metrics:ContentAccuracy", "same content?"),
        Component("metric", "cycle", f"{here}.picture_metrics:CycleMetric", "L1 of there and back"),
        Component("metric", "l1", f"{here}.picture_metrics:ReferenceL1", "L1 to the reference"),
        Component(
            "metric", "psnr", f"{here}.picture_metrics:ReferencePsnr", "PSNR to the reference"
        ),
        Component(
            "metric", "ssim", f"{here}.picture_metrics:ReferenceSsim", "SSIM to the reference"
        ),
        Component("metric", "retrieval", f"{here}.picture_metrics:Retrieval", "reference nearest?"),
        Component("metric", "pixels", f"{here}.pixel_metrics:Pixels", "RMSE and pixels right"),
        *_extractors(),
        *_perturbations(),
        Component("benchmark", "digits", f"{bench}.digits:DIGITS", "MNIST, USPS, MNIST-M, 32 px."),
        Component("benchmark", "emoji", f"{bench}.emoji:EMOJI", "Three vendors' emoji, paired."),
        Component("benchmark", "maps", f"{bench}.maps:MAPS", "Photographs to maps, 256 px."),
        Component("command", "evaluate", f"{cli}.evaluate:evaluate", "Measure a model."),
        Component("public", "evaluate", f"{here}.evaluate:evaluate", "As zoo evaluate does"),
        Component(
            "run-control",
            "validate",
            f"{here}.validation:Validation",
            "every=N,metrics=A+B,data=ROOT,patience=N: measure on held-out signals, keep the best.",
        ),
        Component("command", "audit", f"{cli}.audit:audit", "Look for hidden information."),
        Component("command", "judge", f"{cli}.judge:judge", "Train and inspect judges."),
        Component("command", "bench", f"{cli}.bench:bench", "Compare methods by one protocol."),
    ]


def _extractors() -> Iterable[Component]:
    here = "zoo_evaluate.extractors"
    return [
        Component("extractor", "timm", f"{here}:TimmExtractor", "timm:NAME[@FILE]"),
        Component("extractor", "judge", f"{here}:JudgeExtractor", "judge:DIR, a judge's features"),
        Component("extractor", "inception", f"{here}:InceptionExtractor", "As the published FID."),
    ]


def _perturbations() -> Iterable[Component]:
    here = "zoo_evaluate.audit.perturb"
    return [
        Component("perturbation", "white-noise", f"{here}:WhiteNoise", "Noise, sample by sample"),
        Component("perturbation", "smooth-noise", f"{here}:SmoothNoise", "Noise in soft blots"),
        Component("perturbation", "quantise-8", f"{here}:Quantise", "Rounded to 8 bits"),
        Component("perturbation", "jpeg-95", f"{here}:Jpeg95", "Written as JPEG, quality 95"),
        Component("perturbation", "jpeg-75", f"{here}:Jpeg75", "Written as JPEG, quality 75"),
        Component("perturbation", "blur-1", f"{here}:Blur", "Blurred by one sample"),
        Component("perturbation", "half-size", f"{here}:HalfSize", "Halved and enlarged again"),
    ]
