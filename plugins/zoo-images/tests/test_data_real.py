"""The same on real data, where it is at hand."""

import pytest
import torch

from zoo_core.contracts.signals import MIXED, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_images.codec import ImageCodec
from zoo_train.data.dataset import open_sources
from zoo_train.data.folders import data_root

ROOT = data_root()
pytestmark = pytest.mark.skipif(
    ROOT is None, reason="no real data: set ZOO_DATA, or put it in ../shared/data"
)
CODEC = ImageCodec(TensorSpec(shape=(3, 32, 32)))


def opened(domains=None, **options):
    return open_sources(domains or {}, codec=CODEC, config=TrainConfig(), **options)


def need(*parts):
    path = ROOT.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no {path.name} in the data folder")
    return str(path)


def test_three_vendors_draw_the_same_emoji():
    data = opened(data=need("emoji"), split="test")
    assert data.domains.names == ("noto", "openmoji", "twemoji")
    names = [list(store.names) for store in data.stores.values()]
    assert names[0] == names[1] == names[2]
    assert len(names[0]) == 200
    assert all(not store.skipped for store in data.stores.values())


def test_a_digit_of_mnist_m_is_the_one_of_mnist_at_the_same_place():
    need("digits", "MNIST-M")
    root = need("digits", "MNIST")
    data = opened(
        {"m": f"mnist:{root}", "mm": need("digits", "MNIST-M")},
        split="test",
    )
    mnist, coloured = data.stores["m"], data.stores["mm"]
    assert len(mnist) == 10_000
    references = [int(name.split("/")[1].split(".")[0]) for name in coloured.names]
    assert torch.equal(mnist.labels[references], coloured.labels)


def test_faces_are_labelled_by_the_attribute_list():
    root = need("faces")
    data = opened(data=root, attributes=["Male", "Young", "Senior"], split="test")
    assert len(data.stores[MIXED]) == 400
    assert data.domains.exclusive == (("Young", "Senior"),)
    batch = data.sampler(8, "mixed", 0).batch(0)
    assert batch.signals[MIXED].shape == (8, 3, 32, 32)
    assert batch.conditions[MIXED].label.shape == (8, 3)


def test_anime_hair_colours_make_domains_that_do_not_meet():
    root = need("anime")
    data = opened({"blue": f"{root}:Blue_Hair", "rest": f"{root}:!Blue_Hair"}, split="test")
    blue, rest = (set(store.names) for store in data.stores.values())
    assert not blue & rest
    assert len(blue) + len(rest) == 450
