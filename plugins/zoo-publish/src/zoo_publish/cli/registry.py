"""``zoo registry``: for maintainers of the workspace."""

from __future__ import annotations

from pathlib import Path

import click

from zoo_core.errors import PluginError

_ROOT = click.option(
    "--root",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Root of the repository; the current folder by default.",
)


@click.group("registry")
def registry() -> None:
    """Build or check the index of all models (for maintainers)."""


@registry.command("build")
@_ROOT
def build(root: Path) -> None:
    """Write registry.yaml and the core's index from the plugins' registries."""
    from zoo_publish.workspace import write_index

    for path in write_index(root):
        click.echo(f"Wrote {path}")


@registry.command("check")
@_ROOT
def check(root: Path) -> None:
    """Validate all registries and exit with 1 when the index is stale."""
    from zoo_publish.workspace import stale

    old = stale(root)
    if old:
        raise PluginError(
            "it is not what the plugins' registries give",
            asked=", ".join(str(path) for path in old),
            hint="Run zoo registry build.",
        )
    click.echo("The index is up to date.")


@registry.command("add")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--plugin", required=True, type=click.Path(path_type=Path), help="Plugin's folder.")
@click.option("--id", "name", required=True, help="Id of the model, such as stargan-emoji.")
@click.option(
    "--about",
    "about_file",
    required=True,
    type=click.Path(path_type=Path),
    help="YAML with task, summary, data, licence, paper, provenance, limitations, metrics.",
)
@click.option(
    "--float32",
    "full",
    is_flag=True,
    help="Store float32: for a model that float16 changes too much, such as one of a descent.",
)
@_ROOT
def add(model: Path, plugin: Path, name: str, about_file: Path, root: Path, *, full: bool) -> None:
    """Put the model directory MODEL into a plugin, as float16, and register it."""
    from zoo_core.cli.output import size_text
    from zoo_publish.embed import embed, read_about
    from zoo_publish.workspace import write_index

    entry = embed(model, plugin, name, read_about(about_file, name), half=not full)
    click.echo(f"Added {entry.id}: {size_text(entry.weights.bytes)}")
    write_index(root)


@registry.command("pin")
@click.argument("name")
@click.option("--revision", help="Commit or branch to take; by default the entry's, else main.")
@_ROOT
def pin(name: str, revision: str | None, root: Path) -> None:
    """Fetch the weights of model NAME; write commit, bytes and hash into its plugin's registry."""
    from zoo_core.catalogue.registry import Registry
    from zoo_core.cli.output import size_text
    from zoo_core.host.plugins import host
    from zoo_publish.pin import pin as pin_model
    from zoo_publish.workspace import write_index

    model = Registry.load(host()).get(name)
    weights = pin_model(model, revision).weights
    click.echo(f"Pinned {name} at {weights.repo}@{weights.revision}: {size_text(weights.bytes)}")
    click.echo(f"sha256 {weights.sha256}, in {model.file}")
    if not (root / "zoo_core").is_dir():
        return  # a plugin of its own, which has no index
    write_index(root)
