"""An extractor, a metric, a perturbation, an architecture of judges and a command."""

import click
import soundfile
import torch
from torch import nn

from zoo_core.contracts.signals import TensorSpec
from zoo_evaluate.audit.perturb import Perturbation
from zoo_evaluate.extractors import Extractor
from zoo_evaluate.metrics import Average, Metric
from zoo_nn.nets.judge_architecture import ClassifierOutput, JudgeArchitecture


class Moments(Extractor):
    name, sha256, size, width = "moments", "0" * 64, 0, 6

    def forward(self, x):
        return torch.cat([x.mean((2, 3)), x.std((2, 3))], 1)  # (N, 6)


class Length(Metric):
    name, headline = "length", ("length",)
    signals, needs = ("speech",), frozenset({"whole"})

    def __init__(self, direction):
        super().__init__(direction)
        self.seconds = Average()

    def update(self, sample):
        self.seconds.add([len(sound.samples) / sound.rate for sound in sample.outputs])

    def compute(self):
        return {"length": self.seconds.value}


class Flip(Perturbation):
    name = "flip"

    def apply(self, y):
        return -y


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.linear = nn.Linear(1, classes)

    def forward(self, x):
        return ClassifierOutput(self.linear(x), x)  # (N, K), (N, 1)


class Loudness(JudgeArchitecture):
    signal, whole, widths, rate = "speech", True, (1,), 0.3

    @classmethod
    def form(cls, size):
        return TensorSpec("speech", (24, 128), None, None, 4, 1)

    def make_net(self):
        return Net(len(self.card.classes))

    def prepare(self, signals):
        return [torch.tensor([float(self.read(one).std())]).log() for one in signals]

    @staticmethod
    def read(signal):
        return signal.samples if hasattr(signal, "samples") else soundfile.read(signal)[0]


@click.command()
def hello():
    """Greets."""
    click.echo("hello from outside")
