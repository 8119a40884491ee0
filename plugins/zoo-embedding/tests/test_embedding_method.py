"""The embedding method against a restatement of its losses in plain torch and timm."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import timm
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

import zoo_nn.nets.backbones
from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.errors import DataError, UsageError
from zoo_embedding.method import Embedding, Options
from zoo_nn.losses.embedding import EmbeddingDistance
from zoo_testing.parity import StepInputs, TinyRun, build, random_batches

DOMAINS = Domains(("photo", "drawing"))
SPEC = TensorSpec(shape=(3, 16, 16))
TINY = {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 1, "backbone": "digits"}
LAYERS = ("layer2", "embedding")
Record = dict[str, float]


def make(**options: object) -> Embedding:
    options = TINY | {"layers": LAYERS} | options
    return build(Embedding, options, DOMAINS, SPEC, gain=5)


def shipped() -> nn.Module:
    """The shipped backbone, made by timm alone."""
    place = Path(zoo_nn.nets.backbones.__file__).with_name("weights") / "digits"
    card = yaml.safe_load((place / "judge.yaml").read_text())
    name = card["architecture"].removeprefix("timm:")
    net = timm.create_model(name, num_classes=len(card["classes"]), **card["arguments"])
    state = load_file(place / "judge.safetensors")
    net.load_state_dict({k.removeprefix("net."): v for k, v in state.items()})
    return net.eval().requires_grad_(False)


class Reference:
    """``GAN + w d(phi(x), phi(G(x)))`` and the discriminators, one batch at a time."""

    def __init__(self, method: Embedding, apart: object) -> None:
        self.nets = {name: copy.deepcopy(net) for name, net in method.nets.items()}
        self.phi, self.apart, self.w = shipped().double(), apart, method.options.embedding
        groups: dict[str, list[nn.Parameter]] = {"generator": [], "discriminator": []}
        for name, net in self.nets.items():
            groups[name.split("_")[0]] += net.parameters()
        self.adam = {
            kind: torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999))
            for kind, parameters in groups.items()
        }

    def see(self, x: Tensor) -> list[Tensor]:
        x = F.interpolate(x, (32, 32), mode="bilinear", antialias=True)
        last, (second,) = self.phi.forward_intermediates(x, indices=[2])
        return [second, last.mean((2, 3))]

    def step(self, inputs: StepInputs) -> Record:
        signals = inputs.batch().signals
        routes = (("photo", "drawing"), ("drawing", "photo"))
        fakes = {b: self.nets[f"generator_{b}"].layers(signals[a]) for a, b in routes}
        judge = {b: self.nets[f"discriminator_{b}"].layers for b in DOMAINS.names}
        adversarial = sum((judge[b](fakes[b]) - 1).square().mean() for b in DOMAINS.names)
        distance = torch.zeros(())
        for a, b in routes:
            pairs = zip(self.see(signals[a]), self.see(fakes[b]), strict=True)
            distance = distance + sum(self.apart(one, other) for one, other in pairs) / 2
        self.adam["generator"].zero_grad()
        (adversarial + self.w * distance).backward()
        self.adam["generator"].step()

        critics = {}
        for b in DOMAINS.names:
            on_real, on_fake = judge[b](signals[b]), judge[b](fakes[b].detach())
            critics[f"discriminator/critic_{b}"] = 0.5 * (
                (on_real - 1).square().mean() + on_fake.square().mean()
            )
        self.adam["discriminator"].zero_grad()
        sum(critics.values()).backward()
        self.adam["discriminator"].step()
        record = {"generator/adversarial": adversarial, "generator/embedding": distance} | critics
        return {name: value.item() for name, value in record.items()}


DISTANCES = {
    "cosine": lambda a, b: 1 - (F.normalize(a, dim=1) * F.normalize(b, dim=1)).sum(1).mean(),
    "l2": lambda a, b: (a - b).square().mean(),
    "l1": lambda a, b: (a - b).abs().mean(),
}


@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("distance", list(DISTANCES))
def test_training_steps_equal_the_stated_losses(distance: str, batch: int) -> None:
    method = make(distance=distance, pool=0)
    reference = Reference(method, DISTANCES[distance])
    TinyRun(method, random_batches(method, batch)).check(reference)


@pytest.mark.numeric
def test_the_backbone_is_as_before_after_training_and_in_no_checkpoint() -> None:
    run = TinyRun(make())
    trainer = run.trainer
    loss = trainer.player_states[0].player.terms[1].loss
    assert isinstance(loss, EmbeddingDistance)
    x = run.batches(9).signals["photo"]
    before = loss.phi(x)["embedding"]
    run.train(3)
    assert torch.equal(loss.phi(x)["embedding"], before)
    assert loss.phi.net.conv1[0].weight.grad is None

    state = trainer.state()
    own = sum(p.numel() for net in trainer.method.nets.values() for p in net.parameters())
    assert sum(v.numel() for v in state["nets"].values()) == own
    (memory,) = state["losses"]
    assert not [v for v in memory["generator/embedding"].values() if isinstance(v, Tensor)]


def test_the_embedding_moves_the_generators_and_not_the_discriminators() -> None:
    method = make()
    trainer = TinyRun(method).trainer
    (step,) = trainer._steps_of(trainer._input(0, 0), trainer.player_states)
    player = trainer.player_states[0].player
    with step.turn(player.nets):
        player.terms[1].loss(step).backward()
    reached = {n for n, net in method.nets.items() for p in net.parameters() if p.grad is not None}
    assert reached == {"generator_photo", "generator_drawing"}


def test_a_step_translates_each_batch_once() -> None:
    method = make()
    calls: list[str] = []
    for name in ("generator_photo", "generator_drawing"):
        method.nets[name].register_forward_hook(lambda *_, name=name: calls.append(name))
    TinyRun(method).train(1)
    assert sorted(calls) == ["generator_drawing", "generator_photo"]


def test_one_way_has_one_generator_and_one_discriminator_and_translates_no_other_way() -> None:
    method = make(direction="forward")
    assert set(method.nets) == {"generator_drawing", "discriminator_drawing"}
    assert method.targets == ("drawing",)
    (found,) = TinyRun(method).train(1)
    assert set(found) == {
        "generator/adversarial",
        "generator/embedding",
        "discriminator/critic_drawing",
    }
    source, target = (Condition.of(DOMAINS, n, 2) for n in DOMAINS.names)
    with pytest.raises(UsageError, match="drawing only"):
        method.translate(torch.zeros(2, 3, 16, 16), target, source)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("digits", "digits"),
        ("timm:resnet18", "timm:resnet18"),
        ("timm:resnet18@/home/me/weights.safetensors", "timm:resnet18@weights.safetensors"),
        ("judge:/home/me/judges/source", "judge:source"),
    ],
)
def test_a_model_records_no_folder_of_whoever_trained_it(asked: str, kept: str) -> None:
    assert make().export_options({"width": 4, "backbone": asked}) == {"width": 4, "backbone": kept}


@pytest.mark.parametrize("name", list(Embedding.presets))
def test_every_preset_builds_and_keeps_the_signals_form(name: str) -> None:
    preset = Embedding.presets[name]
    with torch.device("meta"):
        method = Embedding(Options(**preset.options), DOMAINS, preset.signal)
        x = torch.zeros(1, *preset.signal.shape)
        source, target = (Condition.of(DOMAINS, n, 1) for n in DOMAINS.names)
        assert method.translate(x, source, target).shape == x.shape


def test_the_default_preset_has_the_parameter_counts_of_cyclegan() -> None:
    name, preset = next(iter(Embedding.presets.items()))
    assert (name, dict(preset.options)) == ("256px", {})
    with torch.device("meta"):
        method = Embedding(Options(), DOMAINS, preset.signal)
    counts = {n: sum(p.numel() for p in net.parameters()) for n, net in method.nets.items()}
    assert counts == {f"generator_{n}": 11_378_179 for n in DOMAINS.names} | {
        f"discriminator_{n}": 2_764_737 for n in DOMAINS.names
    }


def test_targets_that_differ_within_a_batch_are_refused() -> None:
    method, x = make(), torch.zeros(2, 3, 16, 16)
    with pytest.raises(UsageError, match="one domain at a time"):
        method.translate(x, Condition(torch.eye(2)), Condition(torch.eye(2)))


def test_pictures_too_small_for_the_discriminator_are_refused() -> None:
    with pytest.raises(UsageError, match="critic_layers=3 at 16x16"):
        make(critic_layers=3)


def test_a_judge_that_is_not_there_names_the_option_that_says_where_it_is() -> None:
    method = make(backbone="judge:of-a-model")
    with pytest.raises(DataError) as caught:
        method.players()
    assert "--set backbone=judge:DIR" in (caught.value.hint or "")
