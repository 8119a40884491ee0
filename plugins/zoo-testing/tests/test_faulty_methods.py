"""The kit itself: clean methods pass every check, and every planted fault is found."""

import ast
import importlib
import json
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import zoo_testing
from zoo_core.catalogue.description import ModelConfig
from zoo_core.cli import run as zoo
from zoo_core.host.plugins import PluginHost
from zoo_core.schema import write_yaml
from zoo_core.untrusted import file_sha256
from zoo_testing.error import ConformanceError
from zoo_testing.faulty import FAULTS, subject_of
from zoo_testing.run import METHOD_CHECKS, MODEL_CHECKS, model_cases, run_cases, subject_cases
from zoo_testing.subject import Subject, subjects
from zoo_testing.tiny import CODE_SPEC, SPEC, TinyCodeMethod, TinyMethod
from zoo_train.card import Card
from zoo_train.writing import write_model

ENTRY = "zoo_core.host.hookspecs"
CLEAN = [
    Subject(SPEC, "domains", ENTRY, TinyMethod),
    Subject(SPEC, "attributes", ENTRY, TinyMethod),
    Subject(CODE_SPEC, "domains", ENTRY, TinyCodeMethod),
]
CLEAN_CASES = [case for subject in CLEAN for case in subject_cases(subject)]
PLUGIN = """
from pathlib import Path
from zoo_core.host.hookspecs import hookimpl
from zoo_testing import tiny

@hookimpl
def zoo_components():
    return [tiny.SPEC]

@hookimpl
def zoo_models():
    return [Path(__file__).parent / "registry.yaml"]
"""


def failed(subject: Subject, check: str) -> str:
    with pytest.raises(ConformanceError) as caught:
        METHOD_CHECKS[check](subject)
    assert caught.value.check == check
    assert caught.value.hint, "a failure says how to mend it"
    return str(caught.value)


@pytest.mark.parametrize("case", CLEAN_CASES, ids=[case.id for case in CLEAN_CASES])
def test_clean_method_passes(case):
    case.run()


@pytest.mark.parametrize(
    ("method", "check"), FAULTS.items(), ids=[f"{m.__name__}-{c}" for m, c in FAULTS.items()]
)
def test_fault_is_found_by_the_check_meant_for_it(method, check):
    failed(subject_of(method), check)


def test_faults_cover_every_check_but_the_one_on_the_entry_module():
    assert set(METHOD_CHECKS) - set(FAULTS.values()) == {"entry-light"}
    assert len(FAULTS) >= 25


def test_entry_module_that_imports_torch_is_found(tmp_path, monkeypatch):
    (tmp_path / "heavy_entry.py").write_text("import torch\n")
    (tmp_path / "torch.py").write_text("")  # stands in for the real one, which takes seconds
    monkeypatch.syspath_prepend(tmp_path)
    assert "torch" in failed(Subject(SPEC, "domains", "heavy_entry", TinyMethod), "entry-light")


def test_entry_module_that_raises_is_found(tmp_path, monkeypatch):
    (tmp_path / "broken_entry.py").write_text("raise ValueError('no luck')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "no luck" in failed(Subject(SPEC, "domains", "broken_entry", TinyMethod), "entry-light")


def test_preset_that_the_spec_does_not_name_is_found():
    spec = replace(SPEC, presets=("8px", "paper"))
    assert "paper" in failed(Subject(spec, "domains", ENTRY, TinyMethod), "presets-valid")


def test_a_method_that_raises_fails_with_the_exception_in_words():
    class Raising(TinyMethod):
        def plan(self, batch, rng):
            raise KeyError("mixed")

    outcomes = list(run_cases(subject_cases(Subject(SPEC, "domains", ENTRY, Raising))))
    messages = {outcome.check: outcome.message for outcome in outcomes}
    assert "KeyError" in messages["shapes"]
    assert messages["options-frozen"] is None, "the other checks still run"


def test_a_target_that_is_no_method_is_found():
    spec = replace(SPEC, target="pathlib:Path")
    outcomes = list(run_cases(subject_cases(Subject(spec, "domains", ENTRY))))
    assert "no subclass" in next(o.message for o in outcomes if o.check == "shapes")


# Registry: an embedded model of the tiny method, and what may be untrue of it.


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """The registry entry of a model that is embedded in a plugin of its own."""
    subject = CLEAN[0]
    config = ModelConfig("tiny", domains=subject.domains, signal=subject.signal)
    method = subject.build()
    card = Card("tiny-model", data="Random numbers.", licence="apache-2.0")
    write_model(tmp_path / "weights", method, config, card=card, sample_batch=subject.batch())
    (tmp_path / "kit_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "kit_plugin", raising=False)
    importlib.invalidate_caches()
    path = tmp_path / "weights" / "model.safetensors"
    known = {"sha256": file_sha256(path), "bytes": path.stat().st_size}
    return {
        "id": "tiny-model",
        "task": "test",
        "weights": {"source": "embedded", "path": "weights/model.safetensors", **known},
        "licence": {"weights": "apache-2.0"},
    }


def outcomes_of(entry, folder: Path) -> dict:
    (folder / "registry.yaml").write_text(write_yaml({"models": [entry]}))
    host = PluginHost([EntryPoint("kit", "kit_plugin", "zoo")], strict=True)
    cases = model_cases(host, "tiny")
    assert [case.check for case in cases] == list(MODEL_CHECKS)
    return {outcome.check: outcome.message for outcome in run_cases(cases)}


def test_true_registry_entry_passes(entry, tmp_path):
    assert set(outcomes_of(entry, tmp_path).values()) == {None}


@pytest.mark.parametrize(
    "changes",
    [
        {"licence": {"weights": "mit"}},
        {"metrics": [{"name": "content", "value": 0.8, "protocol": "judge"}]},
    ],
)
def test_registry_that_says_otherwise_than_the_card_is_found(entry, tmp_path, changes):
    (key,) = changes
    message = outcomes_of(entry | changes, tmp_path)["registry-agrees"]
    assert {"licence": "licence", "metrics": "metrics"}[key] in message


def test_wrong_hash_is_found(entry, tmp_path):
    entry["weights"]["sha256"] = "0" * 64
    assert "sha256" in outcomes_of(entry, tmp_path)["registry-bytes"]


def test_wrong_size_is_found(entry, tmp_path):
    entry["weights"]["bytes"] += 1
    assert "bytes" in outcomes_of(entry, tmp_path)["registry-bytes"]


def test_configuration_that_does_not_fit_the_weights_is_found(entry, tmp_path):
    config = tmp_path / "weights" / "config.yaml"
    config.write_text(config.read_text().replace("options: {}", "options: {width: 5}"))
    outcomes = outcomes_of(entry, tmp_path)
    assert "misshapen" in outcomes["weights-fit"]
    assert outcomes["registry-bytes"] is None


def test_missing_weights_are_found(entry, tmp_path):
    (tmp_path / entry["weights"]["path"]).unlink()
    outcomes = outcomes_of(entry, tmp_path)
    assert "missing" in outcomes["registry-bytes"]
    assert "missing" in outcomes["weights-fit"]


def test_golden_output_that_no_longer_holds_is_found(entry, tmp_path):
    path = tmp_path / entry["weights"]["path"]
    changed = {key: value + 0.1 for key, value in load_file(path).items()}
    save_file(changed, path)
    entry["weights"] |= {"sha256": file_sha256(path), "bytes": path.stat().st_size}
    outcomes = outcomes_of(entry, tmp_path)
    assert "golden" in outcomes["golden-outputs"]
    assert outcomes["registry-bytes"] is None
    assert outcomes["weights-fit"] is None


# The command and the class for pytest.


def test_check_command_prints_every_check_and_ends_with_0(capsys):
    assert zoo(["check", "stargan", "--only", "shapes", "--only", "options-frozen"]) == 0
    output = capsys.readouterr().out
    assert "shapes" in output
    assert "4 checks, 0 failed" in output


def test_check_command_ends_with_1_and_says_how_to_mend(capsys, monkeypatch):
    spec = replace(SPEC, name="stargan", target="zoo_testing.faulty.translating:Deaf")
    monkeypatch.setattr(PluginHost, "method", lambda self, name: spec)
    assert zoo(["check", "stargan", "--only", "independent", "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert {row["passed"] for row in rows} == {False}
    assert "must depend on its input" in rows[0]["message"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["strgan"], 'Did you mean "stargan"?'),
        (["stargan", "--only", "shape"], 'Did you mean "shapes"?'),
        ([], "--all"),
        (["stargan", "--all"], "--all"),
    ],
)
def test_check_command_refuses_a_wrong_request(arguments, words, capsys):
    assert zoo(["check", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_contract_class_gives_one_test_per_check(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "from zoo_testing.contract import MethodContract\n"
        "class TestStarGAN(MethodContract):\n"
        '    method = "stargan"\n'
    )
    collected = Collected()
    arguments = ["--collect-only", "-q", "-p", "no:cacheprovider"]
    pytest.main([*arguments, f"--rootdir={tmp_path}", str(tmp_path)], plugins=[collected])
    for check in METHOD_CHECKS:
        assert f"test_conforms[stargan-attributes-{check}]" in collected.names


class Collected:
    """Notes the names of the tests that pytest would run."""

    def __init__(self):
        self.names = []

    def pytest_collection_modifyitems(self, items):
        self.names += [item.name for item in items]


def test_kit_imports_no_pytest():
    folder = Path(zoo_testing.__file__).parent
    names = ("fixtures.py", "hub_fixtures.py", "memory.py", "parity_report.py")
    fixtures = {folder / name for name in names}  # for tests under pytest alone
    sources = sorted(set(folder.rglob("*.py")) - fixtures)
    assert len(sources) > 10
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [getattr(node, "module", None), *(alias.name for alias in node.names)]
                assert "pytest" not in names, source


def test_subjects_follow_the_spec():
    from zoo_core.host.plugins import host

    kinds = {subject.kind: subject for subject in subjects("stargan", host())}
    assert set(kinds) == {"domains", "attributes"}
    assert kinds["attributes"].domains.exclusive
    assert kinds["domains"].entry == "zoo_stargan.plugin"
    assert len(subjects("cyclegan", host())[0].domains) == 2


def test_random_batches_are_in_range_and_repeat_for_a_seed():
    subject = CLEAN[0]
    one, same, other = subject.batch(1), subject.batch(1), subject.batch(2)
    for key, signal in one.signals.items():
        assert signal.abs().max() <= 1
        assert torch.equal(signal, same.signals[key])
        assert not torch.equal(signal, other.signals[key])
