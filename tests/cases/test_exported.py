"""A model that has to run where there is neither torch nor zoo."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo_core.cli import run
from zoo_images import metadata
from zoo_runtime import pictures

ELSEWHERE = """
import sys
import numpy as np
import onnxruntime

graph, given, made, *target = sys.argv[1:]
feed = {"picture": np.load(given)}
if target:
    feed["target"] = np.full(len(feed["picture"]), int(target[0]))
(translated,) = onnxruntime.InferenceSession(graph).run(None, feed)
np.save(made, translated)
assert not {"torch", "zoo_core", "onnx"} & set(sys.modules)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "to", "fixed"),
    [
        ("stargan-emoji-64", "twemoji", False),  # the target is an input
        ("cyclegan-mnist-mnistm", "mnist", True),  # a net for each direction
        ("unit-mnist-usps", "mnist", True),  # encoder and decoder
    ],
)
def test_case_35_an_exported_model_gives_the_same_pictures_without_torch(
    model, to, fixed, tmp_path
):
    path = tmp_path / "model.onnx"
    chosen = ["--target", to] if fixed else []
    assert run(["export", model, "--to", "onnx", "--out", str(path), *chosen]) == 0

    given = np.random.default_rng(0).integers(0, 256, (2, 45, 70, 3), dtype=np.uint8)
    np.save(tmp_path / "given.npy", given)
    translator = zoo.load(model, device="cpu", precision="float32")
    target = [] if fixed else [str(translator.domains.index(to))]
    names = [path, tmp_path / "given.npy", tmp_path / "made.npy"]
    subprocess.run([sys.executable, "-c", ELSEWHERE, *map(str, names), *target], check=True)

    wanted = np.stack([translator(picture, to=to, size=45) for picture in given])
    difference = np.abs(np.load(names[2]).astype(int) - wanted)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


def test_zoo_and_zoo_run_call_the_same_exif_blocks_damaged() -> None:
    tags = Image.Exif()
    tags[274], tags[315] = 6, "A person of a long name"
    whole = tags.tobytes()
    blocks = [whole, b"", None, b"Exif\0\0II*\0\xff\xff\xff\x7f", b"no block"]
    blocks += [whole[:length] for length in range(1, len(whole))]
    found = [metadata.exif_is_damaged(block) for block in blocks]
    assert found == [pictures.exif_is_damaged(block) for block in blocks]
    assert not found[0]
    assert sum(found) > len(whole) / 2
