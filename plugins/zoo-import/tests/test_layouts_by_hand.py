"""Layouts of published checkpoints, recognised by shapes that are written out."""

from __future__ import annotations

import pytest

from zoo_core.errors import WeightsError
from zoo_cyclegan.importers import Cut, Huggan, Official
from zoo_import.contract import Importer, Shapes

Found = dict[str, tuple[int, ...]]


def resnet(first: int = 10, block: str = "conv_block", channels: int = 3) -> Found:
    """The layers of a generator by which it is known; its first residual block is ``first``."""
    shapes: Found = {"model.1.weight": (6, channels, 7, 7)}
    for number in (first, first + 1):
        shapes[f"model.{number}.{block}.1.weight"] = (24, 24, 3, 3)
    return shapes


def patches(layers: int, kernel: int = 4) -> Found:
    """The convolutions of a discriminator of so many layers, and the biases of their norms."""
    shapes: Found = {"model.0.weight": (8, 3, kernel, kernel)}
    for number in range(layers - 1):
        shapes[f"model.{2 + 3 * number}.weight"] = (16, 8, kernel, kernel)
        shapes[f"model.{3 + 3 * number}.weight"] = (16,)
    return shapes


@pytest.mark.parametrize(("first", "halvings"), [(4, 0), (10, 2), (22, 6)])
def test_a_generator_is_told_by_where_its_blocks_begin(first: int, halvings: int) -> None:
    (part,) = Official().parts(resnet(first))
    assert part.net == "generator_{1}"
    assert part.shape == (3, None, None)
    assert part.options == {
        "width": 6,
        "blocks": 2,
        "halvings": halvings,
        "upsample": "transpose",
        "downsample": "stride",
    }


@pytest.mark.parametrize("first", [1, 11, 25])
def test_blocks_that_begin_where_none_can_are_refused(first: int) -> None:
    with pytest.raises(WeightsError) as caught:
        Official().parts(resnet(first))
    assert f"layer {first}" in caught.value.problem


def test_batch_normalisation_is_refused() -> None:
    with pytest.raises(WeightsError) as caught:
        Official().parts(resnet() | {"model.2.weight": (6,)})
    assert "batch normalisation" in caught.value.problem


@pytest.mark.parametrize(("layers", "expected"), [(2, 1), (4, 2), (5, 3)])
def test_a_discriminator_is_told_by_its_convolutions(layers: int, expected: int) -> None:
    (part,) = Official().parts(patches(layers))
    assert part.net == "discriminator_{1}"
    assert part.options == {"critic_width": 8, "critic_layers": expected}
    assert part.shape == (3, None, None)


@pytest.mark.parametrize("shapes", [{}, patches(4, kernel=3), resnet() | {"model.4.filt": (1,)}])
def test_what_is_of_another_layout_has_no_parts(shapes: Shapes) -> None:
    assert Official().parts(shapes) == []


def test_a_layout_that_pads_by_its_channels_takes_three_of_them() -> None:
    (part,) = Huggan().parts(resnet(block="block"))
    assert part.options["upsample"] == "nearest-zero"
    with pytest.raises(WeightsError) as caught:
        Huggan().parts(resnet(block="block", channels=1))
    assert caught.value.asked == "layout cyclegan-huggan"


@pytest.mark.parametrize("shapes", [resnet(), {"model.4.filt": (1,)}, {}])
def test_without_filters_or_blocks_it_is_not_of_cut(shapes: Shapes) -> None:
    assert Cut().parts(shapes) == []


def test_filters_say_how_cut_samples() -> None:
    (part,) = Cut().parts(resnet(12) | {"model.7.filt": (1,), "model.14.filt": (1,)})
    assert (part.options["halvings"], part.options["downsample"]) == (2, "blur")
    assert part.options["upsample"] == "blur"


@pytest.mark.parametrize(
    ("nets", "expected"),
    [
        (["generator_a", "generator_b"], {}),
        (["generator_b", "discriminator_b"], {"generators": ["b"]}),
    ],
)
def test_the_generators_that_there_are_are_named(
    nets: list[str], expected: dict[str, list[str]]
) -> None:
    importer: Importer = Official()
    assert importer.complete(nets, ["a", "b"]) == expected
