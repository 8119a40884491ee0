"""Pictures are scaled with the cubic kernel of Keys (a = -0.5), wherever they are scaled."""

import numpy as np
import pytest
import torch
from PIL import Image

from zoo_images.pixels import Fitting, fit, resize
from zoo_images.transparency import Transparency

pytestmark = pytest.mark.numeric

EDGE = np.repeat([50, 150], 4)
TWICE = np.array([50] * 5 + [47.66, 42.97, 70.31, 129.69, 157.03, 152.34] + [150] * 5)
"""An edge at twice its width, by hand: weights -0.0234, 0.2266, 0.8672 and -0.0703."""


def test_arrays_are_scaled_with_the_cubic_kernel():
    pixels = np.broadcast_to(EDGE[None, :, None], (8, 8, 3)).astype(np.uint8)
    scaled = resize(pixels, (8, 16))
    np.testing.assert_allclose(scaled[3, :, 1], TWICE, atol=0.6)


def test_tensors_are_scaled_with_the_cubic_kernel_within_their_own_range():
    signal = torch.from_numpy(EDGE / 1.0).float().expand(3, 8, 8)
    scaled = resize(signal, (8, 16))
    np.testing.assert_allclose(scaled[1, 3], TWICE.clip(50, 150), atol=0.01)


def test_training_pictures_are_scaled_with_the_cubic_kernel():
    image = Image.fromarray(np.broadcast_to(EDGE[None, :, None], (8, 8, 3)).astype(np.uint8))
    scaled = fit(image, (16, 16), Fitting())
    np.testing.assert_allclose(scaled[7, :, 1], TWICE, atol=0.6)


def test_transparency_is_scaled_with_the_cubic_kernel():
    opacity = np.broadcast_to(EDGE / 200, (8, 8)).astype(np.float32)
    made = Transparency(opacity).behind(np.zeros((16, 16, 3), np.float32))
    np.testing.assert_allclose(made[7, :, 3], TWICE / 200, atol=1e-4)
