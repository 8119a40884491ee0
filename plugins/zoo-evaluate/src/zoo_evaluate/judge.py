"""Judges: small classifiers of real pictures that say what a translation looks like.

A *domain judge* says which domain a picture belongs to, a *content judge* what it shows. A judge
directory holds ``judge.safetensors`` (float16) and ``judge.yaml`` (`JudgeCard`).
Shapes: N batch, K classes, F features.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from zoo_core.errors import WeightsError
from zoo_core.files import replacing
from zoo_evaluate.judge_card import CARD, WEIGHTS, JudgeCard
from zoo_evaluate.judge_nets import JudgeNet, Opinion, make_net

__all__ = ["Judge", "JudgeNet", "Opinion", "fit", "rounded"]


class Judge(nn.Module):
    """A trained judge: its net and its card.

    Args:
        net: The classifier.
        card: What is known of it.
    """

    def __init__(self, net: nn.Module, card: JudgeCard) -> None:
        super().__init__()
        self.net, self.card = net, card
        self.eval()

    def forward(self, x: Tensor) -> Opinion:
        """Judges pictures (N, 3, H, W) in [-1, 1] of any size; grey ones (N, 1, H, W) as well."""
        return self.net(fit(x, self.card.size))  # type: ignore[no-any-return]  # (N, K), (N, F)

    def save(self, directory: Path) -> Judge:
        """Writes the judge directory; returns the judge with hash and size in its card."""
        data = save({k: _half(v).contiguous() for k, v in self.net.state_dict().items()})
        self.card = self.card.model_copy(
            update={"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        )
        directory.mkdir(parents=True, exist_ok=True)
        _write(directory / WEIGHTS, data)
        _write(directory / CARD, self.card.to_yaml().encode())
        return self

    @classmethod
    def load(cls, directory: Path | str) -> Judge:
        """Reads a judge directory.

        Raises:
            DataError: If it is no judge directory.
            WeightsError: If its weights are missing, damaged or not those of its card.
        """
        directory = Path(directory)
        card = JudgeCard.read(directory)
        path, asked = directory / WEIGHTS, f"judge {directory}"
        if not path.is_file():
            raise WeightsError(f"{WEIGHTS} is missing", asked=asked, hint="Train the judge again.")
        data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != card.sha256:
            raise WeightsError(
                f"{WEIGHTS} has sha256 {found}, its card says {card.sha256 or 'nothing'}",
                asked=asked,
                hint="The file was changed or damaged: restore it or train the judge again.",
            )
        net = make_net(card)
        try:
            state = {k: v.float() if v.is_floating_point() else v for k, v in load(data).items()}
            net.load_state_dict(state)
        except (RuntimeError, SafetensorError) as error:
            raise WeightsError(
                "the weights do not fit the net that the card describes: "
                + " ".join(str(error).split()),
                asked=asked,
                hint="Restore the directory or train the judge again.",
            ) from error
        return cls(net, card)


def fit(x: Tensor, size: int) -> Tensor:
    """Pictures as a judge reads them: (N, 3, size, size) from (N, 1 or 3, H, W)."""
    if x.shape[1] == 1:
        x = x.expand(-1, 3, -1, -1)  # (N, 3, H, W)
    if x.shape[-2:] != (size, size):
        x = F.interpolate(x, (size, size), mode="bilinear", antialias=True)  # (N, 3, S, S)
    return x


def rounded(net: nn.Module) -> None:
    """Rounds the weights to float16 in place, so that accuracies are those of the saved file."""
    for value in net.state_dict().values():
        value.copy_(_half(value))


def _half(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


def _write(path: Path, data: bytes) -> None:
    """Writes a file atomically: a reader sees the old or the new one."""
    with replacing(path) as part:
        part.write_bytes(data)
