"""XGAN against a restatement of its published losses in plain torch."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.errors import UsageError
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_card import JudgeCard
from zoo_nn.nets.classifier import ClassifierNet
from zoo_testing.parity import StepInputs, TinyRun, build, random_batches
from zoo_xgan.xgan import XGAN, Options

A, B = "face", "cartoon"
DOMAINS = Domains((A, B))
SPEC = TensorSpec(shape=(3, 16, 16), flexible=0)
TINY = {"code": 8, "width": 4, "decoder_width": 4, "own_encoder": 1, "own_decoder": 1}
WEIGHTS = {"reconstruction": 1.0, "semantic": 0.5, "adversarial": 0.7, "teaching": 1.0}
Record = dict[str, float]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judge directory whose embedding has 8 features: the teacher."""
    directory = tmp_path_factory.mktemp("judge") / "faces"
    torch.manual_seed(3)
    card = JudgeCard(task="content", classes=("x", "y"), domains=(A,), size=16, widths=(4, 8))
    EvalClassifier(ClassifierNet(2, (4, 8)), card).save(directory)
    return directory


def make(**options: object) -> XGAN:
    return build(XGAN, TINY | options, DOMAINS, SPEC)


class Reference:
    """XGAN as its paper states it; the reversed gradient is two gradients taken apart."""

    def __init__(self, method: XGAN, *, detach: bool, teacher: Path | None) -> None:
        self.nets = copy.deepcopy(method.nets)
        self.detach = detach
        self.teacher = None if teacher is None else EvalClassifier.load(teacher).double()
        self.makers = [*self.nets["encoder"].parameters(), *self.nets["decoder"].parameters()]
        self.classifier = list(self.nets["domain_classifier"].parameters())
        judges = [p for n in (A, B) for p in self.nets[f"discriminator_{n}"].parameters()]
        trained = [*self.makers, *self.classifier]
        self.adam_g = torch.optim.Adam(trained, 1e-4, (0.5, 0.999))
        self.adam_d = torch.optim.Adam(judges, 1e-3, (0.5, 0.999))

    def e(self, domain: str, x: Tensor) -> Tensor:
        net = self.nets["encoder"]
        return net.shared(net.own[f"domain_{domain}"](x))

    def d(self, domain: str, z: Tensor) -> Tensor:
        net = self.nets["decoder"]
        return net.own[f"domain_{domain}"](net.shared(z[:, :, None, None]))

    def real(self, domain: str, x: Tensor) -> Tensor:
        return self.nets[f"discriminator_{domain}"].layers(x)

    def step(self, inputs: StepInputs) -> Record:
        a, b = (inputs.batch().signals[name] for name in (A, B))
        x, other = {A: a, B: b}, {A: B, B: A}
        code = {n: self.e(n, x[n]) for n in x}
        made = {n: self.d(n, code[other[n]]) for n in x}  # translations into n
        goal = {n: code[n].detach() if self.detach else code[n] for n in x}
        parts = {
            "reconstruction": sum(
                (self.d(n, code[n]) - x[n]).flatten(1).square().sum(1).sqrt().mean() for n in x
            ),
            "semantic": sum((self.e(n, made[n]) - goal[other[n]]).abs().sum(1).mean() for n in x),
            "adversarial": sum(F.softplus(-self.real(n, made[n])).mean() for n in x),
        }
        if self.teacher is not None:
            with torch.no_grad():
                told = self.teacher(a).features
            parts["teaching"] = (code[A] - told).abs().sum(1).mean()
        classify = self.nets["domain_classifier"].layers
        logs = [classify(code[n]).log_softmax(1)[:, at].mean() for at, n in enumerate((A, B))]
        confusion = -sum(logs)
        rest = sum(WEIGHTS[name] * part for name, part in parts.items())
        makers = torch.autograd.grad(rest - confusion, self.makers, retain_graph=True)
        named = torch.autograd.grad(confusion, self.classifier, retain_graph=True)
        trained = [*self.makers, *self.classifier]
        for parameter, gradient in zip(trained, [*makers, *named], strict=True):
            parameter.grad = gradient
        self.adam_g.step()

        critic = sum(
            F.softplus(-self.real(n, x[n])).mean()
            + F.softplus(self.real(n, made[n].detach())).mean()
            for n in x
        )
        self.adam_d.zero_grad()
        critic.backward()
        self.adam_d.step()
        record = {f"generator/{name}": part.item() for name, part in parts.items()}
        record["generator/confusion"] = confusion.item()
        return record | {"discriminator/critic": critic.item()}


@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("taught", [False, True])
def test_training_steps_equal_the_published_losses(
    judge: Path, detach: bool, taught: bool, batch: int
) -> None:
    method = make(detach=detach, teacher=f"judge:{judge}" if taught else None)
    reference = Reference(method, detach=detach, teacher=judge if taught else None)
    TinyRun(method, random_batches(method, batch)).check(reference)


@pytest.mark.numeric
def test_inner_layers_are_shared_and_outer_ones_are_not() -> None:
    method, x = make(), torch.rand(1, 3, 16, 16, dtype=torch.float64)
    a, b = (Condition.of(DOMAINS, name, 1) for name in DOMAINS.names)
    code = method.encode(x, a)
    assert not torch.equal(code.content, method.encode(x, b).content)
    assert not torch.equal(method.decode(code, a), method.decode(code, b))
    for name in ("encoder", "decoder"):
        own = method.nets[name].own
        own[f"domain_{B}"].load_state_dict(own[f"domain_{A}"].state_dict())
    code = method.encode(x, a)
    assert torch.equal(code.content, method.encode(x, b).content)
    assert torch.equal(method.decode(code, a), method.decode(code, b))


def test_the_teacher_is_in_no_checkpoint_and_not_needed_to_translate(judge: Path) -> None:
    method = make(teacher=f"judge:{judge}")
    maker, _ = method.players()
    teaching = next(term.loss for term in maker.terms if term.name == "teaching")
    assert not teaching.state_dict()
    assert method.inference_nets == ("encoder", "decoder")
    make(teacher="judge:gone")  # a model is built where its teacher is not


def test_a_teacher_of_another_width_is_refused(judge: Path) -> None:
    with pytest.raises(UsageError, match=r"code=8"):
        make(code=16, teacher=f"judge:{judge}").players()


def test_a_batch_of_several_domains_is_refused() -> None:
    with pytest.raises(UsageError, match="one domain at a time"):
        make().encode(torch.zeros(2, 3, 16, 16), Condition(torch.eye(2)))


@pytest.mark.parametrize("name", list(XGAN.presets))
def test_every_preset_keeps_the_signals_form(name: str) -> None:
    preset = XGAN.presets[name]
    method = XGAN(Options(**preset.options), DOMAINS, preset.signal)
    x = torch.zeros(1, *preset.signal.shape)
    source, target = (Condition.of(DOMAINS, n, 1) for n in DOMAINS.names)
    with torch.inference_mode():
        assert method.translate(x, source, target).shape == x.shape
