"""The conformance kit: what every method and every model must keep, as checks anyone can run.

``zoo check METHOD`` runs it from the command line, `zoo_testing.contract.MethodContract` as pytest
tests.
"""
