"""``zoo list`` and ``zoo info``: the catalogue, without torch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

import click

from zoo_core.catalogue.description import parse_config
from zoo_core.catalogue.registry import Model, Registry
from zoo_core.cli import complete
from zoo_core.cli.origin import known_of, size, source_text, where
from zoo_core.cli.output import as_json, facts, report_broken, size_text, table
from zoo_core.contracts.component import MethodSpec
from zoo_core.errors import unknown
from zoo_core.host.plugins import PluginHost, host
from zoo_core.schema import plain


@click.command("list")
@click.argument("pattern", default="*")
@click.option("--method", help="Only models of this method.")
@click.option("--task", help="Only models for this task.")
@click.option("--domain", help="Only models that know this domain or attribute.")
@click.option(
    "--installed/--all",
    default=False,
    help="Leave out models whose plugin is not installed, or show all (the default).",
)
@click.option("--methods", is_flag=True, help="List methods rather than models.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def list_command(
    *,
    pattern: str,
    method: str | None,
    task: str | None,
    domain: str | None,
    installed: bool,
    methods: bool,
    json_: bool,
) -> None:
    """List models, or methods with --methods.

    PATTERN is a part of a name, a domain or a summary, or a pattern of names: 'cyclegan-*'.
    """
    plugins = host()
    if methods:
        _list_methods(plugins, pattern, json_)
        report_broken(plugins)
        return
    registry = Registry.load(plugins)
    models = registry.find(pattern, method=method, task=task, domain=domain, installed=installed)
    if json_:
        as_json([_model_row(model) for model in models])
    elif models:
        _print_models(models)
    else:
        click.echo("No model fits. `zoo list --methods` shows what can be trained.")
    report_broken(plugins, registry)


@click.command("info")
@click.argument("name", shell_complete=complete.names)
@click.option(
    "--options", is_flag=True, help="For a method: also its nets and options (imports torch)."
)
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def info(name: str, options: bool, json_: bool) -> None:
    """Show all that is known of a model, a method, or the directory of a model or a run."""
    plugins = host()
    registry = Registry.load(plugins)
    report_broken(plugins, registry)
    if name in registry.models:
        model = registry.models[name]
        if json_:
            as_json(_model_json(model))
        else:
            _print_model(model)
    elif name in plugins.methods():
        details = _method_details(plugins, name) if options else {}
        if json_:
            as_json(_method_json(plugins, registry, name) | details)
        else:
            _print_method(plugins, registry, name, details)
    elif Path(name).is_dir():
        _print_directory(name, plugins, registry, json_)
    else:
        known = [*registry.models, *plugins.methods()]
        raise unknown("model or method", name, known, next_step="See zoo list [--methods].")


def _list_methods(plugins: PluginHost, pattern: str, json_: bool) -> None:
    wild = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    known = plugins.methods()
    specs = [spec for name, spec in sorted(known.items()) if fnmatchcase(name, wild.lower())]
    if not specs and wild.strip("*"):
        raise unknown("method", pattern, known)
    if json_:
        as_json([_method_row(plugins, spec) for spec in specs])
        return
    rows = [(spec.name, _count_text(spec), ", ".join(spec.presets), spec.summary) for spec in specs]
    table(("METHOD", "DOMAINS", "PRESETS", "SUMMARY"), rows)


def _print_models(models: list[Model]) -> None:
    rows = [(m.id, m.data.get("summary", ""), size_text(size(m)), where(m)) for m in models]
    table(("MODEL", "SUMMARY", "SIZE", "WEIGHTS"), rows, right=("SIZE",))
    absent = sorted({model.lacks for model in models if model.lacks})
    if absent:
        click.echo(f"To install what is absent: pip install {' '.join(absent)}")


def _model_row(model: Model) -> dict[str, Any]:
    weights, (path, seen) = model.data["weights"], known_of(model)
    return {
        "id": model.id,
        "method": model.method,
        "task": model.task,
        "summary": model.data.get("summary", ""),
        "domains": list(model.domains),
        "kind": model.config.get("domains", {}).get("kind", "domains"),
        "parameters": model.parameters,
        "bytes": model.bytes,
        "source": weights.get("source"),
        "trust": weights.get("trust", "pinned"),
        "cached": path is not None,
        "first_seen": None if seen is None else vars(seen),
        "licence": model.data.get("licence", {}).get("weights"),
        "plugin": model.distribution,
        "installed": model.installed,
        "unavailable_reason": model.unavailable_reason,
    }


def _method_row(plugins: PluginHost, spec: MethodSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "summary": spec.summary,
        "paper": spec.paper,
        "domains": list(spec.domains),
        "conditions": list(spec.conditions),
        "signal": spec.signal,
        "presets": list(spec.presets),
        "plugin": plugins.owner("method", spec.name),
    }


def _model_json(model: Model) -> dict[str, Any]:
    entry: dict[str, Any] = plain(model.entry)
    return entry | {
        "config": model.config,
        "nets": model.data.get("nets", {}),
        "plugin": model.distribution,
        "installed": model.installed,
        "unavailable_reason": model.unavailable_reason,
    }


def _method_json(plugins: PluginHost, registry: Registry, name: str) -> dict[str, Any]:
    models = [model.id for model in registry.models.values() if model.method == name]
    return _method_row(plugins, plugins.method(name)) | {"models": models}


def _method_details(plugins: PluginHost, name: str) -> dict[str, Any]:
    """The options of a method, and its default preset's nets, counted without their memory."""
    import torch

    from zoo_core.contracts.method import make_options
    from zoo_core.contracts.signals import Domains
    from zoo_core.models.weights import parameter_counts

    spec, cls = plugins.method(name), plugins.load("method", name)
    preset = cls.presets[spec.presets[0]]
    options = make_options(cls.Options, preset.options, asked=name)
    names = tuple("abcdefghijklmnopqrstuvwxyz"[: spec.domains[0]])
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.filterwarnings("ignore", ".*to a meta parameter")  # trained nets that it names
        method = cls(options, Domains(names, cast(Any, spec.conditions[0])), preset.signal)
    counts = parameter_counts(method)
    return {
        "preset": spec.presets[0],
        "options": plain(options),
        "nets": counts,
        "nets_for": f"{len(names)} domains, {'×'.join(map(str, preset.signal.shape))}",
    }


def _print_model(model: Model) -> None:
    entry = model.entry
    facts(
        [
            ("model", entry.id),
            ("", entry.summary),
            ("task", entry.task),
            *_described(model.config, model.data.get("nets", {}), f'model "{model.id}"'),
            ("weights", source_text(model)),
            ("licence", f"code {entry.licence.code}, weights {entry.licence.weights}"),
            ("provenance", entry.provenance),
            ("time", f"{entry.seconds:g} s for one on two CPU cores" if entry.seconds else ""),
            ("plugin", model.distribution),
            ("unavailable_reason", model.unavailable_reason or ""),
            ("use", f"zoo translate {entry.id} INPUT --to {(model.domains or ('DOMAIN',))[-1]}"),
        ]
    )
    for metric in entry.metrics:
        paper = "" if metric.published is None else f" (paper: {metric.published:.4g})"
        note = f" ({metric.note})" if metric.note else ""
        facts([("", ""), ("metric", f"{metric.name}: {metric.value:.4g}{paper}")])
        facts([("      ", f"{metric.protocol}{note}")])


def _print_directory(name: str, plugins: PluginHost, registry: Registry, json_: bool) -> None:
    """What a model directory says, or the last model of a run, and how it was trained."""
    from zoo_core.models.modeldir import find_model, read_config

    directory = find_model(name, registry, plugins)
    config = plain(read_config(directory))
    if json_:
        as_json({"directory": str(directory), "config": config})
        return
    training: dict[str, Any] = config["training"]
    told = {key: value for key, value in training.items() if key not in ("data", "losses")}
    facts(
        [
            ("model", str(directory)),
            *_described(config, {}, f"model {directory}"),
            ("training", _pairs(told)),
            ("losses", _pairs(training.get("losses") or {})),
            ("data", "\n".join(training.get("data") or ())),
            ("use", f"zoo translate {name} INPUT --to {config['domains']['names'][-1]}"),
        ]
    )


def _described(
    values: Mapping[str, Any], nets: Mapping[str, int], asked: str
) -> list[tuple[str, str]]:
    """What a model's configuration says; nothing where it is on the Hub and was never loaded."""
    if not values:
        return []
    config = parse_config(values, asked)
    signal, domains = config.signal, config.domains
    spec = host().methods().get(config.method)
    fixed = "" if not signal.flexible else ", any size (a multiple of the stride is padded to)"
    return [
        ("method", config.method),
        ("paper", spec.paper if spec else ""),
        (domains.kind, ", ".join(domains.names)),
        ("exclusive", "; ".join(", ".join(group) for group in domains.exclusive)),
        ("signal", f"{signal.kind} {'×'.join(str(extent) for extent in signal.shape)}{fixed}"),
        ("nets", "\n".join(_count_lines(nets))),
        ("options", _pairs(config.options)),
        ("preprocessing", _pairs(config.preprocessing)),
    ]


def _print_method(
    plugins: PluginHost, registry: Registry, name: str, details: Mapping[str, Any]
) -> None:
    spec, row = plugins.method(name), _method_json(plugins, registry, name)
    domains = " ".join(f"--domain {letter}=DIR" for letter in "abcdefgh"[: spec.domains[0]])
    facts(
        [
            ("method", name),
            ("", spec.summary),
            ("paper", spec.paper),
            ("domains", f"{_count_text(spec)} ({' or '.join(spec.conditions)})"),
            ("signal", spec.signal),
            ("presets", ", ".join(spec.presets)),
            ("models", ", ".join(row["models"]) or "none yet"),
            ("plugin", row["plugin"]),
            ("nets", "\n".join(_count_lines(details.get("nets", {})))),
            ("", f"(preset {spec.presets[0]}, {details['nets_for']})" if details else ""),
            ("options", "\n".join(f"{k}={v}" for k, v in details.get("options", {}).items())),
            ("use", f"zoo train {name} {domains} --out RUN"),
            ("more", "" if details else f"zoo info {name} --options shows its nets and options"),
        ]
    )


def _count_lines(nets: Mapping[str, int]) -> list[str]:
    width = max(map(len, nets), default=0)
    return [f"{name:<{width}}  {count:>12,} parameters" for name, count in nets.items()]


def _count_text(spec: MethodSpec) -> str:
    fewest, most = spec.domains
    if most is None:
        return f"{fewest} or more"
    return str(fewest) if fewest == most else f"{fewest} to {most}"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())
