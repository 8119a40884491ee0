"""Deliberately faulty methods: each is a clean one with one fault, which one check must find.

They keep the kit itself honest: a check that finds nothing is worth nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo_core.contracts.method import Method
from zoo_testing import tiny
from zoo_testing.faulty import training, translating
from zoo_testing.subject import Subject

FAULTS: Mapping[type[Method[Any]], str] = {
    translating.Unbounded: "in-range",
    translating.NotFinite: "finite",
    translating.WrongShape: "shapes",
    translating.BatchStatistics: "independent",
    translating.Deaf: "independent",
    translating.Spoiler: "input-untouched",
    translating.FixedSize: "other-sizes",
    translating.Fickle: "repeatable",
    training.TwoOptimisers: "one-optimiser",
    training.NoOptimiser: "one-optimiser",
    training.Stray: "one-optimiser",
    training.Meddler: "reach",
    training.Attached: "reach",
    training.DeadParameter: "gradients",
    training.WrongGradient: "derivatives",
    training.WrongInOneFormat: "derivatives",
    training.NonScalar: "losses-scalar",
    training.InfiniteLoss: "losses-scalar",
    training.Undeclared: "losses-declared",
    training.Unprovided: "losses-declared",
    training.Twins: "losses-declared",
    training.Boaster: "provided",
    training.Painter: "batch-untouched",
    training.Repeater: "passes-once",
    training.Unseeded: "same-bits",
    translating.Forgetful: "state-round-trip",
    training.Unresumable: "resume",
    translating.Thawed: "options-frozen",
    translating.WrongPreset: "presets-valid",
    translating.Overflowing: "bfloat16",
    translating.NoTranslator: "nets-known",
    translating.Coy: "targets-known",
}
"""Faulty methods and the check that is there to find each."""


def subject_of(method: type[Method[Any]]) -> Subject:
    """A faulty method as the kit examines it."""
    return Subject(tiny.SPEC, "domains", "zoo_core.host.hookspecs", method)
