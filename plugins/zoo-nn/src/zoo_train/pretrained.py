"""The weights of a model as the beginning of a run: found and compared first, loaded at step 0."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo_core.catalogue.description import ModelConfig, Pretrained
from zoo_core.catalogue.registry import Registry
from zoo_core.contracts.interfaces import safe_name
from zoo_core.contracts.method import Method, make_options
from zoo_core.contracts.signals import Domains
from zoo_core.errors import UsageError, WeightsError, printable
from zoo_core.files import restored
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import TRAINING, build_method, find_model, read_config, weights_file
from zoo_core.models.weights import (
    load_state,
    net_state,
    read_tensors,
    require_fit,
    sketched,
    tensor_header,
)
from zoo_core.schema import brief, fill, plain
from zoo_core.untrusted import building, file_sha256, member, verify


def find_pretrained(model: str, method: str) -> tuple[Pretrained, ModelConfig]:
    """The model that a name means, whose weights fit its own configuration.

    Args:
        model: As for `zoo_core.translate.loading.load`.
        method: The method that is to be trained.

    Raises:
        UsageError: If there is no such model, or it is of another method.
        HubError: If the Hub cannot be reached, or has no such model.
        WeightsError: If its weights are missing, damaged, or do not fit its configuration.
    """
    registry, asked = Registry.load(host()), f"--pretrained {model}"
    directory = find_model(model, registry, host())
    config, file = read_config(directory), weights_file(directory)
    if config.method != method:
        raise UsageError(
            f"it is a model of {config.method}, and {method} is to be trained",
            asked=asked,
            hint=f"Train {config.method}, or start from a model of {method} (zoo list).",
        )
    header = tensor_header(file)
    with building(asked):  # before a run builds nets of the sizes that the model asks for
        sketch = sketched(partial(build_method, config), asked)
        require_fit(net_state(sketch, sketch.inference_nets), header, asked)
    name = model
    if model not in registry.models and Path(model).exists():
        place = directory.resolve()
        name = (place.parent if place.name == "model" else place).name
    return Pretrained(model=model, name=name, sha256=file_sha256(file)), config


def load_pretrained(
    method: Method[Any],
    pretrained: Pretrained,
    config: ModelConfig,
    *,
    note: Callable[[str], None],
    warn: Callable[[str], None],
) -> None:
    """Fills the nets of a run that begins, and says what they hold and what is unlike the model.

    The nets with which the model translates take all their weights, or none and the run is refused.
    Of the others, those that the model holds in the same form take theirs; the rest stay as they
    were drawn. Nets that translate are among these only where the run translates to more domains.

    Args:
        method: The run's method, newly built.
        pretrained: The model.
        config: What rebuilds the run's own model, with what its codec knows of the data.
        note: Takes what was done.
        warn: Takes what may not be meant.

    Raises:
        UsageError: If the domains are others in number, kind or order.
        WeightsError: If the weights are damaged, do not fit, or changed since the run began.
        HubError: If the Hub cannot be reached, or has no such model.
    """
    asked = f"--pretrained {pretrained.model}"
    directory = find_model(restored(pretrained.model), Registry.load(host()), host())
    model, file = read_config(directory), weights_file(directory)
    verify(file, sha256=pretrained.sha256)
    _require_places(model.domains, config.domains, asked)
    options = plain(make_options(type(method).Options, model.options, asked=asked))
    changed = _unlike("option", options, config.options)
    keys, there = _renamed(model, config.domains, asked)
    weights = {keys.get(key, key): value for key, value in read_tensors(file)[0].items()}
    given = _held(method, there)
    others = [name for name in method.nets if name not in given]
    try:
        load_state(net_state(method, given), weights, asked=asked)
    except WeightsError as fault:
        unset = f"Leave as the model has it: {'; '.join(changed) or 'the size of the signals'}."
        raise WeightsError(fault.problem, asked=asked, hint=fault.hint or unset) from fault
    critics = member(directory, TRAINING)
    held = {} if critics is None else read_tensors(critics)[0]
    held = {keys.get(key, key): value for key, value in held.items()}
    taken = [name for name in others if _take(net_state(method, others), name, held, asked)]
    note(
        f"starts from {pretrained.name} (sha256 {pretrained.sha256[:12]}), with the weights of "
        + ", ".join([*given, *taken])
    )
    anew = [name for name in others if name not in taken]
    if new := [name for name in anew if name in method.inference_nets]:
        targets = printable(", ".join(there.targets))
        warn(f"drawn anew: {', '.join(new)}; the model translates to {targets} alone")
    anew = [name for name in anew if name not in new]
    if anew:
        reason = f"holds no {TRAINING}" if critics is None else "has none of their shapes"
        warn(f"drawn anew: {', '.join(anew)}; the model {reason}")
    for line in changed:
        note(f"unlike the model, {line}")
    _tell_differences(model, config, note=note, warn=warn)


def _tell_differences(
    model: ModelConfig,
    config: ModelConfig,
    *,
    note: Callable[[str], None],
    warn: Callable[[str], None],
) -> None:
    """Says which domains, which signals and which preparation of them the model knew instead."""
    places = dict(zip(model.domains, config.domains, strict=True))
    for old, new in places.items():
        if old != new:
            note(f"{new} takes the place of {old}")
    asked, form = "preprocessing", host().load("codec", config.signal.kind).Preprocessing
    there, here = (
        given if form is None else plain(fill(form, given, asked=asked))
        for given in (_in_place(model.preprocessing, places), config.preprocessing)
    )
    for line in _unlike("signal", plain(model.signal), plain(config.signal)):
        warn(f"unlike the model, {line}")
    for line in _unlike(asked, there, here):
        of_data = isinstance(here.get(line.split()[1]), dict)  # such as each speaker's voice
        (note if of_data else warn)(f"unlike the model, {line}")


def _require_places(there: Domains, here: Domains, asked: str) -> None:
    """Refuses domains that are more, fewer, of another kind, or in another order."""
    names = ", ".join(there.names)
    if (there.kind, len(there)) != (here.kind, len(here)):
        raise UsageError(
            f"it has {len(there)} {there.kind} ({names}), and the run has {len(here)} {here.kind} "
            f"({', '.join(here.names)})",
            asked=asked,
            hint="Train with as many.",
        )
    moved = [name for name in here if name in there and here.index(name) != there.index(name)]
    if moved:
        raise UsageError(
            f"{', '.join(moved)} would take the place of another: the order there is {names}",
            asked=asked,
            hint="Give the domains in this order.",
        )


def _held(method: Method[Any], there: Method[Any]) -> list[str]:
    """The nets of a run that must take the weights with which a model translates.

    They are all that translate in the run, unless the model translates to fewer or more domains.

    Args:
        method: The run's method.
        there: The model's, by the names of the run's domains.
    """
    ours, theirs = list(method.inference_nets), list(there.inference_nets)
    fewer = len(there.targets) < len(method.targets)
    alike = set(theirs) <= set(method.nets) and (fewer or set(ours) <= set(theirs))
    return theirs if alike else ours


def _renamed(
    model: ModelConfig, domains: Domains, asked: str
) -> tuple[dict[str, str], Method[Any]]:
    """The names that the model's tensors have with the run's domains, and the model's method so."""
    places = dict(zip(model.domains, domains, strict=True))
    options = {key: _in_place(value, places) for key, value in model.options.items()}
    with building(asked):
        there = sketched(partial(build_method, model), asked)
        renamed = replace(model, domains=domains, options=options)
        here = sketched(partial(build_method, renamed), asked)
    names: dict[str, str] = {}
    for old, new in zip(_parts(there), _parts(here), strict=True):
        names |= zip(net_state(there, old), net_state(here, new), strict=True)
    return names, here


def _parts(method: Method[Any]) -> tuple[list[str], list[str]]:
    """The nets that translate, and those that only training needs."""
    used = list(method.inference_nets)
    return used, [name for name in method.nets if name not in used]


def _in_place(value: Any, places: Mapping[str, str]) -> Any:
    """A plain value with the names of the run's domains in place of the model's."""
    if isinstance(value, dict):
        return {places.get(key, key): _in_place(item, places) for key, item in value.items()}
    if isinstance(value, list):
        return [_in_place(item, places) for item in value]
    return places.get(value, value) if isinstance(value, str) else value


def _take(state: Mapping[str, Tensor], name: str, held: Mapping[str, Tensor], asked: str) -> bool:
    """Fills a net that only training needs, where all its tensors are held in its shapes."""
    prefix = f"{safe_name(name)}."
    target, found = (
        {k: v for k, v in part.items() if k.startswith(prefix)} for part in (state, held)
    )
    if {k: v.shape for k, v in found.items()} != {k: v.shape for k, v in target.items()}:
        return False
    load_state(target, found, asked=asked)
    return True


def _unlike(what: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """A line for each value that a run has otherwise than the model."""
    return [
        f"{what} {key} is {brief(here.get(key))} (there {brief(there.get(key))})"
        for key in sorted({*there, *here})
        if there.get(key) != here.get(key)
    ]
