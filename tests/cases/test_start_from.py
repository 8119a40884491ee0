"""A training starts from the weights of a model: a published one, or one's own (case 34)."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

import zoo
from zoo_core.cli import run
from zoo_core.errors import UsageError, WeightsError
from zoo_core.models.weights import net_state, read_tensors
from zoo_train import run as run_module
from zoo_train.checkpoint import Checkpoints

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIONS = {"width": 4, "blocks": 1, "critic_width": 4}
LAYERS = {"stargan": 3, "cyclegan": 1}
LOOP = {"train.batch": 2, "train.precision": "float32", "train.checkpoint_every": 2}
NAMES = ("dark", "light")


def train(method, pictures, out, *, names=NAMES, **given):
    """A short run on the two folders, under any names."""
    sources = dict(zip(names, (pictures / name for name in NAMES), strict=True))
    given = {"steps": 2, "device": "cpu", "quiet": True, "domains": sources, **given}
    given["settings"] = LOOP | given.get("settings", {})
    return zoo.train(method, out=out, **given)


def base(method, pictures, out, **loop):
    """A model to start from."""
    settings = OPTIONS | {"critic_layers": LAYERS[method]} | loop
    return train(method, pictures, out, preset="32px", size=16, settings=settings)


@pytest.fixture(scope="module")
def model(pictures, tmp_path_factory):
    return base("stargan", pictures, tmp_path_factory.mktemp("base") / "own", **{"train.ema": 0.5})


@pytest.fixture
def begun(monkeypatch):
    """The weights with which runs begin: of their nets, and of the average."""
    found = []

    def spy(self):
        method = self.trainer.method
        with self.trainer.exported():
            averaged = {k: v.detach().clone() for k, v in net_state(method, method.nets).items()}
        live = {k: v.detach().clone() for k, v in net_state(method, method.nets).items()}
        found.append((live, averaged))
        return original(self)

    original = run_module.Run.go
    monkeypatch.setattr(run_module.Run, "go", spy)
    return found


def tensors(model):
    """All weights of a model directory."""
    files = (model / "model.safetensors", model / "training.safetensors")
    return {key: value for file in files for key, value in read_tensors(file)[0].items()}


def equal(found, expected):
    assert found.keys() == expected.keys()
    return all(torch.equal(found[key], expected[key]) for key in expected)


def test_case_34_a_run_starts_from_the_weights_of_a_model_and_takes_its_options(
    model, pictures, tmp_path, capsys, begun
):
    domains = [f"--domain={name}={pictures / name}" for name in NAMES]
    words = ["--batch", "2", "--precision", "float32", "--device", "cpu", "--steps", "2"]
    out = tmp_path / "run"
    asked = ["train", "stargan", "--pretrained", str(model), *domains, *words, "--out", str(out)]
    assert run(asked) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert equal(begun[0][0], tensors(model))
    config = yaml.safe_load((out / "config.yaml").read_text())
    assert config["options"]["width"] == 4
    assert config["signal"]["shape"] == [3, 16, 16]
    assert "starts from own (sha256 " in said
    assert "generator, discriminator" in said
    assert "unlike the model" not in said


def test_the_run_and_the_card_say_where_it_started(model, pictures, tmp_path):
    made = train("stargan", pictures, tmp_path / "run", pretrained=model)
    recorded = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["pretrained"]
    assert recorded["model"] == str(model)
    noted = yaml.safe_load((made / "config.yaml").read_text())["training"]["pretrained"]
    assert noted == {"name": "own", "sha256": recorded["sha256"]}
    card = (made / "README.md").read_text()
    assert "from the weights of `own`" in card
    assert recorded["sha256"] in card
    assert str(model) not in card


def test_a_run_that_averages_starts_with_the_weights_in_the_average_too(
    model, pictures, tmp_path, begun
):
    settings = {"train.ema": 0.9}
    train("stargan", pictures, tmp_path / "run", pretrained=model, settings=settings)
    live, averaged = begun[0]
    assert equal(live, tensors(model))
    assert equal(averaged, tensors(model))


def test_a_model_from_before_an_option_existed_differs_in_nothing(
    pictures, tmp_path, capsys, begun
):
    own = base("cyclegan", pictures, tmp_path / "own")
    config = yaml.safe_load((own / "config.yaml").read_text())
    del config["options"]["downsample"], config["preprocessing"]["scale"]
    (own / "config.yaml").write_text(yaml.safe_dump(config))
    train("cyclegan", pictures, tmp_path / "run", pretrained=own, quiet=False)
    assert "unlike the model" not in capsys.readouterr().out
    assert equal(begun[1][0], tensors(own))


def test_a_run_directory_stands_for_its_model(model, pictures, tmp_path, begun):
    train("stargan", pictures, tmp_path / "run", pretrained=model.parent)
    assert equal(begun[0][0], tensors(model))


def test_a_published_model_of_three_domains_starts_a_run_on_three(tmp_path, capsys, begun):
    emoji = Path(__file__).parents[2] / "examples" / "emoji"
    styles = ("noto", "openmoji", "fluent")
    domains = [f"--domain={name}={emoji / name}" for name in styles]
    words = ["--batch", "1", "--precision", "float32", "--device", "cpu", "--steps", "2"]
    words += ["--set", "n_critic=1", "--out", str(tmp_path / "run")]
    assert run(["train", "stargan", "--pretrained", "stargan-emoji-64", *domains, *words]) == 0
    said = " ".join(capsys.readouterr().out.split())
    file = zoo.load("stargan-emoji-64", device="cpu", precision="float32").method
    expected = net_state(file, file.inference_nets)
    assert equal({key: begun[0][0][key] for key in expected}, expected)
    assert "drawn anew: discriminator; the model holds no training.safetensors" in said
    assert "fluent takes the place of twemoji" in said
    assert "unlike the model, option n_critic is 1 (there 2)" in said
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["preset"] == "64px"
    assert config["train"]["scale"] == "trained"


def test_domains_of_a_folder_come_in_the_order_of_the_model(pictures, tmp_path, begun):
    for name in NAMES:
        shutil.copytree(pictures / name, tmp_path / "data" / name)
    names = tuple(sorted(NAMES, reverse=True))
    settings = OPTIONS | {"critic_layers": LAYERS["stargan"]}
    given = {"preset": "32px", "size": 16, "settings": settings, "names": names}
    model = train("stargan", pictures, tmp_path / "base", **given)
    found = train(
        "stargan",
        pictures,
        tmp_path / "run",
        pretrained=model,
        domains=None,
        data=tmp_path / "data",
    )
    assert tuple(zoo.load(found, device="cpu", precision="float32").domains) == names
    assert equal(begun[1][0], tensors(model))
    zoo.train(out=found.parent, resume=True, steps=3, quiet=True)
    assert tuple(zoo.load(found, device="cpu", precision="float32").domains) == names


def test_nets_that_are_named_after_domains_take_the_weights_of_their_place(
    pictures, tmp_path, begun
):
    model = base("cyclegan", pictures, tmp_path / "own")
    begun.clear()
    train("cyclegan", pictures, tmp_path / "run", names=("night", "day"), pretrained=model)
    renamed = {
        key.replace("_dark", "_night").replace("_light", "_day"): value
        for key, value in tensors(model).items()
    }
    assert equal(begun[0][0], renamed)


@pytest.fixture
def one_way(pictures, tmp_path):
    """A model that holds one generator alone, as published checkpoints often do."""
    own = base("cyclegan", pictures, tmp_path / "one-way")
    config = yaml.safe_load((own / "config.yaml").read_text())
    config["options"]["generators"] = ["light"]
    (own / "config.yaml").write_text(yaml.safe_dump(config))
    weights = read_tensors(own / "model.safetensors")[0]
    held = {key: value for key, value in weights.items() if key.startswith("generator_light.")}
    save_file(held, own / "model.safetensors")
    (own / "training.safetensors").unlink()
    return own


@pytest.mark.parametrize("direction", ["both", "forward"])
def test_case_34_a_checkpoint_of_one_generator_starts_a_run_and_the_other_is_drawn(
    direction, one_way, pictures, tmp_path, begun, capsys
):
    given = {"settings": {"direction": direction}, "quiet": False}
    made = train("cyclegan", pictures, tmp_path / "run", pretrained=one_way, **given)
    said = " ".join(capsys.readouterr().out.split())
    held = read_tensors(one_way / "model.safetensors")[0]
    assert equal({key: begun[-1][0][key] for key in held}, held)
    assert "with the weights of generator_light" in said
    if direction == "both":
        assert "drawn anew: generator_dark; the model translates to light alone" in said
    targets = zoo.load(made, device="cpu", precision="float32").method.targets
    assert targets == (("dark", "light") if direction == "both" else ("light",))


def test_a_run_in_one_direction_starts_from_a_model_of_both(pictures, tmp_path, begun):
    own = base("cyclegan", pictures, tmp_path / "own")
    settings = {"direction": "forward"}
    train("cyclegan", pictures, tmp_path / "run", pretrained=own, settings=settings)
    expected = {k: v for k, v in tensors(own).items() if not k.startswith("discriminator_dark.")}
    assert equal(begun[-1][0], expected)


def test_a_damaged_model_of_one_generator_is_refused(one_way, pictures, tmp_path):
    held = read_tensors(one_way / "model.safetensors")[0]
    held.popitem()
    save_file(held, one_way / "model.safetensors")
    with pytest.raises(WeightsError) as caught:
        train("cyclegan", pictures, tmp_path / "run", pretrained=one_way)
    assert "missing" in caught.value.problem


def test_critics_of_other_shapes_start_anew(model, pictures, tmp_path, begun, capsys):
    given = {"settings": {"critic_width": 6}, "quiet": False}
    train("stargan", pictures, tmp_path / "run", pretrained=model, **given)
    said = " ".join(capsys.readouterr().out.split())
    assert "drawn anew: discriminator; the model has none of their shapes" in said
    kept = {k: v for k, v in tensors(model).items() if k.startswith("generator.")}
    assert equal({k: v for k, v in begun[0][0].items() if k.startswith("generator.")}, kept)


REFUSED = {
    "another method": ("cyclegan", {}, UsageError, "stargan", "stargan"),
    "other shapes": (
        "stargan",
        {"settings": {"width": 6}},
        WeightsError,
        "misshapen",
        "width is 6",
    ),
    "no such model": ("stargan", {"pretrained": "stargan-emojy"}, UsageError, "", "stargan-emoji"),
    "another order": ("stargan", {"names": ("light", "dark")}, UsageError, "dark, light", "order"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_and_leaves_nothing(case, model, pictures, tmp_path):
    method, given, kind, problem, hint = REFUSED[case]
    with pytest.raises(kind) as caught:
        train(method, pictures, tmp_path / "run", **{"pretrained": model, **given})
    assert problem in caught.value.problem
    assert hint in caught.value.hint
    assert not (tmp_path / "run").exists()


def test_another_number_of_domains_is_refused(model, pictures, tmp_path):
    third = {"dark": pictures / "dark", "light": pictures / "light", "more": pictures / "light"}
    with pytest.raises(UsageError) as caught:
        train("stargan", pictures, tmp_path / "run", pretrained=model, domains=third)
    assert "2 domains" in caught.value.problem
    assert "3 domains" in caught.value.problem


def test_a_value_range_unlike_the_models_is_said(model, pictures, tmp_path, capsys):
    settings = {"signal.low": 0.0}
    out = tmp_path / "run"
    train("stargan", pictures, out, pretrained=model, settings=settings, quiet=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "warning: unlike the model, signal low is 0.0 (there -1.0)" in said
    assert "warning: unlike the model, preprocessing range is" in said


def test_a_resumed_run_needs_the_model_no_more_and_ends_with_the_same_bytes(
    model, pictures, tmp_path
):
    copy, straight, stopped = (tmp_path / name for name in ("copy", "straight", "stopped"))
    shutil.copytree(model, copy)
    settings = {"train.ema": 0.9}
    train("stargan", pictures, straight, pretrained=copy, steps=4, settings=settings)
    shutil.copytree(straight, stopped)  # as it was when it had made two steps
    shutil.rmtree(stopped / "model")
    Checkpoints(stopped / "checkpoint").path(4).unlink()
    shutil.rmtree(copy)
    zoo.train(out=stopped, resume=True, quiet=True)
    for name in ("model.safetensors", "training.safetensors", "golden.safetensors"):
        one, other = (run / "model" / name for run in (straight, stopped))
        assert one.read_bytes() == other.read_bytes(), name


def test_the_settings_of_such_a_run_start_another_from_the_same_weights(
    model, pictures, tmp_path, begun
):
    train("stargan", pictures, tmp_path / "run", pretrained=model)
    zoo.train(config=tmp_path / "run" / "config.yaml", out=tmp_path / "second", quiet=True)
    assert equal(begun[1][0], tensors(model))


def test_a_run_that_has_no_checkpoint_yet_starts_from_the_same_weights_or_is_refused(
    model, pictures, tmp_path
):
    copy, out = tmp_path / "copy", tmp_path / "run"
    shutil.copytree(model, copy)
    train("stargan", pictures, out, pretrained=copy)
    first = (out / "model" / "model.safetensors").read_bytes()
    zoo.train(out=out, resume=True, restart=True, quiet=True)
    assert (out / "model" / "model.safetensors").read_bytes() == first
    shutil.copyfile(out / "model" / "model.safetensors", copy / "model.safetensors")
    with pytest.raises(WeightsError):
        zoo.train(out=out, resume=True, restart=True, quiet=True)


def test_case_34_resuming_a_model_points_to_the_option(model, tmp_path):
    with pytest.raises(UsageError) as caught:
        zoo.train(out=model, resume=True)
    assert "model" in caught.value.problem
    assert "--pretrained" in caught.value.hint
