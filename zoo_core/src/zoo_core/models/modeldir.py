"""The model directory: the one form in which a run exports, a repository holds and a cache keeps.

``model.safetensors`` (nets needed to translate), ``config.yaml``, ``README.md`` (the card),
``golden.safetensors`` (inputs, conditions, expected outputs), and optionally
``training.safetensors`` (the other nets), ``samples.png`` and ``trained-on.json`` (hashes of the
training signals): regular files, and nothing else is read or published. Importing this module
imports no torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.catalogue.description import ModelConfig, parse_config
from zoo_core.catalogue.registry import CONFIG
from zoo_core.errors import UsageError, WeightsError
from zoo_core.untrusted import member, read_text, read_yaml_file

if TYPE_CHECKING:
    from zoo_core.contracts.method import Method
    from zoo_core.host.plugins import PluginHost

MODEL, TRAINING, GOLDEN = "model.safetensors", "training.safetensors", "golden.safetensors"
CARD, SAMPLES = "README.md", "samples.png"


def read_config(directory: Path) -> ModelConfig:
    """Reads the ``config.yaml`` of a model directory.

    Raises:
        WeightsError: If there is none, or it is damaged.
    """
    path = member(directory, CONFIG)
    if path is None:
        raise WeightsError(
            f"holds no {CONFIG}, so it is no model directory",
            asked=f"directory {directory}",
            hint="Give a directory that zoo train wrote, or a name from zoo list.",
        )
    return parse_config(read_yaml_file(path, error=WeightsError), str(path))


def read_card_text(directory: Path) -> str:
    """The text of a model directory's card; empty where there is none.

    Raises:
        WeightsError: If it is no regular file, or too large.
    """
    path = member(directory, CARD)
    return "" if path is None else read_text(path, errors="replace")


def weights_file(directory: Path) -> Path:
    """The weights of a model directory, which may be missing.

    Raises:
        WeightsError: If it is no regular file of the directory.
    """
    return member(directory, MODEL) or directory / MODEL


def build_method(config: ModelConfig, host: PluginHost | None = None) -> Method[Any]:
    """Builds a method with freshly initialised nets from its configuration.

    Args:
        config: The configuration.
        host: The plugin host; None for the process's own.

    Raises:
        UsageError: If the method, an option or the domains do not fit.
    """
    from zoo_core.host.plugins import host as shared

    host = host or shared()
    spec = host.method(config.method)
    fewest, most = spec.domains
    count, asked = len(config.domains), f"domains {', '.join(config.domains.names) or '(none)'}"
    if config.domains.kind not in spec.conditions:
        raise UsageError(
            f"{spec.name} translates between {' or '.join(spec.conditions)}, "
            f"not {config.domains.kind}",
            asked=asked,
        )
    if config.domains.kind == "domains" and (count < fewest or (most or count) < count):
        wanted = str(fewest) if most == fewest else f"{fewest} to {most or 'any number of'}"
        raise UsageError(f"{spec.name} takes {wanted} domains, got {count}", asked=asked)
    return instantiate(host.load("method", config.method), config)


def instantiate(cls: type[Any], config: ModelConfig) -> Method[Any]:
    """Makes a method of a given class from its configuration."""
    from zoo_core.contracts.method import make_options

    options = make_options(cls.Options, config.options, asked=config.method)
    method: Method[Any] = cls(options, config.domains, config.signal)
    return method
