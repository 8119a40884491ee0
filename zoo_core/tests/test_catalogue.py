"""``zoo list``, ``info``, ``plugins``, ``new`` and ``registry`` as a user sees them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import zoo_core.catalogue.registry as registry_module
import zoo_core.cli.catalogue as catalogue_module
import zoo_core.cli.plugins as plugins_module
from zoo_core.cli import run
from zoo_core.contracts.component import MethodSpec
from zoo_core.host.hookspecs import hookimpl
from zoo_core.host.plugins import PluginHost
from zoo_core.schema import write_yaml

SHA = "ab" * 32


def entry(name: str, **changes: Any) -> dict[str, Any]:
    names = {"names": ["noto", "openmoji", "twemoji"]}
    config = {
        "method": changes.pop("method", "stargan"),
        "domains": changes.pop("domains", names),
        "signal": {"shape": [3, 64, 64]},
    }
    return {
        "id": name,
        "task": "emoji-style",
        "summary": "Drawings of three vendors",
        "config": config,
        "weights": {
            "source": "embedded",
            "path": "w/m.safetensors",
            "sha256": SHA,
            "bytes": 4300000,
            "format": "of-others",
        },
        "provenance": "zoo train stargan",
        "licence": {"weights": "CC-BY-4.0"},
        "metrics": [
            {"name": "vendor accuracy", "value": 0.91, "protocol": "judge, 200 pictures"},
            {"name": "FID", "value": 31.5, "protocol": "CelebA", "published": 28.0, "note": "ours"},
        ],
    } | changes


@dataclass
class Shown:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def zoo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Shown]:
    """The command line over a catalogue of four models, one of them of an absent plugin."""
    file = tmp_path / "registry.yaml"
    attributes = [f"Attribute_{number}" for number in range(9)]
    hub = {"source": "hub", "repo": "org/faces", "file": "G.pth", "trust": "first-use"}
    models = [
        entry("stargan-emoji"),
        entry(
            "stargan-celeba-of-a-rather-long-name",
            task="faces",
            summary="Faces of people who were photographed for it",
            domains={
                "names": attributes,
                "kind": "attributes",
                "exclusive": [["Attribute_0", "Attribute_1"]],
            },
            weights=hub | {"format": "of-others"},
        ),
        entry("lost-method", method="lost", task="digits"),
    ]
    file.write_text(write_yaml({"models": models}))
    index = tmp_path / "index.json"
    absent = entry("unit-digits", method="unit", task="digits")
    known = entry("stargan-emoji") | {"nets": {"generator": 2107904}}
    rows = [{"distribution": "zoo-unit", **absent}, {"distribution": "stargan", **known}]
    index.write_text(json.dumps({"models": rows}))

    class Module:
        """A plugin with a method and the models."""

        @staticmethod
        @hookimpl
        def zoo_components() -> list[MethodSpec]:
            return [
                MethodSpec(
                    "stargan", "a:B", "One generator", paper="Choi et al. 2018", domains=(2, None)
                ),
                MethodSpec("pair", "a:C", "Two", domains=(2, 2)),
                MethodSpec("few", "a:D", "Few", domains=(2, 5)),
            ]

        @staticmethod
        @hookimpl
        def zoo_models() -> list[Path]:
            return [file]

    monkeypatch.setattr(sys.modules[__name__], "made_plugin", Module, raising=False)
    entries = [
        metadata.EntryPoint("stargan", f"{__name__}:made_plugin", "zoo"),
        metadata.EntryPoint("lost", "no_such_module_anywhere", "zoo"),
    ]
    host = PluginHost(entries, strict=False)
    monkeypatch.setattr(catalogue_module, "host", lambda: host)
    monkeypatch.setattr(plugins_module, "host", lambda: host)
    monkeypatch.setattr(registry_module, "index_path", lambda: index)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*args: str) -> Shown:
        capsys.readouterr()
        status = run(args)
        captured = capsys.readouterr()
        return Shown(status, captured.out, captured.err)

    return call


def test_the_list_fits_eighty_columns_and_cuts_no_name(zoo: Callable[..., Shown]) -> None:
    shown = zoo("list")
    assert shown.status == 0
    assert max(map(len, shown.out.splitlines())) <= 80
    for name in ("stargan-emoji", "stargan-celeba-of-a-rather-long-name", "4.3 MB", "unit-digits"):
        assert name in shown.out
    assert "pip install zoo-hub zoo-unit" in shown.out


def words(text: str) -> set[str]:
    return {word for line in text.splitlines() for word in line.split()}


def test_the_list_breaks_no_word_of_a_summary(zoo: Callable[..., Shown]) -> None:
    assert {"Drawings", "vendors", "photographed"} <= words(zoo("list").out)


def test_the_list_as_json_has_summaries(zoo: Callable[..., Shown]) -> None:
    assert {row["summary"] for row in zoo("list", "--json").json} == {
        "Drawings of three vendors",
        "Faces of people who were photographed for it",
    }


@pytest.mark.parametrize("columns", ["20", "40", "80", "300"])
def test_info_is_complete_at_any_width(
    columns: str, zoo: Callable[..., Shown], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = zoo("info", "stargan-emoji").out
    for text in ("stargan-emoji", "vendor accuracy: 0.91", "FID: 31.5 (paper: 28)", "(ours)", SHA):
        assert "".join(text.split()) in "".join(shown.split()), text
    assert "…" not in shown


def test_the_list_names_broken_plugins_on_the_standard_error(zoo: Callable[..., Shown]) -> None:
    for arguments in (("list",), ("list", "--json"), ("list", "--methods"), ("info", "stargan")):
        shown = zoo(*arguments)
        assert shown.status == 0
        assert "plugin lost" in shown.err
        assert "no_such_module_anywhere" in shown.err
        assert "no_such_module" not in shown.out


def test_the_list_as_json_says_what_is_installed(zoo: Callable[..., Shown]) -> None:
    rows = {row["id"]: row for row in zoo("list", "--json").json}
    assert len(rows) == 4
    assert rows["stargan-emoji"]["installed"]
    assert rows["stargan-emoji"]["parameters"] == 2107904
    assert rows["stargan-emoji"]["licence"] == "CC-BY-4.0"
    assert "pip install zoo-unit" in rows["unit-digits"]["unavailable_reason"]
    assert 'method "lost" is not installed' in rows["lost-method"]["unavailable_reason"]
    first_use = rows["stargan-celeba-of-a-rather-long-name"]
    assert (first_use["trust"], first_use["source"]) == ("first-use", "hub")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["gan-emoji"], {"stargan-emoji"}),
        (["OPENMOJI"], {"lost-method", "stargan-emoji", "unit-digits"}),
        (["*-emoji"], {"stargan-emoji"}),
        (["Faces"], {"stargan-celeba-of-a-rather-long-name"}),
        (["attribute_3"], {"stargan-celeba-of-a-rather-long-name"}),
        (["--task", "digits"], {"lost-method", "unit-digits"}),
        (["--task", "digits", "--installed"], set()),
        (["--method", "unit", "--all"], {"unit-digits"}),
        (["--domain", "attribute_3"], {"stargan-celeba-of-a-rather-long-name"}),
    ],
)
def test_the_list_is_filtered(
    arguments: list[str], expected: set[str], zoo: Callable[..., Shown]
) -> None:
    assert {row["id"] for row in zoo("list", "--json", *arguments).json} == expected


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["list", "stargan-emojy"], "stargan-emoji"),
        (["list", "--method", "stargen"], "stargan"),
        (["list", "--task", "emoji-styl"], "emoji-style"),
        (["list", "--domain", "twemojy"], "twemoji"),
        (["list", "--methods", "stargen"], "stargan"),
        (["info", "stargan-emojy"], "stargan-emoji"),
        (["info", "stargen"], "stargan"),
    ],
)
def test_a_wrong_name_suggests_the_near_match(
    arguments: list[str], near: str, zoo: Callable[..., Shown]
) -> None:
    shown = zoo(*arguments)
    assert shown.status == 2
    assert f'Did you mean "{near}"?' in shown.err
    assert shown.out == ""


def test_nothing_that_fits_is_no_error(zoo: Callable[..., Shown]) -> None:
    shown = zoo("list", "--task", "digits", "--installed")
    assert shown.status == 0
    assert "No model fits" in shown.out


def test_info_of_a_model_shows_all_that_is_known(zoo: Callable[..., Shown]) -> None:
    shown = zoo("info", "stargan-emoji")
    assert max(map(len, shown.out.splitlines())) <= 80
    for text in ("2,107,904", "CC-BY-4.0", "noto, openmoji, twemoji", "3×64×64", "embedded, 4.3 MB",
                 "Choi et al. 2018", "zoo train stargan", "vendor accuracy", "0.91", "31.5", "28",
                 "judge, 200 pictures",
                 "zoo translate stargan-emoji INPUT --to twemoji"):  # fmt: skip
        assert text in shown.out, text


def test_info_of_hub_weights_says_what_is_not_known_of_them(zoo: Callable[..., Shown]) -> None:
    shown = zoo("info", "stargan-celeba-of-a-rather-long-name")
    assert "Hub model org/faces:G.pth" in shown.out
    assert "no known hash" in shown.out
    assert "Attribute_0, Attribute_1" in shown.out


def test_info_as_json_is_the_whole_entry(zoo: Callable[..., Shown]) -> None:
    shown = zoo("info", "stargan-emoji", "--json").json
    assert shown["metrics"][1]["published"] == 28.0
    assert shown["weights"]["sha256"] == SHA
    assert shown["installed"]


def test_info_of_a_method_names_its_models(zoo: Callable[..., Shown]) -> None:
    shown = zoo("info", "stargan", "--json").json
    assert shown["domains"] == [2, None]
    assert shown["models"] == ["stargan-celeba-of-a-rather-long-name", "stargan-emoji"]
    assert "2 or more" in zoo("info", "stargan").out
    assert "2 to 5" in zoo("info", "few").out


def test_methods_are_listed(zoo: Callable[..., Shown]) -> None:
    assert [row["name"] for row in zoo("list", "--methods", "--json").json] == [
        "few",
        "pair",
        "stargan",
    ]
    assert "One generator" in zoo("list", "--methods", "star*").out


def test_plugins_are_listed_with_what_they_bring_and_their_problems(
    zoo: Callable[..., Shown],
) -> None:
    rows = {row["name"]: row for row in zoo("plugins", "--json").json}
    assert rows["stargan"]["brings"]["method"] == ["stargan", "pair", "few"]
    assert "stargan-emoji" in rows["stargan"]["brings"]["models"]
    assert "no_such_module_anywhere" in rows["lost"]["problem"]
    assert rows["zoo-core"]["problem"] is None
    shown = zoo("plugins")
    assert shown.status == 0
    assert "PROBLEM: ModuleNotFoundError" in shown.out


@pytest.mark.slow
def test_new_writes_a_package_that_imports_and_has_the_given_name(
    zoo: Callable[..., Shown], tmp_path: Path
) -> None:
    shown = zoo("new", "sketch-gan2", "--dir", str(tmp_path / "deep" / "mine"))
    assert shown.status == 0
    folder = tmp_path / "deep" / "mine" / "zoo-sketch-gan2"
    assert str(folder) in shown.out
    texts = [path.read_text() for path in folder.rglob("*") if path.is_file()]
    assert len(texts) == 8
    assert not any(
        "my-method" in text or "my_method" in text or "MyMethod" in text for text in texts
    )
    assert any("class SketchGan2(" in text for text in texts)
    code = "import zoo_sketch_gan2.method as m; print(m.SketchGan2.__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder / "src", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "SketchGan2"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sketch_GAN", 'Try "sketch-gan"'),
        ("3d", 'Try "d"'),
        ("a--b", 'Try "a-b"'),
        ("../evil", 'Try "evil"'),
        ("zoo-", "my-method"),
        ("x" * 41, "at most 40"),
        ("stargan", "already brings this name"),
        ("zoo-stargan", "already brings this name"),
    ],
)
def test_new_refuses_a_bad_name(
    name: str, expected: str, zoo: Callable[..., Shown], tmp_path: Path
) -> None:
    shown = zoo("new", name, "--dir", str(tmp_path / "new"))
    assert shown.status == 2
    assert expected in shown.err
    assert not (tmp_path / "new").exists()


def test_new_never_writes_into_what_is_there(zoo: Callable[..., Shown], tmp_path: Path) -> None:
    (tmp_path / "zoo-mine").mkdir()
    shown = zoo("new", "mine", "--dir", str(tmp_path))
    assert shown.status == 2
    assert "there already" in shown.err
    (tmp_path / "file").write_text("")
    shown = zoo("new", "mine", "--dir", str(tmp_path / "file"))
    assert shown.status == 1
    assert "cannot be written" in shown.err
