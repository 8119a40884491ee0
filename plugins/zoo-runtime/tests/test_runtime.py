"""zoo-run: the bytes that zoo translate writes, without torch; what it refuses, it names."""

from __future__ import annotations

import io
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo_core.cli import run
from zoo_core.host.plugins import PluginHost
from zoo_export.export import export_model
from zoo_runtime.command import main
from zoo_runtime.model import ExportedModel, RunError
from zoo_runtime.places import expand, planned
from zoo_testing.hosts import InMemoryPlugin, host_with
from zoo_testing.tiny import CODE_SPEC, SPEC

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
WITHOUT_TORCH = """
import sys
for name in ("torch", "zoo", "zoo_core", "zoo_images", "zoo_export"):
    sys.modules[name] = None  # importing it fails
from zoo_runtime.command import main
sys.exit(main(sys.argv[1:]))
"""
ROOT = Path(__file__).parents[3]


@pytest.fixture
def tiny_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PluginHost:
    host = host_with(
        InMemoryPlugin("tiny", [SPEC, CODE_SPEC]), installed=("images", "nn", "export")
    )
    monkeypatch.setattr("zoo_core.translate.loading.shared_host", lambda: host)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return host


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is exported once, since the tiny model is always the same."""
    return tmp_path_factory.mktemp("exported")


@pytest.fixture
def exported(tiny_model: Path, kept: Path) -> Path:
    """The tiny model as ONNX."""
    path = kept / "tiny.onnx"
    if not path.exists():
        export_model(tiny_model, path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Pictures of many kinds and sizes, in folders."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)

    def made(mode: str, width: int, height: int) -> Image.Image:
        coarse = rng.integers(0, 256, (5, 6, len(mode)), dtype=np.uint8)
        small = Image.frombytes(mode, (6, 5), coarse.tobytes())
        return small.resize((width, height), Image.Resampling.BICUBIC)

    for number, size in enumerate([(16, 16), (16, 16), (31, 17), (9, 40), (5, 3)]):
        made("RGB", *size).save(folder / f"{number}.png")
    made("RGBA", 20, 12).save(folder / "alpha.png")
    made("RGB", 16, 16).save(folder / "0.webp", lossless=True)
    exif = Image.Exif()
    exif[274], exif[315] = 6, "A person"
    made("RGB", 24, 16).save(folder / "sub" / "turned.jpg", exif=exif, dpi=(72, 72))
    made("CMYK", 24, 16).save(folder / "sub" / "cmyk.jpg")
    made("RGB", 24, 16).convert("L").save(folder / "sub" / "grey.png")
    made("RGB", 24, 16).convert("P").save(folder / "sub" / "palette.png")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.png"))
    }


@pytest.mark.parametrize("more", [[], ["--size", "12"]])
def test_the_bytes_are_those_of_zoo_translate_although_there_is_no_torch(
    more: list[str], tiny_model: Path, exported: Path, pictures: Path, tmp_path: Path
) -> None:
    by_zoo, by_run = tmp_path / "zoo", tmp_path / "run"
    asked = ["--to", "noto", "--threads", "1", *more]
    model, given = str(tiny_model), str(pictures)
    assert (
        run(["translate", model, given, *asked, "--engine", "onnxruntime", "--out", str(by_zoo)])
        == 0
    )
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(exported), given, *asked, "--out", str(by_run)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(files(by_run)) == 11
    assert files(by_run) == files(by_zoo)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, zoo_runtime.command as c\ntry: c.main(['--help'])\nexcept SystemExit: pass\n"
    )
    code += "print({'numpy', 'PIL', 'onnxruntime'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("set()")


def test_broken_files_are_named_and_all_others_are_done(
    exported: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "broken.png").write_bytes((pictures / "0.png").read_bytes()[:60])
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    frames[0].save(pictures / "moving.webp", save_all=True, append_images=frames[1:])
    Image.fromarray(np.full((16, 16), 40000, np.uint16)).save(pictures / "deep.png")
    out = str(tmp_path / "out")
    assert main([str(exported), str(pictures), "--to", "noto", "--out", out]) == 1
    said = capsys.readouterr().err
    assert all(name in said for name in ("broken.png", "several frames", "more than 8 bits"))
    assert len(files(tmp_path / "out")) == 11


def test_outputs_that_are_there_stay_unless_they_are_to_be_replaced(
    exported: Path, pictures: Path, tmp_path: Path
) -> None:
    asked = [str(exported), str(pictures / "2.png"), "--to", "noto", "--out", str(tmp_path / "o")]
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "2_noto.png").write_bytes(b"mine")
    assert main(asked) == 0
    assert (tmp_path / "o" / "2_noto.png").read_bytes() == b"mine"
    assert main([*asked, "--overwrite"]) == 0
    assert (tmp_path / "o" / "2_noto.png").read_bytes() != b"mine"


def test_all_targets_are_written_at_once(exported: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([str(exported), str(pictures / "2.png"), "--to", "all", "--out", str(out)]) == 0
    assert sorted(files(out)) == ["2_apple.png", "2_noto.png", "2_twemoji.png"]


def test_a_picture_larger_than_the_bound_is_refused(
    exported: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(exported), str(pictures / "2.png"), "--to", "noto", "--out", str(tmp_path)]
    assert main([*given, "--max-megapixels", "0.0001"]) == 1
    assert "--max-megapixels" in capsys.readouterr().err


def test_what_is_no_picture_in_a_folder_is_counted_and_named(
    exported: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "notes.txt").write_text("words")
    (pictures / "sub" / "scan.tif").write_bytes(b"II*")
    asked = [str(exported), str(pictures), "--to", "noto", "--out", str(tmp_path / "out")]
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert "Left out 2" in said
    assert all(name in said for name in ("notes.txt", "scan.tif"))


def test_a_pattern_means_the_files_that_fit(pictures: Path) -> None:
    found = [each.path.name for each in expand([str(pictures / "[01].png")], [])]
    assert found == ["0.png", "1.png"]
    with pytest.raises(RunError) as caught:
        list(expand([str(pictures / "*.gif")], []))
    assert caught.value.problem == "no file fits"


def test_an_unknown_target_is_answered_by_the_near_one(exported: Path) -> None:
    with pytest.raises(RunError) as caught:
        ExportedModel(exported).target("twemojy")
    assert caught.value.hint == 'Did you mean "twemoji"?'


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(RunError) as caught:
        ExportedModel(tmp_path / "m.onnx")
    assert "cannot be read" in caught.value.problem


def test_no_output_is_an_input_and_no_two_are_the_same(pictures: Path) -> None:
    Image.new("RGB", (8, 8)).save(pictures / "0_noto.png")
    given = list(expand([str(pictures), str(pictures / "2.png")], []))
    found = list(planned(given, pictures, ["noto"]))
    outputs = [path for _, paths in found for path in paths.values()]
    assert len(set(outputs)) == len(outputs)
    assert not set(outputs) & {path for path, _ in found}


def test_the_service_of_the_guide_translates(
    exported: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    testclient: Callable[..., object] = pytest.importorskip("starlette.testclient").TestClient
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    code = re.search(r"^```python serve\.py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]
    assert len(code.splitlines()) <= 35
    (tmp_path / "serve.py").write_text(code)
    monkeypatch.setenv("ZOO_MODEL", str(exported))
    client = testclient(runpy.run_path(str(tmp_path / "serve.py"))["app"])
    data = (pictures / "2.png").read_bytes()
    answer = client.post("/?to=noto", content=data)
    image = Image.open(io.BytesIO(answer.content))
    assert (answer.status_code, image.size) == (200, (31, 17))
    assert client.post("/?to=nobody", content=data).status_code == 422
    assert client.post("/?to=noto", content=b"no picture").status_code == 422
