"""What strangers wrote is opened by few, known modules: the code of all distributions is read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KIT = "plugins/zoo-testing/"
"""The conformance kit, which only developers run, on files that it wrote."""
READERS = {
    "yaml.load": {"zoo_core/untrusted.py"},
    # What the user typed after = or : on the command line.
    "yaml.safe_load": {"zoo_core/host/named.py", "zoo_evaluate/cli/judge.py"},
    # In turn: strangers' and runs', whose pickle was searched before; two by their hashes.
    "torch.load": {
        "zoo_train/pickles.py",
        "zoo_embedding/imagenet.py",
        "zoo_voice/evaluate/listeners.py",
    },
    "safe_open": {"zoo_core/models/weights.py"},
}
"""Who may call what reads a file in a format that can hurt; paths below ``src``."""
NEVER = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "pickle.load",
    "pickle.loads", "pickle.Unpickler", "marshal.load", "marshal.loads", "shelve.open",
    "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "joblib.load", "torch.jit.load",
    "shutil.unpack_archive", "zipfile.ZipFile.extractall", "urllib.request.urlopen",
    "torch.hub.load", "hf_hub_download", "snapshot_download", "load_state_dict_from_url",
}  # fmt: skip
"""What nobody may call."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.glob("**/src/**/*.py")):
        place = path.relative_to(ROOT).as_posix()
        if not place.startswith((KIT, "templates/", "tests/", ".")):
            yield place.partition("/src/")[2], ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call by its dotted name, aliases of imports taken apart."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {a.asname: a.name for a in node.names if a.asname}
        elif isinstance(node, ast.ImportFrom):
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            dotted = ast.unparse(node.func)
            head, dot, rest = dotted.partition(".")
            yield names.get(head, head) + dot + rest, node


CALLS = [(place, name, call) for place, tree in modules() for name, call in calls(tree)]


def named(suffix: str) -> list[tuple[str, ast.Call]]:
    """Calls whose dotted name ends so, each with its module."""
    return [(place, call) for place, name, call in CALLS if f".{name}".endswith(f".{suffix}")]


def keyword(call: ast.Call, name: str) -> str | None:
    return next((ast.unparse(k.value) for k in call.keywords if k.arg == name), None)


def test_all_distributions_are_looked_at() -> None:
    assert {"zoo_core", "zoo_nn", "zoo_images"} <= {place.split("/")[0] for place, _, _ in CALLS}
    assert len(CALLS) > 5_000


@pytest.mark.parametrize("reader", READERS)
def test_a_format_that_can_hurt_is_read_by_its_modules_alone(reader: str) -> None:
    assert {place for place, _ in named(reader)} == READERS[reader]


@pytest.mark.parametrize("name", sorted(NEVER))
def test_what_executes_or_fetches_is_never_called(name: str) -> None:
    # A regular expression is compiled, and torch compiles nets; neither is the built-in function.
    found = [(p, n) for p, n, _ in CALLS if n == name or ("." in name and n.endswith(f".{name}"))]
    assert found == []


def test_checkpoints_are_read_as_weights_alone() -> None:
    found = named("torch.load")
    assert found
    assert {keyword(call, "weights_only") for _, call in found} == {"True"}


def test_arrays_are_read_without_pickles() -> None:
    found = [*named("numpy.load"), *named("np.load")]
    assert found
    assert {keyword(call, "allow_pickle") for _, call in found} <= {"False", None}  # None: False


def test_pictures_are_opened_by_listed_decoders() -> None:
    found = [(place, call) for place, call in named("Image.open")]
    assert found
    assert [place for place, call in found if keyword(call, "formats") is None] == []


def test_archives_are_not_unpacked() -> None:
    assert not [place for place, name, _ in CALLS if name.endswith((".extractall", ".extract"))]


def test_no_program_is_started_with_a_shell() -> None:
    assert not [place for place, _, call in CALLS if keyword(call, "shell") not in (None, "False")]
