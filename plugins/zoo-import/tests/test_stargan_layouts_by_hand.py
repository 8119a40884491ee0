"""StarGAN's published layouts, recognised by shapes that are written out."""

from __future__ import annotations

import pytest
from published_nets import lornatang_generator, yunjey_generator

from zoo_core.contracts.signals import TensorSpec
from zoo_import.contract import Importer, Shapes
from zoo_stargan.importers import Lornatang, Official

Found = dict[str, tuple[int, ...]]


def generator(layout: type[Importer], *, width: int = 6, blocks: int = 3, labels: int = 5) -> Found:
    """The shapes of a published generator."""
    make = yunjey_generator if layout is Official else lornatang_generator
    state = make(width, blocks, labels).state_dict()
    return {key: tuple(value.shape) for key, value in state.items()}


def critic(layers: int = 3, *, side: int = 2, labels: int = 5, channels: int = 3) -> Found:
    """The convolutions of a discriminator."""
    shapes: Found = {"main.0.weight": (4, channels, 4, 4), "main.0.bias": (4,)}
    for number in range(1, layers):
        shapes[f"main.{2 * number}.weight"] = (8, 4, 4, 4)
    return shapes | {"conv1.weight": (1, 8, 3, 3), "conv2.weight": (labels, 8, side, side)}


@pytest.mark.parametrize("layout", [Official, Lornatang])
@pytest.mark.parametrize(("width", "blocks", "labels"), [(6, 3, 5), (4, 1, 2), (8, 6, 3)])
def test_a_generator_is_told_by_its_first_layer_and_its_blocks(
    layout: type[Importer], width: int, blocks: int, labels: int
) -> None:
    shapes = generator(layout, width=width, blocks=blocks, labels=labels)
    (part,) = layout().parts(shapes)
    assert part.net == "generator"
    assert part.options == {"width": width, "blocks": blocks, "upsample": "transpose", "skip": 0.0}
    assert part.conditions == labels
    assert part.shape == (3, None, None)
    assert part.left_out is not None


@pytest.mark.parametrize(
    ("layout", "last"), [(Official, "main.18.weight"), (Lornatang, "last_layer.0.weight")]
)
def test_channels_are_counted_in_the_last_layer(layout: type[Importer], last: str) -> None:
    shapes = generator(layout, labels=5)
    assert shapes[last] == (3, 6, 7, 7)
    (part,) = layout().parts(shapes | {last: (1, 6, 7, 7)})
    assert (part.shape, part.conditions) == ((1, None, None), 7)
    del shapes[last]
    (part,) = layout().parts(shapes)
    assert (part.shape, part.conditions) == ((3, None, None), 5)


def test_the_five_pieces_count_their_layers_anew() -> None:
    theirs = Lornatang().name_of(2)
    assert {ours: theirs(f"layers.{ours}") for ours in (
        "0.weight", "2.bias", "3.weight", "8.weight", "9.body.0.weight", "10.body.4.bias",
        "11.weight", "16.weight", "17.weight",
    )} == {
        "0.weight": "first_layer.0.weight",
        "2.bias": "first_layer.2.bias",
        "3.weight": "down_sampling.0.weight",
        "8.weight": "down_sampling.5.weight",
        "9.body.0.weight": "trunk.0.main.0.weight",
        "10.body.4.bias": "trunk.1.main.4.bias",
        "11.weight": "up_sampling.0.weight",
        "16.weight": "up_sampling.5.weight",
        "17.weight": "last_layer.0.weight",
    }  # fmt: skip
    with pytest.raises(KeyError):
        theirs("layers.18.weight")


def test_one_sequence_counts_as_ours() -> None:
    assert Official().name_of(2)("layers.9.body.0.weight") == "main.9.main.0.weight"


@pytest.mark.parametrize("layout", [Official, Lornatang])
@pytest.mark.parametrize(("layers", "side", "size"), [(3, 2, 16), (6, 1, 64), (1, 8, 16)])
def test_a_discriminator_is_told_by_its_convolutions_and_the_head_of_domains(
    layout: type[Importer], layers: int, side: int, size: int
) -> None:
    (part,) = layout().parts(critic(layers, side=side, labels=7, channels=2))
    assert part.net == "discriminator"
    assert part.options == {"critic_width": 4, "critic_layers": layers}
    assert part.conditions == 7
    assert part.shape == (2, size, size)
    assert part.theirs("source.weight") == "conv1.weight"
    assert part.theirs("domain.weight") == "conv2.weight"
    assert part.theirs("body.2.bias") == "main.2.bias"


@pytest.mark.parametrize(
    ("layout", "shapes"),
    [
        (Official, {}),
        (Official, {"main.0.weight": (6, 8, 7, 7)}),
        (Official, {"main.0.weight": (6,), "main.9.main.0.weight": (24, 24, 3, 3)}),
        (Official, {"main.9.main.0.weight": (24, 24, 3, 3)}),
        (Official, {"main.0.weight": (6, 8), "conv2.weight": (5, 8, 2, 2)}),
        (Official, {"main.0.weight": (6, 8, 7, 7), "conv2.weight": (5,)}),
        (Official, {"conv2.weight": (5, 8, 2, 2)}),
        (Official, generator(Lornatang)),
        (Lornatang, generator(Official)),
    ],
)
def test_what_is_of_another_layout_has_no_parts(layout: type[Importer], shapes: Shapes) -> None:
    assert layout().parts(shapes) == []


@pytest.mark.parametrize("layout", [Official, Lornatang])
def test_published_stargans_set_attributes_of_pictures_of_128_pixels(
    layout: type[Importer],
) -> None:
    assert (layout.method, layout.kind) == ("stargan", "attributes")
    assert layout.signal == TensorSpec(shape=(3, 128, 128))
