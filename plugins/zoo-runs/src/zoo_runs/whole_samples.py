"""Whole inputs among the samples of a run, as files: for signals of which a part says little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo_core.contracts.codec import Codec, InMemorySignal, Item
from zoo_core.contracts.spec import Progress
from zoo_core.errors import ZooError
from zoo_core.translate.engine import Engine
from zoo_core.translate.outputs import safe_name
from zoo_core.translate.streaming import checked
from zoo_train.data.dataset import DataSet
from zoo_train.events import RunEvents, Sampled

PER_DOMAIN = 2
"""Whole inputs of each domain."""
INPUTS, SHEET = "inputs", "sheet.png"


class WholeSamples(RunEvents):
    """Writes whole inputs and their translations beside every grid, where the codec asks for it."""

    def sampled(self, directory: Path, progress: Progress, sampled: Sampled) -> list[str]:
        """Gives a sentence for each input that could no longer be read."""
        if not sampled.codec.has_full_samples:
            return []
        chosen = FullSamples.of(sampled.data, sampled.engine.method.targets)
        return chosen.write(sampled.codec, sampled.engine, sampled.sheet.with_suffix(""))


@dataclass(frozen=True)
class FullSamples:
    """Whole inputs, the same at every sampling; of a long one the first window.

    Attributes:
        files: The inputs, by domain.
        targets: The domains that they are translated to.
    """

    files: Mapping[str, Sequence[Path | InMemorySignal]]
    targets: Sequence[str]

    @classmethod
    def of(cls, data: DataSet, targets: Sequence[str]) -> FullSamples:
        """Chooses inputs, spread evenly over each domain; none where domains are mixed."""
        files = {}
        for name in data.domains.names if data.domains.kind == "domains" else ():
            found = data.files[name]
            count = min(PER_DOMAIN, len(found))
            files[name] = [found[i * len(found) // count] for i in range(count)]
        return cls(files, targets)

    def write(self, codec: Codec, engine: Engine, folder: Path) -> list[str]:
        """Writes ``DOMAIN/NAME_TARGET.SUFFIX`` of each input and target, and a sheet of them all.

        Beside the folder, ``inputs/DOMAIN/NAME.SUFFIX`` is what the codec makes of each input
        that no net has seen: the best that a translation can sound or look like.

        Args:
            codec: Reads and writes.
            engine: The nets as they are.
            folder: Where to.

        Returns:
            What is wrong with inputs that can no longer be read; these are left out.
        """
        rows: list[tuple[str, list[Item]]] = []
        faults: list[str] = []
        for domain, files in self.files.items():
            for file in files:
                try:
                    rows.append((domain, self._row(codec, engine, folder, domain, file)))
                except ZooError as error:
                    faults.append(f"sample left out: {error}")
        if rows:
            codec.preview(rows, ["input", *self.targets], folder / SHEET)
        return faults

    def _row(
        self, codec: Codec, engine: Engine, folder: Path, domain: str, file: Path | InMemorySignal
    ) -> list[Item]:
        """The input and its translations; the latter are written."""
        if isinstance(file, Path):
            item, stem = codec.read(file), file.stem
        else:
            (item,), stem = codec.wrap(file.value), safe_name(file.name)
        window = next(codec.windows(item, source=domain))
        place, suffix = Path(safe_name(domain)), codec.suffixes[0]
        untouched = folder.parent / INPUTS / place / f"{stem}{suffix}"
        if not untouched.is_file():
            codec.write(codec.join(item, [(window, window.signal)], target=domain), untouched)
        row = [item]
        for target in self.targets:
            vectors = engine.domains.vector(domain), engine.vector(target)
            made = engine.translate(window.signal[None], *vectors)[0]  # (*S,)
            path = folder / place / f"{stem}_{safe_name(target)}{suffix}"
            output = checked(item, window, made)  # (*S,)
            codec.write(codec.join(item, [(window, output)], target=target), path)
            row.append(codec.read(path))
        return row
