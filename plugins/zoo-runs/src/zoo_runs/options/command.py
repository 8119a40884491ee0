"""``zoo options``: what can be set, with its meaning, type, range and default by preset."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import click

from zoo_core.cli.complete import methods
from zoo_core.cli.output import as_json, say
from zoo_core.contracts.component import LossSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError, WeightsError, unknown
from zoo_core.host.plugins import host
from zoo_core.schema import plain
from zoo_runs.options.explain import Explained, of_constructor, of_dataclass, summary
from zoo_runs.options.losses import Joined, losses_of

NARROWEST = 40


@click.command("options")
@click.argument("method", required=False, shell_complete=methods)
@click.option("--preset", help="Show the values of this preset alone.")
@click.option("--loss", help="Rather explain this loss, which --loss adds to any method.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def options(method: str | None, preset: str | None, loss: str | None, json_: bool) -> None:
    """Explain everything that can be set when METHOD is trained.

    Options of the method and of the training go with --set KEY=VALUE, those of a further loss with
    --loss NAME:KEY=VALUE,….
    """
    if (method is None) == (loss is None):
        raise UsageError(
            "name a method, or a loss by --loss",
            asked="zoo options",
            hint="See zoo list --methods and zoo plugins.",
        )
    if method is not None:
        _explain_method(method, preset, json_)
    elif loss is not None:
        _explain_loss(loss, json_)


def _explain_method(name: str, preset: str | None, json_: bool) -> None:
    cls = host().load("method", name)
    presets = dict(cls.presets)
    if preset is not None and preset not in presets:
        raise unknown(f"preset of {name}", preset, presets)
    shown = [preset] if preset else list(presets)
    own = of_dataclass(cls.Options, {key: plain(presets[key].options) for key in shown})
    loop = of_dataclass(
        TrainConfig, {key: plain(presets[key].train) for key in shown}, prefix="train."
    )
    terms, lacking = _losses(cls, name, shown[0] if shown else None)
    if json_:
        as_json(
            {
                "method": name,
                "presets": shown,
                "options": [_row(option, shown) for option in own],
                "losses": [plain(term) for term in terms],
                "losses_unknown": lacking,
                "train": [_row(option, shown) for option in loop],
            }
        )
        return
    specs = host().components("loss")
    say(_wrapped(f"{name}: {host().method(name).summary}"))
    _print_options(f"Options of {name} (--set KEY=VALUE)", own, shown)
    _print_losses(terms, shown[0] if shown else "")
    if lacking:
        say("\nIts losses are not shown:")
        say(_wrapped(lacking, "  "))
    _print_options("The training (--set train.KEY=VALUE)", loop, shown)
    say("\nFurther losses (--loss NAME:KEY=VALUE,…; zoo options --loss NAME explains one)")
    for other, spec in specs.items():
        say(_wrapped(f"{other}: {spec.summary}", "  "))


def _losses(cls: Any, name: str, preset: str | None) -> tuple[list[Joined], str]:
    """The losses; none, and why, where they need weights that are not here."""
    try:
        return losses_of(cls, name, preset), ""
    except WeightsError as error:
        return [], str(error)


def _explain_loss(name: str, json_: bool) -> None:
    spec = host().find("loss", name)
    assert isinstance(spec, LossSpec)  # what the kind's own spec asks for
    cls = host().load("loss", name)
    joining = [
        Explained("weight", "Its weight.", "number", default=spec.weight),
        Explained("player", "The player that it joins.", "text", default=spec.player),
    ]
    found = [*joining, *of_constructor(cls)]
    if json_:
        as_json({"loss": name, "summary": summary(cls), "options": [_row(o, []) for o in found]})
        return
    say(_wrapped(f"{name}: {summary(cls).replace('`', '')}"))
    _print_options(f"Options (--loss {name}:KEY=VALUE,…)", found, [])


def _row(option: Explained, presets: Sequence[str]) -> dict[str, Any]:
    """An option for JSON."""
    return {
        "key": option.key,
        "meaning": option.meaning,
        "type": option.type,
        "choices": list(option.choices),
        "required": option.required,
        "default": None if option.required else option.default,
        "presets": {} if option.required else {name: option.value(name) for name in presets},
    }


def _print_options(title: str, found: Iterable[Explained], presets: Sequence[str]) -> None:
    say(f"\n{title}")
    for option in found:
        kind = option.type
        if option.choices:
            kind = kind.replace("one of", f"one of {', '.join(option.choices)}")
        say("")
        say(_wrapped(f"{option.key}  {_values(option, presets)}  [{kind}]", "  ", "      "))
        if option.meaning:
            say(_wrapped(option.meaning.replace("`", ""), "      "))


def _values(option: Explained, presets: Sequence[str]) -> str:
    """The default, and the presets that have another: ``64 (64px, 32px: 32)``."""
    if option.required:
        return "(required)"
    if len(presets) == 1:
        return f"= {_text(option.value(presets[0]))}"
    others: dict[str, list[str]] = {}
    for preset in presets:
        if option.value(preset) != option.default:
            others.setdefault(_text(option.value(preset)), []).append(preset)
    notes = "; ".join(f"{', '.join(names)}: {value}" for value, names in others.items())
    return f"= {_text(option.default)}" + (f"  ({notes})" if notes else "")


def _print_losses(terms: Sequence[Joined], preset: str) -> None:
    if not terms:
        return
    say("\nLosses, with their weights" + (f" by preset {preset}" if preset else ""))
    for term in terms:
        weight = "by the step" if term.weight is None else f"{term.weight:g}"
        say("")
        say(_wrapped(f"{term.player}: {term.name}  × {weight}", "  ", "      "))
        say(_wrapped(term.meaning.replace("`", ""), "      "))


def _text(value: Any) -> str:
    """A plain value as ``--set`` takes it."""
    if isinstance(value, str):
        return value or "''"
    return json.dumps(value, ensure_ascii=False)


def _wrapped(text: str, first: str = "", later: str | None = None) -> str:
    """Text in lines that fit the terminal; in one line where there is none."""
    if not sys.stdout.isatty():
        return first + text
    width = max(NARROWEST, shutil.get_terminal_size().columns)
    return textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=first if later is None else later,
        break_long_words=False,
        break_on_hyphens=False,
    )
