"""Training in bfloat16 is training: losses and gradients are those of float32, but for rounding."""

import pytest
import torch
from torch import Tensor

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import build_method
from zoo_train.devices import generator_for, make_fabric
from zoo_train.loop import Trainer

pytestmark = pytest.mark.numeric

SMALL = {
    "cyclegan": {"width": 16, "blocks": 1, "critic_width": 16, "critic_layers": 1},
    "stargan": {"width": 16, "blocks": 1, "critic_width": 16, "critic_layers": 3, "n_critic": 1},
}
DOMAINS = Domains(("a", "b"))


class Noise:
    steps_per_epoch = 10

    def __init__(self, mixed: bool) -> None:
        self.mixed = mixed

    def batch(self, step: int, draw: int = 0) -> Batch:
        x = torch.rand(4, 3, 16, 16, generator=generator_for(0, step, draw)) * 2 - 1
        if self.mixed:
            return Batch({MIXED: x}, {MIXED: Condition(torch.eye(2).repeat(2, 1))})
        return Batch(
            {"a": x, "b": -x}, {name: Condition.of(DOMAINS, name, 4) for name in ("a", "b")}
        )


def trained(method: str, precision: str, steps: int) -> tuple[Trainer, dict[str, Tensor]]:
    torch.manual_seed(0)
    spec = TensorSpec(shape=(3, 16, 16))
    built = build_method(ModelConfig(method, SMALL[method], domains=DOMAINS, signal=spec))
    noise = Noise(host().load("method", method).sampling == "mixed")
    trainer = Trainer(
        built, noise, TrainConfig(batch=4, steps=50), fabric=make_fabric("cpu", 1, precision)
    )
    for _ in range(steps):
        trainer.step()
    gradients = {
        player_state.player.name: torch.cat(
            [p.grad.flatten() for p in player_state.parameters if p.grad is not None]
        )
        for player_state in trainer.player_states
    }
    return trainer, gradients


@pytest.mark.parametrize("method", SMALL)
def test_a_step_in_bfloat16_has_the_losses_and_gradients_of_float32(method: str) -> None:
    exact, gradients = trained(method, "float32", 1)
    rounded, others = trained(method, "bfloat16", 1)
    values = rounded.take_losses()
    for name, value in exact.take_losses().items():
        assert values[name] == pytest.approx(value, rel=0.05, abs=0.01), name
    for player, gradient in gradients.items():
        other = others[player]
        assert other.dtype == torch.float32
        cosine = torch.nn.functional.cosine_similarity(gradient, other, dim=0)
        assert cosine > 0.9, (player, float(cosine))


def test_the_gradient_penalty_in_bfloat16_pulls_the_slope_as_in_float32() -> None:
    slopes = {}
    for precision in ("float32", "bfloat16"):
        trainer, _ = trained("stargan", precision, 12)
        slopes[precision] = trainer.take_losses()["discriminator/penalty"]
        assert all(p.dtype == torch.float32 for p in trainer.method.parameters())
    assert slopes["bfloat16"] == pytest.approx(slopes["float32"], rel=0.1)
