"""MyMethod keeps the contract of all methods."""

from zoo_core.testing import MethodContract


class TestMyMethod(MethodContract):
    """Runs the whole conformance kit."""

    method = "my-method"
