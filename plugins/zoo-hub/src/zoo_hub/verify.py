"""``zoo verify``: are the weights that are here the ones that are meant?"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from zoo_core.catalogue.registry import Model, Registry
from zoo_core.errors import UsageError, WeightsError
from zoo_core.untrusted import verify as verify_file
from zoo_hub.cache import RepoCache, cached_files
from zoo_hub.reference import Expected, Reference, looks_like, of_weights, parse


@dataclass(frozen=True)
class Finding:
    """What a check of one file found.

    Attributes:
        name: The model or repository with the file, as ``NAME:FILE``.
        place: ``embedded``, ``cache``, or ``nowhere`` where it has not been fetched yet.
        path: The file.
        problem: What is wrong with it; None where nothing is.
    """

    name: str
    place: str
    path: Path | None = None
    problem: str | None = None


@click.command("verify")
@click.argument("name", required=False)
@click.option("--all", "all_", is_flag=True, help="All models, and everything in the cache.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def verify(name: str | None, all_: bool, json_: bool) -> None:
    """Compare weights on this machine with their size and sha256. Fetches nothing.

    NAME is a name from zoo list, or ORG/REPO[@REVISION] of the Hub.
    """
    from zoo_core.cli.output import as_json, report_broken, table
    from zoo_core.host.plugins import host

    if (name is None) != all_:
        raise UsageError("give a NAME, or --all, not both", asked="zoo verify")
    plugins = host()
    registry = Registry.load(plugins)
    findings = _findings(name, registry)
    if json_:
        as_json([dataclasses.asdict(finding) | {"path": _path(finding)} for finding in findings])
    else:
        rows = [(_short(finding), finding.place, _verdict(finding)) for finding in findings]
        table(("FILE", "WHERE", "RESULT"), rows)
    report_broken(plugins, registry)
    wrong = [finding for finding in findings if finding.problem]
    for finding in wrong:
        click.echo(f"{finding.path}: {finding.problem}", err=True)
    if wrong:
        cached = any(finding.place == "cache" for finding in wrong)
        hint = "Files of the cache are fetched again when they are used next. " if cached else ""
        hint += "Reinstall the plugin." if any(f.place == "embedded" for f in wrong) else ""
        raise WeightsError(
            f"{len(wrong)} of {len(findings)} files are not what they must be",
            asked=", ".join(dict.fromkeys(finding.name for finding in wrong)),
            hint=hint.strip(),
        )


def _findings(name: str | None, registry: Registry) -> list[Finding]:
    if name is None:
        models = [model for model in registry.models.values() if model.installed]
        of_models = [_of_model(model) for model in models]
        known = {finding.path for finding in of_models}
        return of_models + [found for found in _of_cache(None) if found.path not in known]
    if name in registry.models or not looks_like(name):
        return [_of_model(registry.get(name).require())]
    found = list(_of_cache(parse(name)))
    if not found:
        raise UsageError(
            "nothing of it is in the cache",
            asked=f'model "{name}"',
            hint="zoo.load fetches and verifies it.",
        )
    return found


def _of_model(model: Model) -> Finding:
    """Compares the weights of a model, where they are here, with what they must be."""
    weights, reference = model.entry.weights, of_weights(model.data["weights"])
    expected = Expected(weights.sha256, weights.bytes)
    if weights.path is not None and model.file and (model.embedded or reference is None):
        file = model.file.parent / weights.path
        return _checked(f"{model.id}:{file.name}", "embedded", file, expected)
    name = f"{model.id}:{weights.file}"
    path, seen = RepoCache(reference).known(reference) if reference else (None, None)
    if path is None:
        return Finding(name, "nowhere")
    if expected.sha256 is None and seen is not None:
        expected = Expected(seen.sha256, seen.bytes)
    return _checked(name, "cache", path, expected)


def _of_cache(wanted: Reference | None) -> Iterator[Finding]:
    """Compares cached files with what was seen first: those that a reference means, or all."""
    commit = RepoCache(wanted).record().commit(wanted) if wanted else None
    for reference, path, seen in cached_files():
        same = (reference.repo, reference.kind, reference.revision)
        if wanted is None or (
            same == (wanted.repo, wanted.kind, commit) and wanted.file in (None, reference.file)
        ):
            yield _checked(str(reference), "cache", path, Expected(seen.sha256, seen.bytes))


def _checked(name: str, place: str, path: Path, expected: Expected) -> Finding:
    try:
        if expected.sha256 is None:
            return Finding(name, place, path, "no hash of it is known")
        verify_file(path, sha256=expected.sha256, size=expected.bytes)
    except WeightsError as error:
        return Finding(name, place, path, error.problem)
    except OSError as error:
        return Finding(name, place, path, error.strerror or str(error))
    return Finding(name, place, path)


def _verdict(finding: Finding) -> str:
    if finding.place == "nowhere":
        return "not fetched yet"
    return "WRONG" if finding.problem else "as it must be"


def _short(finding: Finding) -> str:
    """Its name, commits cut to eight digits."""
    return re.sub(r"@([0-9a-f]{8})[0-9a-f]{32}", r"@\1", finding.name)


def _path(finding: Finding) -> str | None:
    return None if finding.path is None else str(finding.path)
