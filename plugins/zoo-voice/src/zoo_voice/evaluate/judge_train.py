"""Training of judges of speech on real recordings; see `zoo_voice.evaluate.judge`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo_core.errors import DataError
from zoo_evaluate.fit_classifier import StepCallback, fit_classifier
from zoo_evaluate.judge_card import Augmentation, JudgeCard, Task
from zoo_voice.cepstrum import Floats
from zoo_voice.evaluate.judge import (
    ARCHITECTURE,
    BANDS,
    SpeechJudge,
    SpeechJudgeNet,
    hear,
    inside,
    together,
)
from zoo_voice.evaluate.recipes import WIDTHS

Examples = Sequence[tuple[Floats, str]]
"""Recordings (n,) at 16 kHz, and what is to be said of each."""


@dataclass(frozen=True)
class SpeechJudgeConfig:
    """How a judge is trained: AdamW over one cycle of the rate.

    Attributes:
        task: ``domain`` (who speaks) or ``content`` (which word).
        domains: Speakers that it learns from.
        highest: Frequency (Hz) up to which it hears.
        steps: Steps.
        batch: Recordings per step.
        lr: Largest learning rate.
        seed: Seed of the net, the order and the augmentation.
        widths: Channels of the convolutions.
        augmentation: ``plain``; or ``wide``, for words that few voices say: see `widely`.
    """

    task: Task
    domains: tuple[str, ...]
    highest: float
    steps: int
    batch: int = 64
    lr: float = 3e-3
    seed: int = 0
    widths: tuple[int, ...] = WIDTHS
    augmentation: Augmentation = "plain"


def train_judge(
    plan: SpeechJudgeConfig,
    splits: Mapping[str, Mapping[str, Examples]],
    *,
    data: Mapping[str, str] | None = None,
    on_progress: StepCallback | None = None,
) -> SpeechJudge:
    """Trains a judge on one split, and measures it on all.

    Args:
        plan: How to train.
        splits: Examples by split (``train``, ``val``, ``test``) and domain.
        data: The training data of each domain, in words, for the card.
        on_progress: Called after each step with its number (from 1), loss and batch accuracy.

    Raises:
        DataError: If there are fewer than two classes.
        TrainingError: If the loss becomes non-finite.
    """
    examples = [pair for some in splits["train"].values() for pair in some]
    classes = tuple(sorted({said for _, said in examples}))
    if len(classes) < 2:
        raise DataError("there are fewer than two classes", asked=f"{plan.task} judge")
    heard = [hear(samples, plan.highest) for samples, _ in examples]
    labels = torch.tensor([classes.index(said) for _, said in examples])  # (M,)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        net = SpeechJudgeNet(len(classes), BANDS, plan.widths)
        lessons = _Lessons(net, heard, labels, plan)
        asked = f"{plan.task} judge"
        fit_classifier(
            net, lessons, steps=plan.steps, lr=plan.lr, asked=asked, on_progress=on_progress
        )
    card = JudgeCard(
        task=plan.task,
        classes=classes,
        domains=plan.domains,
        size=BANDS,
        architecture=ARCHITECTURE,
        arguments={"highest": plan.highest},
        augmentation=plan.augmentation,
        widths=plan.widths,
        steps=plan.steps,
        batch=plan.batch,
        seed=plan.seed,
        data=dict(data or {}),
        parameters=sum(p.numel() for p in net.parameters()),
    )
    judge = SpeechJudge(net, card)
    accuracy: dict[str, dict[str, float]] = {}
    for split, by_domain in splits.items():
        for domain, some in by_domain.items():
            share = judge.share([samples for samples, _ in some], [said for _, said in some])
            accuracy.setdefault(domain, {})[split] = round(share, 4)
        shares = [accuracy[domain][split] for domain in by_domain]
        accuracy.setdefault("mean", {})[split] = round(sum(shares) / max(1, len(shares)), 4)
    judge.card = card.model_copy(update={"accuracy": accuracy})
    return judge


class _Lessons:
    """Reads recordings with a net, a batch at a time, each recording once per round.

    Args:
        net: Reads them.
        heard: (B, T) log-mel energies of each recording.
        labels: (M,) class numbers.
        plan: How to train.
    """

    def __init__(
        self, net: SpeechJudgeNet, heard: Sequence[Tensor], labels: Tensor, plan: SpeechJudgeConfig
    ) -> None:
        self._net, self._heard, self._labels, self._plan = net, heard, labels, plan
        self._rng = torch.Generator().manual_seed(plan.seed)
        self._order = torch.randperm(len(heard), generator=self._rng)  # (M,)

    def __call__(self) -> tuple[Tensor, Tensor]:
        """Logits (N, K) and class numbers (N,) of the next batch."""
        while len(self._order) < self._plan.batch:
            more = torch.randperm(len(self._heard), generator=self._rng)  # (M,)
            self._order = torch.cat([self._order, more])
        at, self._order = self._order.split([self._plan.batch, len(self._order) - self._plan.batch])
        x, lengths = together([self._heard[i] for i in at.tolist()])  # (N, B, T), (N,)
        if self._plan.augmentation == "wide":
            x, lengths = widely(x, lengths, self._rng)
        logits = self._net(augment(x, lengths, self._rng), lengths)  # (N, K)
        return logits, self._labels[at]


def augment(x: Tensor, lengths: Tensor, rng: torch.Generator) -> Tensor:
    """(N, B, T) signals with noise, another tilt, and a hidden stretch of time and of bands.

    Args:
        x: (N, B, T) log-mel energies.
        lengths: (N,) frames of each.
        rng: Generator of all chance.
    """
    count, bands, frames = x.shape
    draw = torch.rand(count, 6, generator=rng)  # (N, 6)
    ramp = torch.linspace(-0.5, 0.5, bands)  # (B,)
    tilt = 0.15 * (draw[:, :1] - 0.5) * ramp + 0.05 * (draw[:, 1:2] - 0.5)  # (N, B)
    noise = 0.03 * torch.randn(x.shape, generator=rng)  # (N, B, T)
    begin = draw[:, 2] * lengths  # (N,)
    end = begin + draw[:, 3] * 0.2 * lengths  # (N,)
    time = torch.arange(frames)  # (T,)
    later = (time >= begin[:, None]) & (time < end[:, None])  # (N, T)
    low = draw[:, 4] * bands  # (N,)
    high = low + draw[:, 5] * 6  # (N,)
    band = torch.arange(bands)  # (B,)
    within = (band >= low[:, None]) & (band < high[:, None])  # (N, B)
    hidden = later[:, None] | within[..., None]  # (N, B, T)
    return (x + tilt[..., None] + noise).masked_fill(hidden, 0.0)  # (N, B, T)


def widely(x: Tensor, lengths: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Signals as mouths of other sizes would say them, faster or slower, at another pitch.

    The axis of bands is stretched and moved by up to 12 % and two bands, that of time by up to a
    quarter; in half of the signals neighbouring bands are averaged, so that harmonics vanish.

    Args:
        x: (N, B, T) log-mel energies.
        lengths: (N,) frames of each.
        rng: Generator of all chance.

    Returns:
        The signals, of another number of frames, and their lengths.
    """
    count, bands, frames = x.shape
    draw = torch.rand(count, 4, generator=rng)  # (N, 4)
    faster = 0.8 + 0.45 * draw[:, 0]  # (N,)
    size = 0.88 + 0.24 * draw[:, 1]  # (N,)
    moved = (draw[:, 2] - 0.5) * 8 / bands  # (N,), a band is 2 / B
    longer = (lengths / faster).round().long().clamp_min(1)  # (N,)
    within = inside(lengths, frames)  # (N, 1, T)
    soft = F.avg_pool1d(x.transpose(1, 2), 5, 1, 2, count_include_pad=False)  # (N, T, B)
    blurred = (draw[:, 3] < 0.5)[:, None, None]  # (N, 1, 1)
    x = torch.where(blurred, soft.transpose(1, 2), x) * within  # (N, B, T)
    whole = int(longer.max())
    bands_at = torch.linspace(-1 + 1 / bands, 1 - 1 / bands, bands)  # (B,)
    up = bands_at[None] * size[:, None] + moved[:, None]  # (N, B)
    times = (torch.arange(whole) + 0.5) * 2 / frames  # (T',)
    along = times[None] * faster[:, None] - 1  # (N, T')
    grid = torch.stack(
        [
            along[:, None].expand(-1, bands, -1),
            up[..., None].expand(-1, -1, whole),
        ],
        dim=-1,
    )  # (N, B, T', 2)
    y = F.grid_sample(x[:, None], grid, padding_mode="border", align_corners=False)
    return y[:, 0] * inside(longer, whole), longer  # (N, B, T'), (N,)
