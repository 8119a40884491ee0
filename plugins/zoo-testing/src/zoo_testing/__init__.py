"""The conformance kit: what every method and every model must keep, as checks anyone can run.

``zoo check METHOD`` runs it from the command line, `MethodContract` as pytest tests.
"""

from zoo_testing.contract import MethodContract
from zoo_testing.error import ConformanceError
from zoo_testing.models import ModelSubject, embedded_models
from zoo_testing.run import (
    METHOD_CHECKS,
    MODEL_CHECKS,
    Case,
    Outcome,
    method_cases,
    model_cases,
    run_cases,
    subject_cases,
)
from zoo_testing.subject import Subject, subjects

__all__ = [
    "METHOD_CHECKS",
    "MODEL_CHECKS",
    "Case",
    "ConformanceError",
    "MethodContract",
    "ModelSubject",
    "Outcome",
    "Subject",
    "embedded_models",
    "method_cases",
    "model_cases",
    "run_cases",
    "subject_cases",
    "subjects",
]
