"""From a foreign state dict to the configuration of a method and the tensors of its nets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Domains
from zoo_core.errors import UsageError, WeightsError, unknown
from zoo_core.host.plugins import PluginHost
from zoo_core.models.modeldir import build_method
from zoo_core.models.weights import listed
from zoo_import.checkpoint import State
from zoo_import.contract import ForeignNet, Importer, Shapes

AUTO = "auto"


@dataclass(frozen=True)
class CheckpointSource:
    """A file whose layout is known.

    Attributes:
        path: Where it came from, for messages.
        layout: Name of the importer.
        importer: The importer.
        state: Its tensors.
        parts: The nets in it.
        left_out: What else the file holds, such as ``epoch (a number)``.
    """

    path: Path
    layout: str
    importer: Importer
    state: State
    parts: tuple[ForeignNet, ...]
    left_out: tuple[str, ...] = ()


def importer_of(layout: str, host: PluginHost) -> Importer:
    """The importer of a layout.

    Raises:
        WeightsError: If no plugin brings it, with the near match.
    """
    known = host.components("importer")
    if layout not in known:
        fault = unknown("layout", layout, known)
        raise WeightsError(fault.problem, asked=f'foreign format "{layout}"', hint=fault.hint)
    importer: Importer = host.load("importer", layout)()
    return importer


def recognise(path: Path, state: State, layout: str, host: PluginHost) -> CheckpointSource:
    """Finds out what a state dict holds.

    Args:
        path: Where it came from.
        state: The state dict.
        layout: Name of a layout, or ``auto``.
        host: The plugins.

    Raises:
        WeightsError: If it is not of the layout, or of none that is known, or of several.
    """
    if empty := [key for key, value in state.items() if not value.numel()]:
        raise WeightsError(f"{empty[0]} has no values at all", asked=f"checkpoint {path}")
    shapes: Shapes = {key: tuple(value.shape) for key, value in state.items()}
    known = sorted(host.components("importer"))
    names = known if layout == AUTO else [layout]
    importers = {name: importer_of(name, host) for name in names}
    found = {name: tuple(importer.parts(shapes)) for name, importer in importers.items()}
    fits = [name for name, parts in found.items() if parts]
    if not fits:
        keys = "\n".join(f"  {key}: {shape}" for key, shape in list(shapes.items())[:6])
        what = "none of the layouts that are known" if layout == AUTO else f'not "{layout}"'
        raise WeightsError(
            f"it is {what}; its tensors begin with\n{keys}",
            asked=f"checkpoint {path}",
            hint=f"Known layouts: {', '.join(known) or 'none'}.",
        )
    if len({_meaning(importers[name].method, found[name]) for name in fits}) > 1:
        raise UsageError(
            f"it could be any of {', '.join(fits)}",
            asked=f"checkpoint {path}",
            hint="Say which with --format.",
        )
    return CheckpointSource(path, fits[0], importers[fits[0]], state, found[fits[0]])


def configure(sources: Sequence[CheckpointSource], domains: Domains) -> ModelConfig:
    """The configuration that all parts together tell, without preprocessing.

    Raises:
        UsageError: If the parts contradict each other, or the domains are not as many as theirs.
    """
    first = sources[0].importer
    options: dict[str, Any] = {}
    shape: list[int] = list(first.signal.shape)
    told: dict[str, str] = {}
    pairs = [(source, part) for source in sources for part in source.parts]
    for source, part in pairs:
        if source.importer.method != first.method:
            raise UsageError(
                f"{sources[0].path} is of {first.method}, {source.path} of "
                f"{source.importer.method}",
                asked="import",
            )
        if part.conditions not in (None, len(domains)):
            raise UsageError(
                f"it has {part.conditions}, {len(domains)} are named",
                asked=f"{domains.kind} of {source.path}",
                hint="Name all of them, in the order in which it was trained: --domain NAME …",
            )
        facts = dict(part.options) | {
            f"shape[{axis}]": extent for axis, extent in enumerate(part.shape) if extent is not None
        }
        here = f"{part.net} of {source.path}"
        for key, value in facts.items():
            if key in told and options[key] != value:
                raise UsageError(
                    f"{told[key]} has {key}={options[key]}, {here} has {key}={value}",
                    asked="import",
                    hint="They do not belong together; import them one by one.",
                )
            options[key], told[key] = value, here
    for axis in range(len(shape)):
        shape[axis] = options.pop(f"shape[{axis}]", shape[axis])
    nets = [name for source in sources for name in net_names(source, domains)]
    options |= first.complete(nets, domains.names)
    signal = replace(first.signal, shape=tuple(shape))
    return ModelConfig(first.method, options, domains, signal)


def contradictions(source: CheckpointSource, config: ModelConfig, method: Method[Any]) -> list[str]:
    """What the shapes of a file say otherwise than a configuration does, one line each."""
    lines = [
        f"{key}: {value!r} in the file, {getattr(method.options, key)!r} in the registry"
        for part in source.parts
        for key, value in part.options.items()
        if part.net.format(*config.domains.names) in method.nets
        and getattr(method.options, key) != value
    ]
    lines += [
        f"{config.domains.kind}: {part.conditions} in the file, {len(config.domains)} in the "
        "registry"
        for part in source.parts
        if part.conditions not in (None, len(config.domains))
    ]
    return list(dict.fromkeys(lines))


def tensors_for(
    config: ModelConfig, sources: Sequence[CheckpointSource], host: PluginHost
) -> dict[str, Tensor]:
    """The tensors of all nets that the files hold and the configuration has, as ``net.key``.

    Raises:
        WeightsError: With a short diff in the file's own keys, where anything is missing, extra or
            misshapen; or where no file holds a net that translates.
    """
    method = blueprint(config, host)
    result: dict[str, Tensor] = {}
    filled: set[str] = set()
    for source in sources:
        filled |= _take(source, config, method, result)
    absent = [name for name in method.inference_nets if name not in filled]
    if absent:
        holds = [name for source in sources for name in net_names(source, config.domains)]
        raise WeightsError(
            f"there is no {', no '.join(absent)} in it; it holds {', '.join(holds)}",
            asked="checkpoint " + ", ".join(str(source.path) for source in sources),
        )
    return result


def blueprint(config: ModelConfig, host: PluginHost) -> Method[Any]:
    """The method of a configuration with shapes alone: nothing is drawn, nothing is stored.

    Raises:
        WeightsError: If the options that were read off a file make no nets.
    """
    try:
        with torch.device("meta"):
            return build_method(config, host)
    except (ArithmeticError, MemoryError, RuntimeError, TypeError, ValueError) as fault:
        reason = (str(fault).split("\n", 1)[0] or type(fault).__name__)[:200]
        options = ", ".join(f"{key}={value}" for key, value in config.options.items())
        raise WeightsError(
            f"no nets of {config.method} have such shapes ({reason})", asked=f"options {options}"
        ) from fault


def net_names(source: CheckpointSource, domains: Domains) -> list[str]:
    """Our names of the nets in a file."""
    return [part.net.format(*domains.names) for part in source.parts]


def renamed(source: CheckpointSource, net: str | None) -> CheckpointSource:
    """The same file with its only net under another name, as ``NET=FILE`` says.

    Raises:
        UsageError: If the file holds several nets.
    """
    if net is None:
        return source
    if len(source.parts) != 1:
        raise UsageError(
            f"it holds {len(source.parts)} nets, so it has no one name",
            asked=f"{net}={source.path}",
            hint="Give the file alone.",
        )
    return replace(source, parts=(replace(source.parts[0], net=net),))


def _take(
    source: CheckpointSource, config: ModelConfig, method: Method[Any], result: dict[str, Tensor]
) -> set[str]:
    """Adds the tensors of one file to ``result``; returns the names of the nets it filled."""
    missing, misshapen = [], []
    rest, filled = set(source.state), set()
    for part, name in zip(source.parts, net_names(source, config.domains), strict=True):
        scope = [key for key in source.state if key.startswith(part.scope)]
        if name not in method.nets:
            rest -= set(scope)  # a net that this configuration does without
            continue
        if name in filled or any(key.startswith(f"{name}.") for key in result):
            raise UsageError(
                f"two files hold the net {name}",
                asked=f"checkpoint {source.path}",
                hint="Say which net each is: NET=FILE, "
                f"with {', '.join(method.nets)} to choose from.",
            )
        filled.add(name)
        for key, ours in method.nets[name].state_dict().items():
            theirs = part.theirs(key)
            rest.discard(theirs)
            value = source.state.get(theirs)
            if value is None:
                missing.append(f"{theirs} {tuple(ours.shape)}")
            elif value.shape != ours.shape or value.is_floating_point() != ours.is_floating_point():
                misshapen.append(f"{theirs}: {_form(value)} in the file, {_form(ours)} in the net")
            else:
                value = value if part.adapt is None else part.adapt(theirs, value)
                result[f"{name}.{key}"] = value.to(ours.dtype)
        if part.left_out is not None:
            rest -= {key for key in scope if re.fullmatch(part.left_out, key)}
    extra = [f"{key} {tuple(source.state[key].shape)}" for key in source.state if key in rest]
    lines = [
        *listed("missing", missing),
        *listed("unexpected", extra),
        *listed("misshapen", misshapen),
    ]
    if lines:
        raise WeightsError(
            f"it does not fit the layout {source.layout}:\n" + "\n".join(lines),
            asked=f"checkpoint {source.path}",
            hint="Nothing was written.",
        )
    return filled


def _form(value: Tensor) -> str:
    kind = "" if value.is_floating_point() else f" of {value.dtype}"
    return f"{tuple(value.shape)}{kind}"


def _meaning(method: str, parts: Sequence[ForeignNet]) -> str:
    """What a file is taken for: layouts that agree on it need not be told apart."""
    return repr((method, [(part.net, sorted(part.options.items())) for part in parts]))
