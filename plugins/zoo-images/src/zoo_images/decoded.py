"""Decodes pictures once, in parallel, and keeps what was decoded in a cache on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from zoo_core.contracts.codec import InMemorySignal
from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError, UsageError, ZooError
from zoo_images.caching import caching
from zoo_images.picture import Picture
from zoo_images.pixels import Bytes, Fitting, fit, fit_deep
from zoo_images.preprocessing import ValueRange
from zoo_images.scan import File, deep_range, files_key, notes_of, pages_of, picture_of
from zoo_images.store import ImageStore, ImageStoreContents
from zoo_images.strip import Pixels, Strip, StripWriter, read_strip

_VERSION = 6  # part of every cache key: raise it when what is kept of decoded pictures would differ

Usable = tuple[tuple[int, int], str, tuple[str, ...]]
"""(height, width), format and notes of a picture that can be used."""
Expected = tuple[dict[str, tuple[int, int]], tuple[int, int] | None, int, Any]
"""What a cache folder shall hold: `_layer_sizes`, how many pictures, and the type of values."""


def open_store(
    spec: TensorSpec,
    files: Sequence[Path | InMemorySignal],
    config: TrainConfig,
    *,
    domain: str | None = None,
    span: ValueRange | None = None,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImageStore:
    """Decodes pictures, or finds them decoded; see `zoo_core.contracts.codec.Codec.open`.

    Where any picture has more than 8 bits, which values are black and white is chosen once for
    all of them, and the store has 16 bits.

    Args:
        spec: Form of the signals.
        files: Files, or pictures in memory.
        config: Preprocessing and augmentation.
        domain: Name under which ``config.ranges`` has the value range that the user asked for.
        span: The value range that a model recorded of the domain; None to choose one.
        cache: Folder for what was decoded; None keeps it in memory.
        progress: Called with (files done, files in all).

    The cache is keyed by a hash of the files' paths, times and sizes and of the preprocessing. It
    is complete or absent: it is written under a temporary name and renamed, so that killed and
    concurrent writers do no harm.

    Raises:
        DataError: If no picture can be used, or the cache cannot be written.
        UsageError: If ``config.load_size`` is less than the signal's size, or ``config.resample``
            needs a package that is not installed.
    """
    if not files:
        raise DataError("there are no pictures", asked="store of pictures")
    if config.resample == "lanczos4":
        _require_opencv()
    sizes, least = _layer_sizes(spec, config)
    pictures, positions = pages_of(files)
    if span is None and any(isinstance(file, InMemorySignal) for file in files):
        from zoo_images.in_memory import prepared  # files need none of it

        pictures = prepared(pictures, domain, config.ranges.get(domain or ""))
    names = [picture.name for picture in pictures]
    span, words = deep_range(pictures, cache, asked=config.ranges.get(domain or ""), recorded=span)
    depth = np.uint8 if span is None else np.uint16
    if cache is None:
        layers = {name: np.empty((len(pictures), *size, 3), depth) for name, size in sizes.items()}
        writer = None if least is None else StripWriter(least, depth)
        contents = _fill(layers, pictures, config, writer=writer, span=span, progress=progress)
        strip = None if writer is None else writer.finish()
    else:
        folder = Path(cache) / "pictures" / _key(pictures, sizes, least, config, span)
        expected = sizes, least, len(pictures), depth
        found = _load(folder, *expected)
        if found is None:
            _build(folder, expected, pictures, config, span=span, progress=progress)
            found = _load(folder, *expected)
        if found is None:
            raise DataError(
                "what was just written there cannot be read back",
                asked=f"cache {folder}",
                hint="Choose a cache folder on another disk.",
            )
        layers, strip, contents = found
    if "plain" not in layers:
        layers["plain"] = layers["crop"]
    kept = [names[i] for i in contents.kept]
    store = ImageStore(layers, contents, kept, spec, config, strip=strip, span=span, words=words)
    store.kept = [positions[i] for i in contents.kept]
    return store


def _layer_sizes(
    spec: TensorSpec, config: TrainConfig
) -> tuple[dict[str, tuple[int, int]], tuple[int, int] | None]:
    """(height, width) of each layer, and the least of pictures that keep their shape, if any do."""
    height, width = int(spec.shape[-2]), int(spec.shape[-1])
    load = min(height, width) if config.load_size is None else config.load_size
    if load < min(height, width):
        raise UsageError(
            f"load_size must be at least the picture's size {min(height, width)}",
            asked=f"load_size {load}",
        )
    factor = load / min(height, width)
    crop = round(height * factor), round(width * factor)
    if config.resize == "shorter":
        return {"plain": (height, width)}, crop
    same = crop == (height, width)
    return {"crop": crop} if same else {"crop": crop, "plain": (height, width)}, None


def _fill(
    layers: Mapping[str, Pixels],
    files: Sequence[File],
    config: TrainConfig,
    *,
    writer: StripWriter | None,
    span: ValueRange | None,
    progress: Callable[[int, int], None] | None,
) -> ImageStoreContents:
    """Decodes every file into its row of each layer, in parallel; broken files leave holes.

    What keeps its shape goes to the writer, in the files' order.
    """
    how = Fitting.of(config)

    def fitted(
        picture: Picture, unit: Tensor | None, size: tuple[int, int], how: Fitting
    ) -> Pixels:
        return fit(picture.image, size, how) if unit is None else fit_deep(unit, size, how)

    def one(position: int) -> tuple[Usable | str, Pixels | None]:
        ready = None if writer else _ready(files[position], layers, config)
        if ready is not None:
            layers["crop"][position] = ready
            return ((ready.shape[0], ready.shape[1]), "arrays", ()), None
        try:
            picture = picture_of(files[position])
            unit = None if span is None else picture.unit(span)
            for layer in layers.values():
                size = layer.shape[1], layer.shape[2]
                layer[position] = fitted(picture, unit, size, how.covering())
            whole = None if writer is None else fitted(picture, unit, writer.least, how)
        except ZooError as error:
            return str(error), None
        height, width = picture.size
        return ((height, width), picture.format, notes_of(picture)), whole

    kept, skipped, plain = [], [], []
    shapes: list[tuple[int, int]] = []
    formats: dict[str, int] = {}
    notes: dict[str, int] = {}
    with ThreadPoolExecutor(_threads()) as pool:
        for position, (answer, whole) in enumerate(pool.map(one, range(len(files)))):
            if writer is not None:
                writer.add(whole)
            if isinstance(answer, str):
                skipped.append(answer)
            else:
                kept.append(position)
                if _is_plain(next(iter(layers.values()))[position] if whole is None else whole):
                    plain.append(position)
                shapes.append(answer[0])
                formats[answer[1]] = formats.get(answer[1], 0) + 1
                for note in answer[2]:
                    notes[note] = notes.get(note, 0) + 1
            if progress:
                progress(position + 1, len(files))
    if not kept:
        raise DataError(
            f"none of the {len(files)} pictures can be used; the first fault: {skipped[0]}",
            asked=_place(files),
            hint="Replace the files.",
        )
    smallest, largest = (choose(shapes, key=lambda s: s[0] * s[1]) for choose in (min, max))
    common = sorted(formats, key=lambda name: -formats[name])
    cut: tuple[float, float] = (0, 0)
    if not config.crop_first and config.resize == "cover":
        cut = cut_away(shapes, layers["crop"])
    return ImageStoreContents(
        kept, skipped, list(smallest), list(largest), common, notes, *cut, plain=plain
    )


def _is_plain(pixels: Pixels) -> bool:
    """Whether a picture (H, W, C) is of one colour throughout."""
    return bool((pixels == pixels[:1, :1]).all())


def cut_away(shapes: Sequence[tuple[int, int]], layer: Pixels) -> tuple[float, float]:
    """Mean share of each picture that its crop leaves out, and the mean of width / height."""
    wanted = layer.shape[2] / layer.shape[1]
    aspects = np.array([width / height for height, width in shapes])
    used = np.minimum(aspects / wanted, wanted / aspects)
    return float(1 - used.mean()), float(aspects.mean())


def _ready(file: File, layers: Mapping[str, Pixels], config: TrainConfig) -> Bytes | None:
    """(H, W, 1 | 3) of a sample that is stored as it is, which skips Pillow for data sets."""
    if not isinstance(file, InMemorySignal) or config.crop_first:
        return None
    if not isinstance(file.value, np.ndarray):
        return None
    value: Bytes = file.value[..., None] if file.value.ndim == 2 else file.value
    bytes_ = value.dtype == layers["crop"].dtype == np.uint8
    fits = value.ndim == 3 and value.shape[-1] in (1, 3) and bytes_
    same = len(layers) == 1 and value.shape[:2] == layers["crop"].shape[1:3]
    return value if fits and same else None


def _build(
    folder: Path,
    expected: Expected,
    files: Sequence[File],
    config: TrainConfig,
    *,
    span: ValueRange | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    sizes, least, count, depth = expected

    def whole() -> bool:
        return _load(folder, *expected) is not None

    with caching(folder, whole, what="decoded pictures") as work:
        layers = {
            name: _allocate(work / f"{name}.npy", (count, *size, 3), depth)
            for name, size in sizes.items()
        }
        writer = None if least is None else StripWriter(least, depth, work)
        contents = _fill(layers, files, config, writer=writer, span=span, progress=progress)
        for layer in layers.values():
            layer.flush()
        if writer is not None:
            writer.finish()
        (work / "contents.json").write_text(json.dumps(asdict(contents)), encoding="utf-8")


def _allocate(path: Path, shape: tuple[int, ...], depth: Any) -> np.memmap[Any, Any]:
    """A new array file with its space reserved: writing to a full disk by mapping would crash."""
    layer = np.lib.format.open_memmap(path, mode="w+", dtype=depth, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return layer


def _load(
    folder: Path,
    sizes: Mapping[str, tuple[int, int]],
    least: tuple[int, int] | None,
    count: int,
    depth: Any,
) -> tuple[dict[str, Pixels], Strip | None, ImageStoreContents] | None:
    """The layers and contents of a cache folder, or None where it is absent or damaged."""
    try:
        contents = ImageStoreContents(
            **json.loads((folder / "contents.json").read_text(encoding="utf-8"))
        )
        layers = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in sizes}
        strip = None if least is None else read_strip(folder, count, depth)
    except (OSError, ValueError, TypeError, EOFError, RecursionError):
        return None
    for name, size in sizes.items():
        if layers[name].shape != (count, *size, 3) or layers[name].dtype != depth:
            return None
    return layers, strip, contents


def _key(
    files: Sequence[File],
    sizes: Mapping[str, tuple[int, int]],
    least: tuple[int, int] | None,
    config: TrainConfig,
    span: ValueRange | None,
) -> str:
    values = None if span is None else asdict(span)
    return files_key(files, [_VERSION, sizes, least, asdict(Fitting.of(config)), values])


def _require_opencv() -> None:
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "OpenCV is not installed, which scales pictures by this filter",
            asked="resample lanczos4",
            hint='Install it: pip install "zoo-images[opencv]"; or take another filter, '
            "which is hardly another picture: --set train.resample=bicubic.",
        ) from error


def _threads() -> int:
    available = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return min(8, available)


def _place(files: Sequence[File]) -> str:
    first = files[0]
    return f"folder {first.parent}" if isinstance(first, Path) else f"picture {first.name}"
