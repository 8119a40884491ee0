"""A memory of earlier translations for the critic (Shrivastava et al. 2017, arXiv:1612.07828)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from zoo_core.contracts.step import Step
from zoo_core.translate.precision import at_least_float32


class ImagePool(nn.Module):
    """Shows the critic earlier signals in place of some new ones, as CycleGAN's official code.

    While it fills, signals pass and are stored. Once full, each new signal is with probability
    1/2 swapped for a stored one chosen at random (which it replaces), else it passes.

    All decisions come from the step's own generator and the content is part of the state, so a
    resumed run is the same to the bit. With several processes, each holds the whole pool.

    Args:
        size: Signals that it holds; 0 lets everything pass.
    """

    images: Tensor

    def __init__(self, size: int = 50) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("images", torch.empty(0))

    def __len__(self) -> int:
        return self.images.shape[0]

    @torch.no_grad()
    def forward(self, fresh: Tensor, step: Step) -> Tensor:
        """(N, *S) what the critic shall see for the new signals ``fresh`` (N, *S), detached."""
        fresh = fresh.detach()  # (N, *S)
        if self.size == 0:
            return fresh  # (N, *S)
        draws = step.rand(len(fresh), 2)  # (N, 2): swap or not, and with which
        whole = _gather(at_least_float32(fresh), step)  # (N * world, *S)
        seen = self._query(whole, _gather(draws, step))  # (N * world, *S)
        return seen[step.rank :: step.world].to(fresh.dtype)  # (N, *S)

    def _query(self, fresh: Tensor, draws: Tensor) -> Tensor:
        images = self.images.to(fresh)
        answer = []
        for signal, (swap, place) in zip(fresh, draws.tolist(), strict=True):
            if len(images) < self.size:
                images = torch.cat([images, signal[None]]) if len(images) else signal[None].clone()
                answer.append(signal)
            elif swap > 0.5:
                index = int(place * self.size)
                answer.append(images[index].clone())
                images[index] = signal
            else:
                answer.append(signal)
        self.images = images
        return torch.stack(answer)

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """As torch, but takes whatever number of images was stored."""
        stored = state_dict.get(prefix + "images")
        if stored is not None:
            self.images = torch.empty_like(stored, device=self.images.device)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class ImagePools(nn.Module):
    """A pool per critic, each made when it is first asked for.

    Args:
        size: Signals that each holds; 0 lets everything pass.
    """

    def __init__(self, size: int = 50) -> None:
        super().__init__()
        self.size = size
        self.pools = nn.ModuleDict()

    def __getitem__(self, critic: str) -> ImagePool:
        """The pool of a critic."""
        if critic not in self.pools:
            self.pools[critic] = ImagePool(self.size)
        pool = self.pools[critic]
        assert isinstance(pool, ImagePool)
        return pool

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """As torch, but takes whatever pools were stored."""
        own = f"{prefix}pools."
        for key in state_dict:
            if key.startswith(own):
                _ = self[key.removeprefix(own).partition(".")[0]]
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _gather(tensor: Tensor, step: Step) -> Tensor:
    """(N * world, ...) the tensors (N, ...) of all processes in the order of the whole batch."""
    if step.world == 1:
        return tensor
    tensor = tensor.contiguous()
    parts = [torch.empty_like(tensor) for _ in range(step.world)]
    torch.distributed.all_gather(parts, tensor)
    return torch.stack(parts, dim=1).flatten(0, 1)
