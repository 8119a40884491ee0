"""The one error of the conformance kit."""

from __future__ import annotations

from zoo_core.errors import ZooError


class ConformanceError(ZooError):
    """A method or a model breaks its contract.

    Args:
        check: Name of the check that found it.
        message: What is wrong, in one sentence without a final full stop.
        hint: How to mend it, a full sentence.
    """

    def __init__(self, check: str, message: str, hint: str | None = None) -> None:
        self.check, self.message = check, message
        super().__init__(message, asked=f"check {check}", hint=hint)

    @property
    def advice(self) -> str:
        """The message and how to mend it, without the name of the check."""
        return f"{self.message}. {self.hint}" if self.hint else f"{self.message}."
