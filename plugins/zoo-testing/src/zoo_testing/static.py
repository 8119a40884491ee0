"""Checks that need no batch: the entry module, the options, the presets, the nets."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import torch

from zoo_core.contracts.method import make_options
from zoo_core.errors import UsageError
from zoo_testing.error import ConformanceError
from zoo_testing.subject import TINY, Subject

HEAVY = ("torch", "torchvision", "timm")
_PROBE = (
    "import importlib, sys; importlib.import_module(sys.argv[1]); "
    f"print(*[name for name in {HEAVY} if name in sys.modules])"
)


def entry_light(subject: Subject) -> None:
    """Importing the plugin's entry module imports no torch."""
    if subject.entry is None:
        return
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, subject.entry],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise ConformanceError(
            "entry-light",
            f"entry module {subject.entry} cannot be imported: {last[0]}",
            "Mend the import; until then the plugin is skipped.",
        )
    if heavy := done.stdout.split():
        raise ConformanceError(
            "entry-light",
            f"importing the entry module {subject.entry} imports {', '.join(heavy)}",
            "Name classes by lazy targets such as "
            f'"{subject.spec.target}" and import nothing heavy beside the hooks.',
        )


def options_frozen(subject: Subject) -> None:
    """The options are one frozen dataclass whose defaults are valid."""
    options = subject.method_class.Options
    if not dataclasses.is_dataclass(options):
        raise ConformanceError(
            "options-frozen",
            f"{options.__name__} is no dataclass",
            "Write the options as `@dataclass(frozen=True) class Options`.",
        )
    if not options.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise ConformanceError(
            "options-frozen",
            f"{options.__name__} is not frozen",
            "Write `@dataclass(frozen=True)`: options are facts of a model.",
        )
    _fill(subject, {}, "an empty preset")


def presets_valid(subject: Subject) -> None:
    """Every preset fills the options, and the spec names exactly these presets."""
    declared, found = set(subject.spec.presets), set(subject.method_class.presets)
    if wrong := (declared ^ found) - {TINY}:
        side = "the spec" if wrong <= declared else "the class"
        raise ConformanceError(
            "presets-valid",
            f"preset {', '.join(sorted(wrong))} is named by {side} alone",
            "MethodSpec.presets names all presets of the class, the default one first.",
        )
    if not found:
        raise ConformanceError(
            "presets-valid", "there is no preset", 'Give the class at least the preset "paper".'
        )
    for name, preset in subject.method_class.presets.items():
        _fill(subject, preset.options, f"preset {name}")
        signal = preset.signal
        if signal.kind != subject.spec.signal:
            raise ConformanceError(
                "presets-valid",
                f"preset {name} has signals of kind {signal.kind}, the spec {subject.spec.signal}",
                "Give both the same kind.",
            )
        flexible = signal.shape[len(signal.shape) - signal.flexible :]
        if any(size % signal.stride for size in flexible):
            raise ConformanceError(
                "presets-valid",
                f"shape {signal.shape} of preset {name} is no multiple of its stride "
                f"{signal.stride}",
                "Change the shape or the stride: translations are padded to the stride.",
            )


def nets_known(subject: Subject) -> None:
    """A net for translating is a generator, encoder or decoder; every player names real nets."""
    method = subject.build()
    if not method.inference_nets:
        raise ConformanceError(
            "nets-known",
            f"none of the nets {', '.join(method.nets)} is a generator, an encoder or a decoder",
            "Derive them from the interfaces: what is saved for translating is found by its kind.",
        )
    names = [player.name for player in method.players()]
    if len(set(names)) != len(names):
        raise ConformanceError(
            "nets-known", f"two players have one name: {', '.join(names)}", "Rename one of them."
        )
    for player in method.players():
        for name in player.nets:
            if name not in method.nets:
                raise ConformanceError(
                    "nets-known",
                    f"player {player.name} trains a net {name} that does not exist",
                    f"The nets are {', '.join(method.nets)}.",
                )


def targets_known(subject: Subject) -> None:
    """The targets are some of the domains, and translations are planned to these alone."""
    method = subject.build()
    targets = method.targets
    if strange := [name for name in targets if name not in subject.domains]:
        raise ConformanceError(
            "targets-known",
            f"`targets` names {', '.join(strange)}, which is no domain of the method",
            f"Name some of {', '.join(subject.domains.names)}.",
        )
    if not targets:
        raise ConformanceError(
            "targets-known", "`targets` is empty", "Name the domains that can be asked for."
        )
    rng = torch.Generator().manual_seed(0)
    for route in method.plan(subject.batch(), rng):
        if route.target.domain not in (None, *targets):
            raise ConformanceError(
                "targets-known",
                f"route {route.name} translates to {route.target.domain}, which `targets` lacks",
                "Name it in `targets`: a planned translation can also be asked for.",
            )


def _fill(subject: Subject, values: object, what: str) -> None:
    try:
        make_options(subject.method_class.Options, dict(values), asked=what)  # type: ignore[call-overload]
    except (UsageError, TypeError) as error:
        check = "presets-valid" if what.startswith("preset ") else "options-frozen"
        text = str(error).rstrip(".")
        raise ConformanceError(
            check, f"{what} does not make options: {text}", "Every option has a default."
        ) from error
