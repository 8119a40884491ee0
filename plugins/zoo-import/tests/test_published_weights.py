"""Weights that others published, by name and by repository, from a self-hosted Hub."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from published_nets import Upit, lornatang_generator, with_label
from safetensors.torch import save
from test_importing import CASES, LABEL, alone
from torch import Tensor, nn

import zoo
from zoo_core.catalogue.description import ModelEntry, parse_entry
from zoo_core.catalogue.registry import Registry
from zoo_core.cli.translate import parse_target
from zoo_core.errors import HubError, UsageError, WeightsError
from zoo_core.host.plugins import host
from zoo_core.schema import plain
from zoo_core.untrusted import read_yaml
from zoo_import.mapping import blueprint
from zoo_publish.workspace import values_of
from zoo_testing.hub_server import HubServer
from zoo_train.golden import check_golden

FOREIGN = {
    name: model
    for name, model in Registry.load(host()).models.items()
    if model.installed and model.entry.weights.format != "safetensors"
}
HORSES = "a97667461b0f57d35692c6210dd747e7e90fa056"


def saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def published(net: nn.Module) -> nn.Module:
    """The net as the published results ran it: the instance's own statistics, no dropout."""
    for module in net.modules():
        module.train(not isinstance(module, nn.Dropout))
    return net


def entry_of(name: str) -> dict[str, Any]:
    """A registry entry for one of the cases."""
    case = CASES[name]
    kind = "domains" if len(case.domains) == 2 else "attributes"
    options: dict[str, Any] = {"width": 6, "blocks": 2}
    if case.layout == "cyclegan-upit":
        options |= {"critic_width": case.options.get("width", 6)}
    elif case.domains == ("horse", "zebra"):
        options |= {"generators": ["zebra"]}
    if case.layout == "cut-official":
        options |= {"downsample": "blur"}
    return {
        "id": f"case-{name}",
        "task": "test",
        "config": {
            "method": case.layout.partition("-")[0].replace("cut", "cyclegan"),
            "domains": {"names": list(case.domains), "kind": kind},
            "options": options | case.options,
            "signal": {"shape": [3, 64, 64]},
        },
        "weights": {
            "source": "hub",
            "repo": f"someone/{name}",
            "file": "files/weights.pth",
            "format": case.layout,
            "trust": "first-use",
        },
    }


@pytest.mark.numeric
@pytest.mark.parametrize("name", CASES)
def test_every_layout_loads_by_name_and_by_repository_and_computes_what_was_published(
    name: str,
    hub: HubServer,
    install_models: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
):
    case, entry = CASES[name], entry_of(name)
    torch.manual_seed(0)
    net = published(case.make())
    state = {"state_dict": {"module." + key: value for key, value in net.state_dict().items()}}
    commit = hub.add(f"someone/{name}", {"files/weights.pth": saved(state)})
    install_models(entry)
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        expected = case.run(net, x)

    def check(asked: str) -> None:
        translator = zoo.load(asked, "cpu", "float32")
        torch.testing.assert_close(translator(x, to=case.to), expected, atol=1e-5, rtol=0)

    check(entry["id"])
    assert hub.count("GET", f"/someone/{name}/resolve/") == 1
    hub.forget()
    check(entry["id"])
    assert hub.count() == 0
    check(f"someone/{name}@{commit}")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.forget()
    check(f"someone/{name}@{commit}")
    assert hub.count() == 0


def test_a_repository_that_no_registry_knows_is_taken_for_what_its_file_tells(hub: HubServer):
    net = published(alone(blur_down=True, up="blur"))
    commit = hub.add("someone/else", {"G.pth": saved(net.state_dict()), "README.md": b"# x"})
    translator = zoo.load(f"someone/else@{commit}:G.pth", device="cpu", precision="float32")
    x = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(translator(x, to="b"), net(x).detach(), atol=1e-5, rtol=0)
    assert translator.domains.names == ("a", "b")
    with pytest.raises(UsageError) as caught:
        translator(x, to="a")
    assert "b only" in caught.value.problem
    hub.forget()
    zoo.load(f"someone/else@{commit}:G.pth", precision="float32")
    assert hub.count() == 0
    with pytest.raises(HubError) as missing:
        zoo.load(f"someone/else@{commit}")
    assert "config.yaml" in missing.value.problem


def test_of_a_repository_with_several_models_one_is_named_by_its_file(hub: HubServer):
    with pytest.raises(UsageError) as caught:
        zoo.load("goodfellowliu/StarGAN-PyTorch", precision="float32")
    assert "g_celeba-128x128.pth.tar, g_celeba-256" in caught.value.problem


@pytest.mark.numeric
def test_conversions_are_kept_with_golden_outputs_and_made_anew_when_damaged(
    hub: HubServer, install_models: Callable[..., None], tmp_path: Path
):
    entry = entry_of("huggan")
    hub.add("someone/huggan", {"files/weights.pth": saved(CASES["huggan"].make().state_dict())})
    install_models(entry)
    first = zoo.load("case-huggan", "cpu", "float32")
    (directory,) = (tmp_path / "cache" / "converted").glob("case-huggan-*/")
    assert check_golden(first.method, directory) <= 1e-6
    weights = directory / "model.safetensors"
    good, written = weights.read_bytes(), weights.stat().st_mtime_ns
    zoo.load("case-huggan", "cpu", "float32")
    assert weights.stat().st_mtime_ns == written
    weights.write_bytes(good[:-4] + b"\0\1\2\3")
    zoo.load("case-huggan", "cpu", "float32")
    assert weights.read_bytes() == good


def test_an_entry_may_take_one_direction_of_a_file_with_both(
    hub: HubServer, install_models: Callable[..., None]
):
    entry, net = entry_of("upit"), Upit()
    entry["config"]["options"] |= {"generators": ["horse"]}
    hub.add("someone/upit", {"files/weights.pth": saved(net.state_dict())})
    install_models(entry)
    translator = zoo.load("case-upit", device="cpu", precision="float32")
    x = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(translator(x, to="horse"), net.G_A(x).detach(), atol=1e-5, rtol=0)
    with pytest.raises(UsageError, match="this model translates to horse only"):
        translator(x, to="zebra")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"upsample": "nearest"},
            "upsample: 'nearest-zero' in the file, 'nearest' in the registry",
        ),
        ({"blocks": 4}, "blocks: 3 in the file, 4 in the registry"),
        ({"generators": ["horse"]}, "there is no generator_horse in it; it holds generator_zebra"),
        ({}, "there is no generator_horse in it; it holds generator_zebra"),
    ],
)
def test_an_entry_that_is_not_true_of_its_file_is_an_error(
    options: dict[str, Any],
    expected: str,
    hub: HubServer,
    install_models: Callable[..., None],
):
    entry = entry_of("huggan")
    entry["config"]["options"] |= options
    if not options:
        del entry["config"]["options"]["generators"]
    hub.add("someone/huggan", {"files/weights.pth": saved(CASES["huggan"].make().state_dict())})
    install_models(entry)
    with pytest.raises(WeightsError) as caught:
        zoo.load("case-huggan")
    assert expected in caught.value.problem


@pytest.mark.parametrize("pinned", [False, True])
def test_a_repository_that_a_registry_knows_must_hold_what_it_says(
    pinned: bool, hub: HubServer, install_models: Callable[..., None]
):
    entry = entry_of("huggan")
    content = saved(CASES["huggan"].make().state_dict())
    commit = hub.add("someone/huggan", {"files/weights.pth": content})
    del entry["weights"]["trust"]
    facts = {"revision": commit, "bytes": len(content), "sha256": "0" * 64}
    entry["weights"] |= facts
    install_models(entry)
    with pytest.raises(WeightsError) as caught:
        zoo.load(f"someone/huggan@{commit}" if pinned else "someone/huggan")
    assert "someone/huggan" in caught.value.asked
    assert "000000" in caught.value.problem


def test_stargan_celeba_is_fetched_verified_converted_and_translates(hub: HubServer):
    torch.manual_seed(0)
    net = lornatang_generator(64, 6, 5).train()
    content = saved({"state_dict": net.state_dict()})
    hub.add("goodfellowliu/StarGAN-PyTorch", {"g_celeba-128x128.pth.tar": content})
    translator = zoo.load("stargan-celeba", device="cpu", precision="float32")
    assert hub.count("GET", "/goodfellowliu/StarGAN-PyTorch/resolve/") == 1
    x = torch.rand(1, 3, 128, 128) * 2 - 1
    with torch.no_grad():
        expected = net(with_label(x, LABEL))
    made = translator(x, to={"Blond_Hair": 1, "Male": 1})
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=0)
    assert "goodfellowliu" in str(translator.card)
    hub.forget()
    zoo.load("stargan-celeba", precision="float32")
    assert hub.count() == 0


def test_hair_colours_exclude_each_other_and_several_attributes_are_set_at_once():
    domains = FOREIGN["stargan-celeba"].entry.config.domains
    black_haired_young_man = [1, 0, 0, 1, 1]
    assert domains.vector("Blond_Hair", black_haired_young_man) == [0, 1, 0, 1, 1]
    wanted = {"Blond_Hair": 1, "Male": 0}
    assert domains.vector(wanted, black_haired_young_man) == [0, 1, 0, 0, 1]
    assert domains.vector("Blond_Hair") == [0, 1, 0, 0, 0]
    with pytest.raises(UsageError) as caught:
        domains.vector({"Blond_Hair": 1, "Brown_Hair": 1})
    assert "Black_Hair, Blond_Hair, Brown_Hair" in caught.value.problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Blond_Hair", "Blond_Hair"),
        ("Blond_Hair,Male=0", {"Blond_Hair": 1, "Male": 0}),
        ("Blond_Hair, Young", {"Blond_Hair": 1, "Young": 1}),
        ("Male=0.5", {"Male": 0.5}),
        ("all", "all"),
    ],
)
def test_the_command_line_sets_attributes(text: str, expected: Any):
    class Faces:
        domains = FOREIGN["stargan-celeba"].entry.config.domains

    assert parse_target(text, Faces()) == expected
    with pytest.raises(UsageError) as caught:
        parse_target("Male,Male=0", Faces())
    assert "Male" in caught.value.problem


def test_cyclegan_horse2zebra_opens_only_the_very_file_of_its_entry(hub: HubServer):
    repository = hub.create("tmabraham/horse2zebra_cyclegan")
    repository.commits[HORSES] = {"pytorch_model.bin": saved(Upit().state_dict())}
    with pytest.raises(HubError) as caught:
        zoo.load("cyclegan-horse2zebra")
    assert "sha256" in caught.value.problem
    path = f"/tmabraham/horse2zebra_cyclegan/resolve/{HORSES}/pytorch_model.bin"
    assert {seen.path for seen in hub.requests} == {path}


def test_cyclegan_horse2zebra_translates_there_and_back(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
):
    torch.manual_seed(0)
    net = Upit(64, 9)
    content = saved(net.state_dict())
    repository = hub.create("tmabraham/horse2zebra_cyclegan")
    repository.commits[HORSES] = {"pytorch_model.bin": content}
    only_the_hash_differs(monkeypatch, "cyclegan-horse2zebra", hashlib.sha256(content).hexdigest())
    translator = zoo.load("cyclegan-horse2zebra", device="cpu", precision="float32")
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    for to, generator in (("zebra", net.G_B), ("horse", net.G_A)):
        expected: Tensor = generator(x).detach()
        torch.testing.assert_close(translator(x, to=to), expected, atol=1e-5, rtol=0)


def only_the_hash_differs(monkeypatch: pytest.MonkeyPatch, name: str, sha256: str) -> None:
    """The entry of the catalogue with the hash of other weights: nobody here has the real ones."""
    values = values_of(FOREIGN[name].entry)
    values["weights"] |= {"sha256": sha256}
    known = plain(parse_entry(values, "test"))
    monkeypatch.setitem(Registry.load(host()).get(name).data["weights"], "sha256", sha256)
    original = Registry.load

    def changed(*args: Any, **options: Any) -> Registry:
        registry = original(*args, **options)
        registry.models[name].__dict__.pop("entry", None)
        registry.models[name].data["weights"].update(known["weights"])
        return registry

    monkeypatch.setattr(Registry, "load", changed)


def test_a_space_gives_the_very_file_of_its_entry(hub: HubServer):
    weights = FOREIGN["cyclegan-apple2orange"].entry.weights
    files = {weights.file or "": b"another"}
    space = hub.create("davidpiscasio/unpaired-img2img", "space")
    space.commits[weights.revision or ""] = files
    with pytest.raises(HubError, match=r"45575747|45,575,747"):
        zoo.load("cyclegan-apple2orange")
    path = f"/spaces/davidpiscasio/unpaired-img2img/resolve/{weights.revision}/{weights.file}"
    assert {seen.path for seen in hub.requests} == {path}


def test_the_registry_knows_what_was_published():
    assert {
        "stargan-celeba", "stargan-celeba-256", "cyclegan-horse2zebra", "cyclegan-zebra2horse",
        "cyclegan-apple2orange", "cyclegan-orange2apple", "cyclegan-style-monet",
        "cyclegan-style-vangogh", "cyclegan-he2mt", "cyclegan-mt2he", "cyclegan-sim2real",
    } <= set(FOREIGN)  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_an_entry_of_foreign_weights_is_true_of_the_nets_and_says_where_they_are_from(name: str):
    entry: ModelEntry = FOREIGN[name].entry
    assert entry.weights.format in host().components("importer")
    config = entry.config
    method = blueprint(config, host())
    counts = {n: sum(p.numel() for p in method.nets[n].parameters()) for n in method.inference_nets}
    assert FOREIGN[name].data["nets"] == counts
    assert f"https://huggingface.co/{'spaces/' * (entry.weights.repo_type == 'space')}" in (
        entry.provenance
    )
    assert str(entry.weights.repo) in entry.provenance
    assert config.preprocessing["size"] == list(config.signal.shape[1:])
    assert entry.summary
    assert (entry.weights.trust == "first-use") == (entry.weights.sha256 is None)
    assert method.targets[-1:] == config.domains.names[-1:], "zoo info suggests the last domain"


def test_the_entry_in_the_documents_is_the_one_of_the_registry():
    page = (Path(__file__).parents[3] / "docs" / "registry.md").read_text(encoding="utf-8")
    shown = read_yaml(page.split("```yaml\n")[2].partition("```")[0], asked="docs/registry.md")
    stated = FOREIGN[shown["id"]].entry
    assert replace(parse_entry(shown, "docs"), provenance=stated.provenance) == stated


def test_safetensors_in_a_foreign_layout_load_by_their_real_entry(hub: HubServer):
    entry = FOREIGN["cyclegan-sim2real"].entry
    net = published(alone(width=64, blocks=9, block="block", up="nearest"))
    files = {"model.safetensors": save(net.state_dict()), "README.md": b"# x"}
    hub.create(entry.weights.repo or "").commits[entry.weights.revision or ""] = files
    translator = zoo.load("cyclegan-sim2real", device="cpu", precision="float32")
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    torch.testing.assert_close(translator(x, to="real"), net(x).detach(), atol=1e-5, rtol=0)
