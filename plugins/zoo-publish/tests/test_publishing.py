"""``zoo publish``: a model becomes a repository that others load, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from huggingface_hub import ModelCard

import zoo
import zoo_stargan.plugin
from zoo_core.catalogue.description import ModelConfig, read_entries
from zoo_core.catalogue.registry import Registry
from zoo_core.cli import run
from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.errors import HubError, UsageError, WeightsError
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import build_method
from zoo_core.translate.loading import load
from zoo_core.untrusted import file_sha256
from zoo_nn.synthetic import random_batch
from zoo_publish.publish import publish
from zoo_publish.release import publish_embedded
from zoo_publish.workspace import stale
from zoo_testing.hosts import InMemoryPlugin, host_with
from zoo_testing.hub_server import TOKEN, Close, HubServer, Status
from zoo_train.card import Card
from zoo_train.writing import write_model

REPO = "org/small"
INSTALLED = ("hub", "images", "nn")


@pytest.fixture
def writer(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """The Hub, and a token that may write to it."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return hub


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A model directory with random weights, critics and all."""
    return written(tmp_path / "run" / "model", seed=0)


def written(folder: Path, seed: int) -> Path:
    config = ModelConfig(
        "cyclegan",
        {"width": 4, "blocks": 1, "critic_layers": 1, "critic_width": 4},
        Domains(("photo", "ink")),
        TensorSpec(shape=(3, 16, 16)),
    )
    torch.manual_seed(seed)
    batch = random_batch(config.domains, config.signal, mixed=False, count=2, seed=0)
    card = Card("mine", "Ink of photos.", licence="MIT")
    write_model(folder, build_method(config), config, card=card, sample_batch=batch)
    return folder


def emoji() -> Path:
    model = Registry.load(host()).get("stargan-emoji-64")
    assert model.embedded is not None
    return model.embedded.parent


@pytest.mark.numeric
def test_an_embedded_model_is_the_same_when_others_load_it(
    writer: HubServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    install_models: Callable[..., None],
):
    assert run(["publish", "stargan-emoji-64", "--repo", "org/emoji"]) == 0
    shown = capsys.readouterr().out
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    expected = zoo.load("stargan-emoji-64", device="cpu", precision="float32")(x, to="twemoji")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "another"))
    monkeypatch.delenv("HF_TOKEN")
    assert torch.equal(
        zoo.load("org/emoji", device="cpu", precision="float32")(x, to="twemoji"), expected
    )
    entry = yaml.safe_load(shown.partition("registry.yaml:\n")[2])["models"][0]
    weights = entry["weights"]
    assert weights["revision"] == writer.repository("org/emoji").refs["main"]
    assert weights["sha256"] == file_sha256(emoji() / "model.safetensors")
    assert f"/org/emoji/tree/{weights['revision']}" in shown
    install_models(entry | {"id": "emoji-of-others"})
    assert torch.equal(
        zoo.load("emoji-of-others", device="cpu", precision="float32")(x, to="twemoji"), expected
    )


def test_the_card_is_read_by_the_hub_and_shows_metrics_samples_and_how_to_load(writer: HubServer):
    publish(emoji(), "org/emoji", host())
    card = ModelCard.load("org/emoji", token=TOKEN)
    entry = Registry.load(host()).get("stargan-emoji-64").entry
    assert {r.metric_name: r.metric_value for r in card.data.eval_results} == {
        metric.name: metric.value for metric in entry.metrics
    }
    assert card.data.eval_results[0].metric_type == "domain-accuracy-mean-of-six-directions"
    assert card.data.license == "cc-by-sa-4.0"
    assert card.data.library_name == "zoo"
    assert {"stargan", "unpaired-translation"} <= set(card.data.tags)
    for text in (
        'zoo.load("org/emoji")',
        "zoo translate org/emoji",
        "`noto`, `openmoji`",
        "pip install zoo-core zoo-hub zoo-stargan",
        "![Inputs and translations](samples.png)",
    ):
        assert text in card.text, text
    assert 'zoo.load("stargan-emoji-64")' not in card.text


def test_a_run_is_published_with_an_entry_of_its_own(
    writer: HubServer, directory: Path, capsys: pytest.CaptureFixture[str]
):
    (directory / "secret.txt").write_text("not for others")
    assert run(["publish", str(directory.parent), "--repo", REPO]) == 0
    entry = yaml.safe_load(capsys.readouterr().out.partition("registry.yaml:\n")[2])["models"][0]
    assert entry["id"] == "small"
    assert entry["licence"]["weights"] == "mit"
    assert "config" not in entry, "the directory on the Hub describes the model"
    files = writer.repository(REPO).commits[entry["weights"]["revision"]]
    assert set(files) == {
        ".gitattributes", "README.md", "config.yaml", "golden.safetensors", "model.safetensors",
        "training.safetensors",
    }  # fmt: skip


def test_publishing_again_is_one_more_commit_and_the_old_version_stays(
    writer: HubServer, directory: Path, tmp_path: Path
):
    x = torch.rand(1, 3, 16, 16)
    first = publish(directory, REPO, host())
    old = zoo.load(str(directory), device="cpu", precision="float32")(x, to="ink")
    other = written(tmp_path / "other", seed=1)
    (other / "training.safetensors").unlink()
    commits = len(writer.repository(REPO).commits)
    second = publish(other, REPO, host())
    assert len(writer.repository(REPO).commits) == commits + 1
    assert second.revision != first.revision
    files = writer.repository(REPO).commits[second.revision]
    assert "training.safetensors" not in files, "what the new version lacks is gone"
    again = zoo.load(f"{REPO}@{first.revision}", device="cpu", precision="float32")
    assert torch.equal(again(x, to="ink"), old)
    new = zoo.load(f"{REPO}@{second.revision}", device="cpu", precision="float32")
    assert not torch.equal(new(x, to="ink"), old)


@pytest.mark.parametrize(
    ("fault", "path"),
    [
        (Close(), "/preupload/"),
        (Close(), "/commit/"),
        (Status(500), "/commit/"),
        (Status(503), "/commit/"),
    ],
)
def test_an_interrupted_upload_leaves_the_previous_version(
    fault: Any,
    path: str,
    writer: HubServer,
    directory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    first = publish(directory, REPO, host())
    writer.misbehave(fault, method="POST", path=path)
    with pytest.raises(HubError):
        publish(written(tmp_path / "other", seed=1), REPO, host())
    writer.behave()
    repository = writer.repository(REPO)
    assert repository.refs["main"] == first.revision
    expected = (directory / "model.safetensors").read_bytes()
    assert repository.commits[first.revision]["model.safetensors"] == expected


def test_private_repositories_are_private_and_public_ones_do_not_become_so(
    writer: HubServer, directory: Path, monkeypatch: pytest.MonkeyPatch
):
    publish(directory, REPO, host(), private=True)
    assert writer.repository(REPO).private
    zoo.load(REPO, precision="float32")
    publish(directory, "org/public", host())
    with pytest.raises(UsageError, match="there already and public"):
        publish(directory, "org/public", host(), private=True)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("ZOO_CACHE", str(directory.parent / "cache"))
    with pytest.raises(HubError, match="or it is private"):
        zoo.load(REPO)


def test_a_model_that_does_not_compute_what_it_should_is_not_published(
    writer: HubServer, directory: Path, tmp_path: Path
):
    other = written(tmp_path / "other", seed=1)
    shutil.copyfile(other / "golden.safetensors", directory / "golden.safetensors")
    with pytest.raises(WeightsError, match="differs from the golden one"):
        publish(directory, REPO, host())
    (directory / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(WeightsError, match="damaged"):
        publish(directory, REPO, host())
    assert writer.count() == 0


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HF_TOKEN": ""}, "takes models only with a token"),
        ({"HF_TOKEN": "hf_wrong"}, "does not let this token write there"),
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE forbids"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "refuses the connection"),
    ],
)
def test_what_stands_in_the_way_is_said(
    variables: dict[str, str],
    expected: str,
    writer: HubServer,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert run(["publish", str(directory), "--repo", REPO]) == 1
    assert expected in capsys.readouterr().err
    assert writer.repository(REPO) is None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["stargan-emojy", "--repo", REPO], "nor an embedded model of this name"),
        (["stargan-celeba", "--repo", REPO], "not in its plugin but on the Hub"),
        (["stargan-emoji-64", "--repo", "emoji"], "not the form of a model on the Hub"),
        (["stargan-emoji-64", "--repo", f"{REPO}@main"], "no plain name of a model repository"),
        (["stargan-emoji-64"], "not said what, or where to"),
        (["--all"], "it takes --org ORG"),
        (["--all", "--org", "org", "--root", "/tmp"], "not the workspace"),
    ],
)
def test_a_wrong_request_is_refused_before_any_request(
    arguments: list[str],
    expected: str,
    writer: HubServer,
    capsys: pytest.CaptureFixture[str],
):
    assert run(["publish", *arguments]) == 2
    assert expected in capsys.readouterr().err
    assert writer.count() == 0


def test_all_embedded_models_are_published_and_then_work_without_their_weights(
    writer: HubServer, tmp_path: Path
):
    root = tmp_path / "workspace"
    package = root / "plugins" / "zoo-stargan" / "src" / "zoo_stargan"
    package.mkdir(parents=True)
    (root / "zoo_core" / "src" / "zoo_core").mkdir(parents=True)
    (package.parents[1] / "pyproject.toml").write_text('[project]\nname = "zoo-stargan"\n')
    source = emoji().parents[1]
    shutil.copyfile(source / "registry.yaml", package / "registry.yaml")
    shutil.copytree(source / "weights", package / "weights")
    released = InMemoryPlugin(
        "released", zoo_stargan.plugin.zoo_components(), [package / "registry.yaml"]
    )
    plugins = host_with(released, installed=INSTALLED)
    x = torch.rand(1, 3, 64, 64)
    expected = load("stargan-emoji-64", "cpu", host=plugins, precision="float32")(x, to="noto")
    embedded = {e.id for e in read_entries(package / "registry.yaml") if e.weights.path}
    done = list(publish_embedded("org", root, plugins))
    assert {item.repo for item in done} == {f"org/{name}" for name in embedded}
    assert stale(root) == []
    for entry in read_entries(package / "registry.yaml"):
        if entry.id in embedded:
            published = writer.repository(f"org/{entry.id}")
            assert entry.weights.revision == published.refs["main"]
            assert (entry.weights.source, entry.weights.file) == ("embedded", "model.safetensors")
    writer.forget()
    load("stargan-emoji-64", "cpu", host=plugins, precision="float32")
    assert writer.count() == 0
    shutil.rmtree(package / "weights")
    plugins = host_with(released, installed=INSTALLED)
    fetched = load("stargan-emoji-64", "cpu", host=plugins, precision="float32")
    assert writer.count("GET", "/org/stargan-emoji-64/") == 3
    assert torch.equal(fetched(x, to="noto"), expected)
