"""What registries and model directories say of a model: strict, and free of torch.

A model directory's ``config.yaml`` describes a model (`ModelConfig`). A plugin's ``registry.yaml``
names it and says where its weights are, who may use them and what was measured (`ModelEntry`); it
has a configuration only for weights in a foreign format, which no directory describes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.errors import PluginError, WeightsError
from zoo_core.schema import fill, plain, write_yaml
from zoo_core.untrusted import (
    is_commit,
    is_inside,
    is_repo,
    is_sha256,
    read_yaml_file,
    require_names,
)

FORMAT = 1
"""Version of the layout of a model directory, raised when an old reader could misread it."""
NATIVE = "safetensors"
"""Format of weights in the zoo's own layout."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_LONGEST_TEXT = 4000
_MOST_DOMAINS = 1000
_LARGEST_SIGNAL = 2**28


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
        """The text of ``config.yaml``; the same text for the same configuration.

        Of a path among the options its last part is kept: what a directory here is called says
        nothing elsewhere.
        """
        values = plain(self)
        return write_yaml(
            {"format": FORMAT, **values, "options": _without_paths(values["options"])}
        )


@dataclass(frozen=True)
class Pretrained:
    """The model whose weights a run starts from.

    Attributes:
        model: The model as the user named it.
        name: What it is called elsewhere: a directory here without its path.
        sha256: Hash of its weights.
    """

    model: str
    name: str
    sha256: str


@dataclass(frozen=True)
class Weights:
    """Where the weights come from, and what they must be.

    Attributes:
        source: What is tried first: ``embedded`` in the plugin, or the ``hub``.
        path: File of a model directory inside the plugin, relative to its registry file.
        repo: Hub repository.
        repo_type: Kind of Hub repository.
        revision: Commit of the repository, 40 digits.
        file: File within the repository.
        sha256: Hash of the file.
        bytes: Size of the file.
        format: ``safetensors`` in the zoo's own layout, or the name of an importer.
        trust: ``first-use`` where nobody could read the hash yet: the first one seen is recorded.
    """

    source: Literal["embedded", "hub"]
    path: str | None = None
    repo: str | None = None
    repo_type: Literal["model", "dataset", "space"] = "model"
    revision: str | None = None
    file: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    format: str = NATIVE
    trust: Literal["pinned", "first-use"] = "pinned"

    def __post_init__(self) -> None:
        checks = {
            "path": (is_inside, "a relative path that stays inside its folder"),
            "file": (is_inside, "a relative path that stays inside its folder"),
            "repo": (is_repo, "ORGANISATION/NAME"),
            "revision": (is_commit, "a commit of 40 lowercase hexadecimal digits"),
            "sha256": (is_sha256, "64 lowercase hexadecimal digits"),
            "format": (_is_name, "a name of lowercase letters, digits and . _ -"),
        }
        for key, (holds, form) in checks.items():
            value = getattr(self, key)
            _require(value is None or holds(value), f"{key} must be {form}, got {value!r}")
        _require(self.bytes is None or self.bytes > 0, f"bytes must be positive, got {self.bytes}")
        needed: list[str] = []
        if self.source == "embedded" or self.path is not None:
            needed += ["path", "sha256", "bytes"]
        if self.source == "hub" or self.repo is not None:
            needed += ["repo", "file"]
            needed += ["revision", "sha256"] if self.trust == "pinned" else []
        missing = [key for key in dict.fromkeys(needed) if getattr(self, key) is None]
        _require(not missing, f"{self.source} weights need {', '.join(missing)}")
        known = self.trust != "pinned" and self.sha256 is not None
        _require(not known, '"trust: first-use" is for weights without sha256; this one is given')


@dataclass(frozen=True)
class Licence:
    """Licences, as SPDX names or ``not stated``."""

    code: str = "Apache-2.0"
    weights: str = "Apache-2.0"


@dataclass(frozen=True)
class MetricValue:
    """A measured figure, with the paper's beside it where there is one.

    Attributes:
        name: Name, with the direction where there are several.
        value: The figure measured on these weights.
        protocol: Data, split, count, size and extractor in one line.
        published: The paper's figure for the same protocol.
        note: What a reader must know to compare them.
    """

    name: str
    value: float
    protocol: str
    published: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        _require(bool(self.name and self.protocol), "a metric needs a name and a protocol")
        _require(math.isfinite(self.value), f"value is not a finite number, got {self.value}")


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """One model of a registry.

    Attributes:
        id: Unique name, ``method-data`` by habit.
        task: What it does, such as ``emoji-style``.
        summary: One line for ``zoo list``.
        config: The configuration of weights in a foreign format.
        weights: Where the weights come from.
        licence: Licences of code and weights.
        provenance: Who trained it, on what, with which command; or the URL it comes from.
        metrics: Measured figures.
        seconds: Time for one signal of the trained size on two CPU cores.
    """

    id: str
    task: str
    summary: str = ""
    config: ModelConfig | None = None
    weights: Weights
    licence: Licence = Licence()
    provenance: str = ""
    metrics: tuple[MetricValue, ...] = ()
    seconds: float | None = None

    def __post_init__(self) -> None:
        for key in ("id", "task"):
            value = getattr(self, key)
            form = "lowercase letters, digits, dots, dashes and underscores"
            _require(_is_name(value), f"{key} must be {form}, got {value!r}")
        longest = max(len(self.summary), len(self.provenance))
        _require(longest <= _LONGEST_TEXT, f"a text has more than {_LONGEST_TEXT} characters")
        time = self.seconds
        _require(time is None or 0 < time < math.inf, f"seconds must be positive, got {time}")
        if self.weights.format == NATIVE:
            reason = "the model directory describes these weights; leave out config"
            _require(self.config is None, reason)
        else:
            _require(self.config is not None, "weights in a foreign format need a config")


def parse_config(values: Mapping[str, Any], asked: str) -> ModelConfig:
    """The configuration of a parsed ``config.yaml``, which a stranger may have written.

    Args:
        values: The document.
        asked: Its path, for the error.

    Raises:
        WeightsError: For unknown keys (with the near match), values of a wrong type or size, and
            texts that are paths or addresses.
    """
    given = dict(values)
    version = given.pop("format", FORMAT)
    if version != FORMAT:
        problem = f"its format is {version!r}, this version reads {FORMAT}"
        raise WeightsError(problem, asked=asked, hint="Update zoo-core.")
    hint = "Export the model again with zoo train, or restore the file."
    for key in ("method", "domains"):
        if key not in given:
            raise WeightsError(f'"{key}" is missing', asked=asked, hint=hint)
    config = fill(ModelConfig, given, asked=asked, error=WeightsError, hint=hint)
    for part in ("options", "preprocessing"):
        require_names(getattr(config, part), asked=asked, inside=part, known=config.domains.names)
    size, domains = math.prod(config.signal.shape), len(config.domains)
    for found, most, what in (
        (domains, _MOST_DOMAINS, "domains"),
        (size, _LARGEST_SIGNAL, "numbers in one signal"),
        (config.signal.stride, 2**16, "as the stride of a signal"),
    ):
        if found > most:
            problem = f"it asks for {found:,} {what}; more than {most:,} is no model"
            raise WeightsError(problem, asked=asked, hint=hint)
    return config


def parse_entry(data: object, asked: str) -> ModelEntry:
    """Validates one entry of a registry.

    Args:
        data: The entry as YAML gave it.
        asked: The file, for the error; the entry's id is added.

    Raises:
        PluginError: Naming the entry and what is wrong with it.
    """
    name = data.get("id") if isinstance(data, Mapping) else None
    asked = f'{asked}, model "{name}"' if isinstance(name, str) else asked
    hint = "docs/registry.md lists all keys."
    entry = fill(ModelEntry, data, asked=asked, error=PluginError, hint=hint)
    if entry.config is not None:
        try:
            parse_config(plain(entry.config), asked)
        except WeightsError as fault:
            raise PluginError(fault.problem, asked=fault.asked, hint=hint) from fault
    return entry


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The entries of a registry file as plain values, checked for what a listing reads.

    Raises:
        PluginError: If the file is missing, is no registry, or has an id twice.
    """
    asked = f"registry {path}"
    data = read_yaml_file(path, error=PluginError)
    models = data.pop("models", None)
    if data or not isinstance(models, list):
        raise PluginError('it must hold one list, under "models"', asked=asked)
    seen: set[str] = set()
    for number, row in enumerate(models, 1):
        if not is_listable(row):
            problem = f"its entry {number} has no id, task and weights, or they are of another form"
            raise PluginError(problem, asked=asked, hint="docs/registry.md lists all keys.")
        if row["id"] in seen:
            raise PluginError("this id is there twice", asked=f'{asked}, model "{row["id"]}"')
        seen.add(row["id"])
    return models


def read_entries(path: Path) -> list[ModelEntry]:
    """As `read_rows`, with every entry validated."""
    return [parse_entry(row, f"registry {path}") for row in read_rows(path)]


def is_listable(row: Any) -> bool:
    """Whether an entry has the form that a listing reads."""
    try:
        config, weights = row.get("config", {}), row["weights"]
        names = config.get("domains", {}).get("names", [])
        texts = [row["id"], row["task"], config.get("method", ""), weights["source"], *names]
        texts += [weights.get(key, "") for key in ("path", "repo", "file", "sha256", "trust")]
        counts = [weights.get("bytes", 0), *row.get("nets", {}).values()]
    except (AttributeError, KeyError, TypeError):
        return False
    whole = all(isinstance(count, int) for count in counts)
    return whole and all(isinstance(text, str) for text in texts)


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(problem)


def _without_paths(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_paths(item) for item in value]
    if isinstance(value, str) and re.search(r"[/\\]", value):
        prefix = re.match(r"\w+:(?!//)", value)  # judge:DIR
        return (prefix[0] if prefix else "") + re.split(r"[/\\]", value.rstrip("/\\"))[-1]
    return value
