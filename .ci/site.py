"""Hooks of the documentation's site: pages that lie elsewhere, the gallery, the notebook, links.

Pages link to files of the repository, as a reader of the repository needs it. In the site a link
leads to the file's page; where there is none, its text alone is left.
"""

from __future__ import annotations

import base64
import posixpath
import re
from pathlib import Path

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
IN_NAVIGATION = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "recipes/README.md")
"""Pages of the site outside docs/, besides the README of each plugin."""
HOME = "README.md"
"""The site's first page, which stands for the repository's README, too."""
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
TITLED = re.compile(r"^```(\w+) (\S+)$", re.MULTILINE)
"""The first line of a block that shows a file."""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the pages that lie elsewhere, and those that are made."""
    readmes = sorted(ROOT.glob("plugins/*/README.md"))
    for path in [*(ROOT / name for name in IN_NAVIGATION), *readmes]:
        name = path.relative_to(ROOT).as_posix()
        inclusion = InclusionLevel.NOT_IN_NAV if path in readmes else InclusionLevel.INCLUDED
        files.append(File.generated(config, name, abs_src_path=str(path), inclusion=inclusion))
    for name, content in {**gallery(), **notebook(ROOT / "docs" / "notebook.ipynb")}.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(text: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links to files of the repository into links to pages of the site."""
    uri = page.file.src_uri

    def turned(match: re.Match[str]) -> str:
        mark, words, target, anchor = match[1], match[2], match[3], match[4] or ""
        if ":" in target:
            return match[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(_repository(uri)), target))
        known = _site(file)
        if files.get_file_from_path(known) is not None:
            return f"{mark}[{words}]({_relative(known, uri)}{anchor})"
        return words if (ROOT / file).exists() else match[0]  # what is nowhere, mkdocs tells

    parts = FENCE.split(text)
    parts[::2] = [LINK.sub(turned, part) for part in parts[::2]]
    return TITLED.sub(r'```\1 title="\2"', "".join(parts))


def gallery() -> dict[str, str | bytes]:
    """A page of all models that come with the zoo, and their pictures."""
    from zoo_core.catalogue.registry import Registry
    from zoo_core.host.plugins import host

    lines = [
        "# Models",
        "",
        "Those that come with the zoo, and work without a network. `zoo list` shows them and those "
        "that are downloaded when first used; `zoo info MODEL` has figures, licences, options.",
        "",
    ]
    pictures: dict[str, str | bytes] = {}
    for model in sorted(Registry.load(host()).models.values(), key=lambda model: model.id):
        if model.embedded is None:
            continue
        page = f"methods/{model.method}.md"
        method = f"[{model.method}]({page})" if (ROOT / "docs" / page).is_file() else model.method
        lines += [
            f"## {model.id}",
            "",
            f"{model.data['summary']}. {method}, {model.parameters:,} parameters; "
            f"{', '.join(model.domains)}.",
            "",
        ]
        samples = model.embedded.parent / "samples.png"
        if samples.is_file():
            name = f"pictures/models/{model.id}.png"
            pictures[name] = samples.read_bytes()
            lines += [f"![Inputs and translations of {model.id}]({name})", ""]
    return {"models.md": "\n".join(lines), **pictures}


def notebook(path: Path) -> dict[str, str | bytes]:
    """A notebook as a page, with what its cells printed and drew."""
    parts: list[str] = []
    pictures: dict[str, str | bytes] = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                name = f"pictures/notebook/{len(pictures)}.png"
                pictures[name] = base64.b64decode(data["image/png"])
                parts.append(f"![What the cell above draws]({name})")
            else:
                printed = output.get("text") or data["text/plain"]
                parts.append(f"```text\n{printed.rstrip()}\n```")
    return {f"{path.stem}.md": "\n\n".join(parts), **pictures}


def _repository(uri: str) -> str:
    """Where a page of the site lies in the repository."""
    return uri if uri in IN_NAVIGATION or uri.startswith("plugins/") else f"docs/{uri}"


def _site(file: str) -> str:
    """The page, or picture, of the site that a file or folder of the repository would be."""
    if (ROOT / file).is_dir():
        file = f"{file}/README.md"
    return HOME if file == "README.md" else file.removeprefix("docs/")


def _relative(uri: str, page: str) -> str:
    """The way from a page to another file of the site."""
    return posixpath.relpath(uri, posixpath.dirname(page) or ".")
