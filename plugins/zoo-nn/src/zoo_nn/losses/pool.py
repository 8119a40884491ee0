"""A memory of earlier translations for the critic (Shrivastava et al. 2017, arXiv:1612.07828)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import safe_name
from zoo_core.contracts.method import at_least_float32
from zoo_core.contracts.step import Step


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
    held: Tensor

    def __init__(self, size: int = 50) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("images", torch.empty(0))
        self.register_buffer("held", torch.zeros((), dtype=torch.long), persistent=False)

    def __len__(self) -> int:
        return int(self.held)

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
        """The answers, without reading any value on the CPU: a GPU is never waited for."""
        self._allocate(fresh)
        swaps = draws[:, 0] > 0.5  # (N,)
        places = (draws[:, 1].double() * self.size).long()  # (N,)
        answer = []
        for signal, swap, place in zip(fresh, swaps, places, strict=True):
            filling = self.held < self.size  # ()
            where = torch.where(filling, self.held, place)[None]  # (1,)
            stored = self.images.index_select(0, where)[0]  # (*S)
            swapped = swap & ~filling  # ()
            answer.append(torch.where(swapped, stored, signal))  # (*S)
            kept = torch.where(filling | swapped, signal, stored)  # (*S)
            self.images.index_copy_(0, where, kept[None])
            self.held += filling
        return torch.stack(answer)

    def _allocate(self, fresh: Tensor) -> None:
        if not len(self.images):
            self.images = fresh.new_zeros(self.size, *fresh.shape[1:])  # (size, *S)
        if self.images.device != fresh.device or self.images.dtype != fresh.dtype:
            self.images = self.images.to(fresh)
        if self.held.device != fresh.device:
            self.held = self.held.to(fresh.device)

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        """As torch, but without the places that are not filled yet."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "images"] = self.images[: len(self)].clone()  # (held, *S)

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """As torch, but takes whatever number of images was stored."""
        key = prefix + "images"
        stored = state_dict.get(key)
        if stored is not None:
            whole = stored.new_zeros(self.size if len(stored) else 0, *stored.shape[1:])
            whole[: len(stored)] = stored
            self.images = torch.empty_like(whole, device=self.images.device)
            self.held.fill_(len(stored))
            state_dict = {**state_dict, key: whole}
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
        name = safe_name(critic)
        if name not in self.pools:
            self.pools[name] = ImagePool(self.size)
        pool = self.pools[name]
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
