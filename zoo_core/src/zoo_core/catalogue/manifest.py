"""Schema of ``registry.yaml``: what a model says of itself. Strict, and free of torch."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from zoo_core.catalogue.index import models_of
from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.errors import PluginError, ZooError
from zoo_core.untrusted import read_yaml_file


def _inside(path: str) -> str:
    """A relative POSIX path that cannot leave its folder."""
    parts = PurePosixPath(path).parts
    if not path or path.startswith("/") or "\\" in path or ".." in parts or ":" in path:
        raise PydanticCustomError("path", "not a relative path that stays inside its folder")
    return path


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise PydanticCustomError("finite", "not a finite number")
    return value


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Revision = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Inside = Annotated[str, AfterValidator(_inside)]
Repo = Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
Number = Annotated[float, AfterValidator(_finite)]

_FORMATS = {
    "sha256": "64 lowercase hexadecimal digits",
    "revision": "40 lowercase hexadecimal digits, a commit",
    "id": "lowercase letters, digits, dots, dashes and underscores",
    "repo": "ORGANISATION/NAME",
}
"""What the patterns mean, in words."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Signal(_Strict):
    """Form of the signals; the fields of `zoo_core.contracts.signals.TensorSpec`."""

    kind: str = "image"
    shape: tuple[PositiveInt, ...] = Field(min_length=1)
    low: Number | None = -1.0
    high: Number | None = 1.0
    stride: PositiveInt = 4
    flexible: int = Field(default=2, ge=0)

    @property
    def spec(self) -> TensorSpec:
        """The spec that nets and codecs take."""
        return TensorSpec(**self.model_dump())


class DomainNames(_Strict):
    """The domains or attributes; the fields of `zoo_core.contracts.signals.Domains`."""

    names: tuple[Text, ...] = Field(min_length=1)
    kind: Literal["domains", "attributes"] = "domains"
    exclusive: tuple[tuple[Text, ...], ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> DomainNames:
        try:
            _ = self.domains
        except ZooError as error:
            raise PydanticCustomError("domains", "{text}", {"text": str(error)}) from error
        return self

    @property
    def domains(self) -> Domains:
        """The domains as methods take them."""
        return Domains(self.names, self.kind, self.exclusive)


class Weights(_Strict):
    """Where the weights come from, and what they must be.

    Attributes:
        source: What is tried first: ``embedded`` in the plugin, or the ``hub``.
        path: File inside the plugin, relative to its registry file.
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
    path: Inside | None = None
    repo: Repo | None = None
    repo_type: Literal["model", "dataset", "space"] = "model"
    revision: Revision | None = None
    file: Inside | None = None
    sha256: Sha256 | None = None
    bytes: PositiveInt | None = None
    format: Text = "safetensors"
    trust: Literal["pinned", "first-use"] = "pinned"

    @model_validator(mode="after")
    def _complete(self) -> Weights:
        pinned = self.trust == "pinned"
        needed: dict[str, object] = {}
        if self.source == "embedded" or self.path is not None:
            needed |= {"path": self.path, "sha256": self.sha256, "bytes": self.bytes}
        if self.source == "hub" or self.repo is not None:
            needed |= {"repo": self.repo, "file": self.file}
            if pinned:
                needed |= {"revision": self.revision, "sha256": self.sha256}
        missing = [key for key, value in needed.items() if value is None]
        if missing:
            raise PydanticCustomError(
                "incomplete",
                "{source} weights need {missing}",
                {"source": self.source, "missing": ", ".join(missing)},
            )
        if not pinned and self.sha256 is not None:
            raise PydanticCustomError(
                "trust", '"trust: first-use" is for weights without sha256, and this one is given'
            )
        return self


class GoldenEntry(_Strict):
    """Recorded input, conditions and output, relative to the registry file."""

    path: Inside
    sha256: Sha256
    bytes: PositiveInt


class Licence(_Strict):
    """Licences, as SPDX names or ``not stated``."""

    code: Text = "Apache-2.0"
    weights: Text = "Apache-2.0"


class MetricEntry(_Strict):
    """A measured figure, with the paper's beside it where there is one.

    Attributes:
        name: Name, with the direction where there are several.
        value: The figure measured on these weights.
        protocol: Data, split, count, size and extractor in one line.
        published: The paper's figure for the same protocol.
        note: What a reader must know to compare them.
    """

    name: Text
    value: Number
    protocol: Text
    published: Number | None = None
    note: str = ""


class ModelEntry(_Strict):
    """One model of a registry.

    Attributes:
        id: Unique name, ``method-data`` by habit.
        method: Name of the method.
        task: What it does, such as ``emoji-style``.
        summary: One line for ``zoo list``.
        domains: The domains or attributes.
        options: The method's options; what is absent has its default.
        signal: Form of the signals.
        preprocessing: What the codec does to inputs, as the weights were trained.
        weights: Where the weights come from.
        golden: Recorded output to compare with.
        nets: Parameter count of each net in the weights file.
        licence: Licences of code and weights.
        paper: Citation of the method.
        provenance: Who trained it, on what, with which command; or the URL it comes from.
        metrics: Measured figures.
        seconds: Time for one signal of the trained size on two CPU cores.
    """

    id: Name
    method: Name
    task: Name
    summary: str = ""
    domains: DomainNames
    options: Mapping[str, Any] = {}
    signal: Signal
    preprocessing: Mapping[str, Any] = {}
    weights: Weights
    golden: GoldenEntry | None = None
    nets: Mapping[str, PositiveInt] = {}
    licence: Licence = Licence()
    paper: str = ""
    provenance: str = ""
    metrics: tuple[MetricEntry, ...] = ()
    seconds: Annotated[Number, Field(gt=0)] | None = None


def parse_entry(data: object, asked: str) -> ModelEntry:
    """Validates one entry.

    Args:
        data: The entry as YAML gave it.
        asked: The file, for the error; the entry's id or position is added.

    Raises:
        PluginError: Naming the entry and everything that is wrong with it.
    """
    name = data.get("id") if isinstance(data, Mapping) else None
    asked = f'{asked}, model "{name}"' if isinstance(name, str) else asked
    try:
        return ModelEntry.model_validate(data)
    except ValidationError as error:
        raise PluginError(
            explain(error, ModelEntry), asked=asked, hint="docs/registry.md lists all keys."
        ) from None


def parse_file(path: Path) -> list[ModelEntry]:
    """Reads and validates a registry file.

    Raises:
        PluginError: If the file is missing, is no YAML, or an entry is wrong or there twice.
    """
    asked = f"registry {path}"
    models = models_of(read_yaml_file(path, error=PluginError), asked)
    entries = [parse_entry(item, f"{asked}, entry {n}") for n, item in enumerate(models, 1)]
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            raise PluginError("this id is there twice", asked=f'{asked}, model "{entry.id}"')
        seen.add(entry.id)
    return entries


def explain(error: ValidationError, root: type[BaseModel], limit: int = 5) -> str:
    """All complaints of pydantic in one line of plain words, with near matches for unknown keys."""
    items = error.errors(include_url=False)
    items.sort(key=lambda item: item["type"] != "extra_forbidden")  # misspelt keys first
    texts = [_complaint(item, root) for item in items]
    more = len(texts) - limit
    return "; ".join(texts[:limit]) + (f"; and {more} more" if more > 0 else "")


def _complaint(item: Any, root: type[BaseModel]) -> str:
    location = item["loc"]
    where = ".".join(str(part) for part in location)
    last = str(location[-1]) if location else ""
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(last, _keys(root, location[:-1]), n=1, cutoff=0.5)
        guess = f' (did you mean "{near[0]}"?)' if near else ""
        return f'unknown key "{where}"{guess}'
    if item["type"] == "missing":
        return f'"{where}" is missing'
    value = repr(item.get("input"))
    value = value if len(value) <= 60 else value[:57] + "..."
    if item["type"] == "string_pattern_mismatch":
        return f'"{where}" must be {_FORMATS.get(last, "of another form")}, got {value}'
    message = item["msg"][:1].lower() + item["msg"][1:]
    if isinstance(item.get("input"), Mapping) or not where:
        return f'"{where}": {message}' if where else message
    return f'"{where}": {message}, got {value}'


def _keys(root: type[BaseModel], location: Iterable[Any]) -> list[str]:
    """Names of the fields at a place of the schema."""
    model: Any = root
    for part in location:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        kinds = _models_in(field.annotation) if field else []
        if not kinds:
            return []
        model = kinds[0]
    return list(model.model_fields)


def _models_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = getattr(annotation, "__args__", ())
    return [model for part in inner for model in _models_in(part)]
