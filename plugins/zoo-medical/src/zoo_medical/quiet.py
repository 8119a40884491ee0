"""Faults and warnings of other libraries, without their words: these may quote a patient's name."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from zoo_core.errors import DataError

AGAIN = "Export it again, or remove it."
_ONE_AT_A_TIME = threading.RLock()  # what is done about warnings holds for all threads


@contextmanager
def unquoted(asked: str, what: str, hint: str = AGAIN) -> Iterator[None]:
    """Says what is wrong in our own words, and drops warnings.

    Args:
        asked: The file.
        what: What is wrong where anything is raised.
        hint: What to do then.

    Raises:
        DataError: Instead of whatever is raised, but for faults of the disk and of memory.
    """
    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (MemoryError, DataError):
        raise
    except Exception as error:  # pydicom and nibabel raise many kinds for damaged files
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's
        raise DataError(what, asked=asked, hint=hint) from None
