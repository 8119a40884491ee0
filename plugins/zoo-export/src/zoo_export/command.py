"""``zoo export``: a model as graphs for other engines."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from zoo_core.cli import complete
from zoo_core.cli.output import as_json, say
from zoo_core.errors import UsageError

ENDINGS = {"onnx": ".onnx", "openvino": ".xml", "torch": ".pt2"}


@click.command("export")
@click.argument("model", shell_complete=complete.models)
@click.option("--to", "form", type=click.Choice(list(ENDINGS)), required=True, help="The format.")
@click.option("--out", help="File; default: MODEL with the ending of the format.")
@click.option(
    "--target",
    shell_complete=complete.domains,
    help="Just this target; default: the graph's choice, or a file for each target.",
)
@click.option(
    "--from",
    "source",
    shell_complete=complete.domains,
    help="Domain of the inputs, where it matters.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there already.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def export(
    *,
    model: str,
    form: str,
    out: str | None,
    target: str | None,
    source: str | None,
    overwrite: bool,
    json_: bool,
) -> None:
    """Write MODEL, which translates pictures, as one graph: pictures in, pictures out.

    Formats: ONNX (NAME.onnx), OpenVINO (NAME.xml with NAME.bin), torch.export (NAME.pt2).

    The target is an input of the graph where the nets read one; else a file for each target is
    written, NAME.TARGET.onnx, say. Each graph is run again and compared with the model; one that
    differs is not kept.
    """
    from zoo_export.export import export_model

    path = Path(out) if out else Path(f"{_stem(model)}{ENDINGS[form]}")
    if path.suffix != ENDINGS[form]:
        raise UsageError(f"the name must end in {ENDINGS[form]}", asked=f"--out {path}")
    written = export_model(model, path, form, target=target, source=source, overwrite=overwrite)
    if json_:
        as_json([made.facts() for made in written])
        return
    for made in written:
        size = made.path.stat().st_size / 1e6
        way = made.metadata["target"] or "a target to choose: " + ", ".join(
            json.loads(made.metadata["targets"])
        )
        say(f"{made.path} ({size:.1f} MB): to {way}; {made.agreement.sentence()}")


def _stem(model: str) -> str:
    """A file's name for a model, a directory or a repository, without what was asked of it."""
    name = Path(model.partition("@")[0]).resolve().name if Path(model).exists() else model
    return re.sub(r"[^\w.-]+", "-", name.rpartition("/")[2]).strip("-.") or "model"
