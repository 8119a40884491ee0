"""Checkpoints of others: recognised, mapped strictly, and computing what was published."""

from __future__ import annotations

import math
import os
import pickle
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from published_nets import (
    Named,
    StarGANDiscriminator,
    Upit,
    lornatang_generator,
    patch_layers,
    resnet_layers,
    with_label,
    yunjey_generator,
)
from safetensors.torch import save_file
from torch import Tensor, nn

import zoo
from zoo_core.cli import run
from zoo_core.contracts.component import Component
from zoo_core.contracts.signals import Condition, Domains
from zoo_core.errors import UsageError, WeightsError, ZooError
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import build_method, read_config
from zoo_core.models.weights import load_weights, read_tensors
from zoo_core.translate.loading import load
from zoo_import.checkpoint import read_state
from zoo_import.contract import ForeignNet, Importer, Shapes
from zoo_import.files import Import, ImportRequest, import_files
from zoo_import.mapping import configure, recognise, tensors_for
from zoo_testing.hosts import InMemoryPlugin, host_with
from zoo_testing.tiny import SPEC, TinyGenerator
from zoo_train.golden import check_golden

HAIR = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
LABEL = [0.0, 1.0, 0.0, 1.0, 0.0]


def alone(**options: Any) -> Named:
    """A residual generator whose keys begin with ``model``."""
    return Named(model=resnet_layers(**options))


@dataclass(frozen=True)
class Case:
    """A published net with random weights, and what it should be taken for."""

    layout: str
    make: Callable[[], nn.Module]
    options: dict[str, Any] = field(default_factory=dict)
    domains: tuple[str, ...] = ("horse", "zebra")
    run: Callable[[nn.Module, Tensor], Tensor] = lambda net, x: net(x)
    to: Any = "zebra"


CASES = {
    "official": Case(
        "cyclegan-official",
        lambda: alone(blocks=9),
        {"width": 6, "blocks": 9, "upsample": "transpose", "generators": ["zebra"]},
    ),
    "official-with-statistics": Case(
        "cyclegan-official", lambda: alone(blocks=6, statistics=True), {"blocks": 6}
    ),
    "official-with-dropout": Case(
        "cyclegan-official", lambda: alone(width=4, dropout=True), {"width": 4, "blocks": 2}
    ),
    "official-with-both": Case(
        "cyclegan-official", lambda: alone(statistics=True, dropout=True), {"blocks": 2}
    ),
    "huggan": Case(
        "cyclegan-huggan",
        lambda: alone(blocks=3, block="block", up="nearest"),
        {"blocks": 3, "upsample": "nearest-zero"},
    ),
    "upit": Case(
        "cyclegan-upit", Upit, {"width": 6, "critic_layers": 3}, run=lambda net, x: net.G_B(x)
    ),
    "upit-back": Case("cyclegan-upit", Upit, run=lambda net, x: net.G_A(x), to="horse"),
    "upit-with-dropout": Case(
        "cyclegan-upit", lambda: Upit(4, dropout=True), {"width": 4}, run=lambda net, x: net.G_B(x)
    ),
    "upit-one-generator": Case("cyclegan-upit", resnet_layers, {"generators": ["zebra"]}),
    "cut": Case(
        "cut-official",
        lambda: alone(blur_down=True, up="blur"),
        {"upsample": "blur", "downsample": "blur", "halvings": 2},
    ),
    "cut-blurring-down-alone": Case(
        "cut-official", lambda: alone(blur_down=True), {"upsample": "transpose", "blocks": 2}
    ),
    "stargan-official": Case(
        "stargan-official",
        lambda: yunjey_generator(blocks=6),
        {"width": 6, "blocks": 6},
        HAIR,
        lambda net, x: net(with_label(x, LABEL)),
        {"Blond_Hair": 1, "Male": 1},
    ),
    "stargan-lornatang": Case(
        "stargan-lornatang",
        lornatang_generator,
        {"width": 6, "blocks": 2},
        HAIR,
        lambda net, x: net(with_label(x, LABEL)),
        {"Blond_Hair": 1, "Male": 1},
    ),
}


def imported(state: Any, folder: Path, domains: tuple[str, ...], **options: Any) -> Import:
    """Saves a state and imports it into ``folder/model``."""
    torch.save(state, folder / "weights.pth")
    return import_files(
        [str(folder / "weights.pth")],
        folder / "model",
        ImportRequest(domains),
        host=host(),
        **options,
    )


@pytest.mark.numeric
@pytest.mark.parametrize("name", CASES)
def test_an_imported_model_computes_what_was_published(name: str, tmp_path: Path):
    case = CASES[name]
    torch.manual_seed(0)
    net = case.make()
    made = imported(net.state_dict(), tmp_path, case.domains)
    assert made.layouts == (case.layout,)
    assert made.config.options.items() >= case.options.items()
    x = torch.rand(1, 3, 32, 40) * 2 - 1
    for module in net.modules():  # published behaviour: the instance's own statistics, no dropout
        module.train(not isinstance(module, nn.Dropout))
    with torch.no_grad():
        expected = case.run(net, x)
    translator = zoo.load(tmp_path / "model", device="cpu", precision="float32")
    torch.testing.assert_close(translator(x, to=case.to), expected, atol=1e-5, rtol=0)
    assert check_golden(translator.method, tmp_path / "model") == 0


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"module." + key: value for key, value in state.items()},
        lambda state: {
            "model": {"_orig_mod.module._orig_mod." + key: value for key, value in state.items()}
        },
        lambda state: {
            "ema": {"n_averaged": torch.tensor(5)} | {"module." + k: v for k, v in state.items()}
        },
        lambda state: {key: value.half() for key, value in state.items()},
    ],
    ids=["state_dict", "module", "compiled", "averaged", "float16"],
)
def test_wrappers_and_prefixes_are_taken_off(wrap: Callable[[Any], Any], tmp_path: Path):
    state = alone().state_dict()
    imported(wrap(state), tmp_path, ("a", "b"))
    tensors = read_tensors(tmp_path / "model" / "model.safetensors")[0]
    assert len(tensors) == len(state)
    stem = tensors["generator_b.layers.1.weight"]
    torch.testing.assert_close(stem, state["model.1.weight"], atol=1e-3, rtol=0)


def test_safetensors_and_the_older_form_of_pickles_are_read(tmp_path: Path):
    state = alone().state_dict()
    save_file(state, tmp_path / "a.bin")
    torch.save(state, tmp_path / "b.pth", _use_new_zipfile_serialization=False)
    for file in ("a.bin", "b.pth"):
        found = read_state(tmp_path / file)
        assert found.keys() == state.keys()
        assert all(torch.equal(found[key], state[key]) for key in state)


def test_of_several_state_dicts_one_is_chosen_by_its_key(tmp_path: Path):
    torch.save({"old": {"x": torch.ones(2)}, "new": {"x": torch.zeros(2)}}, tmp_path / "w.pth")
    with pytest.raises(UsageError) as several:
        read_state(tmp_path / "w.pth")
    assert several.value.asked == f"checkpoint {tmp_path / 'w.pth'}"
    assert "old, new" in several.value.problem
    assert "--key" in (several.value.hint or "")
    assert read_state(tmp_path / "w.pth", "new")["x"].sum() == 0
    with pytest.raises(UsageError) as unknown:
        read_state(tmp_path / "w.pth", "newer")
    assert "newer" in (unknown.value.asked or "")
    assert "old, new" in unknown.value.problem


def test_two_generators_and_their_discriminators_make_one_model(tmp_path: Path):
    nets = {
        "generator_zebra": alone(),
        "generator_horse": alone(),
        "discriminator_zebra": Named(model=patch_layers(statistics=True)),
        "discriminator_horse": Named(model=patch_layers()),
    }
    for name, net in nets.items():
        torch.save(net.state_dict(), tmp_path / f"{name}.pth")
    files = [f"{name}={tmp_path / name}.pth" for name in nets]
    request = ImportRequest(("horse", "zebra"), size=64)
    made = import_files(files, tmp_path / "model", request, host=host())
    assert made.config.options.items() >= {"critic_width": 6, "critic_layers": 3}.items()
    assert "generators" not in made.config.options
    assert made.config.signal.shape == (3, 64, 64)
    method = build_method(read_config(tmp_path / "model"))
    load_weights(method, tmp_path / "model")
    critics = [name for name in nets if name.startswith("discriminator")]
    load_weights(method, tmp_path / "model" / "training.safetensors", only=critics)
    x = torch.rand(1, 3, 64, 64)
    for name in critics:
        torch.testing.assert_close(method.nets[name](x).scores[0], nets[name](x))
    with pytest.raises(UsageError) as caught:
        import_files(
            [file.partition("=")[2] for file in files], tmp_path / "x", request, host=host()
        )
    assert "generator_zebra" in caught.value.problem
    assert "NET=FILE" in (caught.value.hint or "")


def test_stargan_brings_its_discriminator_and_the_size(tmp_path: Path):
    generator, critic = yunjey_generator(), StarGANDiscriminator(64)
    torch.save(generator.state_dict(), tmp_path / "G.ckpt")
    torch.save(critic.state_dict(), tmp_path / "D.ckpt")
    files = [str(tmp_path / name) for name in ("G.ckpt", "D.ckpt")]
    request = ImportRequest(HAIR, exclusive=(HAIR[:3],), crop=178)
    made = import_files(files, tmp_path / "model", request, host=host())
    assert made.config.signal.shape == (3, 64, 64)
    assert made.config.preprocessing["crop_first"] == 178
    assert made.config.domains.exclusive == (HAIR[:3],)
    method = build_method(read_config(tmp_path / "model"))
    load_weights(method, tmp_path / "model" / "training.safetensors", only=["discriminator"])
    x = torch.rand(2, 3, 64, 64)
    scores, logits = critic(x)
    verdict = method.nets["discriminator"](x)
    torch.testing.assert_close(verdict.scores[0], scores)
    torch.testing.assert_close(verdict.class_logits, logits)


def test_nets_that_no_file_holds_are_not_made_up(tmp_path: Path):
    imported(alone().state_dict(), tmp_path, ("a", "b"))
    assert not (tmp_path / "model" / "training.safetensors").exists()
    tensors = read_tensors(tmp_path / "model" / "model.safetensors")[0]
    assert {name.partition(".")[0] for name in tensors} == {"generator_b"}
    torch.save(Named(model=patch_layers()).state_dict(), tmp_path / "D.pth")
    with pytest.raises(UsageError) as caught:
        import_files(
            [str(tmp_path / "D.pth")], tmp_path / "x", ImportRequest(("a", "b")), host=host()
        )
    assert caught.value.asked == "generators"


def test_what_does_not_fit_is_told_in_the_file_s_own_keys(tmp_path: Path):
    state = alone().state_dict()
    state["extra.weight"] = torch.ones(2, 3)
    del state["model.10.conv_block.5.bias"]
    state["model.4.bias"] = torch.ones(7)
    with pytest.raises(WeightsError) as caught:
        imported(state, tmp_path, ("a", "b"))
    problem = caught.value.problem
    assert "missing: model.10.conv_block.5.bias (24,)" in problem
    assert "unexpected: extra.weight (2, 3)" in problem
    assert "misshapen: model.4.bias: (7,) in the file, (12,) in the net" in problem
    assert len(problem.splitlines()) == 4
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("state", "layout", "field", "expected"),
    [
        ({"a.weight": torch.ones(3)}, "auto", "problem", "a.weight: (3,)"),
        ({"a.weight": torch.ones(3)}, "cut-official", "problem", '"cut-official"'),
        (alone().state_dict(), "cyclegan-offical", "hint", '"cyclegan-official"'),
        (yunjey_generator().state_dict(), "auto", "problem", "it has 5, 2 are named"),
        (
            alone().state_dict() | {"model.2.weight": torch.ones(6)},
            "auto",
            "problem",
            "batch normalisation",
        ),
        (alone(block="block", up="nearest", channels=1).state_dict(), "auto", "problem", "1 chan"),
        (
            alone().state_dict() | {"model.1.bias": torch.full((6,), torch.nan)},
            "auto",
            "problem",
            "finite",
        ),
        (
            alone().state_dict() | {"model.1.bias": torch.ones(6).int()},
            "auto",
            "problem",
            "torch.int32",
        ),
        ([1, 2], "auto", "problem", "list"),
        ({"epoch": 3, "lr": 0.1}, "auto", "problem", "epoch (a number), lr (a number)"),
        ({"w": torch.ones(1), "lr": 0.1}, "auto", "problem", "w: (1,)"),
    ],
    ids=["unknown", "other", "misspelt", "count", "batch", "channels", "nan", "int", "list",
         "empty", "mixed"],
)  # fmt: skip
def test_what_cannot_be_imported_says_why(
    state: Any, layout: str, field: str, expected: str, tmp_path: Path
):
    with pytest.raises(ZooError) as caught:
        imported(state, tmp_path, ("a", "b"), layout=layout)
    assert expected in getattr(caught.value, field)
    assert not (tmp_path / "model").exists()


class Hostile:
    """A pickle of it writes a file when it is read."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.canary),))


@pytest.mark.parametrize("form", ["archive", "older", "pickle-2", "pickle-4", "pickle-5"])
def test_a_pickle_that_would_execute_code_is_refused_and_does_not(form: str, tmp_path: Path):
    canary, path = tmp_path / "canary", tmp_path / "evil.pth"
    value = {"state_dict": alone().state_dict(), "extra": Hostile(canary)}
    if form.startswith("pickle"):
        path.write_bytes(pickle.dumps(value["extra"], protocol=int(form[-1])))
    else:
        torch.save(value, path, _use_new_zipfile_serialization=form == "archive")
    with pytest.raises(WeightsError) as caught:
        read_state(path)
    assert re.search(r"(posix|nt|os)\.mkdir", caught.value.problem)
    assert not canary.exists()
    torch.load(path, weights_only=False) if form == "archive" else None
    assert canary.exists() == (form == "archive"), "the file is not hostile at all"


@pytest.mark.parametrize("content", [b"\x00", b"\xff" * 60, b"\x80\x02" + b"\xff" * 20])
def test_garbage_is_an_error_in_words(content: bytes, tmp_path: Path):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        read_state(tmp_path / "w.pth")
    assert caught.value.asked == f"checkpoint {tmp_path / 'w.pth'}"
    assert caught.value.hint


def test_the_command_says_what_it_found_and_asks_for_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    torch.save(alone().state_dict(), tmp_path / "G.pth")
    arguments = ["import", str(tmp_path / "G.pth"), "--out", str(tmp_path / "model")]
    assert run(arguments) == 2
    assert "the names of the domains are missing: the file has 2" in capsys.readouterr().err
    named = ["--domain", "horse", "--domain", "zebra", "--licence", "BSD-2-Clause"]
    assert run([*arguments, *named]) == 0
    shown = capsys.readouterr().out
    assert "cyclegan-official: cyclegan, width=6, blocks=2" in shown
    assert "generator_zebra:" in shown
    card = (tmp_path / "model" / "README.md").read_text()
    assert "license: bsd-2-clause" in card
    assert "G.pth" in card
    assert run([*arguments, *named, "--out", str(tmp_path)]) == 2
    assert "exists and is no model directory" in capsys.readouterr().err


@settings(max_examples=150, deadline=None)
@given(
    cuts=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 9)), max_size=4)
)
def test_a_damaged_checkpoint_is_read_or_refused(
    cuts: list[tuple[float, bytes, int]], tmp_path_factory: pytest.TempPathFactory
):
    path = tmp_path_factory.getbasetemp() / "damaged.pth"
    torch.save({"state_dict": {"a": torch.ones(3), "b": torch.zeros(2, 2)}}, path)
    content = path.read_bytes()
    for place, new, length in cuts:
        start = int(place * len(content))
        content = content[:start] + new + content[start + length :]
    path.write_bytes(content)
    try:
        state = read_state(path)
    except ZooError as error:
        assert str(path) in str(error)  # noqa: PT017  (both outcomes are right)
    else:
        assert all(isinstance(value, Tensor) for value in state.values())


class OfATinyGenerator(Importer):
    """What a third party writes for a layout of its own."""

    method = "tiny"
    scale = "whole"

    def parts(self, shapes: Shapes) -> Sequence[ForeignNet]:
        stem = shapes.get("net.in.weight", ())
        names = {"first": "net.in", "last": "net.out"}

        def theirs(ours: str) -> str:
            layer, kind = ours.split(".")
            return f"{names[layer]}.{kind}"

        if len(stem) != 4:
            return []
        return [ForeignNet("generator", theirs, options={"width": stem[0]}, conditions=stem[1] - 3)]


def test_a_third_party_brings_a_layout_by_the_public_hook(tmp_path: Path):
    layout = Component("importer", "tiny-of-others", f"{__name__}:OfATinyGenerator")
    made_by_others = InMemoryPlugin("tiny", [SPEC, layout])
    net = TinyGenerator(3, width=5)
    parts = {"first": "net.in", "last": "net.out"}
    state = {
        f"{parts[key.partition('.')[0]]}.{key.partition('.')[2]}": value
        for key, value in net.state_dict().items()
    }
    torch.save(state, tmp_path / "w.pth")
    plugins = host_with(made_by_others, installed=("images", "import"))
    request = ImportRequest(("x", "y", "z"), size=8)
    made = import_files([str(tmp_path / "w.pth")], tmp_path / "model", request, host=plugins)
    assert made.layouts == ("tiny-of-others",)
    assert made.config.options == {"width": 5}
    assert made.config.preprocessing["scale"] == "whole"
    x = torch.rand(1, 3, 32, 32)
    expected = net(x, Condition(torch.tensor([[0.0, 1.0, 0.0]]))).detach()
    translator = load(tmp_path / "model", "cpu", "float32", host=plugins)
    torch.testing.assert_close(translator(x, to="y"), expected)


SHAPES = {
    name: {key: tuple(value.shape) for key, value in net.state_dict().items()}
    for name, net in {
        **{name: CASES[name].make() for name in ("official", "huggan", "upit", "cut")},
        **{name: CASES[name].make() for name in ("stargan-official", "stargan-lornatang")},
        "patch": Named(model=patch_layers()),
        "critic": StarGANDiscriminator(),
    }.items()
}


@st.composite
def odd_shapes(draw: st.DrawFn) -> dict[str, tuple[int, ...]]:
    """A layout in which up to four tensors are gone, of another shape, or of another number."""
    shapes = dict(SHAPES[draw(st.sampled_from(sorted(SHAPES)))])
    extents = st.sampled_from([0, 1, 2, 3, 5, 7, 64, 10**5, 2**40])
    for _ in range(draw(st.integers(1, 4))):
        key = draw(st.sampled_from(sorted(shapes)))
        shape = shapes.pop(key)
        act = draw(st.sampled_from(["remove", "reshape", "renumber"]))
        if act == "reshape":
            at = draw(st.integers(0, max(len(shape) - 1, 0)))
            other = (*shape[:at], draw(extents), *shape[at + 1 :])
            shapes[key] = draw(st.sampled_from([other, shape[1:], (*shape, 2)]))
        elif act == "renumber":
            number = str(draw(st.sampled_from([0, 1, 2, 3, 11, 70, 10**9])))
            shapes[re.sub(r"\d+", number, key, count=1)] = shape
    return shapes


@settings(max_examples=100, deadline=None)
@given(shapes=odd_shapes())
def test_odd_shapes_are_mapped_or_refused(shapes: dict[str, tuple[int, ...]]):
    assume(all(math.prod(shape) < 2**63 for shape in shapes.values()))  # torch makes no larger one
    state = {key: torch.zeros(()).expand(shape) for key, shape in shapes.items()}
    try:
        source = recognise(Path("odd.pth"), state, "auto", host())
        count = next(part.conditions for part in source.parts) or 2
        domains = Domains(tuple(f"d{i}" for i in range(min(count, 9))), source.importer.kind)
        tensors_for(configure([source], domains), [source], host())
    except ZooError as error:
        assert "odd.pth" in str(error) or error.asked  # noqa: PT017  (both outcomes are right)
