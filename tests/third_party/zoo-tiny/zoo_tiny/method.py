from dataclasses import dataclass

from torch import nn

from zoo_core.contracts.interfaces import Generator
from zoo_core.contracts.method import Method, Player, Term
from zoo_core.contracts.signals import Condition, TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.contracts.step import Route
from zoo_nn.losses.adversarial import AdversarialCritic, AdversarialGenerator
from zoo_nn.losses.consistency import Cycle
from zoo_nn.nets.patch import PatchDiscriminator


class Painter(Generator):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 16, 5, padding=2), nn.Conv2d(16, 3, 5, padding=2)

    def forward(self, x, condition):
        return (x + self.last(self.first(x).relu())).tanh()  # (N, 3, H, W)


@dataclass(frozen=True)
class Options:
    cycle: float = 10.0


class Tiny(Method[Options]):
    Options = Options
    config = TrainConfig(batch=8, steps=1000)
    presets = {"32px": Preset(signal=TensorSpec(shape=(3, 32, 32)), train=config)}

    def build(self):
        painters = {f"to_{name}": Painter() for name in self.domains.names}
        return painters | {"critic": PatchDiscriminator(3, 16, 2)}

    def plan(self, batch, rng):  # one way: from the first domain to the second
        a, b = self.domains.names
        return [Route(a, Condition.of(self.domains, b, len(batch.signals[a])))]

    def translate(self, x, source, target):
        return self.nets[f"to_{target.domain}"](x, target)  # (N, 3, H, W)

    def players(self):
        real, cycle = AdversarialGenerator("critic"), Term("cycle", Cycle(), self.options.cycle)
        painters = tuple(f"to_{name}" for name in self.domains.names)
        critic = Player("critic", ("critic",), (Term("critic", AdversarialCritic("critic")),))
        return Player("generator", painters, (Term("real", real), cycle)), critic
