"""What a run is: method, options, sources and loop settings, from preset, file and flags.

Importing this module imports no torch; resolving a configuration imports the method.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.errors import UsageError, unknown
from zoo_core.schema import fill, plain, write_yaml
from zoo_core.untrusted import read_yaml_file

FORMAT = 1
"""Version of a run's ``config.yaml``."""
FREE = (
    "device",
    "processes",
    "speed",
    "threads",
    "trackers",
    "steps",
    "log_every",
    "sample_every",
    "checkpoint_every",
    "snapshot_every",
)
"""Settings that a resumed run may change."""


@dataclass(frozen=True)
class RunConfig:
    """All that a run needs, fully resolved; a run's ``config.yaml`` holds it.

    Attributes:
        method: Name of the method.
        preset: Name of the preset that it started from.
        options: All options of the method as plain values.
        domains: Source of each domain, by name.
        data: Root that holds all domains, or attributes, in one layout; None for none.
        attributes: Attributes to learn, where ``data`` has attribute lists.
        signal: Form of the signals.
        train: The loop's settings.
        extra_losses: Losses added to the method's, each as ``NAME:key=value,...``.
        defence: What translations go through on their way back, in order, each in the same form.
        device: Device as the user named it.
        processes: Processes that share each batch.
        threads: Threads of each process on the CPU; None for as many as there are cores for.
        trackers: Names of the trackers that note how the run goes; None for the default one, where
            it is installed.
    """

    method: str
    preset: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    domains: dict[str, str] = field(default_factory=dict)
    data: str | None = None
    attributes: tuple[str, ...] = ()
    signal: TensorSpec = field(default_factory=TensorSpec)
    train: TrainConfig = field(default_factory=TrainConfig)
    extra_losses: tuple[str, ...] = ()
    defence: tuple[str, ...] = ()
    device: str = "auto"
    processes: int = 1
    threads: int | None = None
    trackers: tuple[str, ...] | None = None

    def to_yaml(self) -> str:
        """The text of ``config.yaml``."""
        return write_yaml({"format": FORMAT, **plain(self)})

    @classmethod
    def read(cls, path: Path) -> RunConfig:
        """Reads a run's ``config.yaml``.

        Raises:
            UsageError: If it is missing, damaged, or of another format.
        """
        values = read_yaml_file(path, error=UsageError)
        version = values.pop("format", FORMAT)
        if version != FORMAT:
            raise UsageError(
                f"its format is {version!r}, this version reads {FORMAT}", asked=str(path)
            )
        return cls.of(values, asked=str(path))

    @classmethod
    def of(cls, values: Mapping[str, Any], *, asked: str) -> RunConfig:
        """From plain values; raises `UsageError` where they do not fit."""
        config: RunConfig = typed(cls, values, asked=asked)
        return config

    def differences(self, other: RunConfig) -> list[str]:
        """In words, what another configuration has changed, apart from `FREE`.

        Sources may lie elsewhere: a resumed run compares what they hold.
        """
        mine, theirs = dict(_leaves(plain(self))), dict(_leaves(plain(other)))
        free = {key for key in mine | theirs if key.rpartition(".")[2] in (*FREE, "data")}
        free |= {key for key in mine.keys() & theirs.keys() if key.startswith("domains.")}
        return [
            f"{key} is {mine.get(key)!r}, asked is {theirs.get(key)!r}"
            for key in sorted((mine | theirs).keys() - free)
            if mine.get(key) != theirs.get(key)
        ]


@dataclass(frozen=True)
class RunRequest:
    """What a user asked for: flags and ``--set``, before presets and defaults fill the rest.

    Attributes:
        method: Name of the method; None where a file names it.
        file: YAML file in the form of `RunConfig`, all keys optional.
        preset: Name of a preset; None for the method's first.
        settings: ``--set``: options of the method, ``train.KEY`` and ``signal.KEY``.
        train: Loop settings given by flags of their own.
        size: Width and height of the signals; None for the preset's.
        domains: Source of each domain.
        data: Root of all domains.
        attributes: Attributes to learn.
        extra_losses: Losses to add.
        defence: Defences of the way back.
        device: Device.
        processes: Processes.
        threads: Threads of each process.
        trackers: Trackers.
    """

    method: str | None = None
    file: Path | None = None
    preset: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    train: Mapping[str, Any] = field(default_factory=dict)
    size: int | None = None
    domains: Mapping[str, str] = field(default_factory=dict)
    data: str | None = None
    attributes: Sequence[str] = ()
    extra_losses: Sequence[str] = ()
    defence: Sequence[str] = ()
    device: str | None = None
    processes: int | None = None
    threads: int | None = None
    trackers: Sequence[str] = ()


def resolve(request: RunRequest) -> RunConfig:
    """Fills a request from its file, the preset and the method's defaults.

    Raises:
        UsageError: For an unknown method, preset, option or key (with the near match), a value of
            the wrong type, or a missing source.
    """
    from zoo_core.host.plugins import host

    given = _file(request.file) if request.file else {}
    name = request.method or given.get("method")
    if not name:
        raise UsageError("no method is given", asked="run", hint="See zoo list --methods.")
    cls = host().load("method", name)
    preset_name, preset = pick_preset(cls, name, request.preset or given.get("preset"))
    settings = _split(request.settings, cls, name)
    options = {**preset.options, **given.get("options", {}), **settings["options"]}
    signal = _signal(preset.signal, given.get("signal", {}), settings["signal"], request.size)
    train = _train(preset, signal, given.get("train", {}), {**request.train, **settings["train"]})
    config = RunConfig(
        method=name,
        preset=preset_name,
        options=_all_options(cls, options, name),
        domains=dict(request.domains or given.get("domains", {})),
        data=request.data or given.get("data"),
        attributes=tuple(request.attributes or given.get("attributes", ())),
        signal=signal,
        train=train,
        extra_losses=tuple(request.extra_losses or given.get("extra_losses", ())),
        defence=tuple(request.defence or given.get("defence", ())),
        device=request.device or given.get("device", "auto"),
        processes=request.processes or given.get("processes", 1),
        threads=request.threads or given.get("threads"),
        trackers=tuple(request.trackers) or given.get("trackers"),
    )
    if not config.domains and config.data is None:
        raise UsageError(
            "no data is given",
            asked=f"training {name}",
            hint="Give --domain NAME=SOURCE for each domain, or --data ROOT.",
        )
    checked: RunConfig = typed(RunConfig, plain(config), asked=f"training {name}")
    return checked


def pick_preset(cls: Any, method: str, name: str | None) -> tuple[str, Preset]:
    """The preset of a name, or the method's first; raises `UsageError` for an unknown one."""
    presets: Mapping[str, Preset] = cls.presets
    if name is None:
        return next(iter(presets.items()), ("", Preset()))
    if name not in presets:
        raise unknown(f"preset of {method}", name, presets)
    return name, presets[name]


def typed(cls: type[Any], values: Mapping[str, Any], *, asked: str) -> Any:
    """A dataclass from plain values, strictly; strings convert to numbers as on a command line.

    Raises:
        UsageError: For unknown keys (with the near match) and values of the wrong type.
    """
    _refuse_unknown(cls, values, asked)
    return fill(cls, values, asked=asked, lenient=True)


def _file(path: Path) -> dict[str, Any]:
    values = read_yaml_file(path, error=UsageError)
    values.pop("format", None)
    _refuse_unknown(RunConfig, values, str(path))
    return values


def _split(settings: Mapping[str, Any], cls: Any, method: str) -> dict[str, dict[str, Any]]:
    """``--set`` keys by whom they address."""
    parts: dict[str, dict[str, Any]] = {"options": {}, "train": {}, "signal": {}}
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


def _all_options(cls: Any, values: Mapping[str, Any], method: str) -> dict[str, Any]:
    from zoo_core.contracts.method import make_options

    options: dict[str, Any] = plain(make_options(cls.Options, values, asked=method))
    return options


def _signal(
    spec: TensorSpec, file: Mapping[str, Any], flags: Mapping[str, Any], size: int | None
) -> TensorSpec:
    values = {**plain(spec), **file, **flags}
    given = values.pop("size", None)
    if size is None and given is not None:
        size = given
    result: TensorSpec = typed(TensorSpec, values, asked="signal")
    if size is None:
        return result
    if not str(size).isdigit() or int(size) < 1:
        raise UsageError("it must be a positive whole number", asked=f"size {size}")
    # nets of a fixed size can still be built for another: every axis but the channels
    axes = result.flexible or len(result.shape) - 1
    fixed = result.shape[:-axes]
    return replace(result, shape=(*fixed, *[int(size)] * axes))


def _train(
    preset: Preset, signal: TensorSpec, file: Mapping[str, Any], flags: Mapping[str, Any]
) -> TrainConfig:
    values = {**plain(preset.train), **_rescaled(preset, signal), **file, **flags}
    if "steps" not in {**file, **flags} and {**file, **flags}.get("epochs") is not None:
        values["steps"] = None  # epochs that are asked for outweigh the preset's steps
    config: TrainConfig = typed(TrainConfig, values, asked="train")
    counts = ("batch", "steps", "epochs")
    for name in (
        *counts,
        *(f"{what}_every" for what in ("sample", "checkpoint", "snapshot", "log")),
    ):
        value = getattr(config, name)
        if value is not None and value < 1:
            raise UsageError("it must be at least 1", asked=f"{name} {value}")
    if config.ema is not None and not 0 <= config.ema < 1:
        raise UsageError("it must be at least 0 and below 1", asked=f"ema {config.ema}")
    return config


def _rescaled(preset: Preset, signal: TensorSpec) -> dict[str, Any]:
    """The size to resize to before cropping, in proportion to a size that was asked for."""
    load, before, after = preset.train.load_size, preset.signal.shape[-1], signal.shape[-1]
    return {} if load is None else {"load_size": round(load * after / before)}


def _refuse_unknown(cls: type[Any], values: Mapping[str, Any], asked: str) -> None:
    known = [item.name for item in dataclasses.fields(cls)]
    for key in values:
        if key not in known:
            raise unknown(f"key of {asked}", key, known)


def _leaves(values: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if not isinstance(values, dict):
        return [(prefix, values)]
    return [
        leaf
        for key, value in values.items()
        for leaf in _leaves(value, f"{prefix}.{key}" if prefix else key)
    ]
