"""The card of a model that is written: ``README.md``, readable by people and by the Hub."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo_core.catalogue.description import MetricValue, ModelConfig
from zoo_core.errors import printable
from zoo_core.schema import write_yaml


def metric_type(name: str) -> str:
    """The Hub's name for a kind of metric: ``domain-accuracy-noto-openmoji``."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


@dataclass(frozen=True)
class Card:
    """What a card says beyond the configuration.

    Attributes:
        title: Name of the model, such as ``stargan-emoji``.
        summary: What it does, in a sentence or two.
        intended_use: What it is for and what it is not for.
        data: What it was trained on, and under which licence that is.
        licence: Licence of the weights, as a Hub identifier such as ``apache-2.0``.
        paper: Citation of the method.
        provenance: How it was made: the command, the time, the machine.
        limitations: Where it fails.
        tags: Further tags for the Hub.
        metrics: Measured figures.
    """

    title: str
    summary: str = ""
    intended_use: str = "Research and play. It was not tested for any decision about people."
    data: str = "Not stated."
    licence: str = "other"
    paper: str = ""
    provenance: str = ""
    limitations: str = ""
    tags: Sequence[str] = ()
    metrics: Sequence[MetricValue] = ()

    def __post_init__(self) -> None:
        """Makes all text printable: names of files and folders may be no text."""
        for name, value in vars(self).items():
            if isinstance(value, str):
                object.__setattr__(self, name, printable(value))
        object.__setattr__(self, "title", self.title.replace("\n", "\\n"))

    def render(self, config: ModelConfig, parameters: Mapping[str, int] | None = None) -> str:
        """The text of ``README.md``: YAML front matter for the Hub, then Markdown.

        Args:
            config: The model's configuration.
            parameters: Number of parameters of each net.
        """
        return (
            f"---\n{write_yaml(self._front(config))}---\n\n{self._body(config, parameters or {})}"
        )

    def _front(self, config: ModelConfig) -> dict[str, Any]:
        tags = ["unpaired-translation", config.signal.kind, config.method, *self.tags]
        front: dict[str, Any] = {
            "license": "unknown" if self.licence == "not stated" else self.licence.lower(),
            "library_name": "zoo",
            "pipeline_tag": "image-to-image" if config.signal.kind == "image" else "audio-to-audio",
            "tags": list(dict.fromkeys(tags)),
        }
        if self.metrics:
            results = [self._result(metric, front["pipeline_tag"]) for metric in self.metrics]
            front["model-index"] = [{"name": self.title, "results": results}]
        return front

    def _result(self, metric: MetricValue, task: str) -> dict[str, Any]:
        return {
            "task": {"type": task},
            "dataset": {"type": "custom", "name": metric.protocol or "custom"},
            "metrics": [
                {"type": metric_type(metric.name), "name": metric.name, "value": metric.value}
            ],
        }

    def _body(self, config: ModelConfig, parameters: Mapping[str, int]) -> str:
        names = ", ".join(f"`{name}`" for name in config.domains.names)
        kind = "Domains" if config.domains.kind == "domains" else "Attributes"
        nets = ", ".join(f"{name} {count:,}" for name, count in parameters.items())
        about = [f"- Method: `{config.method}`" + (f" ({self.paper})" if self.paper else "")]
        about.append(f"- {kind}: {names}")
        shape = " × ".join(str(size) for size in config.signal.shape)
        about.append(f"- Signal: {config.signal.kind}, {shape} as trained")
        if nets:
            about.append(f"- Parameters: {nets}")
        sections = [
            f"# {self.title}",
            self.summary,
            "\n".join(about),
            f"## Use\n\n{self._usage(config)}",
            f"## Intended use\n\n{self.intended_use}",
            f"## Limitations\n\n{self.limitations}" if self.limitations else "",
            f"## Data\n\n{self.data}",
            f"## Metrics\n\n{self._table()}",
            f"## Provenance\n\n{self._provenance(config)}",
        ]
        return "\n\n".join(section for section in sections if section) + "\n"

    def _usage(self, config: ModelConfig) -> str:
        to = config.domains.names[-1] if config.domains.names else "DOMAIN"
        thing = "picture.png" if config.signal.kind == "image" else "recording.wav"
        return (
            f'```python\nimport zoo\n\ntranslator = zoo.load("{self.title}")  # or this directory\n'
            f'output = translator("{thing}", to="{to}")\n```\n\n'
            f"```sh\nzoo translate {self.title} {thing} --to {to}\n```"
        )

    def _table(self) -> str:
        if not self.metrics:
            return "None measured yet."
        lines = ["| metric | value | published | protocol |", "|---|---|---|---|"]
        for metric in self.metrics:
            published = "–" if metric.published is None else f"{metric.published:g}"
            protocol = metric.protocol + (f" ({metric.note})" if metric.note else "")
            lines.append(f"| {metric.name} | {metric.value:.4g} | {published} | {protocol} |")
        return "\n".join(lines)

    def _provenance(self, config: ModelConfig) -> str:
        text = self.provenance or "Trained with `zoo train`."
        if config.training:
            text += f"\n\n```yaml\n{write_yaml(config.training)}```"
        return text
