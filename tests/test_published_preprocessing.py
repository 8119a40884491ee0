"""Preset `paper` prepares pictures as the published training code does: torchvision, OpenCV."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode

from zoo_core.contracts.codec import InMemorySignal
from zoo_core.host.plugins import host
from zoo_images.codec import ImageCodec
from zoo_testing.photos import photo

BICUBIC, BILINEAR = InterpolationMode.BICUBIC, InterpolationMode.BILINEAR
SHAPES = [(218, 178), (300, 400), (400, 300), (256, 256), (200, 700)]
CELEBA = SHAPES[:1]


def published(*steps: Any) -> Callable[[Image.Image], Tensor]:
    """A picture as published code turns it into numbers; crops and mirrors are left out."""
    return T.Compose([*steps, T.ToTensor(), T.Normalize((0.5,) * 3, (0.5,) * 3)])


def opencv(image: Image.Image) -> Image.Image:
    """Fader Networks: 20 rows off the top and the bottom, then Lanczos."""
    pixels = np.asarray(image)[20:-20]
    return Image.fromarray(cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_LANCZOS4))


OFFICIAL = [
    ("cyclegan", published(T.Resize([286, 286], BICUBIC)), SHAPES),
    ("gcgan", published(T.Resize([288, 288], BICUBIC)), SHAPES),
    ("combogan", published(T.Resize(286, BICUBIC)), SHAPES),
    ("unit", published(T.Resize(256, BILINEAR)), SHAPES),
    ("stargan", published(T.CenterCrop(178), T.Resize(128, BILINEAR)), [*CELEBA, (260, 340)]),
    ("fader", published(T.Lambda(opencv)), CELEBA),
]


def trained_on(method: str, image: Image.Image) -> list[Tensor]:
    """Twelve pictures (3, H, W) that the first steps of preset `paper` would see of one."""
    preset = host().load("method", method).presets["paper"]
    store = ImageCodec(preset.signal).open([InMemorySignal("photo", image)], preset.train)
    rng = torch.Generator().manual_seed(0)
    return [store.batch([0], rng)[0] for _ in range(12)]


def distance(crop: Tensor, whole: Tensor) -> tuple[float, tuple[int, int]]:
    """The largest difference between a crop and the place of the whole where it is least."""
    height, width = crop.shape[-2:]
    corner = whole.unfold(1, 8, 1).unfold(2, 8, 1)[:, : whole.shape[1] - height + 1]
    corner = corner[:, :, : whole.shape[2] - width + 1]  # (3, rows, columns, 8, 8)
    apart = (corner - crop[:, None, None, :8, :8]).abs().amax((0, 3, 4))  # (rows, columns)
    top, left = divmod(int(apart.argmin()), apart.shape[1])
    place = whole[:, top : top + height, left : left + width]
    return float((place - crop).abs().max()), (top, left)


@pytest.mark.parametrize(
    ("method", "official", "shape"),
    [(name, official, shape) for name, official, shapes in OFFICIAL for shape in shapes],
    ids=[f"{name}-{h}x{w}" for name, _, shapes in OFFICIAL for h, w in shapes],
)
def test_paper_sees_parts_of_the_published_picture(method, official, shape):
    image = Image.fromarray(photo(*shape))
    whole = official(image)
    places = set()
    for crop in trained_on(method, image):
        tries = [distance(candidate, whole) for candidate in (crop, crop.flip(-1))]
        apart, place = min(tries)
        assert apart < 1e-6
        places.add(place)
    free = [whole.shape[i] > crop.shape[i] for i in (1, 2)]
    for axis in (0, 1):
        assert (len({place[axis] for place in places}) > 3) == free[axis]


def test_only_fader_mirrors_a_whole_batch():
    at_once = {
        name: host().load("method", name).presets["paper"].train.mirror for name, *_ in OFFICIAL
    }
    assert {name for name, mirror in at_once.items() if mirror == "batch"} == {"fader"}
