"""Classifiers of timm with weights that somebody trained: found, fetched, loaded strictly.

A net without its weights is refused: features of random weights mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo_core.errors import HubError, PluginError, UsageError, WeightsError, unknown
from zoo_core.models.modeldir import model_source

FILES = ("model.safetensors", "pytorch_model.bin")
"""Names of the published weights in timm's Hub repositories, the preferred one first."""


ARGUMENTS = frozenset(
    {
        "num_classes", "in_chans", "channels", "layers", "stem_width", "img_size", "patch_size",
        "embed_dim", "depth", "depths", "dims", "num_heads", "mlp_ratio", "drop_rate",
        "drop_path_rate", "width", "output_stride",
    }
)  # fmt: skip
"""What a net of timm may be told. A card may come from a stranger, and other arguments of
`timm.create_model` name files to load and addresses to fetch from: these are numbers alone."""


def is_timm(architecture: str) -> bool:
    """Whether timm has a model of this name, with or without a tag."""
    return bool(_timm().is_model(architecture.split(".", maxsplit=1)[0]))


def create_net(architecture: str, arguments: Mapping[str, Any], *, asked: str) -> Any:
    """An untrained net of timm.

    Args:
        architecture: Name of the timm model, with or without a tag.
        arguments: What `timm.create_model` takes besides, such as ``num_classes``.
        asked: Who asks, for the error.

    Raises:
        UsageError: If timm knows no such model, it does not take these arguments, or one is not
            among `ARGUMENTS` or no number.
    """
    _require_numbers(arguments, asked)
    if ":" in architecture or not is_timm(architecture):
        raise UsageError(
            "timm has no model of this name", asked=asked, hint="See timm.list_models()."
        )
    try:
        return _timm().create_model(architecture, pretrained=False, **arguments)
    except (TypeError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"timm cannot build it with {dict(arguments)}: {' '.join(str(error).split())}",
            asked=asked,
        ) from error


def trained_net(
    architecture: str, weights: Path | None = None, *, asked: str, fetched: bool = False
) -> tuple[Any, Path]:
    """A net of timm with its weights, and the file that they come from.

    Args:
        architecture: Name of the timm model, with or without a tag.
        weights: File of its weights (safetensors, or a plain state dict); None: the published
            file in the local cache of the Hub.
        asked: Who asks, for the error, ending in the name as given.
        fetched: Whether the published file is fetched from the Hub where the cache lacks it.

    Raises:
        UsageError: If timm knows no such model.
        WeightsError: If the weights are not at hand or do not fit.
    """
    net = create_net(architecture, {}, asked=asked)
    from timm.models import load_checkpoint

    path = weights or _published(net.pretrained_cfg.get("hf_hub_id"), asked, fetched)
    if not path.is_file():
        raise WeightsError("there is no such file", asked=f"weights {path}")
    try:
        load_checkpoint(net, str(path), use_ema=False, weights_only=True)
    except Exception as error:  # timm lets errors of every reader through
        raise WeightsError(
            f"they do not fit {architecture}: {' '.join(str(error).split())}",
            asked=f"weights {path}",
        ) from error
    return net, path


def _published(repo: str | None, asked: str, fetched: bool) -> Path:
    """The published weights: in the Hub's own cache, else in the zoo's, fetched where wanted."""
    from huggingface_hub import try_to_load_from_cache

    for file in FILES:
        found = try_to_load_from_cache(repo, file) if repo else None
        if isinstance(found, str):
            return Path(found)
    problem = "its weights are not in the local cache, and features of random weights mean nothing"
    if repo and fetched:
        try:
            return model_source(asked).file(f"{repo}:{FILES[0]}", asked=asked)
        except (HubError, PluginError) as error:
            problem += f"; {error.problem}"
    how = f"Fetch them with hf download {repo} {FILES[0]}, or" if repo else "Please"
    name = asked.rpartition(" ")[2]
    raise WeightsError(problem, asked=asked, hint=f"{how} name a file: {name}@FILE.")


def _require_numbers(arguments: Mapping[str, Any], asked: str) -> None:
    """Refuses arguments that are not listed, or whose values are no numbers or lists of them."""
    for name, value in arguments.items():
        if name not in ARGUMENTS:
            raise unknown(f"argument of {asked}", str(name), ARGUMENTS)
        values = value if isinstance(value, list | tuple) else [value]
        if not all(isinstance(one, int | float) for one in values):
            raise UsageError("it is no number and no list of numbers", asked=f"{name} of {asked}")


def _timm() -> Any:
    """The package timm, which the extra ``timm`` of zoo-nn brings."""
    try:
        import timm
    except ModuleNotFoundError as fault:
        raise UsageError(
            "nets of timm need the package timm, which is not installed",
            asked="architecture",
            hint='Install it with pip install "zoo-nn[timm]".',
        ) from fault
    return timm
