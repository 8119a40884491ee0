"""The model directory: the one form in which a run exports, a repository holds and a cache keeps.

``model.safetensors`` (nets needed to translate), ``config.yaml``, ``README.md`` (the card),
``golden.safetensors`` (inputs, conditions, expected outputs), and optionally
``training.safetensors`` (the other nets) and further files such as ``samples.png``.
Importing this module imports no torch.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.errors import UsageError, WeightsError, ZooError, unknown
from zoo_core.plain_yaml import plain, read_yaml, read_yaml_file, write_yaml
from zoo_core.signals import Domains, TensorSpec

if TYPE_CHECKING:
    from zoo_core.card import Card
    from zoo_core.method import Method
    from zoo_core.plugins import PluginHost
    from zoo_core.signals import Batch

FORMAT = 1
"""Version of the layout, raised when an old reader could misread a new directory."""
MODEL, TRAINING, GOLDEN = "model.safetensors", "training.safetensors", "golden.safetensors"
CONFIG, CARD = "config.yaml", "README.md"
_HINT = "Export the model again with zoo train, or restore the file."


@dataclass(frozen=True)
class ModelConfig:
    """All that is needed to rebuild a model around its weights.

    Attributes:
        method: Name of the method.
        options: The method's options as plain values; the rest have their defaults.
        domains: Domains or attributes, in the order of the condition vector.
        signal: Form of the signals as trained.
        preprocessing: What the codec needs to prepare inputs as in training.
        training: How it was trained, for people and tools; nothing is built from it.
    """

    method: str
    options: dict[str, Any] = field(default_factory=dict)
    domains: Domains = field(default_factory=lambda: Domains(()))
    signal: TensorSpec = field(default_factory=TensorSpec)
    preprocessing: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    def to_yaml(self) -> str:
        """The text of ``config.yaml``; the same text for the same configuration."""
        return write_yaml({"format": FORMAT, **plain(self)})

    @classmethod
    def from_yaml(cls, text: str, asked: str) -> ModelConfig:
        """Reads ``config.yaml`` strictly.

        Args:
            text: The document.
            asked: Its path, for the error.

        Raises:
            ZooError: For garbage, unknown keys (with the near match) and values of wrong type.
        """
        return cls.from_values(read_yaml(text, asked=asked, error=WeightsError), asked)

    @classmethod
    def from_values(cls, values: Mapping[str, Any], asked: str) -> ModelConfig:
        """The configuration of a parsed ``config.yaml``; errors as `from_yaml`."""
        given = dict(values)
        version = given.pop("format", FORMAT)
        if version != FORMAT:
            raise WeightsError(
                f"its format is {version!r}, this version reads {FORMAT}",
                asked=asked,
                hint="Update zoo-core.",
            )
        _refuse_unknown(cls, given, "", asked)
        for name in ("method", "domains"):
            if name not in given:
                raise WeightsError(f'the key "{name}" is missing', asked=asked, hint=_HINT)
        for name, kind in (("domains", Domains), ("signal", TensorSpec)):
            if isinstance(given.get(name), dict):
                _refuse_unknown(kind, given[name], f"{name}.", asked)
        return _typed(cls, given, asked)


def read_config(directory: Path) -> ModelConfig:
    """Reads the ``config.yaml`` of a model directory.

    Raises:
        WeightsError: If there is none, or it is damaged.
    """
    path = directory / CONFIG
    if not path.is_file():
        raise WeightsError(
            f"holds no {CONFIG}, so it is no model directory",
            asked=f"directory {directory}",
            hint="Give a directory that zoo train wrote, or a name from zoo list.",
        )
    return ModelConfig.from_values(read_yaml_file(path, error=WeightsError), str(path))


def build_method(config: ModelConfig, host: PluginHost | None = None) -> Method[Any]:
    """Builds a method with freshly initialised nets from its configuration.

    Args:
        config: The configuration.
        host: The plugin host; None for the process's own.

    Raises:
        UsageError: If the method, an option or the domains do not fit.
    """
    from zoo_core.plugins import host as shared

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
    from zoo_core.method import make_options

    options = make_options(cls.Options, config.options, asked=config.method)
    method: Method[Any] = cls(options, config.domains, config.signal)
    return method


def load_weights(
    method: Method[Any],
    path: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    only: tuple[str, ...] | None = None,
) -> None:
    """Loads weights strictly into a method; see `zoo_core.weights.load_weights`."""
    from zoo_core import weights

    weights.load_weights(method, path, sha256=sha256, size=size, only=only)


def write_model(
    directory: Path,
    method: Method[Any],
    config: ModelConfig,
    *,
    card: Card,
    sample_batch: Batch | None = None,
    half: bool = False,
    files: Mapping[str, Path] | None = None,
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
        files: Further files to copy in, by name, such as ``{"samples.png": path}``.

    Raises:
        UsageError: If ``directory`` holds something that is not a model.
        WeightsError: If a weight is not finite or the configuration builds other nets.
        ZooError: If it cannot be written (disk full, no permission).
    """
    from zoo_core import weights
    from zoo_core.golden import write_golden

    directory = Path(directory)
    refuse_foreign(directory)
    with _replacing(directory) as fresh:
        translating = method.translating
        others = tuple(name for name in method.nets if name not in translating)
        weights.save_nets(method, fresh / MODEL, translating, half=half)
        if others:
            weights.save_nets(method, fresh / TRAINING, others, half=half)
        (fresh / CONFIG).write_text(config.to_yaml(), encoding="utf-8")
        counts = weights.parameter_counts(method)
        (fresh / CARD).write_text(card.render(config, counts), encoding="utf-8")
        for name, source in (files or {}).items():
            shutil.copyfile(source, fresh / Path(name).name)
        if sample_batch is not None:
            # From a rebuilt method, so that the golden file also proves config and weights.
            copy = weights.rebuilt(lambda: instantiate(type(method), config), fresh / MODEL)
            write_golden(fresh / GOLDEN, copy, sample_batch)


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
def _replacing(directory: Path) -> Iterator[Path]:
    """A new directory that takes the place of ``directory`` when the block succeeds."""
    fresh: Path | None = None
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{directory.name}.new-", dir=directory.parent))
        fresh.chmod(0o755)
        yield fresh
        for path in fresh.iterdir():
            path.chmod(0o644)  # the safetensors library writes for the owner alone
            _sync(path)
        _swap(fresh, directory)
    except OSError as fault:
        raise ZooError(
            f"cannot be written: {fault.strerror or fault}",
            asked=f"model directory {directory}",
            hint="Free space or choose another place; what was there before is kept.",
        ) from fault
    finally:
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)


def _swap(fresh: Path, directory: Path) -> None:
    old = fresh.with_name(fresh.name.replace(".new-", ".old-"))
    if directory.exists():
        directory.rename(old)
    try:
        fresh.rename(directory)
    except OSError:
        if old.exists():
            old.rename(directory)
        raise
    _sync(directory.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    """Makes sure that a file or directory survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse_unknown(cls: type[Any], values: Mapping[str, Any], prefix: str, asked: str) -> None:
    known = [item.name for item in dataclasses.fields(cls)]
    for key in values:
        if key not in known:
            fault = unknown(f"key of {asked}", f"{prefix}{key}", [f"{prefix}{k}" for k in known])
            raise WeightsError(fault.problem, asked=fault.asked, hint=fault.hint)


def _typed(cls: type[ModelConfig], given: Mapping[str, Any], asked: str) -> ModelConfig:
    """Validates by way of JSON, where strict types still let a list fill a tuple."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(cls).validate_json(json.dumps(given), strict=True)
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        value = repr(first.get("input"))
        raise WeightsError(
            f"{where}: {first['msg'].lower()}, got {value[:80]}", asked=asked, hint=_HINT
        ) from fault
    except (TypeError, ValueError) as fault:
        raise WeightsError(f"{str(fault)[:200]}", asked=asked, hint=_HINT) from fault
    except UsageError as fault:
        raise WeightsError(fault.problem, asked=asked, hint=_HINT) from fault
