"""``zoo train``: from flags to a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from zoo_core.cli import complete
from zoo_core.errors import UsageError, printable
from zoo_core.host.plugins import host

CHANGEABLE = ("steps", "device", "processes", "threads", "batch", "settings")
"""Options that a run may change when it is resumed by the name of its directory."""


class _WithControls(click.Command):
    """The command with an option for each component of kind ``run-control``, after its own."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own parameters, and those of controls."""
        own = super().get_params(ctx)
        taken = {name for parameter in own for name in parameter.opts}
        controls: list[click.Parameter] = [
            click.Option([f"--{name}", _field(name)], metavar="VALUES", help=control.summary)
            for name, control in host().components("run-control").items()
            if f"--{name}" not in taken
        ]
        return [*own, *controls]


def _field(control: str) -> str:
    """Under which name the text of a control comes from the command line."""
    return f"control_{control.replace('-', '_')}"


@click.command(
    cls=_WithControls,
    epilog="zoo train --resume RUN goes on with a run that was stopped or killed.",
)
@click.argument("method", metavar="METHOD", shell_complete=complete.methods)
@click.option("--domain", "domains", multiple=True, metavar="NAME=SOURCE", help="Each domain.")
@click.option("--data", metavar="ROOT", help="A folder that holds all domains or attributes.")
@click.option("--attributes", metavar="A,B", help="Attributes to learn from ROOT's lists.")
@click.option(
    "--pretrained", metavar="MODEL", shell_complete=complete.models, help="Start from its weights."
)
@click.option("--out", type=click.Path(path_type=Path), metavar="RUN", help="The run's directory.")
@click.option("--preset", metavar="NAME", help="paper (default), 64px or 32px.")
@click.option("--config", type=click.Path(path_type=Path), help="YAML file of settings.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Option, train.KEY …")
@click.option("--size", type=click.IntRange(1), help="Width and height of the signals.")
@click.option("--steps", type=click.IntRange(1), help="Length of the run.")
@click.option("--batch", type=click.IntRange(1), help="Signals per domain and step.")
@click.option(
    "--loss", "losses", multiple=True, metavar="LOSS[:KEY=VALUE,…]", help="A further loss."
)
@click.option("--defence", multiple=True, metavar="NAME[:KEY=VALUE,…]", help="Against hiding.")
@click.option("--ema", type=click.FloatRange(0, 1, max_open=True), help="Decay of the average.")
@click.option("--precision", help="auto (default), float32 or bfloat16.")
@click.option("--device", help="auto (default), cpu, cuda, cuda:1 or mps.")
@click.option("--processes", type=click.IntRange(1), help="Processes that share each batch.")
@click.option(
    "--range", "ranges", multiple=True, metavar="DOMAIN=LOW,HIGH", help="Values of black and white."
)
@click.option(
    "--threads", type=click.IntRange(1), help="CPU threads (default: the cores there are)."
)
@click.option(
    "--tracker", "trackers", multiple=True, metavar="NAME", help="tensorboard, csv, wandb …"
)
@click.option("--seed", type=click.IntRange(0), help="Seed of everything random.")
@click.option("--resume", is_flag=True, help="Go on where the run in RUN was stopped.")
@click.option("--restart", is_flag=True, help="With --resume: begin at step 0 again.")
@click.option("--quiet", is_flag=True, help="Print only the result.")
def train(
    method: str, out: Path | None, resume: bool, restart: bool, quiet: bool, **flags: Any
) -> None:
    """Trains METHOD on unpaired domains, into the directory RUN.

    A SOURCE is a folder of images, or NAME:ROOT for a known data set (mnist:DIR), or
    ROOT:Attribute for a folder with attribute lists.
    """
    from zoo_train import start

    texts = {name: flags.pop(_field(name), None) for name in host().components("run-control")}
    controls = {name: text for name, text in texts.items() if text is not None}
    if restart and not resume:
        raise UsageError("it goes with --resume", asked="--restart", hint="Add --resume.")
    if out is not None:
        model = start.train(
            method,
            out=out,
            controls=controls,
            resume=resume,
            restart=restart,
            quiet=quiet,
            **_request(flags),
        )
    elif resume:
        changes = _changes(method, flags)
        model = start.train(
            out=method, controls=controls, resume=True, restart=restart, quiet=quiet, **changes
        )
    else:
        raise UsageError(
            "no directory is given for the run", asked=f"training {method}", hint="Add --out RUN."
        )
    click.echo(printable(f"model: {model}"))


def _changes(run: str, flags: dict[str, Any]) -> dict[str, Any]:
    """What a run that goes on may change; raises `UsageError` for any other flag."""
    for name, value in flags.items():
        if value not in (None, ()) and name not in CHANGEABLE:
            (option,) = (p.opts[0] for p in train.params if p.name == name)
            raise UsageError(
                "a run goes on as it began; only --steps, --device, --processes, --threads, "
                "--batch and some settings (--set) may change",
                asked=f"{option} with --resume {run}",
            )
    settings = _settings(flags)
    return {"settings": settings, **{name: flags[name] for name in CHANGEABLE if name in flags}}


def _request(flags: dict[str, Any]) -> dict[str, Any]:
    """The flags as arguments of `zoo.train`; those of the loop go the way of ``--set``."""
    from zoo_train.data.sources import parse_domains

    settings = _settings(flags)
    attributes = (name.strip() for name in (flags.pop("attributes") or "").split(","))
    return {
        **flags,
        "settings": settings,
        "domains": parse_domains(flags["domains"]),
        "attributes": [name for name in attributes if name],
    }


def _settings(flags: dict[str, Any]) -> dict[str, Any]:
    """All that sets options and the loop, as ``--set`` does; takes it out of the flags."""
    from zoo_core.host.named import parse_value

    loop = {name: flags.pop(name) for name in ("batch", "ema", "precision", "seed")}
    loop["ranges"] = _pairs("--range", flags.pop("ranges")) or None
    settings = {f"train.{name}": value for name, value in loop.items() if value is not None}
    given = _pairs("--set", flags.pop("settings"))
    return settings | {key: parse_value(value) for key, value in given.items()}


def _pairs(flag: str, texts: Iterable[str]) -> dict[str, str]:
    """``KEY=VALUE`` texts as a mapping; raises `UsageError` where one is malformed or repeated."""
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise UsageError("it is not of the form KEY=VALUE", asked=f"{flag} {text}")
        if key.strip() in pairs:
            raise UsageError("it is given twice", asked=f"{flag} {key.strip()}")
        pairs[key.strip()] = value.strip()
    return pairs
