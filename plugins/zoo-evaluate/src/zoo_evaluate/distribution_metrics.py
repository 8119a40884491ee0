"""Distances between the distributions of translations and of real pictures: FID and KID.

Both compare features (N, F) of a named extractor, which is run once for both and once per real
domain; torchmetrics does the statistics. A distance says nothing without its extractor and the
numbers of pictures: both are part of its printed name, and its interval comes with it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from zoo_core.errors import UsageError
from zoo_evaluate.context import Direction, TranslatedBatch
from zoo_evaluate.metrics import Metric
from zoo_evaluate.resampling import frechet, kernel_distance, spread

FEWEST = 50
"""Pictures on either side below which no distance is stated, unless it is asked for all the same.

Of two halves of one set of 50 pictures, FIDs commonly are as large as those between domains.
"""
NORMAL = 1.96
"""Standard deviations on either side of a value that hold 95 % of a normal distribution."""


class PrecomputedFeatures(nn.Identity):
    """Stands for the feature net where features were extracted already.

    Args:
        width: Number of features F.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width


class Distribution(Metric):
    """What FID and KID share: the extractor, the counts, and an interval by the bootstrap.

    Raises:
        UsageError: If there are fewer real pictures than `FEWEST`.
    """

    needs = frozenset({"extractor"})
    printed: ClassVar[str]
    """Name as printed."""
    lowest: ClassVar[float] = float("-inf")
    """The least value that the distance has."""

    def __init__(self, direction: Direction) -> None:
        super().__init__(direction)
        self.real = direction.context.real_features(direction.target)  # (M, F)
        self.fake: list[Tensor] = []
        self._refuse_few(len(self.real), "real")

    def update(self, sample: TranslatedBatch) -> None:
        """Adds the features of the translations."""
        self.fake.append(sample.features)

    @property
    def made(self) -> int:
        """Translations so far."""
        return sum(len(features) for features in self.fake)

    def value(self, fake: Tensor) -> dict[str, float]:
        """The distance of the features (N, F) of all translations, by the metric's name."""
        raise NotImplementedError

    def distance(self, x: Tensor, y: Tensor) -> float:
        """That of features (N, F) and (M, F), for the spread of resampled ones."""
        raise NotImplementedError

    def compute(self) -> dict[str, float]:
        """The distance, and the bounds of its interval."""
        self._refuse_few(self.made, "translated")
        fake = torch.cat(self.fake)  # (N, F)
        found = self.value(fake)
        half = NORMAL * spread(
            self.distance, self.real.double(), fake.double(), self.direction.context.seed
        )
        middle = found[self.name]
        low = max(self.lowest, middle - half)
        return {**found, f"{self.name}_low": low, f"{self.name}_high": middle + half}

    def titles(self) -> dict[str, str]:
        """Such as ``FID (inception 2048, 100 against 100)``."""
        extractor = self.direction.context.extractor
        name = "" if extractor is None else f"{extractor.name} {extractor.width}, "
        return {self.name: f"{self.printed} ({name}{self.made} against {len(self.real)})"}

    def caveats(self) -> list[str]:
        """That there are fewer pictures than features, where that is so."""
        count, width = min(self.made, len(self.real)), self.real.shape[1]
        if count > width:
            return []
        return [
            f"{self.printed} of fewer pictures ({count}) than features ({width}): compare it with "
            "figures of the same counts alone"
        ]

    def protocol(self) -> dict[str, object]:
        """Extractor, its hash and size, the numbers of pictures compared, and the interval."""
        extractor = self.direction.context.extractor
        if extractor is None:
            return {}
        return {
            "extractor": extractor.name,
            "extractor_sha256": extractor.sha256,
            "extractor_size": extractor.size,
            "features": extractor.width,
            "real": len(self.real),
            "translated": self.made,
            "interval": "95 %: 1.96 standard deviations over bootstrap samples of both sides",
        }

    @classmethod
    def mean(cls, directions: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """The plain mean, with the interval of a mean of independent values."""
        mean = super().mean(directions)
        halves = [values[f"{cls.name}_high"] - values[cls.name] for values in directions]
        half = sum(value**2 for value in halves) ** 0.5 / len(halves)
        middle = mean[cls.name]
        bounds = {
            f"{cls.name}_low": max(cls.lowest, middle - half),
            f"{cls.name}_high": middle + half,
        }
        return {**mean, **bounds}

    def _refuse_few(self, count: int, what: str) -> None:
        if count < FEWEST and not self.direction.context.allow_few:
            raise UsageError(
                f"{self.printed} of {count} {what} signals says nothing, {FEWEST} are the fewest; "
                "--allow-few measures it all the same",
                asked=f"direction {self.direction.name}",
                hint="Give more, or --allow-few.",
            )


class Fid(Distribution):
    """Fréchet distance of Gaussians fitted to the features (Heusel et al. 2017, 1706.08500)."""

    name = "fid"
    printed = "FID"
    headline = ("fid",)
    lowest = 0.0

    def distance(self, x: Tensor, y: Tensor) -> float:
        """The Fréchet distance of features (N, F) and (M, F)."""
        return frechet(x, y)

    def value(self, fake: Tensor) -> dict[str, float]:
        """``fid``."""
        state = FrechetInceptionDistance(feature=PrecomputedFeatures(fake.shape[1]))
        state.set_dtype(torch.float64)
        state.update(self.real.double(), real=True)
        state.update(fake.double(), real=False)
        return {"fid": float(state.compute())}


class Kid(Distribution):
    """Unbiased squared MMD of the features, cubic kernel (Bińkowski et al. 2018, 1801.01401)."""

    name = "kid"
    printed = "KID"
    headline = ("kid",)
    subsets = 50

    def distance(self, x: Tensor, y: Tensor) -> float:
        """The squared MMD of features (N, F) and (M, F)."""
        return kernel_distance(x, y)

    def value(self, fake: Tensor) -> dict[str, float]:
        """``kid`` and its standard deviation over the random subsets."""
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
