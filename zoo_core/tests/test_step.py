"""A step: what is computed once, what carries a graph, what the players share."""

import gc
import weakref
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from zoo_core.contracts.interfaces import Code
from zoo_core.contracts.method import freeze
from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains
from zoo_core.contracts.spec import Progress
from zoo_core.contracts.step import Route, Step
from zoo_core.contracts.trainable_nets import TrainableNets
from zoo_core.errors import UsageError
from zoo_nn.plans import random_other_domain, ring
from zoo_testing.subject import Subject
from zoo_testing.tiny import CODE_SPEC, SPEC, TinyCodeMethod, TinyMethod

relaxed = settings(deadline=None)  # a busy machine is no failure


class DirectMethod(TinyMethod):
    """The clean direct method with a route per direction, as CycleGAN has."""

    sampling = "per-domain"

    def plan(self, batch, rng):
        first, second = self.domains.names[:2]
        return [Route(first, batch.conditions[second]), Route(second, batch.conditions[first])]


class SamplingMethod(TinyCodeMethod):
    """Draws codes, as CoGAN does."""

    def prior(self, step, count):
        return Code(step.randn(count, self.options.width, 4, 4))


class NoisyMethod(TinyCodeMethod):
    """Adds noise to the codes that decoders read, as UNIT does."""

    def sample(self, step, code):
        return replace(code, sample=code.content + step.randn(*code.content.shape))


class CoupledMethod(TinyCodeMethod):
    """Both encoders share their one convolution."""

    def build(self):
        nets = dict(super().build())
        first, second = (nets[f"encoder_{name}"] for name in self.domains.names)
        second.body = first.body
        return nets


MIXED_SUBJECT = Subject(SPEC, "domains", None, TinyMethod)
DIRECT = Subject(replace(SPEC, domains=(2, 2)), "domains", None, DirectMethod)
CODE = Subject(CODE_SPEC, "domains", None, SamplingMethod)
NOISY = Subject(CODE_SPEC, "domains", None, NoisyMethod)
COUPLED = Subject(CODE_SPEC, "domains", None, CoupledMethod)


def make_step(subject, *, moving=None, method=None, **given):
    method = method or subject.build()
    batch = subject.batch()
    rng = torch.Generator().manual_seed(0)
    routes = method.plan(batch, rng)
    return Step(method, batch, routes, rng=rng, moving=moving, **given)


def test_translation_is_computed_once_for_all_who_ask():
    step = make_step(MIXED_SUBJECT)
    (route,) = step.routes
    assert route.translated is route.translated
    assert step.counts["translate"] == 1
    assert route.restored is route.restored
    assert step.counts["translate"] == 2


def test_both_directions_with_cycle_and_identity_take_six_translations():
    step = make_step(DIRECT)
    for _ in range(2):
        for route in step.routes:
            _ = route.translated, route.restored, route.identity
    assert step.counts["translate"] == 6


def test_code_of_a_signal_is_computed_once_for_translation_and_identity():
    step = make_step(CODE)
    for route in step.routes:
        _ = route.code, route.translated, route.identity
    assert step.counts["encode"] == 2
    assert step.counts["decode"] == 4


def test_way_back_and_reencoded_share_one_encoding():
    step = make_step(CODE)
    route = step.routes[0]
    _ = route.restored, route.reencoded
    assert step.counts["encode"] == 2, "the input, and the translation"


@pytest.mark.numeric
def test_translation_equals_the_method_s_own():
    step = make_step(MIXED_SUBJECT)
    (route,) = step.routes
    expected = step.method.translate(route.signal, route.source_condition, route.target)
    assert torch.equal(route.translated, expected)
    assert torch.equal(
        route.restored, step.method.translate(expected, route.target, route.source_condition)
    )


def test_identity_feeds_a_real_signal_of_the_target_domain():
    step = make_step(DIRECT)
    route = step.routes[0]
    first, second = step.method.domains.names
    assert route.name == f"{first}->{second}"
    assert route.identity_input is step.batch.signals[second]
    own = step.batch.conditions[second]
    assert torch.equal(route.identity, step.method.translate(route.identity_input, own, own))


def test_identity_in_a_mixed_batch_feeds_the_input_itself():
    (route,) = make_step(MIXED_SUBJECT).routes
    assert route.identity_input is route.signal
    assert torch.equal(
        route.identity,
        route.step.method.translate(route.signal, route.source_condition, route.source_condition),
    )


def test_defence_acts_once_and_on_the_way_back_alone():
    method = MIXED_SUBJECT.build()
    calls = []

    def defence(step, translated):
        calls.append(translated)
        return translated * 0

    method.defences = [defence]
    (route,) = make_step(MIXED_SUBJECT, method=method).routes
    back = method.translate(route.translated * 0, route.target, route.source_condition)
    assert torch.equal(route.restored, back)
    assert route.restored is route.restored
    assert len(calls) == 1
    assert route.translated.abs().max() > 0


def test_translation_carries_a_graph_for_the_nets_that_move():
    step = make_step(MIXED_SUBJECT, moving=["generator", "critic"])
    with TrainableNets(step.method.nets).only(["critic"]):  # the critic asks first
        assert step.routes[0].translated.requires_grad
    step.routes[0].translated.sum().backward()
    assert step.method.nets["generator"].first.weight.grad is not None


def test_translation_carries_no_graph_where_the_generator_does_not_move():
    step = make_step(MIXED_SUBJECT, moving=["critic"])
    assert not step.routes[0].translated.requires_grad


def test_thawing_for_a_translation_ends_with_it():
    step = make_step(MIXED_SUBJECT, moving=["generator", "critic"])
    with TrainableNets(step.method.nets).only(["critic"]):
        _ = step.routes[0].translated
        assert not any(p.requires_grad for p in step.method.nets["generator"].parameters())
        assert all(p.requires_grad for p in step.method.nets["critic"].parameters())


def test_only_training_restores_the_flags_even_after_an_error():
    nets = MIXED_SUBJECT.build().nets
    nets["critic"].real.weight.requires_grad_(False)
    before = [p.requires_grad for p in nets.parameters()]
    within: list[bool] = []

    def fail():
        with TrainableNets(nets).only(["critic"]):
            within.extend(p.requires_grad for p in nets["critic"].parameters())
            others.extend(p.requires_grad for p in nets["generator"].parameters())
            raise RuntimeError("within")

    others: list[bool] = []
    with pytest.raises(RuntimeError, match="within"):
        fail()
    assert all(within)
    assert not any(others)
    assert [p.requires_grad for p in nets.parameters()] == before


def test_only_training_leaves_frozen_nets_frozen():
    nets = MIXED_SUBJECT.build().nets
    freeze(nets["critic"])
    with TrainableNets(nets).only(["critic", "generator"]):
        assert not any(p.requires_grad for p in nets["critic"].parameters())
        assert all(p.requires_grad for p in nets["generator"].parameters())


def test_flags_within_blocks_of_the_same_and_of_other_nets():
    nets = MIXED_SUBJECT.build().nets
    trainable_nets = TrainableNets(nets)

    def learning() -> set[str]:
        return {
            name for name, net in nets.items() if all(p.requires_grad for p in net.parameters())
        }

    with trainable_nets.only(["critic"]):
        with trainable_nets.only(["critic"]):
            assert learning() == {"critic"}
        with trainable_nets.only(["generator", "critic"]):
            assert learning() == {"generator", "critic"}
            with trainable_nets.only(["critic"]):
                assert learning() == {"critic"}
            assert learning() == {"generator", "critic"}
        assert learning() == {"critic"}
    assert learning() == set(nets)


def test_a_step_that_is_closed_holds_no_tensor_any_more():
    step = make_step(MIXED_SUBJECT)
    (route,) = step.routes
    translated = weakref.ref(route.translated)
    restored = weakref.ref(route.restored)
    gc.disable()  # without waiting for the collector
    try:
        step.close()
        assert translated() is None
        assert restored() is None
    finally:
        gc.enable()
    with pytest.raises(RuntimeError, match="not bound"):
        _ = route.translated


def test_gradients_pass_through_nets_that_do_not_train():
    step = make_step(MIXED_SUBJECT, moving=["generator"])
    with TrainableNets(step.method.nets).only(["generator"]):
        step.net("critic")(step.routes[0].translated).scores[0].mean().backward()
    assert step.net("generator").first.weight.grad.abs().sum() > 0
    assert step.net("critic").body.weight.grad is None


def test_verdicts_are_kept_within_a_turn_and_not_beyond():
    step = make_step(MIXED_SUBJECT)
    x = step.routes[0].signal
    with step.turn(["critic"]):
        first = step.judge("critic", x)
        assert step.judge("critic", x) is first
    with step.turn(["generator"]):
        assert step.judge("critic", x) is not first
    step.judge("critic", x)
    step.judge("critic", x)
    assert step.counts["judge"] == 4


def test_sampled_domains_share_one_prior_code():
    step = make_step(CODE)
    first, second = step.method.domains.names
    one, other = step.sampled(first), step.sampled(second)
    assert step.sampled(first) is one
    assert one.shape == other.shape == step.real(first).shape
    assert step.counts["decode"] == 2
    assert step.counts["encode"] == 0


@relaxed
@given(world=st.integers(1, 4), each=st.integers(1, 3), normal=st.booleans())
def test_draws_of_all_processes_together_are_those_of_one(world, each, normal):
    def draw(rank, size, count):
        step = make_step(MIXED_SUBJECT, rank=rank, world=size)
        step.rng = torch.Generator().manual_seed(5)
        return (step.randn if normal else step.rand)(count, 2)

    shards = [draw(rank, world, each) for rank in range(world)]
    together = torch.stack(shards, dim=1).flatten(0, 1)
    assert torch.equal(together, draw(0, 1, world * each))


def test_route_of_a_process_has_the_same_part_as_its_batch():
    label = torch.arange(6.0)[:, None]
    route = Route(MIXED, Condition(label))
    assert route.shard(1, 2).target.label[:, 0].tolist() == [1, 3, 5]
    assert route.shard(1, 2).name == route.name == "mixed->mixed"


def test_routes_are_selected_by_name():
    step = make_step(DIRECT)
    assert step.select() == step.routes
    assert step.select([step.routes[1].name]) == (step.routes[1],)
    assert step.select(["none"]) == ()


def test_unbound_route_says_so():
    with pytest.raises(RuntimeError, match="not bound"):
        _ = Route("a", Condition(torch.eye(2))).translated


def test_unknown_names_are_refused():
    step = make_step(DIRECT)
    with pytest.raises(UsageError) as caught:
        step.net("critc")
    assert caught.value.asked == 'net "critc"'
    assert '"critic"' in caught.value.hint
    with pytest.raises(UsageError) as caught:
        step.real("elsewhere")
    assert caught.value.asked == 'real signals of "elsewhere"'


@relaxed
@given(step=st.integers(0, 10_000), steps=st.integers(1, 5000), per_epoch=st.integers(1, 500))
def test_progress_counts_epochs_from_1_and_its_fraction_stays_within_1(step, steps, per_epoch):
    progress = Progress(step, steps, per_epoch)
    assert (progress.epoch - 1) * per_epoch <= step < progress.epoch * per_epoch
    assert 0 <= progress.fraction <= 1
    assert (progress.fraction == 1) == (step >= steps)


def test_nets_that_do_not_move_can_be_in_eval_mode_during_a_turn():
    step = make_step(DIRECT)
    for net in step.method.nets.values():
        net.train()
    modes = lambda: {name: net.training for name, net in step.method.nets.items()}  # noqa: E731
    with step.turn(["generator"], "eval"):
        assert modes() == {name: name == "generator" for name in step.method.nets}
    assert all(modes().values())
    with step.turn(["generator"]):
        assert all(modes().values())


def test_shared_layers_stay_in_the_mode_of_the_net_that_moves():
    layer = nn.Dropout()
    nets = nn.ModuleDict({"moving": nn.Sequential(layer), "other": nn.Sequential(layer)})
    nets["other"].append(nn.Dropout().eval())
    with TrainableNets(nets).in_eval(["other"], but=["moving"]):
        assert layer.training
        assert not nets["other"].training
    assert nets["other"].training
    assert not nets["other"][1].training


def test_flags_of_shared_layers_are_restored():
    nets = COUPLED.build().nets
    with TrainableNets(nets).only([]):
        with TrainableNets(nets).only(list(nets)):
            assert all(p.requires_grad for p in nets.parameters())
        assert not any(p.requires_grad for p in nets.parameters())
    assert all(p.requires_grad for p in nets.parameters())


def test_decoders_read_the_sampled_code_in_a_step_and_the_mean_outside():
    step = make_step(NOISY)
    route = step.routes[0]
    assert route.code is route.code
    assert not torch.equal(route.code.decoder_input, route.code.content)
    assert torch.equal(route.translated, step.method.decode(route.code, route.target))
    clean = step.method.translate(route.signal, route.source_condition, route.target)
    assert torch.equal(
        clean, step.method.translate(route.signal, route.source_condition, route.target)
    )
    assert not torch.equal(clean, route.translated)


def test_samples_of_all_domains_are_made_from_one_prior_code():
    step = make_step(CODE)
    first, second = step.method.domains.names
    assert step.prior is step.prior
    for name in (first, second):
        expected = step.method.decode(step.prior, step.condition(name, 3))
        assert torch.equal(step.sampled(name), expected)


def test_what_is_detached_is_one_tensor_for_all_who_ask():
    step = make_step(CODE)
    made = step.sampled("domain1")
    assert made.requires_grad
    assert step.detached(made) is step.detached(made)
    assert not step.detached(made).requires_grad


@given(seed=st.integers(0, 1000), count=st.integers(2, 5))
@relaxed
def test_a_ring_takes_every_domain_elsewhere_once(seed, count):
    domains = Domains(tuple("abcde"[:count]))
    batch = Batch({name: torch.zeros(1, 2) for name in domains.names}, {})
    routes = ring(batch, domains, torch.Generator().manual_seed(seed))
    assert [route.source for route in routes] == list(domains.names)
    assert sorted(route.target.one_domain for route in routes) == list(domains.names)
    assert all(route.source != route.target.one_domain for route in routes)


@given(seed=st.integers(0, 1000), count=st.integers(2, 5))
@relaxed
def test_no_signal_of_a_mixed_batch_stays_where_it_is(seed, count):
    own = torch.arange(24) % count
    label = torch.eye(count)[own]
    batch = Batch({MIXED: torch.zeros(24, 2)}, {MIXED: Condition(label)})
    (route,) = random_other_domain(batch, torch.Generator().manual_seed(seed))
    wanted = route.target.label
    assert torch.equal(wanted.sum(1), torch.ones(24))
    assert not (wanted.argmax(1) == own).any()


def test_a_route_transforms_its_input_and_the_targets_reals_once_for_all_who_ask():
    method, batch = DIRECT.build(), DIRECT.batch()
    first, second = DIRECT.domains.names
    plain = Route(first, batch.conditions[second])
    turned = Route(first, batch.conditions[second], "turned", lambda x: x.flip(-2))
    step = Step(method, batch, [plain, turned])
    assert step.routes == (plain, turned)
    assert torch.equal(turned.signal, batch.signals[first].flip(-2))
    assert torch.equal(turned.identity_input, batch.signals[second].flip(-2))
    assert turned.signal is turned.signal
    assert turned.translated is turned.translated
    assert not torch.equal(turned.translated, plain.translated)
    assert turned.identity_condition.domain == second


def test_a_transform_is_kept_by_the_route_of_one_process():
    batch = DIRECT.batch()
    route = Route(
        *DIRECT.domains.names[:1], batch.conditions[DIRECT.domains.names[1]], "a", torch.neg
    )
    assert route.shard(0, 2).transform is torch.neg


def test_a_route_does_not_print_its_step():
    (route,) = make_step(MIXED_SUBJECT).routes
    assert "Step" not in repr(route)


def test_a_translation_is_encoded_again_as_what_it_has_become():
    step = make_step(CODE)
    route = step.routes[0]
    wanted = step.method.encode(route.translated, route.target)
    assert torch.equal(route.reencoded.content, wanted.content)


def test_a_step_draws_as_many_numbers_as_it_is_asked_for():
    step = make_step(MIXED_SUBJECT)
    step.rng = torch.Generator().manual_seed(7)
    wanted = torch.Generator().manual_seed(7)
    assert torch.equal(step.rand(2, 3), torch.rand(2, 3, generator=wanted))
    assert torch.equal(step.randn(1, 2), torch.randn(1, 2, generator=wanted))


def test_without_a_generator_of_its_own_a_step_draws_from_that_of_torch():
    step = make_step(MIXED_SUBJECT)
    step.rng = None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        found = step.rand(2, 3)
        torch.manual_seed(3)
        assert torch.equal(found, torch.rand(2, 3))


def test_numbers_are_drawn_where_the_generator_is():
    step = make_step(MIXED_SUBJECT)
    with torch.device("meta"):
        assert step.rand(2).device.type == "cpu"


def test_a_step_knows_how_far_training_is():
    assert make_step(MIXED_SUBJECT).progress == Progress()
    assert make_step(MIXED_SUBJECT, progress=Progress(3, 10)).progress == Progress(3, 10)


def test_the_condition_of_a_domain_is_the_batch_s_own_where_it_fits():
    step = make_step(DIRECT)
    first, second = step.method.domains.names
    own = step.batch.conditions[first]
    assert step.condition(first, len(own)) is own
    other = step.condition(first, len(own) + 1)
    assert (other.domain, len(other)) == (first, len(own) + 1)
    assert step.condition(first, len(own) + 1) is other
    step.batch.conditions[second] = own  # as where a batch names what it holds otherwise
    assert step.condition(second, len(own)).domain == second
    del step.batch.conditions[second]
    assert step.condition(second, len(own)).domain == second


def test_what_was_asked_for_lives_as_long_as_its_answer():
    step = make_step(MIXED_SUBJECT)
    x = torch.zeros(1)
    asked = weakref.ref(x)
    step.detached(x)
    del x
    assert asked() is not None, "another tensor could have its id, and get its answer"
