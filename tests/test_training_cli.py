"""``zoo train`` from end to end: what it says, what it refuses, what it leaves."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import zoo
from zoo_core.cli import run
from zoo_core.errors import UsageError
from zoo_images.pixels import to_bytes
from zoo_train import run as run_module

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ["--preset", "32px", "--size", "16", "--batch", "2", "--device", "cpu"]
SMALL += ["--precision", "float32"]
FAST = ["--set", "width=4", "--set", "blocks=1", "--set", "critic_width=4"]
CYCLEGAN = [*SMALL, *FAST, "--set", "critic_layers=1"]
STARGAN = [*SMALL, *FAST, "--set", "critic_layers=3"]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(1)
    (root / "img_align").mkdir()
    lines = ["8", "Blond_Hair Black_Hair Male"]
    for index in range(8):
        pixels = rng.integers(0, 256, (20, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "img_align" / f"{index}.png")
        signs = (index % 2, 1 - index % 2, index // 4)
        lines.append(f"{index}.png " + " ".join("1" if sign else "-1" for sign in signs))
    (root / "list_attr.txt").write_text("\n".join(lines) + "\n")
    return root


def domains(pictures: Path) -> list[str]:
    return ["--domain", f"dark={pictures / 'dark'}", "--domain", f"light={pictures / 'light'}"]


def test_training_says_what_it_does_and_leaves_a_whole_run(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    code = run(
        ["train", "cyclegan", *domains(pictures), *CYCLEGAN, "--steps", "4", "--out", str(out)]
    )
    said = capsys.readouterr().out
    assert code == 0, said
    assert f"dark: 9 pictures from {pictures / 'dark'}" in said
    assert "step 4/4" in said
    assert f"model: {out / 'model'}" in said
    names = {"config.yaml", "model.safetensors", "golden.safetensors", "README.md", "samples.png"}
    assert names <= {path.name for path in (out / "model").iterdir()}
    assert (out / "samples" / "000004.png").is_file()
    training = yaml.safe_load((out / "model" / "config.yaml").read_text())["training"]
    assert training["steps"] == 4
    assert training["seed"] == 0
    assert any("9 pictures" in line for line in training["data"])
    assert {name.partition("/")[0] for name in training["losses"]} == {"generator", "discriminator"}


@pytest.mark.numeric
@pytest.mark.parametrize("method", ["cyclegan", "stargan"])
def test_the_model_gives_exactly_the_pictures_that_training_showed(
    method: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    original = run_module.write_sheet

    def spy(codec, samples, outputs, path):  # type: ignore[no-untyped-def]
        shown.append((samples, outputs))
        original(codec, samples, outputs, path)

    monkeypatch.setattr(run_module, "write_sheet", spy)
    out = tmp_path / "run"
    options = CYCLEGAN if method == "cyclegan" else STARGAN
    args = [*domains(pictures), *options, "--steps", "6", "--ema", "0.5", "--quiet"]
    assert run(["train", method, *args, "--out", str(out)]) == 0
    samples, outputs = shown[-1]
    translator = zoo.load(str(out), device="cpu")  # the precision is auto, as for the samples
    compared = 0
    for origin in ("dark", "light"):
        for index, name in enumerate(samples.names[origin]):
            for target in ("dark", "light"):
                given = np.asarray(translator(pictures / origin / name, to=target))
                expected = to_bytes(outputs[origin][target][index], translator.config.signal)
                assert np.array_equal(given, expected), (origin, name, target)
                compared += 1
    assert compared == 16


def test_attributes_train_and_translate(faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    args = ["--data", str(faces), "--attributes", "Blond_Hair,Black_Hair,Male"]
    assert (
        run(["train", "stargan", *args, *STARGAN, "--steps", "4", "--quiet", "--out", str(out)])
        == 0
    )
    translator = zoo.load(str(out), device="cpu", precision="float32")
    assert translator.domains.kind == "attributes"
    picture = translator(faces / "img_align" / "0.png", to={"Male": 1})
    assert picture.size == (16, 20)


def test_domains_of_an_attribute_train(faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    args = ["--domain", f"blond={faces}:Blond_Hair", "--domain", f"other={faces}:!Blond_Hair"]
    assert (
        run(["train", "cyclegan", *args, *CYCLEGAN, "--steps", "2", "--quiet", "--out", str(out)])
        == 0
    )
    assert tuple(zoo.load(str(out), device="cpu", precision="float32").domains.names) == (
        "blond",
        "other",
    )


def test_a_run_that_exists_is_kept(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    base = ["train", "stargan", *domains(pictures), *STARGAN, "--quiet", "--out", str(out)]
    assert run([*base, "--steps", "2"]) == 0
    before = (out / "model" / "model.safetensors").read_bytes()
    assert run([*base, "--steps", "2"]) == 2
    assert "--resume" in capsys.readouterr().err
    assert run([*base, "--steps", "2", "--resume", "--set", "cycle=0.5"]) == 2
    assert "options.cycle is 10.0, asked is 0.5" in capsys.readouterr().err
    assert (out / "model" / "model.safetensors").read_bytes() == before
    assert run(["train", "--resume", str(out), "--steps", "4", "--quiet"]) == 0
    assert (out / "samples" / "000004.png").is_file()


def test_the_same_training_from_python_gives_the_same_bytes(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--loss", "tv:weight=2", "--ema", "0.5", "--steps", "3", "--quiet"]
    assert run(["train", "cyclegan", *domains(pictures), *CYCLEGAN, *words, "--out", "cli/x"]) == 0
    options = {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 1}
    model = zoo.train(
        "cyclegan",
        domains={name: pictures / name for name in ("dark", "light")},
        out="python/x",
        preset="32px",
        size=16,
        steps=3,
        settings={**options, "train.batch": 2, "train.precision": "float32", "train.ema": 0.5},
        losses=["tv:weight=2"],
        device="cpu",
        quiet=True,
    )
    assert model == Path("python/x/model")
    for name in ("model/model.safetensors", "model/README.md", "samples/000003.png", "config.yaml"):
        assert (Path("cli/x") / name).read_bytes() == (Path("python/x") / name).read_bytes(), name


def test_a_run_goes_on_from_python(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    base = ["train", "stargan", *domains(pictures), *STARGAN, "--quiet", "--out", str(out)]
    assert run([*base, "--steps", "2"]) == 0
    with pytest.raises(UsageError) as caught:
        zoo.train(out=out, resume=True, size=32)
    assert caught.value.asked == f"resuming the run {out}"
    zoo.train(out=out, resume=True, steps=3, quiet=True)
    assert (out / "samples" / "000003.png").is_file()


WRONG: dict[str, tuple[list[str], int, str]] = {
    "unknown method": (["train", "cyclegen", "--out", "{out}"], 2, 'Did you mean "cyclegan"'),
    "unknown option": (
        ["train", "cyclegan", "{domains}", "--set", "widht=3", "--out", "{out}"],
        2,
        'Did you mean "width"',
    ),
    "wrong type": (
        ["train", "cyclegan", "{domains}", "--set", "width=wide", "--out", "{out}"],
        2,
        "width",
    ),
    "unknown preset": (
        ["train", "cyclegan", "{domains}", "--preset", "65px", "--out", "{out}"],
        2,
        'Did you mean "64px"',
    ),
    "no directory": (["train", "cyclegan", "{domains}"], 2, "--out"),
    "no data": (["train", "cyclegan", "--out", "{out}"], 2, "--domain"),
    "missing folder": (
        ["train", "cyclegan", "--domain", "a=no/such", "--domain", "b=no/such", "--out", "{out}"],
        1,
        "no/such",
    ),
    "one domain": (
        ["train", "cyclegan", "--domain", "a={pictures}/dark", "--out", "{out}"],
        2,
        "domains",
    ),
    "malformed domain": (
        ["train", "cyclegan", "--domain", "a", "--out", "{out}"],
        2,
        "NAME=SOURCE",
    ),
    "malformed setting": (
        ["train", "cyclegan", "{domains}", "--set", "width", "--out", "{out}"],
        2,
        "KEY=VALUE",
    ),
    "unknown precision": (
        ["train", "cyclegan", "{domains}", "--precision", "float16", "--out", "{out}"],
        2,
        "float16",
    ),
    "unknown device": (
        ["train", "cyclegan", "{domains}", "--device", "gpu", "--out", "{out}"],
        2,
        "gpu",
    ),
    "unknown loss": (
        ["train", "cyclegan", "{domains}", "--loss", "no-such", "--out", "{out}"],
        2,
        "no-such",
    ),
    "resume of nothing": (["train", "--resume", "{out}"], 2, "no run"),
    "taken directory": (
        ["train", "cyclegan", "{domains}", "--out", "{pictures}"],
        2,
        "neither empty nor a run",
    ),
    "unwritable directory": (
        ["train", "cyclegan", "{domains}", "--out", "/proc/nowhere/run"],
        1,
        "cannot be written",
    ),
    "negative seed": (
        ["train", "cyclegan", "{domains}", "--seed", "-1", "--out", "{out}"],
        2,
        "seed",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_is_named_and_starts_nothing(
    case: str, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, code, expected = WRONG[case]
    out = tmp_path / "run"
    args: list[str] = []
    for word in words:
        if word == "{domains}":
            args += domains(pictures)
        else:
            args.append(word.replace("{out}", str(out)).replace("{pictures}", str(pictures)))
    if "cyclegan" in args and "--preset" not in args:
        args += ["--preset", "32px", "--steps", "1"]
    assert run(args) == code
    message = capsys.readouterr().err
    assert expected in message
    assert "Traceback" not in message
    assert not (out / "config.yaml").exists()
    assert not (out / "model").exists()
