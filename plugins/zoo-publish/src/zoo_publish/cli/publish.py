"""``zoo publish``: models to the Hub, and their entries into registries."""

from __future__ import annotations

from pathlib import Path

import click

from zoo_core.errors import UsageError


@click.command("publish")
@click.argument("model", required=False)
@click.option("--repo", metavar="ORG/NAME", help="Repository; created where it is not there.")
@click.option("--private", is_flag=True, help="Only its owners shall see it.")
@click.option("--all", "all_", is_flag=True, help="Every embedded model (for maintainers).")
@click.option("--org", help="With --all: the owner of the repositories.")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    default=Path(),
    help="With --all: root of the repository; the current folder by default.",
)
def publish_command(
    *,
    model: str | None,
    repo: str | None,
    private: bool,
    all_: bool,
    org: str | None,
    root: Path,
) -> None:
    """Upload MODEL to the Hub: a run, a model directory, or an embedded model by name.

    Prints the registry entry by which others load it by name. With --all, uploads every embedded
    model to ORG/ID and writes repository, revision and hash into the plugins' registries.
    """
    if all_ and (not org or model or repo):
        raise UsageError("it takes --org ORG, and neither MODEL nor --repo", asked="publish --all")
    if not all_ and (not model or not repo):
        raise UsageError(
            "it is not said what, or where to",
            asked="publish",
            hint="Write zoo publish MODEL --repo ORG/NAME.",
        )
    from zoo_core.host.plugins import host
    from zoo_core.schema import write_yaml
    from zoo_publish.release import publish_embedded, publish_named
    from zoo_publish.workspace import values_of

    if org and all_:
        for done in publish_embedded(org, root, host(), private=private):
            click.echo(f"Published {done.page}")
        return
    done, entry = publish_named(model or "", repo or "", host(), private=private)
    click.echo(f"Published {done.page}")
    if entry.licence.weights == "not stated":
        click.echo("Its card states no licence, so nobody knows who may use it.", err=True)
    click.echo("Its entry for a plugin's registry.yaml:\n")
    click.echo(write_yaml({"models": [values_of(entry)]}), nl=False)
