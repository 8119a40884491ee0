"""Domains, conditions and batches."""

import dataclasses
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains, TensorSpec
from zoo_core.errors import UsageError

relaxed = settings(deadline=None)  # a busy machine is no failure

NAMES = ("black", "blond", "brown", "male", "young")
HAIR = NAMES[:3]
ATTRIBUTES = Domains(NAMES, "attributes", (HAIR,))
VENDORS = Domains(("noto", "openmoji", "twemoji"))


@st.composite
def origins(draw):
    """Vectors that ATTRIBUTES allows."""
    hair = draw(st.sampled_from([None, *HAIR]))
    rest = draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=2))
    return [float(name == hair) for name in HAIR] + rest


def test_vector_of_a_domain_is_one_hot_in_the_order_of_the_names():
    assert VENDORS.vector("openmoji") == [0.0, 1.0, 0.0]
    assert VENDORS.vector({"twemoji": 1, "noto": 0}) == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("target", [{"noto": 1, "twemoji": 1}, {"noto": 0}, {}])
def test_exactly_one_domain_can_be_the_target(target):
    with pytest.raises(UsageError) as caught:
        VENDORS.vector(target)
    assert "exactly one domain" in caught.value.problem


@pytest.mark.parametrize(
    ("domains", "target", "near"),
    [
        (VENDORS, "twemojy", "twemoji"),
        (VENDORS, {"notto": 1}, "noto"),
        (ATTRIBUTES, "blonde", "blond"),
        (ATTRIBUTES, {"yuong": 0}, "young"),
    ],
)
def test_unknown_name_is_refused_with_the_near_match(domains, target, near):
    with pytest.raises(UsageError) as caught:
        domains.vector(target)
    assert f'"{near}"' in caught.value.hint


@relaxed
@given(origin=origins(), name=st.sampled_from(NAMES))
def test_attribute_is_set_and_its_exclusive_group_cleared_and_the_rest_kept(origin, name):
    vector = ATTRIBUTES.vector(name, origin)
    for other, before, after in zip(NAMES, origin, vector, strict=True):
        if other == name:
            assert after == 1.0
        elif name in HAIR and other in HAIR:
            assert after == 0.0
        else:
            assert after == before
    assert sum(vector[: len(HAIR)]) <= 1


@relaxed
@given(origin=origins(), name=st.sampled_from(NAMES))
def test_attribute_that_is_taken_away_changes_no_other(origin, name):
    vector = ATTRIBUTES.vector({name: 0}, origin)
    expected = [0.0 if n == name else v for n, v in zip(NAMES, origin, strict=True)]
    assert vector == expected


def test_origin_is_not_written_into():
    origin = [1.0, 0.0, 0.0, 1.0, 0.0]
    ATTRIBUTES.vector("blond", origin)
    assert origin == [1.0, 0.0, 0.0, 1.0, 0.0]


def test_two_attributes_of_an_exclusive_group_are_refused():
    with pytest.raises(UsageError) as caught:
        ATTRIBUTES.vector({"black": 1, "blond": 1})
    assert "black, blond, brown" in caught.value.problem


def test_attributes_start_from_nothing_without_an_origin():
    assert ATTRIBUTES.vector({"male": 1, "young": 1}) == [0.0, 0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "names", [("a", "a"), ("a", ""), ("a", " "), ("a", "b\nc"), ("a", "\x1b[1m"), ("a", "{b}")]
)
def test_names_that_cannot_serve_are_refused(names):
    with pytest.raises(UsageError):
        Domains(names)


def test_exclusive_group_of_unknown_names_is_refused():
    with pytest.raises(UsageError) as caught:
        Domains(NAMES, "attributes", (("black", "blnd"),))
    assert '"blond"' in caught.value.hint


def test_domains_count_iterate_and_contain():
    assert len(VENDORS) == 3
    assert list(VENDORS) == ["noto", "openmoji", "twemoji"]
    assert "noto" in VENDORS
    assert "apple" not in VENDORS


def test_spec_names_its_channels_and_is_frozen():
    spec = TensorSpec(shape=(5, 8, 8))
    assert spec.channels == 5
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.stride = 8


def test_condition_of_a_domain_names_it_and_repeats_its_vector():
    condition = Condition.of(VENDORS, "openmoji", 3)
    assert condition.domain == "openmoji"
    assert len(condition) == 3
    assert condition.label.tolist() == [[0.0, 1.0, 0.0]] * 3


def test_condition_of_an_attribute_names_no_domain():
    assert Condition.of(ATTRIBUTES, "male", 2).domain is None


def test_part_of_a_condition_takes_the_same_part_of_everything():
    numbers = torch.arange(4.0)[:, None]
    whole = Condition(numbers, None, numbers + 10, numbers + 20, numbers[:, 0] + 30)
    part = whole[torch.tensor([3, 1])]
    assert part.label[:, 0].tolist() == [3, 1]
    assert part.style[:, 0].tolist() == [13, 11]
    assert part.reference[:, 0].tolist() == [23, 21]
    assert part.lengths.tolist() == [33, 31]


def test_conditions_of_one_domain_have_one_key_and_mixed_ones_have_their_own():
    assert Condition.of(VENDORS, "noto", 2).key == Condition.of(VENDORS, "noto", 2).key
    assert Condition.of(VENDORS, "noto", 2).key != Condition.of(VENDORS, "twemoji", 2).key
    label = torch.eye(3)
    assert Condition(label).key == Condition(label).key
    assert Condition(label).key != Condition(label.clone()).key


def test_style_is_part_of_the_key_of_a_condition():
    plain = Condition.of(VENDORS, "noto", 2)
    styled = dataclasses.replace(plain, style=torch.zeros(2, 4))
    assert plain.key != styled.key


@relaxed
@given(world=st.integers(1, 5), each=st.integers(1, 4), offset=st.integers(0, 3))
def test_shards_are_disjoint_and_together_the_whole_batch(world, each, offset):
    count = world * each
    numbers = torch.arange(float(count)) + offset
    batch = Batch({MIXED: numbers}, {MIXED: Condition(numbers[:, None])}, {"extra": numbers})
    shards = [batch.shard(rank, world) for rank in range(world)]
    for shard in shards:
        assert len(shard.signals[MIXED]) == each
        assert torch.equal(shard.conditions[MIXED].label[:, 0], shard.signals[MIXED])
        assert torch.equal(shard.extras["extra"], shard.signals[MIXED])
    together = torch.stack([shard.signals[MIXED] for shard in shards], dim=1).flatten()
    assert torch.equal(together, numbers)


def test_shard_of_one_process_is_the_batch_itself():
    batch = Batch({MIXED: torch.zeros(2)}, {})
    assert batch.shard(0, 1) is batch


def test_batch_moves_with_its_conditions_and_extras():
    numbers = torch.zeros(2, 1)
    batch = Batch({"a": numbers}, {"a": Condition(numbers, "a")}, {"extra": numbers}).to("meta")
    assert batch.signals["a"].device.type == "meta"
    assert batch.conditions["a"].label.device.type == "meta"
    assert batch.conditions["a"].domain == "a"
    assert batch.extras["extra"].device.type == "meta"


def test_signals_import_no_torch():
    program = "import sys, zoo_core.contracts.signals; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
