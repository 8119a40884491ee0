"""DTN against a restatement of its published losses in plain torch."""

from __future__ import annotations

import copy
import dataclasses
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

import zoo
from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.errors import UsageError
from zoo_core.models.modeldir import build_method, read_config
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_card import JudgeCard
from zoo_nn.nets.classifier import ClassifierNet
from zoo_nn.synthetic import random_batch
from zoo_testing.parity import StepInputs, TinyRun, build, random_batches
from zoo_train.card import Card
from zoo_train.writing import write_model
from zoo_xgan.dtn import DTN, Options

DOMAINS = Domains(("svhn", "mnist"))
SPEC = TensorSpec(shape=(3, 16, 16), flexible=0)
TINY = {"width": 4, "critic_width": 4, "variation": 0.05}
BATCH = 3
Record = dict[str, float]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judge directory: what f is made of. Its weights are random, which no test here minds."""
    directory = tmp_path_factory.mktemp("judge") / "digits"
    torch.manual_seed(3)
    net = ClassifierNet(10, (4, 8))
    with torch.no_grad():  # uneven statistics, so that evaluation mode matters
        net.stem_norm.running_mean += 0.1
        net.stem_norm.running_var *= 0.5
    card = JudgeCard(
        task="content", classes=tuple("0123456789"), domains=("svhn",), size=16, widths=(4, 8)
    )
    EvalClassifier(net, card).save(directory)
    return directory


def make(judge: Path, **options: object) -> DTN:
    return build(DTN, {"f": f"judge:{judge}"} | TINY | options, DOMAINS, SPEC)


def run_of(method: DTN, count: int = BATCH) -> TinyRun:
    return TinyRun(method, random_batches(method, count))


class Reference:
    """DTN as its paper states it: eqs. 3 to 7; and the public port's binary game."""

    def __init__(self, method: DTN, judge: Path, *, ternary: bool) -> None:
        self.f_net, self.ternary = EvalClassifier.load(judge).double(), ternary
        self.nets = {n: copy.deepcopy(method.nets[n]) for n in ("decoder", "discriminator")}
        self.g, self.d = self.nets["decoder"].layers, self.nets["discriminator"].layers
        self.adam_g = torch.optim.Adam(self.g.parameters(), 2e-4, (0.5, 0.999))
        self.adam_d = torch.optim.Adam(self.d.parameters(), 2e-4, (0.5, 0.999))

    def f(self, x: Tensor) -> Tensor:
        return self.f_net(x).features

    def log_p(self, x: Tensor) -> Tensor:
        return self.d(x).flatten(1).log_softmax(1)

    def step(self, inputs: StepInputs) -> Record:
        s, t = (inputs.batch().signals[name] for name in DOMAINS.names)
        made_s = torch.tanh(self.g(self.f(s)[:, :, None, None]))
        made_t = torch.tanh(self.g(self.f(t)[:, :, None, None]))
        second = 1 if self.ternary else 0
        critic = -self.log_p(made_s.detach())[:, 0].mean()
        critic = critic - self.log_p(made_t.detach())[:, second].mean()
        critic = critic - self.log_p(t)[:, second + 1].mean()
        self.adam_d.zero_grad()
        critic.backward()
        self.adam_d.step()
        parts = {
            "adversarial": -self.log_p(made_s)[:, -1].mean() - self.log_p(made_t)[:, -1].mean(),
            "constancy": ((self.f(s) - self.f(made_s)) ** 2).mean(),
            "identity": ((made_t - t) ** 2).mean(),
            "variation": self.variation(made_s) + self.variation(made_t),
        }
        weights = {"adversarial": 1, "constancy": 15, "identity": 15, "variation": 0.05}
        self.adam_g.zero_grad()
        sum(weights[name] * part for name, part in parts.items()).backward()
        self.adam_g.step()
        record = {f"generator/{name}": part.item() for name, part in parts.items()}
        return record | {"discriminator/critic": critic.item()}

    @staticmethod
    def variation(z: Tensor) -> Tensor:
        down = z[:, :, 1:, :-1] - z[:, :, :-1, :-1]
        right = z[:, :, :-1, 1:] - z[:, :, :-1, :-1]
        return (down**2 + right**2 + 1e-8).sqrt().mean()


@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("critic", ["ternary", "binary"])
def test_training_steps_equal_the_published_losses(judge: Path, critic: str, batch: int) -> None:
    method = make(judge, critic=critic)
    reference = Reference(method, judge, ternary=critic == "ternary")
    run_of(method, batch).check(reference)


@pytest.mark.numeric
def test_a_map_is_compared_place_by_place_or_by_its_means(judge: Path) -> None:
    means = []
    for places in (True, False):
        method = make(judge, layer="stage1", places=places, constancy=1.0)
        run = run_of(method)
        source = run.batches(0).signals["svhn"]
        made = method.translate(source, *(Condition.of(DOMAINS, n, BATCH) for n in DOMAINS.names))
        f = method.nets["encoder"].backbone
        apart = f(source, ["stage1"])["stage1"] - f(made, ["stage1"])["stage1"]  # (N, F, h, w)
        wanted = apart.square().mean() if places else apart.mean((2, 3)).square().mean()
        (record,) = run.train(1)
        assert record["generator/constancy"] == pytest.approx(wanted.item(), rel=1e-5)
        means.append(wanted.item())
    assert means[0] > 2 * means[1]


@pytest.mark.numeric
def test_f_never_changes(judge: Path) -> None:
    method = make(judge)
    before = copy.deepcopy(method.nets["encoder"].state_dict())
    run_of(method).train(2)
    after = method.nets["encoder"].state_dict()
    assert before
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_f_is_tuned_on_every_fifteenth_step_where_that_is_asked(judge: Path) -> None:
    method = make(judge, tune=True)
    weight = method.nets["encoder"].backbone.net.stem.weight
    before = weight.detach().clone()
    run = run_of(method)
    run.train(14)
    assert torch.equal(weight, before)
    run.train(1)
    assert not torch.equal(weight, before)


def test_a_step_makes_each_translation_once(judge: Path) -> None:
    method, calls = make(judge), []
    for name in ("encoder", "decoder"):
        method.nets[name].register_forward_hook(lambda *_, name=name: calls.append(name))
    run_of(method).train(1)
    # f reads both domains and the source's translation; g makes both
    assert sorted(calls) == ["decoder"] * 2 + ["encoder"] * 3


def test_the_second_domain_is_the_only_target(judge: Path) -> None:
    assert make(judge).targets == ("mnist",)


@pytest.mark.parametrize("layer", ["embedding", "stem", "stage1"])
def test_any_layer_of_the_backbone_can_be_the_code(judge: Path, layer: str) -> None:
    method = make(judge, layer=layer) if layer != "stem" else None
    if method is None:  # the stem keeps the size, and nothing is left to be doubled
        with pytest.raises(UsageError, match="another layer"):
            make(judge, layer=layer)
        return
    x = torch.rand(2, 3, 16, 16).double() * 2 - 1
    source, target = (Condition.of(DOMAINS, name, 2) for name in DOMAINS.names)
    assert method.encode(x, source).content.ndim == (2 if layer == "embedding" else 4)
    assert method.translate(x, source, target).shape == x.shape


def test_a_size_that_doubling_cannot_reach_is_refused(judge: Path) -> None:
    with pytest.raises(UsageError, match="never gives 24"):
        DTN(Options(f=f"judge:{judge}"), DOMAINS, TensorSpec(shape=(3, 24, 24)))


def test_an_unknown_layer_is_refused_with_the_near_match(judge: Path) -> None:
    with pytest.raises(UsageError, match="stage1"):
        make(judge, layer="stage")


@pytest.mark.parametrize("name", list(DTN.presets))
def test_every_preset_keeps_the_signals_form(judge: Path, name: str) -> None:
    preset = DTN.presets[name]
    options = Options(**preset.options | {"f": f"judge:{judge}"})
    method = DTN(options, DOMAINS, preset.signal).eval()
    x = torch.zeros(1, *preset.signal.shape)
    source, target = (Condition.of(DOMAINS, n, 1) for n in DOMAINS.names)
    with torch.inference_mode():
        assert method.translate(x, source, target).shape == x.shape


@pytest.fixture
def saved(judge: Path, tmp_path: Path) -> tuple[DTN, Path]:
    """A method and its model directory, whose f was trained in a folder that is gone by now."""
    folder = tmp_path / "f"
    shutil.copytree(judge, folder)
    method = make(folder).float().eval()
    options = method.export_options(dataclasses.asdict(method.options))
    config = ModelConfig("dtn", options, DOMAINS, SPEC)
    batch = random_batch(DOMAINS, SPEC, mixed=False, count=BATCH, seed=0)
    write_model(tmp_path / "model", method, config, card=Card("m"), sample_batch=batch)
    shutil.rmtree(folder)
    return method, tmp_path / "model"


@pytest.mark.numeric
def test_a_model_holds_its_f_and_loads_where_the_judge_is_not(saved: tuple[DTN, Path]) -> None:
    method, directory = saved
    assert "/f" not in (directory / "config.yaml").read_text()
    translator = zoo.load(directory, device="cpu", precision="float32")
    x = torch.rand(BATCH, *SPEC.shape) * 2 - 1
    source, target = (Condition.of(DOMAINS, n, BATCH) for n in DOMAINS.names)
    with torch.inference_mode():
        wanted = method.translate(x, source, target)
    torch.testing.assert_close(translator(x, to="mnist"), wanted)
    with pytest.raises(UsageError, match="mnist only"):
        translator(x, to="svhn")


def test_the_form_of_f_trains_nothing_without_its_weights(saved: tuple[DTN, Path]) -> None:
    method = build_method(read_config(saved[1]))
    with pytest.raises(UsageError) as caught:
        method.plan(random_batches(method, BATCH)(0), torch.Generator())
    assert caught.value.asked == "training with f of a saved model"
    assert "--pretrained MODEL" in (caught.value.hint or "")


@pytest.mark.numeric
def test_a_training_starts_from_a_model_whose_judge_is_not_there(
    saved: tuple[DTN, Path], tmp_path: Path
) -> None:
    before, directory = saved
    for number, name in enumerate(DOMAINS):
        (tmp_path / name).mkdir()
        for shade in range(2):
            pixels = Image.new("RGB", (16, 16), (40 * number, 90 * shade, 30))
            pixels.save(tmp_path / name / f"{name}{shade}.png")
    out = zoo.train(
        "dtn",
        out=tmp_path / "run",
        pretrained=directory,
        domains={name: tmp_path / name for name in DOMAINS},
        steps=1,
        device="cpu",
        quiet=True,
        settings={"train.batch": 2, "train.precision": "float32"},
    )
    after = zoo.load(out, device="cpu", precision="float32").method
    for name, tensor in after.nets["encoder"].state_dict().items():
        assert torch.equal(tensor, before.nets["encoder"].state_dict()[name])  # f is frozen
