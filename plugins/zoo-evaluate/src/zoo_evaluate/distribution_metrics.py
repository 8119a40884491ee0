"""Distances between the distributions of translations and of real pictures: FID and KID.

Both compare features (N, F) of a named extractor, which is run once for both and once per real
domain; torchmetrics does the statistics.
"""

from __future__ import annotations

import warnings

import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from zoo_evaluate.context import Direction, TranslatedBatch
from zoo_evaluate.metrics import Metric


class PrecomputedFeatures(nn.Identity):
    """Stands for the feature net where features were extracted already.

    Args:
        width: Number of features F.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width


class Distribution(Metric):
    """What FID and KID share: the extractor, named with its hash."""

    needs = frozenset({"extractor"})

    def __init__(self, direction: Direction) -> None:
        super().__init__(direction)
        self.made = 0

    def protocol(self) -> dict[str, object]:
        """Extractor, its hash and size, and the numbers of pictures compared."""
        extractor = self.direction.context.extractor
        if extractor is None:
            return {}
        return {
            "extractor": extractor.name,
            "extractor_sha256": extractor.sha256,
            "extractor_size": extractor.size,
            "features": extractor.width,
            "real": len(self.direction.context.real_features(self.direction.target)),
            "translated": self.made,
        }


class Fid(Distribution):
    """Fréchet distance of Gaussians fitted to the features (Heusel et al. 2017, 1706.08500)."""

    name = "fid"
    headline = ("fid",)

    def __init__(self, direction: Direction) -> None:
        super().__init__(direction)
        real = direction.context.real_features(direction.target)  # (M, F)
        self.state = FrechetInceptionDistance(feature=PrecomputedFeatures(real.shape[1]))
        self.state.set_dtype(torch.float64)
        self.state.update(real.double(), real=True)

    def update(self, sample: TranslatedBatch) -> None:
        """Adds the features of the translations."""
        self.made += len(sample.features)
        self.state.update(sample.features.double(), real=False)

    def compute(self) -> dict[str, float]:
        """``fid``."""
        return {"fid": float(self.state.compute())}


class Kid(Distribution):
    """Unbiased squared MMD of the features, cubic kernel (Bińkowski et al. 2018, 1801.01401)."""

    name = "kid"
    headline = ("kid",)
    subsets = 50

    def __init__(self, direction: Direction) -> None:
        super().__init__(direction)
        self.real = direction.context.real_features(direction.target)  # (M, F)
        self.fake: list[torch.Tensor] = []

    def update(self, sample: TranslatedBatch) -> None:
        """Adds the features of the translations."""
        self.made += len(sample.features)
        self.fake.append(sample.features)

    def compute(self) -> dict[str, float]:
        """``kid`` and its standard deviation over the random subsets."""
        fake = torch.cat(self.fake)  # (N, F)
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.filterwarnings("ignore", message=".*will save all extracted features.*")
            torch.manual_seed(self.direction.context.seed)
            state = KernelInceptionDistance(
                feature=PrecomputedFeatures(fake.shape[1]),
                subsets=self.subsets,
                subset_size=self._size,
            )
            state.update(self.real, real=True)
            state.update(fake, real=False)
            mean, deviation = state.compute()
        return {"kid": float(mean), "kid_std": float(deviation)}

    def protocol(self) -> dict[str, object]:
        """As FID, with the subsets."""
        return {**super().protocol(), "subsets": self.subsets, "subset_size": self._size}

    @property
    def _size(self) -> int:
        return max(2, min(1000, self.made // 2, len(self.real) // 2))
