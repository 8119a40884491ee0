"""Made pictures that look like photographs to nets, and how far two pictures are apart."""

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]


def photo(height: int, width: int, seed: int = 0) -> Pixels:
    """uint8 (H, W, 3): a bright sky over dark ground, textures of all sizes, and round things."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = y / height, x / width
    ground = (y > 0.45 + 0.05 * np.sin(6 * x))[..., None]
    sky = np.stack([120 + 100 * y, 160 + 60 * y, 230 - 20 * y], -1)
    earth = np.stack([90 + 60 * x - 40 * y, 110 - 30 * x + 20 * y, 50 + 30 * x], -1)
    out = np.where(ground, earth, sky)
    for octave in range(2, min(11, max(height, width).bit_length() - 1)):
        coarse = rng.standard_normal((2**octave, 2**octave, 3)).astype(np.float32)
        coarse = (coarse + coarse.mean(-1, keepdims=True)) / 2
        out += 50 * 0.6 ** (octave - 2) * np.where(ground, 1.2, 0.4) * _enlarged(coarse, out.shape)
    for _ in range(30):
        top, left, radius = rng.random() * 0.5 + 0.5, rng.random(), rng.random() * 0.05
        inside = (y - top) ** 2 + ((x - left) * width / height) ** 2 < radius**2
        out[inside] = out[inside] * 0.4 + rng.random(3) * 150
    return np.clip(out, 0, 255).astype(np.uint8)


def apart(one: Image.Image | Pixels, other: Image.Image | Pixels) -> float:
    """Mean difference of two pictures in grey levels of 255."""
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


def steps(
    one: Image.Image | Pixels, whole: Image.Image | Pixels, size: int
) -> npt.NDArray[np.float64]:
    """How much steeper a picture is than the run on the whole: near each column, 1 where alike.

    Means over ``size`` columns of the steps from one column to the next, each relative to its mean
    over the picture, so that a border between windows stands out of what the picture itself shows.
    """
    kernel = np.ones(size) / size
    relative = []
    for picture in (one, whole):
        step = np.abs(np.diff(np.asarray(picture, float), axis=1)).mean((0, 2))
        relative.append(np.convolve(step / step.mean(), kernel, "valid"))
    return relative[0] / relative[1]


def _enlarged(coarse: npt.NDArray[np.float32], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    size = (shape[1], shape[0])
    bands = [
        np.asarray(Image.fromarray(coarse[..., c]).resize(size, Image.Resampling.BICUBIC))
        for c in range(3)
    ]
    return np.stack(bands, -1)
