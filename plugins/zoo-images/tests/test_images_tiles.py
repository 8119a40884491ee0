"""Tiles cover every pixel once in weight, keep to the stride, and stay within the limit."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo_images import tiles

extents = st.integers(1, 200)
strides = st.sampled_from([1, 2, 4, 8, 32])


@given(extents, extents, strides, st.integers(1, 20_000))
@settings(max_examples=150, deadline=None)
def test_weights_add_up_to_one_at_every_pixel(height, width, stride, limit):
    plan = tiles.plan(height, width, stride=stride, limit=limit)
    for extent, spans in ((height, plan.rows), (width, plan.columns)):
        total = np.zeros(extent)
        for span in spans:
            total[span.written] += span.weight
            assert len(span.source) % stride == 0
            assert span.source.min() >= 0
            assert span.source.max() < extent
            # What is written at a position was read at that position.
            at = np.arange(extent)[span.written]
            assert (span.source[span.used] == at).all()
        np.testing.assert_allclose(total, 1, atol=1e-6)


@given(extents, extents, strides, st.integers(1, 20_000))
@settings(max_examples=100, deadline=None)
def test_tiles_of_one_picture_have_one_size_within_the_limit(height, width, stride, limit):
    plan = tiles.plan(height, width, stride=stride, limit=limit)
    sizes = {(len(r.source), len(c.source)) for r in plan.rows for c in plan.columns}
    assert len(sizes) == 1
    tall, wide = sizes.pop()
    least = max(tiles.padded_extent(1, stride), 4 * stride)
    assert tall * wide <= max(limit, least * least)


def test_a_picture_within_the_limit_is_one_tile():
    assert len(tiles.plan(64, 64, stride=4, limit=64 * 64)) == 1
    assert len(tiles.plan(64, 68, stride=4, limit=64 * 64)) > 1


def test_neighbours_overlap_by_about_a_quarter():
    plan = tiles.plan(1000, 1000, stride=4, limit=256 * 256)
    tile = len(plan.rows[0].source)
    starts = [span.start for span in plan.rows]
    overlaps = [tile - (b - a) for a, b in itertools.pairwise(starts)]
    assert all(56 <= overlap <= 72 for overlap in overlaps)


def test_a_large_photograph_is_cut_with_little_waste():
    plan = tiles.plan(3000, 4000, stride=4, limit=1024 * 1024)
    pixels = len(plan) * len(plan.rows[0].source) * len(plan.columns[0].source)
    assert pixels < 1.3 * 3000 * 4000


def test_reflection_mirrors_without_repeating_the_border():
    assert tiles.reflect(np.arange(-4, 7), 3).tolist() == [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]
    assert tiles.reflect(np.arange(-2, 3), 1).tolist() == [0] * 5
