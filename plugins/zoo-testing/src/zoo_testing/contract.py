"""The kit as pytest tests; pytest itself is not imported."""

from __future__ import annotations

from typing import Any, ClassVar

from zoo_core.host.plugins import host
from zoo_testing.run import ConformanceCase, method_cases, model_cases


class MethodContract:
    """One test per check of a registered method, and of its models with embedded weights.

    Derive a class whose name starts with ``Test``::

        from zoo_testing.contract import MethodContract

        class TestMyMethod(MethodContract):
            method = "my-method"
    """

    method: ClassVar[str]

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Makes a test of every check; pytest calls it while it collects."""
        if "conformance_case" in metafunc.fixturenames:
            cases = [*method_cases(self.method, host()), *model_cases(host(), self.method)]
            metafunc.parametrize("conformance_case", cases, ids=[case.id for case in cases])

    def test_conforms(self, conformance_case: ConformanceCase) -> None:
        """The method keeps its contract."""
        conformance_case.run()
