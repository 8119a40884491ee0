"""What a run that is resumed may change of what its steps compute, and how it is noted."""

from __future__ import annotations

import re
from dataclasses import dataclass

CHANGEABLE = re.compile(r"train\.(?:batch|accumulate)|options\.(?:\w+_)?lr")
"""Settings that may change, by their keys in a run's configuration."""


@dataclass(frozen=True)
class Change:
    """A setting that was changed when a run was resumed.

    Attributes:
        step: Steps that were done.
        setting: Its key, such as ``options.lr``.
        before: Its value for these steps.
        after: Its value from then on.
    """

    step: int
    setting: str
    before: int | float
    after: int | float

    def __str__(self) -> str:
        """Such as ``after step 200, options.lr is 0.0001 (before: 0.0002)``."""
        return f"after step {self.step}, {self.setting} is {self.after} (before: {self.before})"
