"""The grids of a run show the targets of its method alone."""

from __future__ import annotations

import torch

from zoo_core.contracts.codec import SignalStore
from zoo_core.contracts.signals import Domains
from zoo_train.samples import Samples

DOMAINS = Domains(("day", "night"))


class Grey(SignalStore):
    """Four grey signals."""

    names = ("0", "1", "2", "3")
    labels = None

    def __init__(self) -> None: ...

    def __len__(self) -> int:
        return 4

    def batch(self, indices: object, rng: object = None) -> torch.Tensor:
        return torch.zeros(4, 3, 8, 8)


def test_samples_show_the_targets_alone() -> None:
    stores = {name: Grey() for name in DOMAINS}
    samples = Samples.of(stores, DOMAINS, ("night",))
    assert samples.columns == ("night",)
    assert list(samples.targets("day")) == ["night"]
    assert Samples.of(stores, DOMAINS).columns == DOMAINS.names
