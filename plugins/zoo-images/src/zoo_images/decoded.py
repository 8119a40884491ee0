"""Decodes pictures once, in parallel, and keeps what was decoded in a cache on disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from zoo_core.contracts.codec import InMemorySignal
from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError, UsageError, ZooError
from zoo_core.files import caching, stamp
from zoo_images import convert_inputs
from zoo_images.decode import decode
from zoo_images.pixels import Bytes, fit
from zoo_images.store import ImageStore, ImageStoreContents

_VERSION = 1  # part of every cache key: raise it when the decoded pixels would differ


def open_store(
    spec: TensorSpec,
    files: Sequence[Path | InMemorySignal],
    config: TrainConfig,
    *,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImageStore:
    """Decodes pictures, or finds them decoded; see `zoo_core.contracts.codec.Codec.open`.

    The cache is keyed by a hash of the files' paths, times and sizes and of the preprocessing. It
    is complete or absent: it is written under a temporary name and renamed, so that killed and
    concurrent writers do no harm.

    Raises:
        DataError: If no picture can be used, or the cache cannot be written.
        UsageError: If ``config.load_size`` is less than the signal's size.
    """
    if not files:
        raise DataError("there are no pictures", asked="store of pictures")
    sizes = _layer_sizes(spec, config)
    names = [file.name for file in files]
    if cache is None:
        layers = {name: np.empty((len(files), *size, 3), np.uint8) for name, size in sizes.items()}
        contents = _fill(layers, files, config, progress)
    else:
        folder = Path(cache) / "pictures" / _key(files, sizes, config)
        found = _load(folder, sizes, len(files))
        if found is None:
            _build(folder, sizes, files, config, progress)
            found = _load(folder, sizes, len(files))
        if found is None:
            raise DataError(
                "what was just written there cannot be read back",
                asked=f"cache {folder}",
                hint="Choose a cache folder on another disk.",
            )
        layers, contents = found
    layers.setdefault("plain", layers["crop"])
    return ImageStore(layers, contents, [names[i] for i in contents.kept], spec, config)


def _layer_sizes(spec: TensorSpec, config: TrainConfig) -> dict[str, tuple[int, int]]:
    height, width = int(spec.shape[-2]), int(spec.shape[-1])
    load = config.load_size
    if load is None or load == min(height, width):
        return {"crop": (height, width)}
    if load < min(height, width):
        raise UsageError(
            f"load_size must be at least the picture's size {min(height, width)}",
            asked=f"load_size {load}",
        )
    factor = load / min(height, width)
    return {"crop": (round(height * factor), round(width * factor)), "plain": (height, width)}


def _fill(
    layers: Mapping[str, Bytes],
    files: Sequence[Path | InMemorySignal],
    config: TrainConfig,
    progress: Callable[[int, int], None] | None,
) -> ImageStoreContents:
    """Decodes every file into its row of each layer, in parallel; broken files leave holes."""

    def one(position: int) -> tuple[tuple[int, int], str] | str:
        ready = _ready(files[position], layers, config)
        if ready is not None:
            layers["crop"][position] = ready
            return (ready.shape[0], ready.shape[1]), "arrays"
        try:
            image, form = _image(files[position])
        except ZooError as error:
            return str(error)
        for layer in layers.values():
            layer[position] = fit(image, layer.shape[1:3], config.crop_first)
        return (image.height, image.width), form

    kept, skipped = [], []
    shapes: list[tuple[int, int]] = []
    formats: dict[str, int] = {}
    with ThreadPoolExecutor(_threads()) as pool:
        for position, answer in enumerate(pool.map(one, range(len(files)))):
            if isinstance(answer, str):
                skipped.append(answer)
            else:
                kept.append(position)
                shapes.append(answer[0])
                formats[answer[1]] = formats.get(answer[1], 0) + 1
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
    return ImageStoreContents(kept, skipped, list(smallest), list(largest), common)


def _ready(
    file: Path | InMemorySignal, layers: Mapping[str, Bytes], config: TrainConfig
) -> Bytes | None:
    """(H, W, 1 | 3) of a sample that is stored as it is, which skips Pillow for data sets."""
    if isinstance(file, Path) or not isinstance(file.value, np.ndarray) or config.crop_first:
        return None
    value: Bytes = file.value[..., None] if file.value.ndim == 2 else file.value
    fits = value.ndim == 3 and value.shape[-1] in (1, 3) and value.dtype == np.uint8
    same = len(layers) == 1 and value.shape[:2] == layers["crop"].shape[1:3]
    return value if fits and same else None


def _image(file: Path | InMemorySignal) -> tuple[Image.Image, str]:
    if isinstance(file, Path):
        picture = decode(file)
        return picture.image, picture.format
    if isinstance(file.value, np.ndarray):
        items = convert_inputs.from_array(file.value, file.name)
        if len(items) != 1:
            raise DataError("it is a batch, not one picture", asked=file.name)
        return Image.fromarray(items[0].value), "arrays"
    if isinstance(file.value, Image.Image):
        return Image.fromarray(
            convert_inputs.from_pil(file.value, file.name).value
        ), "images in memory"
    raise convert_inputs.refuse(file.value, file.name)


def _build(
    folder: Path,
    sizes: Mapping[str, tuple[int, int]],
    files: Sequence[Path | InMemorySignal],
    config: TrainConfig,
    progress: Callable[[int, int], None] | None,
) -> None:
    def whole() -> bool:
        return _load(folder, sizes, len(files)) is not None

    with caching(folder, whole, what="decoded pictures") as work:
        layers = {
            name: _allocate(work / f"{name}.npy", (len(files), *size, 3))
            for name, size in sizes.items()
        }
        contents = _fill(layers, files, config, progress)
        for layer in layers.values():
            layer.flush()
        (work / "contents.json").write_text(json.dumps(asdict(contents)), encoding="utf-8")


def _allocate(path: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
    """A new array file with its space reserved: writing to a full disk by mapping would crash."""
    layer = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return layer


def _load(
    folder: Path, sizes: Mapping[str, tuple[int, int]], count: int
) -> tuple[dict[str, Bytes], ImageStoreContents] | None:
    """The layers and contents of a cache folder, or None where it is absent or damaged."""
    try:
        contents = ImageStoreContents(
            **json.loads((folder / "contents.json").read_text(encoding="utf-8"))
        )
        layers = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in sizes}
    except (OSError, ValueError, TypeError, EOFError):
        return None
    for name, size in sizes.items():
        if layers[name].shape != (count, *size, 3) or layers[name].dtype != np.uint8:
            return None
    return layers, contents


def _key(
    files: Sequence[Path | InMemorySignal],
    sizes: Mapping[str, tuple[int, int]],
    config: TrainConfig,
) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([_VERSION, sizes, config.crop_first], sort_keys=True).encode())
    for file in files:
        if isinstance(file, Path):
            digest.update(stamp(file))
        else:
            values: npt.NDArray[Any] = np.asarray(file.value)
            digest.update(f"{file.name}\0{values.dtype.str}\0{values.shape}\n".encode())
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _threads() -> int:
    available = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return min(8, available)


def _place(files: Sequence[Path | InMemorySignal]) -> str:
    first = files[0]
    return f"folder {first.parent}" if isinstance(first, Path) else f"sample {first.name}"
