"""Documents cannot lie: every command and sample in them is executed, every hook is described."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from zoo_core.host import hookspecs
from zoo_core.host.plugins import host

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINKED_PAGES = [*PAGES, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "plugins").glob("*/README.md"))]
FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = re.compile(r"^(make \w+|git clone .*|cd zoo|uv sync|pip install .*)(\s+#.*)?$")
"""Set-up commands: the packaging tests and the continuous integration run these."""
SHORT = 3


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text[: m.start()].count("\n") + 1, m[1], m[2].strip(), m[3])
        for m in FENCE.finditer(text)
    ]


def runnable(page: Path) -> list[Block]:
    return [
        block for block in blocks(page) if block.language in ("sh", "python") and not block.title
    ]


def shortened(script: str) -> str:
    """The same commands with short trainings: the length of a run is not what the page teaches."""
    script = re.sub(r"(--steps |\bsteps=)\d+", rf"\g<1>{SHORT}", script)
    lines = [line for line in script.splitlines() if not ELSEWHERE.match(line.strip())]
    return "\n".join(lines)


PAGES_THAT_RUN = [page for page in PAGES if runnable(page)]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES_THAT_RUN, ids=lambda page: page.name)
def test_commands_and_samples_of_a_page_run_in_order(page: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": paths, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2"}
    for block in runnable(page):
        if block.language == "sh":
            command = ["bash", "-euo", "pipefail", "-c", shortened(block.text)]
        else:
            command = [sys.executable, "-c", shortened(block.text)]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        where = f"{page.name}:{block.line}"
        assert done.returncode == 0, f"{where}\n{block.text}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, f"{where}\n{done.stderr}"


def test_there_are_pages_that_run() -> None:
    names = {page.name for page in PAGES_THAT_RUN}
    assert {"README.md", "tutorial.md", "plugins.md", "registry.md"} <= names


def test_every_hook_is_documented_with_its_exact_arguments() -> None:
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    hooks = {
        name: inspect.signature(value)
        for name, value in vars(hookspecs).items()
        if name.startswith("zoo_") and callable(value)
    }
    assert hooks
    for name, signature in hooks.items():
        call = f"`{name}({', '.join(signature.parameters)})`"
        assert call in page, f"docs/plugins.md lacks {call}"
    documented = set(re.findall(r"`(zoo_\w+)\([^`]*\)`", page))
    assert documented == set(hooks)


def test_package_of_the_guide_is_the_one_that_is_tested() -> None:
    packages = ROOT / "tests" / "third_party"
    titled = [block for block in blocks(ROOT / "docs" / "plugins.md") if block.title]
    files = [block for block in titled if block.title.startswith("zoo-tiny/")]
    assert len(files) == 3
    for block in files:
        assert (packages / block.title).read_text(encoding="utf-8") == block.text
    assert sum(len(block.text.splitlines()) for block in files) <= 66


def test_links_inside_the_documents_lead_somewhere() -> None:
    for page in LINKED_PAGES:
        prose = FENCE.sub("", page.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_method_has_a_page_and_a_row_with_its_plugin_and_paper() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    overview = (ROOT / "docs" / "methods" / "README.md").read_text(encoding="utf-8").splitlines()
    ours = {name: spec for name, spec in host().methods().items() if spec.target.startswith("zoo_")}
    assert len(ours) >= 12
    for name, spec in ours.items():
        page = (ROOT / "docs" / "methods" / f"{name}.md").read_text(encoding="utf-8")
        sections = re.findall(r"^## (.*)$", page, re.MULTILINE)
        wanted = {"Idea", "Losses", "Options", "Figures", "Strengths and limitations"}
        assert wanted <= set(sections), f"docs/methods/{name}.md has {sections}"
        plugin = spec.target.partition(".")[0].replace("_", "-")
        row = next((line for line in readme if line.startswith(f"| [`{name}`]")), "")
        assert plugin in row, f"README.md lacks a row of {name} with {plugin}"
        for number in re.findall(r"arXiv:([\d.]+)", spec.paper):
            assert number in row, f"README.md, row of {name}: {spec.paper}"
        row = next((line for line in overview if line.startswith(f"| [{name}]")), "")
        assert plugin in row, f"docs/methods/README.md lacks a row of {name}"


def test_every_method_has_a_place_on_the_page_of_faithfulness() -> None:
    page = (ROOT / "docs" / "faithfulness.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    told = {name for heading in headings for name in heading.split(", ")}
    ours = {name for name, spec in host().methods().items() if spec.target.startswith("zoo_")}
    assert ours <= told


def test_every_option_and_preset_of_a_method_is_on_its_page() -> None:
    for name in host().methods():
        page = (ROOT / "docs" / "methods" / f"{name}.md").read_text(encoding="utf-8")
        rows = [line for line in page.splitlines() if line.startswith("|")]
        cls = host().load("method", name)
        for field in dataclasses.fields(cls.Options):
            assert any(f"`{field.name}`" in row for row in rows), f"{name}.md: {field.name}"
        for preset in host().method(name).presets:
            assert f"`{preset}`" in page, f"docs/methods/{name}.md lacks the preset {preset}"


def test_every_module_of_training_has_its_place_in_the_order_of_reading() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("### Reading the code of training")[2].partition("\n## ")[0]
    table = table.partition("|---|---|")[2]
    modules = (ROOT / "plugins" / "zoo-nn" / "src" / "zoo_train").glob("*.py")
    names = {path.stem for path in modules} - {"__init__", "command", "export_run", "plugin"} | {
        "data"
    }
    assert names
    assert names == set(re.findall(r"`(\w+)`", re.sub(r"(?m)\|[^|]*\|$", "", table)))
