"""The model directory: the one form in which a run exports, a repository holds and a cache keeps.

``model.safetensors`` (nets needed to translate), ``config.yaml``, ``README.md`` (the card),
``golden.safetensors`` (inputs, conditions, expected outputs), and optionally
``training.safetensors`` (the other nets), ``samples.png`` and ``trained-on.json`` (hashes of the
training signals): regular files, and nothing else is read or published. Importing this module
imports no torch.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.catalogue.description import ModelConfig, parse_config
from zoo_core.catalogue.registry import CONFIG
from zoo_core.errors import UsageError, WeightsError, ZooError
from zoo_core.files import replacing_folder
from zoo_core.untrusted import member, read_text, read_yaml_file

if TYPE_CHECKING:
    from zoo_core.contracts.method import Method
    from zoo_core.contracts.signals import Batch
    from zoo_core.host.plugins import PluginHost
    from zoo_core.models.card import Card

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


def write_model(
    directory: Path,
    method: Method[Any],
    config: ModelConfig,
    *,
    card: Card,
    sample_batch: Batch | None = None,
    half: bool = False,
    files: Mapping[str, Path | str] | None = None,
    check: Callable[[Path], None] | None = None,
) -> None:
    """Writes a model directory, all of it or nothing.

    An existing model directory of this name is replaced only once the new one is complete.

    Args:
        directory: Where; its parent must exist or be creatable.
        method: The method with its trained nets.
        config: Its configuration; must rebuild exactly these nets.
        card: What the card says.
        sample_batch: Real signals for the golden file; None writes no golden file.
        half: Stores weights as float16 (half the bytes; they are float32 again when loaded).
        files: Further files, by name: a path to copy, such as ``{"samples.png": path}``, or text.
        check: Called with the whole directory before it takes its place; if it raises, it does not.

    Raises:
        UsageError: If ``directory`` holds something that is not a model.
        WeightsError: If a weight is not finite or the configuration builds other nets.
        ZooError: If it cannot be written (disk full, no permission).
    """
    from zoo_core.models import weights
    from zoo_core.models.golden import write_golden

    directory = Path(directory)
    refuse_foreign(directory)
    with _writing(directory) as fresh:
        translating = method.inference_nets
        others = tuple(name for name in method.nets if name not in translating)
        weights.save_nets(method, fresh / MODEL, translating, half=half)
        if others:
            weights.save_nets(method, fresh / TRAINING, others, half=half)
        (fresh / CONFIG).write_text(config.to_yaml(), encoding="utf-8")
        counts = weights.parameter_counts(method)
        (fresh / CARD).write_text(card.render(config, counts), encoding="utf-8")
        for name, source in (files or {}).items():
            if isinstance(source, Path):
                shutil.copyfile(source, fresh / Path(name).name)
            else:
                (fresh / Path(name).name).write_text(source, encoding="utf-8")
        if sample_batch is not None:
            # From a rebuilt method, so that the golden file also proves config and weights.
            copy = weights.loaded(lambda: instantiate(type(method), config), fresh / MODEL)
            write_golden(fresh / GOLDEN, copy, sample_batch)
        if check is not None:
            check(fresh)


def refuse_foreign(directory: Path) -> None:
    """Raises `UsageError` where a directory exists that is neither empty nor a model."""
    if directory.is_file() or (
        directory.is_dir() and any(directory.iterdir()) and not (directory / CONFIG).is_file()
    ):
        raise UsageError(
            "exists and is no model directory, so it is not replaced",
            asked=f"output {directory}",
            hint="Give another place.",
        )


@contextmanager
def _writing(directory: Path) -> Iterator[Path]:
    """A new directory that takes the place of ``directory`` when the block succeeds."""
    try:
        with replacing_folder(directory) as fresh:
            yield fresh
            for path in fresh.iterdir():
                path.chmod(0o644)  # the safetensors library writes for the owner alone
    except OSError as fault:
        raise ZooError(
            f"cannot be written: {fault.strerror or fault}",
            asked=f"model directory {directory}",
            hint="Free space or choose another place; what was there before is kept.",
        ) from fault
