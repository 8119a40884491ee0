"""The loop in which judges learn, whatever the kind of signal that they judge."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.errors import TrainingError

StepCallback = Callable[[int, float, float], None]
"""Is told of each step: its number (from 1), the loss, and the accuracy on its batch."""


def fit_classifier(
    net: nn.Module,
    read: Callable[[], tuple[Tensor, Tensor]],
    *,
    steps: int,
    lr: float,
    asked: str,
    on_progress: StepCallback | None = None,
) -> None:
    """Teaches a net to name classes: AdamW over one cycle of the rate, smoothed cross-entropy.

    Args:
        net: The net, on its device; afterwards it is in eval mode.
        read: Draws a batch and has the net read it: logits (N, K) and class numbers (N,).
        steps: Optimiser steps.
        lr: Largest rate of the cycle.
        asked: What is trained, for the error.
        on_progress: Called after each step.

    Raises:
        TrainingError: If the loss becomes non-finite.
    """
    optimiser = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, lr, total_steps=max(2, steps), pct_start=0.2
    )
    net.train()
    for step in range(1, steps + 1):
        logits, labels = read()  # (N, K), (N,)
        loss = F.cross_entropy(logits, labels, label_smoothing=0.05)  # ()
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss.item()} at step {step}",
                asked=asked,
                hint="Check the data, or train with another seed.",
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if on_progress is not None:
            right = (logits.argmax(1) == labels).float().mean()  # ()
            on_progress(step, loss.item(), right.item())
    net.eval()
