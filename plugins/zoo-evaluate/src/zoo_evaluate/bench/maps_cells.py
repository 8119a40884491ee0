"""Cells of ``zoo bench maps``: references by the protocol, and rows that frame the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoo_core.contracts.codec import InMemorySignal, SignalStore
from zoo_core.contracts.signals import Condition
from zoo_core.errors import DataError
from zoo_core.translate.translator import Translator
from zoo_evaluate.bench.assess import Facts, Figures, MessageCallback
from zoo_evaluate.bench.data import to_pixels
from zoo_evaluate.bench.measure import SEED, BenchCase, Untranslated, measure
from zoo_evaluate.bench.picture_cells import UNTRANSLATED, PictureCellEvaluator, PictureCellResult
from zoo_evaluate.bench.plan import Planner
from zoo_evaluate.bench.protocol import Override, Task
from zoo_evaluate.eval_model import as_eval_model
from zoo_evaluate.pairing import find_references
from zoo_evaluate.pixel_metrics import SIDE, at_side
from zoo_images.decode import decode

CONSTANT, RANDOM, CEILING = "constant colour", "random picture", "ceiling"
LEVELS = 256


class References:
    """Real pictures as the protocol compares them: a store of whole files at 256 x 256, bilinear.

    Args:
        files: The pictures' files.
        names: Name of each.
    """

    def __init__(self, files: Sequence[Path | InMemorySignal], names: Sequence[str]) -> None:
        self.names: Sequence[str] = names
        self.labels: Tensor | None = None
        self.kept: Sequence[int] = range(len(files))
        self.skipped: Sequence[str] = ()
        self.summary = f"{SIDE}x{SIDE} px, bilinear"
        self._pixels = torch.cat([_protocol_pixels(file) for file in files])  # (M, 3, 256, 256)

    def __len__(self) -> int:
        return len(self._pixels)

    def batch(self, indices: Sequence[int], rng: torch.Generator | None = None) -> Tensor:
        """(N, 3, 256, 256) float32 in [-1, 1]; never augmented."""
        return self._pixels[list(indices)].float() / 127.5 - 1  # (N, 3, 256, 256)


def _protocol_pixels(file: Path | InMemorySignal) -> Tensor:
    """uint8 (1, 3, 256, 256) of a picture's file."""
    if not isinstance(file, Path):
        raise TypeError(f"sample {file.name} is no file")
    pixels = torch.from_numpy(np.array(decode(file).image))  # (H, W, 3)
    return at_side(pixels.permute(2, 0, 1)[None])  # (1, 3, 256, 256)


@dataclass
class MapCase(BenchCase):
    """A case whose references are `References`.

    Attributes:
        references: Gives those of a domain's test pictures.
        perfect: Whether the inputs are the references themselves.
    """

    references: Callable[[str], SignalStore] | None = None
    perfect: bool = False

    def store(self, domain: str, split: str) -> SignalStore:
        """Real pictures of a domain; test pictures of the target as the protocol compares them."""
        if split == "test" and domain == self.target and self.references is not None:
            return self.references(domain)
        if split == "test" and self.perfect:
            domain = self.target
        return super().store(domain, split)


class Fixed(Untranslated):
    """The translator that makes its pictures without a look at the input.

    Args:
        task: The task.
        make: Gives so many pictures (N, 3, 256, 256) in [-1, 1].
    """

    def __init__(self, task: Task, make: Callable[[int], Tensor]) -> None:
        super().__init__(task, SIDE)
        self._make = make

    def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, 3, 256, 256) pictures, as many as inputs."""
        return self._make(len(x))


class MapsAssessor(PictureCellEvaluator):
    """As for all pictures, but with the protocol's references and rows of its own.

    Raises:
        DataError: If the data is not there.
    """

    def __init__(self, planner: Planner, device: str, report: MessageCallback) -> None:
        require_data(planner)
        super().__init__(planner, device, report)
        self._references: Callable[[str], SignalStore] = cache(self._open_references)

    def prepare(self, task: Task) -> None:
        """Trains the judges that are not there.

        Raises:
            DataError: If a test picture has no reference.
        """
        names = [self.pictures.store(domain, "test").names for domain in task.domains]
        references = find_references(*names)
        found = 0 if references is None else len(references)
        if not found == len(names[0]) == len(names[1]):
            raise DataError(
                f"{len(names[0])} photographs and {len(names[1])} maps make {found} pairs",
                asked=f"test pictures of benchmark {self.benchmark.name}",
                hint="References have the same name but for its end: 12_A.jpg and 12_B.jpg.",
            )
        super().prepare(task)

    def baselines(self, task: Task) -> Mapping[str, Callable[[str, str], tuple[Figures, Facts]]]:
        """The input, a constant, a random real picture, and the reference itself."""
        rows = (UNTRANSLATED, CONSTANT, RANDOM, CEILING)
        return {row: partial(self._framed, task, row) for row in rows}

    def evaluate(
        self, task: Task, source: str, target: str, model: Translator, override: Override
    ) -> PictureCellResult:
        """A model in one direction."""
        translates = as_eval_model(model)
        case = MapCase(self.instruments, task, source, target, translates, override)
        case.references = self._references
        return PictureCellResult(case)

    def _framed(self, task: Task, row: str, source: str, target: str) -> tuple[Figures, Facts]:
        case = MapCase(self.instruments, task, source, target, self._baseline(task, row, target))
        case.references, case.perfect = self._references, row == CEILING
        return measure(case), case.facts

    def _baseline(self, task: Task, row: str, target: str) -> Untranslated:
        real = self.pictures.store(target, "train")
        if row == CONSTANT:
            colour = median_colour(real)  # (3, 1, 1)
            return Fixed(task, lambda count: colour.expand(count, 3, SIDE, SIDE))
        if row == RANDOM:
            rng = torch.Generator().manual_seed(SEED)
            return Fixed(
                task,
                lambda count: real.batch(
                    torch.randint(len(real), (count,), generator=rng).tolist()
                ),
            )
        return Untranslated(task, SIDE)

    def _open_references(self, domain: str) -> SignalStore:
        files, names = self.pictures.files(domain, "test")
        return References(files, names)


def median_colour(store: SignalStore) -> Tensor:
    """(3, 1, 1) median of each channel over all pixels of all pictures, in [-1, 1]."""
    counts = torch.zeros(3, LEVELS, dtype=torch.int64)
    for index in range(len(store)):
        pixels = to_pixels(store.batch([index]))[0].flatten(1).long()  # (3, H * W)
        counts += torch.stack([channel.bincount(minlength=LEVELS) for channel in pixels])
    below = counts.cumsum(1) * 2 < counts.sum(1, keepdim=True)  # (3, 256)
    return (below.sum(1) / 127.5 - 1).view(3, 1, 1)


def require_data(planner: Planner) -> None:
    """Refuses to begin where the pairs are not there.

    Raises:
        DataError: If a folder is missing; says where the data is looked for.
    """
    benchmark = planner.benchmark
    folders = [
        Path(benchmark.source(domain, planner.root, split))
        for split in ("train", "test")
        for domain in benchmark.sources
    ]
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        raise DataError(
            f"there is no {missing[0]}",
            asked=f"data of benchmark {benchmark.name}",
            hint="Put the aligned pairs of photographs and maps, which are not redistributed, into "
            f"{folders[0].parent} as CycleGAN's data set maps has them: trainA and testA "
            "(photographs), trainB and testB (maps); or name another folder with --data ROOT.",
        )
