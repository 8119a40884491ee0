"""What a model directory's ``config.yaml`` holds. Importing this module imports no torch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.errors import UsageError, WeightsError, unknown
from zoo_core.schema import plain, write_yaml
from zoo_core.untrusted import read_yaml

if TYPE_CHECKING:
    from zoo_core.catalogue.manifest import ModelEntry

FORMAT = 1
"""Version of the layout, raised when an old reader could misread a new directory."""
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
    def of_entry(cls, entry: ModelEntry) -> ModelConfig:
        """The configuration that a registry entry describes."""
        return cls(
            entry.method,
            dict(entry.options),
            entry.domains.domains,
            entry.signal.spec,
            dict(entry.preprocessing),
        )

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
