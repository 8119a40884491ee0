"""GcGAN against a restatement of its published losses in plain torch."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError
from zoo_core.translate.engine import Engine
from zoo_gcgan.losses import GEOMETRIES, PairwiseDistance
from zoo_gcgan.method import GcGAN, Options
from zoo_testing.parity import StepInputs, TinyRun, build, random_batches

DOMAINS = Domains(("photo", "map"))
SPEC = TensorSpec(shape=(3, 16, 16))
TINY = {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 1}
GAIN = 20  # the published initial weights are so small that all outputs are near 0
NAMES = {"rotation": "netD_rot", "flip": "netD_vf"}


def make(**options: object) -> GcGAN:
    return build(GcGAN, TINY | options, DOMAINS, SPEC, gain=GAIN)


def turned(x: Tensor, geometry: str) -> Tensor:
    """A quarter turn clockwise, or upside down, by the places of pixels."""
    if geometry == "flip":
        return x[:, :, torch.arange(x.shape[2] - 1, -1, -1)]
    return x.transpose(2, 3)[..., torch.arange(x.shape[2] - 1, -1, -1)]


def turned_back(x: Tensor, geometry: str) -> Tensor:
    if geometry == "flip":
        return turned(x, geometry)
    return x.transpose(2, 3)[:, :, torch.arange(x.shape[3] - 1, -1, -1)]


class Pool:
    """The official pool of images, fed with recorded draws."""

    def __init__(self, size: int) -> None:
        self.size, self.images = size, []

    def __call__(self, fakes: Tensor, rng: torch.Generator) -> Tensor:
        if not self.size:
            return fakes
        shown = []
        for fake, (swap, place) in zip(
            fakes, torch.rand(len(fakes), 2, generator=rng), strict=True
        ):
            if len(self.images) < self.size:
                self.images.append(fake)
                shown.append(fake)
            elif swap > 0.5:
                at = int(place * self.size)
                shown.append(self.images[at])
                self.images[at] = fake
            else:
                shown.append(fake)
        return torch.stack(shown)


class Published:
    """One step as the official code makes it: generators, then discriminators."""

    def __init__(self, method: GcGAN) -> None:
        self.options = method.options
        self.nets = {name: copy.deepcopy(net) for name, net in method.nets.items()}
        makers = [
            p for n, net in self.nets.items() if n.startswith("gen") for p in net.parameters()
        ]
        judges = [p for n, net in self.nets.items() if "disc" in n for p in net.parameters()]
        self.adam_g = torch.optim.Adam(makers, lr=2e-4, betas=(0.5, 0.999))
        self.adam_d = torch.optim.Adam(judges, lr=2e-4, betas=(0.5, 0.999))
        self.pools = {name: Pool(self.options.pool) for name in self.nets if "disc" in name}

    def layers(self, name: str) -> Callable[[Tensor], Tensor]:
        return self.nets[name].layers  # type: ignore[no-any-return]

    def step(self, inputs: StepInputs) -> dict[str, float]:
        o, rng, real = self.options, inputs.rng(), inputs.batch().signals
        ways = [("photo", "map"), *([("map", "photo")] if o.cycle else [])]
        part, losses, total = 1 / len(o.geometry), {}, torch.zeros(())
        fakes: dict[str, tuple[str, Tensor, Tensor]] = {}

        def add(name: str, weight: float, value: Tensor) -> None:
            nonlocal total
            losses[f"generator/{name}"] = losses.get(f"generator/{name}", 0.0) + value.item()
            total = total + weight * value

        for a, b in ways:
            maker, back = self.layers(f"generator_{b}"), f"generator_{a}"
            x, y = real[a], real[b]
            fake = maker(x)
            fakes[f"discriminator_{b}"] = f"discriminator_{b}", y, fake
            add("adversarial", 1, real_loss(self.layers(f"discriminator_{b}")(fake)))
            if o.identity:
                add("identity", o.identity, (maker(y) - y).abs().mean())
            if o.cycle:
                add("cycle", o.cycle, (self.layers(back)(fake) - x).abs().mean())
            if o.distance:
                add("distance", o.distance, pairwise(x, fake))
            for g in o.geometry:
                x_g, y_g = turned(x, g), turned(y, g)
                fake_g = maker(x_g)
                critic = f"{g}_discriminator_{b}"
                fakes[critic] = critic, y_g, fake_g
                add(f"adversarial_{g}", part, real_loss(self.layers(critic)(fake_g)))
                apart = (fake - turned_back(fake_g.detach(), g)).abs().mean()
                apart = apart + (fake_g - turned(fake.detach(), g)).abs().mean()
                add(f"consistency_{g}", o.consistency * part, apart)
                if o.identity:
                    add(f"identity_{g}", o.identity * part, (maker(y_g) - y_g).abs().mean())
                if o.cycle:
                    again = self.layers(back)(fake_g)
                    add(f"cycle_{g}", o.cycle * part, (again - x_g).abs().mean())
        self.adam_g.zero_grad()
        total.backward()
        self.adam_g.step()

        critics = torch.zeros(())
        kinds = ["discriminator", *(f"{g}_discriminator" for g in o.geometry)]
        for name in [f"{kind}_{b}" for kind in kinds for _, b in ways]:
            critic, y, fake = fakes[name]
            judge = self.layers(critic)
            shown = self.pools[critic](fake.detach(), rng)
            loss = 0.5 * (real_loss(judge(y)) + judge(shown).square().mean())
            losses[f"discriminator/{critic}"] = loss.item()
            critics = critics + loss
        self.adam_d.zero_grad()
        critics.backward()
        self.adam_d.step()
        return losses


def real_loss(patches: Tensor) -> Tensor:
    return F.mse_loss(patches, torch.ones_like(patches))


def pairwise(x: Tensor, y: Tensor) -> Tensor:
    """The official double loop over the pairs of a batch."""
    apart = [
        ((x[i] - x[j]).abs().mean() - (y[i] - y[j]).abs().mean()).abs()
        for i in range(len(x))
        for j in range(i + 1, len(x))
    ]
    return torch.stack(apart).mean()


@pytest.mark.numeric
@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"geometry": ("flip",), "pool": 3},
        {"geometry": ("rotation", "flip"), "identity": 0.0, "pool": 0},
        {"cycle": 10.0, "pool": 2},
    ],
    ids=["rotation", "flip", "mixed", "cycle"],
)
def test_five_steps_equal_the_published_losses(options: dict[str, object], batch: int) -> None:
    method = make(**options)
    published = Published(method)  # a copy of the nets as they are, before the loop lays them out
    TinyRun(method, random_batches(method, batch)).check(published)


@pytest.mark.numeric
@pytest.mark.numeric
def test_five_steps_with_pairwise_distances_equal_the_published_losses() -> None:
    method = make(distance=1.0, pool=3)
    published = Published(method)
    TinyRun(method, random_batches(method, 3)).check(published)


def test_pairwise_distances_of_a_single_signal_are_refused() -> None:
    method = make(distance=1.0)
    with pytest.raises(UsageError) as caught:
        TinyRun(method, random_batches(method, 1)).train(1)
    assert caught.value.asked == "loss distance"


@pytest.mark.numeric
@pytest.mark.parametrize("name", list(GEOMETRIES))
def test_a_transform_moves_pixels_as_published_and_back(name: str) -> None:
    x, geometry = torch.arange(12.0).reshape(1, 1, 3, 4), GEOMETRIES[name]
    moved = {
        "rotation": [[8, 4, 0], [9, 5, 1], [10, 6, 2], [11, 7, 3]],
        "flip": [[8, 9, 10, 11], [4, 5, 6, 7], [0, 1, 2, 3]],
    }
    assert geometry(x)[0, 0].tolist() == moved[name]
    assert torch.equal(geometry.inverse(geometry(x)), x)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 4),
        ({"geometry": ("rotation", "flip")}, 6),
        ({"identity": 0.0}, 2),
        ({"cycle": 1.0}, 12),
    ],
)
def test_a_step_translates_no_more_than_needed(options: dict[str, object], count: int) -> None:
    assert TinyRun(make(**options)).count_calls(1)[0]["generator"] == count


def test_paper_preset_has_the_published_parameter_counts() -> None:
    preset = GcGAN.presets["paper"]
    method = GcGAN(Options(**preset.options), DOMAINS, preset.signal)
    assert {n: sum(p.numel() for p in net.parameters()) for n, net in method.nets.items()} == {
        "generator_map": 11_378_179,
        "discriminator_map": 2_764_737,
        "rotation_discriminator_map": 2_764_737,
    }


def test_initial_weights_are_drawn_as_published() -> None:
    method = GcGAN(Options(), DOMAINS, TensorSpec(shape=(3, 256, 256)))
    convolutions = [m for m in method.nets.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 1 + 2 + 18 + 1 + 2 * 5
    for layer in convolutions:
        receptive = layer.kernel_size[0] * layer.kernel_size[1]
        fans = (layer.in_channels + layer.out_channels) * receptive
        std = 0.02 * (2 / fans) ** 0.5
        assert layer.weight.std().item() == pytest.approx(std, rel=0.1)
        assert layer.bias.abs().max() <= (layer.in_channels * receptive) ** -0.5


@pytest.mark.parametrize("name", list(GcGAN.presets))
def test_every_preset_builds_and_keeps_the_signals_form(name: str) -> None:
    preset = GcGAN.presets[name]
    method = GcGAN(Options(**preset.options), DOMAINS, preset.signal)
    x = torch.zeros(1, *preset.signal.shape)
    source, target = (Condition.of(DOMAINS, n, 1) for n in DOMAINS.names)
    with torch.inference_mode():
        assert method.translate(x, source, target).shape == x.shape


def test_the_default_preset_is_the_official_code() -> None:
    name, preset = next(iter(GcGAN.presets.items()))
    assert name == "paper"
    assert not preset.options
    assert preset.train.epochs == Options().constant_epochs + Options().decay_epochs


def test_rate_follows_the_official_multiplier() -> None:
    schedule = make().players()[0].optimiser.schedule
    at = lambda epoch: schedule(Progress((epoch - 1) * 10, 2000, 10))  # noqa: E731
    assert at(1) == at(99) == 1.0
    assert at(100) == pytest.approx(1 - 1 / 101)
    assert at(199) == pytest.approx(1 - 100 / 101)
    assert at(200) == 0.0


def test_one_sided_it_makes_the_second_domain_alone() -> None:
    method = make()
    assert method.targets == ("map",)
    assert method.inference_nets == ("generator_map",)
    assert "restored" not in method.provides
    with pytest.raises(UsageError) as caught:
        Engine(method, device="cpu", precision="float32").targets("photo", "map")
    assert caught.value.asked == 'target "photo"'


def test_with_a_cycle_it_translates_both_ways() -> None:
    method = make(cycle=10.0)
    assert method.targets == ("photo", "map")
    assert "restored" in method.provides


@pytest.mark.parametrize("geometry", [(), ("flip", "flip")])
def test_no_transform_or_the_same_one_twice_is_refused(geometry: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        make(geometry=geometry)
    assert caught.value.asked.startswith("geometry=")


def test_pictures_that_are_not_square_are_rotated_too() -> None:
    method = build(GcGAN, TINY, DOMAINS, TensorSpec(shape=(3, 16, 24)), gain=GAIN)
    assert "generator/consistency_rotation" in TinyRun(method).train(1)[0]


def test_distance_is_a_loss_for_any_method() -> None:
    assert PairwiseDistance().requires == ("translated",)
