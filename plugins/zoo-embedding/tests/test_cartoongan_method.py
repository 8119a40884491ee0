"""CartoonGAN against a restatement of its training, with edges smoothed place by place."""

from __future__ import annotations

import copy
import math
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

import zoo_nn.nets.backbones
from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError, WeightsError
from zoo_embedding.cartoon import CartoonGAN, Options, TwoPhases
from zoo_testing.parity import StepInputs, TinyRun, build, float64

DOMAINS = Domains(("photo", "cartoon"))
SPEC = TensorSpec(shape=(3, 16, 16))
TINY = dict(CartoonGAN.presets["tiny"].options)


def make(**options: object) -> CartoonGAN:
    return build(CartoonGAN, TINY | options, DOMAINS, SPEC, gain=5)


def batches(seed: int, count: int = 2) -> Batch:
    """Noise for photos, cartoons of four flat squares each."""
    rng = torch.Generator().manual_seed(seed)
    with float64():
        photos = torch.rand(count, 3, 16, 16, generator=rng) * 2 - 1
        squares = torch.rand(count, 3, 2, 2, generator=rng) * 2 - 1
        cartoons = squares.repeat_interleave(8, 2).repeat_interleave(8, 3)
        own = {name: Condition.of(DOMAINS, name, count) for name in DOMAINS.names}
    return Batch({"photo": photos, "cartoon": cartoons}, own)


def shipped() -> nn.Module:
    """The shipped backbone in float64, made by timm alone."""
    place = Path(zoo_nn.nets.backbones.__file__).with_name("weights") / "digits"
    card = yaml.safe_load((place / "judge.yaml").read_text())
    name = card["architecture"].removeprefix("timm:")
    net = timm.create_model(name, num_classes=len(card["classes"]), **card["arguments"])
    state = load_file(place / "judge.safetensors")
    net.load_state_dict({k.removeprefix("net."): v for k, v in state.items()})
    return net.double().eval().requires_grad_(False)


def smoothed(cartoon: Tensor, side: int) -> Tensor:
    """A cartoon (3, H, W) in float64 whose dilated edges are smoothed, place by place."""
    levels = ((cartoon + 1) * 127.5).round().permute(1, 2, 0).numpy().astype(np.uint8)
    red, green, blue = (levels[..., i].astype(np.float64) for i in range(3))
    grey = np.floor(0.299 * red + 0.587 * green + 0.114 * blue + 0.5).astype(np.uint8)
    edges = cv2.Canny(grey, 100, 200) > 0
    reach, (height, width) = side // 2, edges.shape
    taps = torch.tensor([float(math.comb(side - 1, i)) for i in range(side)], dtype=torch.float64)
    window = taps[:, None] * taps[None, :] / taps.sum() ** 2
    around = F.pad(cartoon[None], [reach] * 4, mode="reflect")[0]
    result = cartoon.clone()
    for row in range(height):
        for column in range(width):
            near = edges[
                max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
            ]
            if near.any():
                place = around[:, row : row + side, column : column + side]
                result[:, row, column] = (place * window).sum((1, 2))
    return result


class Reference:
    """Discriminator, then generator, one batch at a time."""

    def __init__(self, method: CartoonGAN) -> None:
        self.nets = {name: copy.deepcopy(net) for name, net in method.nets.items()}
        self.phi = shipped()
        self.adam = {
            name: torch.optim.Adam(net.parameters(), lr=1e-5, betas=(0.5, 0.999))
            for name, net in self.nets.items()
        }

    def see(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, (32, 32), mode="bilinear", antialias=True)
        _, (second,) = self.phi.forward_intermediates(x, indices=[2])
        return second

    def move(self, name: str, loss: Tensor) -> None:
        self.adam[name].zero_grad()
        loss.backward(inputs=list(self.nets[name].parameters()))
        self.adam[name].step()

    def step(self, inputs: StepInputs) -> dict[str, float]:
        photos, cartoons = (inputs.batch().signals[name] for name in DOMAINS.names)
        generator = self.nets["generator_cartoon"].layers
        critic = self.nets["discriminator_cartoon"].layers
        made = generator(photos)
        without = torch.stack([smoothed(cartoon, 3) for cartoon in cartoons])
        assert not torch.equal(without, cartoons), "the batch must have edges"

        def real(x: Tensor) -> Tensor:
            return -torch.log(torch.sigmoid(critic(x))).mean()

        def fake(x: Tensor) -> Tensor:
            return -torch.log(1 - torch.sigmoid(critic(x))).mean()

        judged, edges = real(cartoons) + fake(made.detach()), fake(without)
        self.move("discriminator_cartoon", judged + edges)
        adversarial, content = real(made), (self.see(made) - self.see(photos)).abs().mean()
        self.move("generator_cartoon", adversarial + 10 * content)
        losses = {
            "discriminator/critic": judged,
            "discriminator/edges": edges,
            "generator/adversarial": adversarial,
            "generator/content": content,
        }
        return {name: value.item() for name, value in losses.items()}


@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
def test_training_steps_equal_the_stated_losses(batch: int) -> None:
    method = make(pool=0)
    TinyRun(method, partial(batches, count=batch)).check(Reference(method))


def test_the_initialisation_phase_trains_the_generator_by_the_content_alone() -> None:
    method = make(init_epochs=1, init_decay_epochs=1, constant_epochs=2, decay_epochs=0)
    run = TinyRun(method, batches, steps=8)
    before = copy.deepcopy(method.nets.state_dict())
    assert [set(record) for record in run.train(4)] == [{"generator/content"}] * 4
    state = method.nets.state_dict()
    moved = {key for key, value in state.items() if not torch.equal(value, before[key])}
    assert {key.split("_")[0] for key in moved} == {"generator"}
    critic = run.trainer.player_states[0].optimiser
    assert not critic.state, "its optimiser must begin with the second phase"

    (record,) = run.train(1)
    assert len(record) == 4
    first = "discriminator_cartoon.layers.0.weight"
    assert not torch.equal(method.nets.state_dict()[first], before[first])


def test_the_rate_falls_in_both_phases_as_in_the_authors_code() -> None:
    phases = TwoPhases(20.0, 2, 2, 3, 4)
    assert phases.boundary == pytest.approx(4 / 11)
    rates = [phases(Progress(step, 11)) for step in range(11)]
    assert rates == pytest.approx([20, 20, 20, 10, 1, 1, 1, 1, 0.75, 0.5, 0.25])
    assert phases(Progress(110, 110)) == pytest.approx(0.25)


def test_the_paper_preset_has_the_published_parameter_counts() -> None:
    preset = CartoonGAN.presets["paper"]
    assert not preset.options
    with torch.device("meta"):
        method = CartoonGAN(Options(), DOMAINS, preset.signal)
    counts = {n: sum(p.numel() for p in net.parameters()) for n, net in method.nets.items()}
    assert counts == {"generator_cartoon": 11_129_667, "discriminator_cartoon": 1_129_665}


def test_scales_start_uniform_and_convolutions_normal() -> None:
    torch.manual_seed(0)
    method = CartoonGAN(Options(**(TINY | {"width": 32})), DOMAINS, SPEC)  # type: ignore[arg-type]
    net = method.nets["generator_cartoon"]
    scales = torch.cat(
        [
            p.detach().flatten()
            for k, p in net.named_parameters()
            if p.dim() == 1 and k.endswith("weight")
        ]
    )
    assert 0 <= float(scales.min()) < 0.05 < 0.95 < float(scales.max()) <= 1
    filters = torch.cat([p.detach().flatten() for p in net.parameters() if p.dim() == 4])
    assert float(filters.std()) == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize("name", ["paper", "64px"])
def test_every_preset_builds_and_keeps_the_signals_form(name: str) -> None:
    preset = CartoonGAN.presets[name]
    with torch.device("meta"):
        method = CartoonGAN(Options(**preset.options), DOMAINS, preset.signal)
        x = torch.zeros(1, *preset.signal.shape)
        source, target = (Condition.of(DOMAINS, n, 1) for n in DOMAINS.names)
        assert method.translate(x, source, target).shape == x.shape


def test_there_is_no_way_back() -> None:
    method = make()
    source, target = (Condition.of(DOMAINS, n, 2) for n in DOMAINS.names)
    with pytest.raises(UsageError) as caught:
        method.translate(torch.zeros(2, 3, 16, 16), target, source)
    assert caught.value.asked == 'target "photo"'


def test_without_weights_of_the_backbone_training_stops_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        make(backbone="timm:vgg19", layers=("features.25",)).players()
    assert "random weights" in caught.value.problem
    assert "timm/vgg19.tv_in1k" in (caught.value.hint or "")
    assert 'pip install "zoo-embedding[imagenet]"' in (caught.value.hint or "")


def test_a_model_records_no_folder_of_whoever_trained_it() -> None:
    kept = make().export_options({"backbone": "timm:vgg19@/home/me/vgg19.safetensors"})
    assert kept == {"backbone": "timm:vgg19@vgg19.safetensors"}
