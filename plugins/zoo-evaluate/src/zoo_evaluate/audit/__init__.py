"""The audit of hidden information: does a translator hide its input inside its output?

A translator that must find its way back (cycle consistency) can hide what the translation does not
show in detail that nobody sees (Chu, Zhmoginov, Sandler 2017, arXiv:1712.02950). `audit` measures
it; `AuditConfig.quick` is the cheap version, and `hidden_score` that of one direction as a number.
"""

from zoo_evaluate.audit.result import AuditConfig, AuditResult, DirectionResult, Interval
from zoo_evaluate.audit.run import audit, hidden_score

__all__ = ["AuditConfig", "AuditResult", "DirectionResult", "Interval", "audit", "hidden_score"]
