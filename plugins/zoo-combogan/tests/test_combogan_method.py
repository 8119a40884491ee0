"""ComboGAN against a restatement of its published losses in plain torch."""

from __future__ import annotations

import copy
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_combogan.method import ComboGAN, Options
from zoo_combogan.nets import TwoViewDiscriminator
from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError
from zoo_testing.parity import StepInputs, TinyRun, build, random_batches, rng_of

DOMAINS = Domains(("noto", "twemoji", "openmoji"))
SPEC = TensorSpec(shape=(3, 16, 16), stride=2)
TINY = {
    "width": 4,
    "encoder_blocks": 1,
    "decoder_blocks": 1,
    "halvings": 1,
    "critic_width": 4,
    "critic_layers": 3,
}
STEPS = 5
PUBLISHED_BLUR = [
    0.19972915325680113,
    0.20010448144111764,
    0.2003327306041625,
    0.20010448144111764,
    0.19972915325680113,
]

Record = dict[str, float]


def make(domains: Domains = DOMAINS, **options: object) -> ComboGAN:
    return build(ComboGAN, TINY | options, domains, SPEC, gain=5)


def drawn(number: int) -> tuple[tuple[str, str], torch.Generator]:
    """The pair of a step, and the generator as the plan leaves it."""
    rng = rng_of(number)
    a, b = torch.randperm(3, generator=rng)[:2].tolist()
    return (DOMAINS.names[a], DOMAINS.names[b]), rng


class Reference:
    """ComboGAN as its official code trains it: an optimiser per domain, stepped when drawn."""

    def __init__(self, method: ComboGAN) -> None:
        self.nets = {name: copy.deepcopy(net) for name, net in method.nets.items()}
        self.o, self.number = method.options, 0
        self.pools: dict[str, list[Tensor]] = {name: [] for name in DOMAINS}
        self.makers = {n: self.adam(f"encoder_{n}", f"decoder_{n}") for n in DOMAINS}
        self.judges = {n: self.adam(f"discriminator_{n}") for n in DOMAINS}

    def adam(self, *names: str) -> torch.optim.Adam:
        found = [p for name in names for p in self.nets[name].parameters()]
        return torch.optim.Adam(found, lr=2e-4, betas=(0.5, 0.999))

    def encode(self, x: Tensor, name: str) -> Tensor:
        return self.nets[f"encoder_{name}"].layers(x)  # type: ignore[operator]

    def decode(self, z: Tensor, name: str) -> Tensor:
        return self.nets[f"decoder_{name}"].layers(z)  # type: ignore[operator]

    def judge(self, x: Tensor, name: str) -> list[Tensor]:
        net = self.nets[f"discriminator_{name}"]
        gray = 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]
        if self.o.blur == "gaussian":
            line = torch.tensor([-2.0, -1, 0, 1, 2]).square().div(-2 * 3.0**2).exp()
            kernel = torch.outer(line, line) / line.sum() ** 2
            padded = F.pad(x, (2, 2, 2, 2), mode="reflect")
        else:  # scipy.ndimage.gaussian_filter of a lit pixel in 5 x 5, sigma 3, as it prints it
            line = torch.tensor(PUBLISHED_BLUR)
            kernel = torch.outer(line, line)
            padded = F.pad(x, (2, 2, 2, 2))
        blurred = F.conv2d(padded, kernel.expand(3, 1, 5, 5), groups=3)
        towers = []
        for tower, view in ((net.gray, gray), (net.colour, blurred)):
            y, seen = tower.first(view), []  # type: ignore[operator, union-attr]
            for stage in tower.stages:  # type: ignore[union-attr]
                y = stage(y)
                seen.append(y[:, -1])
                y = y[:, :-1]
            towers.append([*seen, tower.last(y)[:, 0]])  # type: ignore[operator, union-attr]
        return [torch.stack(pair, 1) for pair in zip(*towers, strict=True)]

    @staticmethod
    def gan(outputs: list[Tensor], goal: float) -> Tensor:
        counts = list(range(1, len(outputs) + 1))
        counts[-1] += 1
        parts = [m * ((out - goal) ** 2).mean() for m, out in zip(counts, outputs, strict=True)]
        return sum(parts) / (sum(counts) * len(parts))  # type: ignore[return-value]

    def step(self, inputs: StepInputs) -> Record:
        (a, b), rng = drawn(self.number)
        batch = inputs.batch()
        x = {a: batch.signals[a], b: batch.signals[b]}
        other = {a: b, b: a}
        code = {n: self.encode(x[n], n) for n in x}
        fake = {n: self.decode(code[other[n]], n) for n in x}  # named after what it shows
        recode = {n: self.encode(fake[n], n) for n in x}
        restored = {n: self.decode(recode[other[n]], n) for n in x}
        parts = {
            "adversarial": sum(self.gan(self.judge(fake[n], n), 1.0) for n in x),
            "cycle": sum(F.smooth_l1_loss(restored[n], x[n]) for n in x),
        }
        weights = {"adversarial": 1.0, "cycle": 10.0}
        pooled = nn.AvgPool2d(3, stride=2)
        if self.o.identity:
            back = {n: self.decode(code[n], n) for n in x}
            parts["identity"] = sum(F.smooth_l1_loss(pooled(back[n]), pooled(x[n])) for n in x)
            weights["identity"] = self.o.identity
        if self.o.forward:
            parts["forward"] = sum(
                F.smooth_l1_loss(pooled(fake[other[n]]), pooled(x[n])) for n in x
            )
            weights["forward"] = self.o.forward
        if self.o.latent and self.number:
            gaps = [recode[other[n]] - code[n].detach() for n in x]
            parts["latent"] = sum(F.smooth_l1_loss(g, torch.zeros_like(g)) for g in gaps)
            weights["latent"] = self.o.latent * self.number / 1000
        self.minimise(sum(weights[k] * v for k, v in parts.items()), self.makers, (a, b))
        record = {f"generator/{name}": value.item() for name, value in parts.items()}  # type: ignore[union-attr]

        critic = torch.zeros(())
        for n in (b, a):  # the order of the routes' targets
            shown = self.pooled(n, fake[n].detach(), rng)
            real, made = self.gan(self.judge(x[n], n), 1.0), self.gan(self.judge(shown, n), 0.0)
            critic = critic + 0.5 * (real + made)
        self.minimise(critic, self.judges, (a, b))
        self.number += 1
        return record | {"discriminator/critic": critic.item()}

    @staticmethod
    def minimise(loss: Tensor, adams: dict[str, torch.optim.Adam], names: tuple[str, str]) -> None:
        for name in names:
            adams[name].zero_grad()
        own = [p for name in names for p in adams[name].param_groups[0]["params"]]
        loss.backward(inputs=own)
        for name in names:
            adams[name].step()

    def pooled(self, name: str, fakes: Tensor, rng: torch.Generator) -> Tensor:
        pool, shown = self.pools[name], []
        for fake, (chance, where) in zip(
            fakes, torch.rand(len(fakes), 2, generator=rng), strict=True
        ):
            if len(pool) < self.o.pool:
                pool.append(fake)
                shown.append(fake)
            elif chance > 0.5:
                place = int(where * self.o.pool)
                shown.append(pool[place])
                pool[place] = fake
            else:
                shown.append(fake)
        return torch.stack(shown)


@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "identity": 1.0,
            "forward": 0.2,
            "latent": 50.0,
            "blur": "gaussian",
            "constant_epochs": 500,  # as many epochs as steps, whose ends change the latent weight
            "decay_epochs": 500,
        },
    ],
    ids=["published", "options"],
)
def test_training_steps_equal_the_published_losses(options: dict[str, object], batch: int) -> None:
    method = make(pool=3, **options)
    reference = Reference(method)
    assert len({frozenset(drawn(number)[0]) for number in range(STEPS)}) > 1
    TinyRun(method, random_batches(method, batch)).check(reference, STEPS)


@pytest.mark.numeric
def test_only_the_drawn_domains_nets_move() -> None:
    method = make()
    run = TinyRun(method)
    moved: list[set[str]] = []
    for number in range(STEPS):
        before = copy.deepcopy(method.nets.state_dict())
        run.train(1)
        after = method.nets.state_dict()
        changed = {k.split(".")[0] for k in before if not torch.equal(before[k], after[k])}
        moved.append(changed)
        kinds = ("encoder", "decoder", "discriminator")
        assert changed == {f"{kind}_{name}" for kind in kinds for name in drawn(number)[0]}
    # Momentum of earlier steps moves nobody: some domain rested after it had moved.
    assert any(first - second for first, second in pairwise(moved))


def test_every_net_runs_as_often_as_the_paper_needs() -> None:
    (calls,) = TinyRun(make()).count_calls(1)
    # Two inputs and two translations are encoded; decoded: two translations, two restored.
    # Discriminators: a translation each for the generators, then a real and a pooled one each.
    assert calls == {"encoder": 4, "decoder": 4, "discriminator": 6}


def test_all_pairs_are_drawn() -> None:
    method = make()
    batch = random_batches(method)(0)
    plans = [method.plan(batch, torch.Generator().manual_seed(seed)) for seed in range(40)]
    assert len({route.name for routes in plans for route in routes}) == 6
    assert all(routes[0].name.split("->") == routes[1].name.split("->")[::-1] for routes in plans)


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_paper_preset_has_the_official_nets_parameter_counts() -> None:
    preset = ComboGAN.presets["paper"]
    with torch.device("meta"):  # shapes alone
        method = ComboGAN(Options(**preset.options), DOMAINS, preset.signal)
    slope, head = 1, 64 * 3 * 49
    block = 2 * (256 * 256 * 9 + 256) + slope
    down = (128 * 64 * 9 + 128 + slope) + (256 * 128 * 9 + 256 + slope)
    up = (256 * 128 * 16 + 128 + slope) + (128 * 64 * 16 + 64 + slope)
    towers = 0
    for channels in (1, 3):
        towers += channels * 64 * 16 + 64 + slope
        for inner, outer in ((64, 129), (128, 257), (256, 513), (512, 512)):
            towers += inner * outer * 16 + outer + slope
        towers += 512 * 16 + 1
    for name in DOMAINS:
        assert count(method.nets[f"encoder_{name}"]) == head + 64 + slope + down + 4 * block
        assert count(method.nets[f"decoder_{name}"]) == 5 * block + up + head + 3
        assert count(method.nets[f"discriminator_{name}"]) == towers == 13_931_410


def test_four_layers_judge_at_four_scales_in_two_views() -> None:
    net, x = TwoViewDiscriminator(3, 4, 4), torch.rand(2, 3, 32, 32)
    shapes = [tuple(scale.shape[1:]) for scale in net(x).scores]
    assert shapes == [(2, 9, 9), (2, 5, 5), (2, 3, 3), (2, 5, 5)]


@pytest.mark.numeric
def test_one_view_is_blind_to_colour_and_the_other_to_detail() -> None:
    net, x = TwoViewDiscriminator(3, 4, 2), torch.rand(1, 3, 32, 32)
    shift = torch.tensor([0.114, 0.0, -0.299])[:, None, None]  # leaves the luminance as it is
    board = ((torch.arange(32)[:, None] + torch.arange(32)) % 2).float() - 0.5
    with torch.no_grad():
        here, hue, fine = (net(y).scores[-1] for y in (x, x + shift, x + 0.2 * board))
    assert (here - hue)[:, 0].abs().max() < 1e-5 < (here - hue)[:, 1].abs().max()
    gray, colour = ((here - fine)[:, view].abs().mean() for view in (0, 1))
    assert colour < 0.3 * gray


@pytest.mark.parametrize("name", list(ComboGAN.presets))
def test_every_preset_builds_and_keeps_the_signals_form(name: str) -> None:
    preset = ComboGAN.presets[name]
    with torch.inference_mode(), torch.device("meta"):  # shapes alone
        method = ComboGAN(Options(**preset.options), DOMAINS, preset.signal)
        x = torch.zeros(1, *preset.signal.shape)
        source, target = (Condition.of(DOMAINS, n, 1) for n in ("noto", "openmoji"))
        assert method.translate(x, source, target).shape == x.shape


def test_the_default_preset_is_the_paper() -> None:
    name, preset = next(iter(ComboGAN.presets.items()))
    assert name == "paper"
    assert not preset.options
    assert preset.train.epochs == Options().constant_epochs + Options().decay_epochs


def published_hyperparameters(epoch: int, rate: float, latent: float) -> tuple[float, float]:
    """Rate and latent weight in an epoch (from 1) of 300, set when the one before has ended."""
    ended = epoch - 1
    return rate * (1 - max(0, ended - 150) / 150), latent * ended / 300


@pytest.mark.parametrize("epoch", [1, 2, 150, 151, 152, 299, 300])
def test_rate_and_latent_weight_of_each_epoch_are_the_published(epoch: int) -> None:
    player = make(latent=2.0).players()[0]
    (latent,) = (term for term in player.terms if term.name == "latent")
    for step in ((epoch - 1) * 10, epoch * 10 - 1):  # the epoch's first and last
        progress = Progress(step, 3000, 10)
        found = 2e-4 * player.optimiser.schedule(progress), latent.weight_at(progress)
        assert found == pytest.approx(published_hyperparameters(epoch, 2e-4, 2.0), abs=1e-15)


def test_the_latent_weight_rises_over_the_whole_run() -> None:
    terms = {term.name: term for term in make(latent=2.0).players()[0].terms}
    at = [terms["latent"].weight_at(Progress(step, 400)) for step in (0, 200, 400)]
    assert at == [0.0, 1.0, 2.0]


def test_an_unknown_domain_is_refused() -> None:
    method, x = make(), torch.zeros(2, 3, 16, 16, dtype=torch.float64)
    known, mixed = Condition.of(DOMAINS, "noto", 2), Condition(torch.eye(3)[:2])
    with pytest.raises(UsageError, match="a domain that is unknown"):
        method.translate(x, mixed, known)
    with pytest.raises(UsageError, match="a domain that is unknown"):
        method.translate(x, known, mixed)
