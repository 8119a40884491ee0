"""``zoo judge``: train and inspect judges, the classifiers that evaluation asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo_core.errors import UsageError
from zoo_evaluate.judge_card import SCALES

if TYPE_CHECKING:
    from zoo_evaluate.judge_card import JudgeCard
    from zoo_evaluate.judge_train import JudgeConfig
    from zoo_train.data.dataset import DataSet

    Reader = Callable[[dict[str, Any], str], DataSet]


@click.group()
def judge() -> None:
    """Trains and inspects judges: small classifiers of real data."""


@judge.command(epilog="zoo judge train --task domain --data emoji --size 64 --out judges/emoji")
@click.option(
    "--task",
    type=click.Choice(["domain", "content"]),
    required=True,
    help="domain: which domain is it? content: what does it show (class folders, labelled sets)?",
)
@click.option("--domain", "domains", multiple=True, metavar="NAME=SOURCE", help="Each domain.")
@click.option("--data", metavar="ROOT", help="A folder that holds all domains.")
@click.option(
    "--test", "tests", multiple=True, metavar="NAME=SOURCE", help="Test data of a domain."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR")
@click.option("--size", type=click.IntRange(8), help="Of pictures the side, 32 pixels without it.")
@click.option(
    "--architecture",
    default="judge",
    show_default=True,
    metavar="NAME",
    help="judge, the zoo's own net; timm:NAME, one of timm; or another (zoo plugins --kinds).",
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Argument of the architecture."
)
@click.option(
    "--augment",
    type=click.Choice(["plain", "wide", "degraded"]),
    default="plain",
    show_default=True,
    help="wide: so far that other domains than those learnt from can be read (content only); "
    "degraded: blurred, pale and noisy pictures keep their domain (domain only).",
)
@click.option(
    "--scale",
    "scales",
    type=(float, float),
    default=SCALES,
    show_default=True,
    metavar="MIN MAX",
    help="Of --augment wide: how small and how large drawings become.",
)
@click.option("--steps", type=click.IntRange(1), default=1500, show_default=True)
@click.option("--batch", type=click.IntRange(2), default=128, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def train(out: Path, as_json: bool, device: str, **options: Any) -> None:
    """Trains a judge on real signals and writes the judge directory DIR.

    Its architecture says of which kind they are. A judge of pictures also serves as the frozen
    backbone judge:DIR of an embedding loss.

    A tenth of the training split is held out for validation. The accuracy on the test split is
    measured once, at the end, with the weights as they are saved.
    """
    from zoo_core.translate.engine import resolve_device
    from zoo_evaluate.cli import judge_data
    from zoo_evaluate.judge_train import JudgeConfig, train_judge

    refuse_other(out)
    sources = judge_data.sources(options["domains"], options["data"])
    read = judge_data.reader(options["architecture"], options["size"])
    learnt = read(sources, "train")
    others = options["task"] == "content"
    tested = judge_data.open_test(sources, options["tests"], read, learnt, others=others)
    classes, parts, test_parts = judge_data.examples(options["task"], learnt, tested)
    config = JudgeConfig(
        options["task"],
        classes,
        size=options["size"],
        steps=options["steps"],
        batch=options["batch"],
        seed=options["seed"],
        device=str(resolve_device(device)),
        architecture=options["architecture"],
        arguments=_arguments(options["settings"]),
        augmentation=options["augment"],
        scales=options["scales"],
    )
    data = {name: judge_data.words(learnt, name) for name in learnt.stores}
    for line in learnt.describe():
        click.echo(line, err=True)
    made = _with_progress(
        config,
        lambda on_progress: train_judge(
            parts, test_parts, config, data=data, on_progress=on_progress
        ),
    )
    made.save(out)
    _show(made.card, as_json)
    click.echo(f"judge: {out}", err=as_json)


@judge.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def info(directory: Path, as_json: bool) -> None:
    """Shows what is known of the judge in DIR."""
    from zoo_evaluate.judge_card import JudgeCard

    _show(JudgeCard.read(directory), as_json)


def refuse_other(out: Path) -> None:
    """Raises `UsageError` where a directory exists that is neither empty nor a judge."""
    from zoo_nn.nets.classifier_card import CARD

    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / CARD).is_file()):
        raise UsageError(
            "exists and is no judge directory, so it is not written to",
            asked=f"output {out}",
            hint="Give another place.",
        )


def _arguments(settings: Sequence[str]) -> dict[str, Any]:
    """The values of ``--set key=value``, as YAML reads them."""
    import yaml

    values = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(
                "it is not of the form KEY=VALUE",
                asked=f"--set {text}",
                hint="Write --set channels=[24,32,64,96].",
            )
        values[key.strip()] = yaml.safe_load(value)
    return values


def _with_progress(config: JudgeConfig, work: Any) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    smooth = {"loss": 0.0, "right": 0.0}
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("training", total=config.steps)

        def on_progress(step: int, loss: float, right: float) -> None:
            share = max(0.05, 1 / step)
            smooth["loss"] += share * (loss - smooth["loss"])
            smooth["right"] += share * (right - smooth["right"])
            words = f"loss {smooth['loss']:.3f}, accuracy {smooth['right']:.3f}"
            progress.update(task, completed=step, description=words)
            if not progress.console.is_terminal and step % max(1, config.steps // 10) == 0:
                click.echo(f"step {step}/{config.steps}: {words}", err=True)

        return work(on_progress)


def _scales(card: JudgeCard) -> str:
    return " at scales {:g} to {:g}".format(*card.scales) if card.scales else ""


def _show(card: JudgeCard, as_json: bool) -> None:
    from zoo_core.cli import output

    if as_json:
        output.as_json(card.model_dump(mode="json"))
        return
    output.facts(
        [
            ("task", card.task),
            ("classes", ", ".join(card.classes)),
            ("size", str(card.size)),
            (
                "net",
                f"{card.architecture}, {card.parameters:,} parameters, "
                f"{output.size_text(card.bytes)}",
            ),
            (
                "training",
                f"{card.steps:,} steps of {card.batch}, seed {card.seed}, "
                f"{card.augmentation} augmentation{_scales(card)}",
            ),
            *((f"data of {name}", words) for name, words in card.data.items()),
            ("sha256", card.sha256),
        ]
    )
    splits = [s for s in ("train", "val", "test") if any(s in v for v in card.accuracy.values())]
    rows = [
        [name, *(f"{values[split]:.4f}" if split in values else "" for split in splits)]
        for name, values in card.accuracy.items()
    ]
    output.table(["real accuracy", *splits], rows, right=splits)
