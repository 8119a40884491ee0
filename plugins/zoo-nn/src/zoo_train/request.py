"""From a request to a run's configuration: preset, file and flags, the later ones outweighing.

Importing this module imports no torch; resolving a request imports the method.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.errors import UsageError, unknown
from zoo_core.files import storable
from zoo_core.schema import brief, fill, plain
from zoo_train.changes import CHANGEABLE
from zoo_train.config import EVERY, FREE, RunConfig, read_settings

LARGEST_BATCH, LARGEST_SIDE = 65_536, 16_384
"""Signals of a step, and pixels of a side: a run or model of others may ask for any number."""
_GROUPS = ("options", "train", "signal")
"""Keys of a configuration that hold mappings of settings, for ``--set``."""


def resolve(
    method: str | None = None,
    *,
    file: Path | None = None,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    size: int | None = None,
    pretrained: str | None = None,
    **given: Any,
) -> RunConfig:
    """Fills a request from a file, the preset and the method's defaults.

    Args:
        method: Name of the method; None where the file names it.
        file: YAML file in the form of `RunConfig`, all keys optional.
        preset: Name of a preset; None for the file's, or the method's first.
        settings: ``--set``: options of the method, ``train.KEY`` and ``signal.KEY``.
        size: Width and height of the signals; None for the preset's.
        pretrained: The model to start from, which gives the options and the form of the signals
            that nothing else gives, before the preset; None for the file's, or none.
        given: Other attributes of `RunConfig`, which outweigh the file's unless empty.

    Raises:
        UsageError: For an unknown method, preset, option or key (with the near match), a value of
            the wrong type, a missing source, or a model of another method.
        HubError, WeightsError: If the model to start from cannot be had, or does not fit.
    """
    from zoo_core.contracts.method import make_options
    from zoo_core.host.plugins import host

    written = read_settings(file) if file else {}
    name = method or written.get("method")
    if not name:
        raise UsageError("no method is given", asked="run", hint="See zoo list --methods.")
    cls = host().load("method", name)
    pretrained, model = pretrained or written.get("pretrained"), None
    wanted = preset or written.get("preset")
    if isinstance(pretrained, str):
        from zoo_train.pretrained import find_pretrained

        written["pretrained"], model = find_pretrained(pretrained, name)
        written["order"] = list(model.domains) if model.domains.kind == "domains" else []
        theirs = model.training.get("preset")
        wanted = wanted or (theirs if theirs in list(cls.presets) else None)
    preset_name, base = pick_preset(cls, name, wanted)
    by_file = {group: _mapping(written, group, file) for group in _GROUPS}
    by_flag = _grouped(settings or {}, cls, name)
    start = base.options if model is None else _inherited(cls.Options, model.options)
    options = {**start, **by_file["options"], **by_flag["options"]}
    signal = base.signal if model is None else model.signal
    signal = _signal(signal, {**by_file["signal"], **by_flag["signal"]}, size)
    learnt = {} if model is None else _learnt(model.preprocessing)
    train = _train(base, signal, {**learnt, **by_file["train"], **by_flag["train"]})
    if train.speed not in ("auto", "eager"):
        host().find("step-runner", train.speed)
    values = {
        **written,
        **{key: value for key, value in given.items() if value},
        "method": name,
        "preset": preset_name,
        "options": make_options(cls.Options, options, asked=name),
        "signal": signal,
        "train": train,
    }
    config = RunConfig.of(_storable(plain(values)), asked=str(file or f"training {name}"))
    if not config.domains and config.data is None:
        raise UsageError(
            "no data is given",
            asked=f"training {name}",
            hint="Give --domain NAME=SOURCE for each domain, or --data ROOT.",
        )
    return config


def with_settings(config: RunConfig, settings: Mapping[str, Any]) -> RunConfig:
    """A run's configuration with other values of settings that a resumed run may change.

    Args:
        config: The run's configuration.
        settings: As for ``--set``.

    Raises:
        UsageError: For another setting, or a value of the wrong type.
    """
    from zoo_core.contracts.method import make_options
    from zoo_core.host.plugins import host

    cls = host().load("method", config.method)
    given = _grouped(settings, cls, config.method)
    for group, values in given.items():
        for name in values:
            if name not in FREE and not CHANGEABLE.fullmatch(f"{group}.{name}"):
                raise UsageError(
                    "a run goes on as it began; of its settings only learning rates, train.batch, "
                    "train.accumulate, train.speed, train.steps and train.…_every may change",
                    asked=f"{name if group == 'options' else f'{group}.{name}'} on resuming",
                    hint="Start another run for it; --pretrained RUN/model keeps the weights.",
                )
    options = make_options(cls.Options, {**config.options, **given["options"]}, asked=config.method)
    train = _checked({**plain(config.train), **given["train"]})
    return replace(config, options=_storable(plain(options)), train=train)


def _inherited(cls: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a model without those that say what it holds, not how it is trained."""
    own = [
        item.name for item in dataclasses.fields(cls) if not item.metadata.get("inherited", True)
    ]
    return {key: value for key, value in options.items() if key not in own}


def _learnt(preprocessing: Mapping[str, Any]) -> dict[str, Any]:
    """How a model's signals were prepared, as far as settings of the loop decide it."""
    known = [item.name for item in dataclasses.fields(TrainConfig)]
    return {key: value for key, value in preprocessing.items() if key in known}


def pick_preset(cls: Any, method: str, name: str | None) -> tuple[str, Preset]:
    """The preset of a name, or the method's first; raises `UsageError` for an unknown one."""
    presets: Mapping[str, Preset] = cls.presets
    if name is None:
        return next(iter(presets.items()), ("", Preset()))
    if name not in presets:
        raise unknown(f"preset of {method}", name, presets)
    return name, presets[name]


def _storable(values: Any) -> Any:
    """Plain values whose texts JSON and YAML can hold; `zoo_core.files.restored` undoes it."""
    if isinstance(values, dict):
        return {key: _storable(value) for key, value in values.items()}
    return storable(values) if isinstance(values, str) else values


def _mapping(given: Mapping[str, Any], key: str, path: Path | None) -> dict[str, Any]:
    """What a file says under one key."""
    values = given.get(key, {})
    if not isinstance(values, dict):
        raise UsageError(f"it is {brief(values)}, not a mapping", asked=f"{key} of {path}")
    return values


def _grouped(settings: Mapping[str, Any], cls: Any, method: str) -> dict[str, dict[str, Any]]:
    """``--set`` keys by whom they address."""
    parts: dict[str, dict[str, Any]] = {group: {} for group in _GROUPS}
    known = {
        "options": [item.name for item in dataclasses.fields(cls.Options) if item.init],
        "train": [item.name for item in dataclasses.fields(TrainConfig)],
        "signal": ["size", *(item.name for item in dataclasses.fields(TensorSpec))],
    }
    every = [*known["options"], *(f"{k}.{n}" for k in ("train", "signal") for n in known[k])]
    for key, value in settings.items():
        group, _, name = key.rpartition(".")
        group = group or "options"
        if name not in known.get(group, ()):
            raise unknown(f"option of {method}", key, every)
        parts[group][name] = value
    return parts


def _signal(preset: TensorSpec, changes: Mapping[str, Any], size: int | None) -> TensorSpec:
    """A preset's form of signals with changes; ``size`` is the width and height of all."""
    values = {**plain(preset), **changes}
    given = values.pop("size", None)
    size = given if size is None else size
    spec = fill(TensorSpec, values, asked="signal", lenient=True)
    if size is None:
        return spec
    if not str(size).isdigit() or int(size) < 1:
        raise UsageError("it must be a positive whole number", asked=f"size {size}")
    # nets of a fixed size can still be built for another: every axis but the channels
    axes = spec.flexible or len(spec.shape) - 1
    fixed = spec.shape[:-axes]
    return replace(spec, shape=(*fixed, *[int(size)] * axes))


def _train(preset: Preset, signal: TensorSpec, changes: Mapping[str, Any]) -> TrainConfig:
    """A preset's loop settings with changes."""
    values = {**plain(preset.train), **_rescaled(preset, signal), **changes}
    if "steps" not in changes and changes.get("epochs") is not None:
        values["steps"] = None  # epochs that are asked for outweigh the preset's steps
    return _checked(values)


def _checked(values: Mapping[str, Any]) -> TrainConfig:
    """The loop's settings; raises `UsageError` where a value is out of its range."""
    config = fill(TrainConfig, values, asked="train", lenient=True)
    for name in ("batch", "accumulate", "steps", "epochs", *EVERY):
        value = getattr(config, name)
        if value is not None and value < 1:
            raise UsageError("it must be at least 1", asked=f"{name} {value}")
    for name, most in (("batch", LARGEST_BATCH), ("load_size", LARGEST_SIDE)):
        if (getattr(config, name) or 0) > most:
            asked = f"{name} {getattr(config, name)}"
            raise UsageError(f"it must be at most {most:,}", asked=asked)
    if config.ema is not None and not 0 <= config.ema < 1:
        raise UsageError("it must be at least 0 and below 1", asked=f"ema {config.ema}")
    if not 0 <= config.hold_out < 1:
        raise UsageError("it must be at least 0 and below 1", asked=f"hold_out {config.hold_out}")
    return config


def _rescaled(preset: Preset, signal: TensorSpec) -> dict[str, Any]:
    """The size to resize to before cropping, in proportion to a size that was asked for."""
    load, before, after = preset.train.load_size, preset.signal.shape[-1], signal.shape[-1]
    return {} if load is None else {"load_size": round(load * after / before)}
