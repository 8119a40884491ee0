"""Sampling: a function of seed and step that covers the largest domain once per epoch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo_core.contracts.signals import MIXED, Domains, class_key
from zoo_core.errors import UsageError
from zoo_train.data.sampling import BatchSampler


class Numbers:
    """A store whose signals (1, 1, 1) are their own numbers, plus noise when augmented."""

    kept = skipped = ()
    summary = ""

    def __init__(self, first, count, labels=None):
        self.first, self.count, self.labels = first, count, labels
        self.names = [str(number) for number in range(count)]

    def __len__(self):
        return self.count

    def batch(self, indices, rng=None):
        assert all(0 <= index < self.count for index in indices)
        values = torch.tensor(list(indices)).view(-1, 1, 1, 1).float() + self.first
        return values if rng is None else values + 0.4 * torch.rand(values.shape, generator=rng)


def sampler(counts, batch, sampling="per-domain", seed=0):
    stores = {f"d{i}": Numbers(1000 * i, count) for i, count in enumerate(counts)}
    return BatchSampler(stores, Domains(tuple(stores)), batch, sampling, seed)


def numbers(batch, key):
    return batch.signals[key].flatten().floor().long().tolist()


sizes = st.lists(st.integers(1, 30), min_size=1, max_size=3)


@given(sizes, st.integers(1, 12), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_an_epoch_covers_the_largest_domain(counts, batch, epoch):
    drawn = sampler(counts, batch)
    steps = drawn.steps_per_epoch
    largest = max(range(len(counts)), key=lambda i: counts[i])
    assert steps == -(-counts[largest] // batch)
    seen = []
    for step in range(epoch * steps, (epoch + 1) * steps):
        seen += numbers(drawn.batch(step), f"d{largest}")
    count = counts[largest]
    expected = sorted(range(1000 * largest, 1000 * largest + count))
    assert sorted(seen[:count]) == expected  # each exactly once; the rest fills the last batch
    assert len(seen) == steps * batch


@given(sizes, st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_a_mixed_epoch_covers_all_domains_with_their_own_conditions(counts, batch):
    drawn = sampler(counts, batch, "mixed")
    seen = []
    for step in range(drawn.steps_per_epoch):
        part = drawn.batch(step)
        values = numbers(part, MIXED)
        label = part.conditions[MIXED].label
        assert label.argmax(1).tolist() == [value // 1000 for value in values]
        assert (label.sum(1) == 1).all()
        assert part.conditions[MIXED].domain is None
        seen += values
    whole = [1000 * i + k for i, count in enumerate(counts) for k in range(count)]
    assert sorted(seen[: len(whole)]) == sorted(whole)


@pytest.mark.parametrize("sampling", ["per-domain", "mixed"])
def test_a_batch_depends_on_seed_and_step_and_draw_alone(sampling):
    def values(seed, step, draw=0):
        part = sampler([20, 15], 6, sampling, seed).batch(step, draw)
        return torch.cat([part.signals[key] for key in sorted(part.signals)]).flatten()

    used = sampler([20, 15], 6, sampling)
    for step in (0, 1, 2, 9):
        used.batch(step)
    again = used.batch(7)
    again = torch.cat([again.signals[key] for key in sorted(again.signals)]).flatten()
    assert torch.equal(values(0, 7), again)
    for other in (values(1, 7), values(0, 8), values(0, 7, draw=1), values(0, 7 + 4)):
        assert not torch.equal(values(0, 7), other)
    assert not torch.equal(values(0, 7, 1), values(0, 7, 2))


def test_domains_are_unpaired_and_in_their_own_orders():
    part = sampler([50, 50], 25).batch(0)
    assert numbers(part, "d0") != [value - 1000 for value in numbers(part, "d1")]


@pytest.mark.parametrize("sampling", ["per-domain", "mixed"])
@pytest.mark.parametrize("world", [2, 3])
def test_the_shards_together_are_the_global_batch(sampling, world):
    whole = sampler([20, 15], 7, sampling).batch(3)
    parts = [sampler([20, 15], 7, sampling).batch(3).shard(r, world) for r in range(world)]
    for key in whole.signals:
        union = sorted(v for part in parts for v in part.signals[key].flatten().tolist())
        assert union == sorted(whole.signals[key].flatten().tolist())
        labels = torch.cat([part.conditions[key].label for part in parts])
        assert torch.equal(labels.sum(0), whole.conditions[key].label.sum(0))


def test_every_domain_has_its_own_condition():
    part = sampler([5, 9], 4).batch(0)
    assert part.conditions["d1"].domain == "d1"
    assert part.conditions["d1"].label.tolist() == [[0, 1]] * 4


def attributes(sampling):
    labels = torch.tensor([[0, 1], [1, 0], [1, 1]]).float()
    domains = Domains(("Male", "Young"), "attributes")
    return BatchSampler({MIXED: Numbers(0, 3, labels)}, domains, 3, sampling, 0), labels


def test_attributes_come_with_their_own_labels():
    drawn, labels = attributes("mixed")
    part = drawn.batch(0)
    assert torch.equal(part.conditions[MIXED].label, labels[numbers(part, MIXED)])


def test_attributes_cannot_be_drawn_per_domain():
    with pytest.raises(UsageError, match="not attributes"):
        attributes("per-domain")


def test_an_empty_batch_is_refused():
    with pytest.raises(UsageError, match="at least one"):
        sampler([3], 0)


def test_class_numbers_come_along_with_their_signals():
    stores = {"a": Numbers(0, 9, torch.arange(9) * 10), "b": Numbers(0, 4)}
    drawn = BatchSampler(stores, Domains(("a", "b")), 5, "per-domain", 0)
    part = drawn.batch(1)
    assert set(part.extras) == {class_key("a")}
    assert part.extras[class_key("a")].tolist() == [10 * n for n in numbers(part, "a")]
