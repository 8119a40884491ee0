"""What the shell completes: names of models, methods and domains. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from zoo_core.catalogue.registry import Registry
from zoo_core.host.plugins import host


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids of models, with their summaries; else files, for model directories and runs."""
    known = Registry.load(host()).models
    found = _fitting(((id_, m.data.get("summary", "")) for id_, m in known.items()), incomplete)
    return found or [CompletionItem(incomplete, type="file")]


def methods(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of methods, with their summaries."""
    return _fitting(((s.name, s.summary) for s in host().methods().values()), incomplete)


def names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of models and methods."""
    found = [*models(ctx, param, incomplete), *methods(ctx, param, incomplete)]
    return [item for item in found if item.type == "plain"] or found


def domains(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Domains of the model that the command line names; without one, those of all models."""
    known = Registry.load(host()).models
    # What stands ahead of an option without its value is not assigned to parameters yet.
    named = [known[word] for word in (ctx.params.get("model") or "", *ctx.args) if word in known]
    chosen = named[:1] or known.values()
    return _fitting(((name, "") for m in chosen for name in m.domains), incomplete)


def _fitting(known: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    """What begins like ``incomplete``, each once and in order."""
    fitting = {name: text for name, text in sorted(known) if name.startswith(incomplete)}
    return [CompletionItem(name, help=text or None) for name, text in fitting.items()]
