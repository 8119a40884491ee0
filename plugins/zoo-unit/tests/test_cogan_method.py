"""CoGAN against a restatement of its published losses in plain torch, and its inversion."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.interfaces import Code
from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec, class_key
from zoo_core.errors import UsageError
from zoo_core.models.golden import read_golden
from zoo_core.models.modeldir import read_config
from zoo_core.models.weights import load_weights
from zoo_core.translate.engine import Engine
from zoo_nn.synthetic import random_batch
from zoo_testing.parity import Batches, StepInputs, TinyRun, build, random_batches
from zoo_train.card import Card
from zoo_train.golden import check_golden
from zoo_train.writing import write_model
from zoo_unit.cogan import CoGAN, Options
from zoo_unit.inversion import invert

DOMAINS = Domains(("mnist", "usps"))
SPEC = TensorSpec(shape=(1, 28, 28), stride=1, flexible=0)
TINY = {"latent": 5, "width": 16, "critic_width": 4, "critic_top": 6, "classes": 3, "steps": 5}
BATCH = 4

Record = dict[str, float]


def make(seed: int = 0, **options: object) -> CoGAN:
    return build(CoGAN, TINY | options, DOMAINS, SPEC, seed=seed)


def labelled(method: CoGAN, count: int = BATCH) -> Batches:
    """Random batches with a class for each signal of the first domain."""
    plain = random_batches(method, count)

    def batch(seed: int) -> Batch:
        classes = torch.randint(3, (count,), generator=torch.Generator().manual_seed(seed))
        return replace(plain(seed), extras={class_key("mnist"): classes})

    return batch


class Reference:
    """CoGAN as its official code for MNIST and USPS states it."""

    def __init__(self, method: CoGAN) -> None:
        self.nets, self.options = copy.deepcopy(method.nets), method.options
        adam = {"lr": 2e-4, "betas": (0.5, 0.999), "weight_decay": 5e-4}
        self.adams = {
            kind: torch.optim.Adam(
                {
                    id(p): p
                    for name, net in self.nets.items()
                    if name.split("_")[0] in names
                    for p in net.parameters()
                }.values(),
                **adam,  # type: ignore[arg-type]
            )
            for kind, names in (
                ("d", ("discriminator",)),
                ("g", ("shared", "decoder")),
                *([("e", ("encoder",))] if method.options.encoder_width else []),
            )
        }

    def make(self, z: Tensor) -> tuple[Tensor, Tensor]:
        y = self.nets["shared"].layers(z.view(len(z), -1, 1, 1))  # type: ignore[operator]
        a, b = (torch.sigmoid(self.nets[f"decoder_{n}"].layer(y)) for n in DOMAINS.names)  # type: ignore[operator]
        return a, b  # in [0, 1], as officially

    def judge(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Two logits of the joined batch (2N, 2), and the features of each domain."""
        ours, theirs = (self.nets[f"discriminator_{n}"] for n in DOMAINS.names)
        f_a = ours.shared.body(ours.first(a))  # type: ignore[operator, union-attr]
        f_b = ours.shared.body(theirs.first(b))  # type: ignore[operator, union-attr]
        logits = ours.shared.real(torch.cat([f_a, f_b])).flatten(1)  # type: ignore[operator, union-attr]
        return logits, f_a, f_b

    def move(self, kind: str, loss: Tensor) -> None:
        self.adams[kind].zero_grad()
        loss.backward()
        self.adams[kind].step()

    def step(self, inputs: StepInputs) -> Record:
        o, batch, rng = self.options, inputs.batch(), inputs.rng()
        real_a, real_b = ((batch.signals[n] + 1) / 2 for n in DOMAINS.names)
        count = len(real_a)
        z = torch.randn(count, o.latent, generator=rng)
        made = self.make(z)
        fakes = tuple(x.detach() for x in made)
        real, ones = torch.ones(2 * count).long(), torch.zeros(2 * count).long()
        on_real, f_real, _ = self.judge(real_a, real_b)
        on_fake, f_a, f_b = self.judge(*fakes)
        critic = F.cross_entropy(on_real, real) + F.cross_entropy(on_fake, ones)
        features = F.mse_loss(f_a, f_b) * f_a[0].numel()
        record = {
            "discriminator/critic": 2 * critic.item(),  # a sum over domains
            "discriminator/features": features.item(),
        }
        loss = critic + 0.01 * features
        if o.classify:
            head = self.nets["discriminator_mnist"].shared.classes  # type: ignore[union-attr]
            logits = head(f_real).flatten(1)  # type: ignore[operator]
            classify = F.cross_entropy(logits, batch.extras[class_key("mnist")])
            record["discriminator/classify"] = classify.item()
            loss = loss + 10 * classify
        self.move("d", loss)

        if o.fresh_noise:
            made = self.make(torch.randn(count, o.latent, generator=inputs.rng(1)))
        adversarial = F.cross_entropy(self.judge(*made)[0], real)
        self.move("g", adversarial)
        record["generator/adversarial"] = 2 * adversarial.item()

        if o.encoder_width:
            code = torch.zeros(())
            for name, fake in zip(DOMAINS.names, fakes, strict=True):
                net = self.nets[f"encoder_{name}"]
                found = net.shared(net.first(2 * fake - 1)).flatten(1)  # type: ignore[operator]
                code = code + ((found - z) ** 2).mean()
            self.move("e", code)
            record["encoder/code"] = code.item()
        return record


@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("encoder", [0, 4])
@pytest.mark.parametrize(("fresh", "classify"), [(True, 10.0), (False, 0.0)])
def test_training_steps_equal_the_published_losses(
    fresh: bool, classify: float, encoder: int, batch: int
) -> None:
    method = make(fresh_noise=fresh, classify=classify, encoder_width=encoder)
    TinyRun(method, labelled(method, batch)).check(Reference(method))


@pytest.mark.parametrize(("fresh", "count"), [(True, 2), (False, 1)])
def test_the_shared_layers_run_once_for_all_domains(fresh: bool, count: int) -> None:
    method = make(fresh_noise=fresh)
    (calls,) = TinyRun(method, labelled(method)).count_calls(1)
    # The discriminators see reals and samples, then the generators' samples.
    assert calls == {"shared": count, "decoder": 2 * count, "discriminator": 6}


def count(*nets: nn.Module) -> int:
    return sum(p.numel() for p in nn.ModuleList(nets).parameters())


def test_paper_preset_has_the_published_parameter_counts() -> None:
    preset = CoGAN.presets["paper"]
    with torch.device("meta"):  # no memory is filled: only sizes are looked at
        nets = CoGAN(Options(**preset.options), DOMAINS, preset.signal).nets
    assert count(*(net for name, net in nets.items() if "discriminator" in name)) == 432_603
    assert count(*(net for name, net in nets.items() if "discriminator" not in name)) == 7_842_694


def test_the_default_preset_is_the_paper() -> None:
    name, preset = next(iter(CoGAN.presets.items()))
    assert name == "paper"
    assert not preset.options
    assert (preset.train.batch, preset.train.steps) == (64, 10_000)


def test_weights_start_as_published() -> None:
    method = make(width=64)
    for module in method.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            fans = sum(module.weight.shape[:2]) * module.weight[0, 0].numel()
            bound = (2 * 6 / fans) ** 0.5
            assert 0.7 * bound < module.weight.abs().max() <= bound
            assert torch.all(module.bias == 0.1)


@pytest.mark.parametrize("name", list(CoGAN.presets))
def test_every_preset_makes_and_judges_pictures_of_its_size(name: str) -> None:
    preset = CoGAN.presets[name]
    method = CoGAN(Options(**preset.options), DOMAINS, preset.signal).eval()
    with torch.no_grad():
        z = torch.randn(2, method.options.latent)
        for domain in DOMAINS.names:
            x = method.decode(Code(z), Condition.of(DOMAINS, domain, 2))
            assert x.shape == (2, *preset.signal.shape)
            assert x.min() >= -1
            assert x.max() <= 1
            assert len(method.nets[f"discriminator_{domain}"](x).scores[0]) == 2


@pytest.mark.parametrize("size", [20, 27, 28, 31, 32, 40])
def test_any_square_size_can_be_built(size: int) -> None:
    method = CoGAN(Options(**TINY), DOMAINS, TensorSpec(shape=(1, size, size)))  # type: ignore[arg-type]
    x = method.decode(Code(torch.randn(2, 5)), Condition.of(DOMAINS, "usps", 2))
    assert x.shape == (2, 1, size, size)
    assert method.nets["discriminator_usps"](x).features[0].shape == (2, 6)


@pytest.mark.parametrize("shape", [(1, 28, 32), (1, 12, 12)])
def test_sizes_that_cannot_be_built_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="must be square"):
        CoGAN(Options(), DOMAINS, TensorSpec(shape=shape))


def test_a_source_without_classes_is_refused_where_they_are_needed() -> None:
    with pytest.raises(UsageError, match='classes of domain "mnist"'):
        TinyRun(make()).train(1)


def test_generators_share_all_but_the_last_and_discriminators_all_but_the_first_layer() -> None:
    nets = make().nets
    assert count(nets["decoder_mnist"], nets["decoder_usps"]) == 2 * (2 * 36 + 1)
    ours, theirs = (set(nets[f"discriminator_{n}"].parameters()) for n in DOMAINS.names)
    assert ours - theirs == set(nets["discriminator_mnist"].first.parameters())


def known(method: CoGAN, domain: str = "mnist") -> tuple[Tensor, Tensor]:
    """Pictures of a domain whose codes are known, and the codes."""
    z = torch.randn(3, 5, generator=torch.Generator().manual_seed(2)).double()
    with torch.no_grad():
        return method.decode(Code(z), Condition.of(DOMAINS, domain, 3)), z


@pytest.mark.numeric
def test_inversion_finds_the_code_that_made_a_picture() -> None:
    method = make(steps=150, step_size=0.2, pull=0.0).eval()
    x, z = known(method)
    code = method.encode(x, Condition.of(DOMAINS, "mnist", 3))
    assert (code.content - z).abs().max() < 0.02
    y = method.translate(x, *(Condition.of(DOMAINS, n, 3) for n in DOMAINS.names))
    assert (y - known(method, "usps")[0]).abs().max() < 0.02


@pytest.mark.numeric
def test_more_steps_come_nearer_to_the_picture() -> None:
    gaps = []
    for steps in (0, 10, 100):
        method = make(steps=steps).eval()
        x, _ = known(method)
        source = Condition.of(DOMAINS, "mnist", 3)
        with torch.no_grad():
            gaps.append(float((method.translate(x, source, source) - x).abs().mean()))
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2]


@pytest.mark.numeric
def test_the_prior_pulls_codes_to_its_mean() -> None:
    def found(pull: float) -> float:
        return float(
            invert(
                lambda z: z, torch.ones(1, 4), torch.zeros(1, 4), steps=200, lr=0.1, pull=pull
            ).mean()
        )

    assert found(0.0) == pytest.approx(1.0, abs=1e-2)
    assert found(1.0) == pytest.approx(0.5, abs=1e-2)


def test_encoders_say_where_the_inversion_begins() -> None:
    method = make(encoder_width=4, steps=0).eval()
    x, _ = known(method)
    condition = Condition.of(DOMAINS, "usps", 3)
    with torch.inference_mode():
        guess = method.nets["encoder_usps"](x, condition).content
        assert torch.equal(method.encode(x, condition).content, guess)


@pytest.mark.numeric
def test_translation_runs_in_inference_mode_and_gives_the_same_bits_again() -> None:
    method = make(encoder_width=4).float()
    engine = Engine(method, device="cpu", precision="float32")
    x = torch.rand(BATCH, *SPEC.shape)
    once = engine.translate(x, [0.0, 1.0], [1.0, 0.0])
    assert torch.equal(engine.translate(x, [0.0, 1.0], [1.0, 0.0]), once)
    assert not once.requires_grad
    assert all(p.grad is None and not p.requires_grad for p in method.parameters())


@pytest.mark.numeric
def test_a_code_does_not_depend_on_the_rest_of_the_batch() -> None:
    method = make(steps=50).eval()
    x = random_batches(method, count=BATCH)(3).signals["mnist"]
    source = Condition.of(DOMAINS, "mnist", BATCH)
    with torch.no_grad():
        whole = method.encode(x, source).content
        alone = method.encode(x[:1], source[:1]).content
    torch.testing.assert_close(whole[:1], alone, rtol=1e-3, atol=1e-3)


@pytest.mark.numeric
def test_a_written_model_translates_as_before_and_proves_it_by_its_golden_file(
    tmp_path: Path,
) -> None:
    method = make(encoder_width=4, classify=0.0)
    TinyRun(method).train(1)
    method.float()
    options = TINY | {"encoder_width": 4, "classify": 0.0}
    config = ModelConfig("cogan", options, DOMAINS, SPEC)
    batch = random_batch(DOMAINS, SPEC, mixed=False, count=BATCH, seed=0)
    write_model(tmp_path / "m", method.eval(), config, card=Card("m", "s"), sample_batch=batch)
    golden = read_golden(tmp_path / "m" / "golden.safetensors")
    ways = [(g.source.domain, g.target.domain) for g in golden]
    assert ways == [("mnist", "usps"), ("usps", "mnist")]
    assert read_config(tmp_path / "m") == config
    other = CoGAN(Options(**options), DOMAINS, SPEC)  # type: ignore[arg-type]
    load_weights(other, tmp_path / "m")
    assert check_golden(other, tmp_path / "m") < 1e-5
