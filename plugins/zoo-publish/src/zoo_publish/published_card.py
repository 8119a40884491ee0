"""The card of a model as its repository on the Hub shows it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

from huggingface_hub import ModelCard, ModelCardData

from zoo_core.catalogue.description import ModelConfig
from zoo_core.errors import WeightsError
from zoo_core.models.card import read_card
from zoo_core.models.modeldir import CARD, SAMPLES, read_card_text
from zoo_train.card import Card, metric_type


def published_card(directory: Path, config: ModelConfig, repo: str, install: str) -> ModelCard:
    """The card of a model directory, telling how to load it from the Hub.

    Args:
        directory: The model directory; a card is written where it has none.
        config: Its configuration.
        repo: ``organisation/name``.
        install: Name of the distribution that brings its method.
    """
    name = repo.rpartition("/")[2]
    text = read_card_text(directory) or Card(title=name).render(config)
    card = hub_card(text, str(directory / CARD))
    data = cast(ModelCardData, card.data)
    data.library_name = "zoo"
    data.license = data.license or "unknown"
    data.tags = list(dict.fromkeys([*(data.tags or []), "unpaired-translation", config.method]))
    if data.eval_results:
        data.model_name = name
        for result in data.eval_results:
            result.metric_type = metric_type(result.metric_name or result.metric_type)
    card.text = _body(card.text, repo, install, samples=(directory / SAMPLES).is_file())
    return card


def hub_card(text: str, asked: str) -> ModelCard:
    """A model's card as the Hub's library reads it.

    Args:
        text: ``README.md``; it may be empty.
        asked: Its path, for the error.

    Raises:
        WeightsError: If the front matter is damaged, or does not describe a model.
    """
    read_card(text, asked)  # no aliases, nothing twice
    try:
        card = ModelCard(text, ignore_metadata_errors=True)
        card.data.to_dict()  # type: ignore[no-untyped-call]
    except Exception as fault:  # what the library makes of odd values
        reason = str(fault).split("\n", 1)[0][:200]
        raise WeightsError(
            f"its card's front matter describes no model ({reason})",
            asked=asked,
            hint="Mend the head of its README.md.",
        ) from fault
    return card


def _body(text: str, repo: str, install: str, *, samples: bool) -> str:
    text = re.sub(r'zoo\.load\("[^"\n]*"\)(  # or this directory)?', f'zoo.load("{repo}")', text)
    text = re.sub(r"zoo translate \S+ ", f"zoo translate {repo} ", text)
    command = f"```sh\npip install zoo-core zoo-hub {install}\n```"
    if command not in text:
        text = text.replace("## Use\n", f"## Use\n\n{command}\n", 1)
    if samples and f"({SAMPLES})" not in text:
        picture = f"![Inputs and translations]({SAMPLES})"
        text = re.sub(r"\n## ", lambda _: f"\n{picture}\n\n## ", text, count=1)
    return text
