"""MyMethod keeps the contract of all methods."""

from zoo_testing.contract import MethodContract


class TestMyMethod(MethodContract):
    """Runs the whole conformance kit."""

    method = "my-method"
