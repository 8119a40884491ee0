"""The share of what a run could train on that is kept from training."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from zoo_core.errors import DataError
from zoo_train.data.folders import SourceFiles


def part_of(found: SourceFiles, split: str, share: float) -> SourceFiles:
    """The part of a source that belongs to a split, where a share of it is held out.

    Names decide: a signal stays where it is when others come, and signals of one name in several
    domains, which may show the same, stay together.

    Args:
        found: What the source holds to train on.
        split: ``train`` leaves the share out, ``val`` takes it alone.
        share: The share that is held out, above 0 and below 1.

    Raises:
        DataError: If the source has too few signals for it.
    """
    kept = [i for i, name in enumerate(found.names) if (_draw(name) < share) == (split == "val")]
    if not kept:
        raise DataError(
            f"of {len(found.names):,} none is left to {split}, with {share:g} held out",
            asked=found.place,
            hint="Hold out another share by --set train.hold_out=SHARE, or more signals.",
        )
    what = "kept for training" if split == "train" else "held out"
    return replace(
        found,
        files=[found.files[i] for i in kept],
        names=[found.names[i] for i in kept],
        labels=None if found.labels is None else found.labels[kept],
        split="val" if split == "val" else found.split,
        notes=[*found.notes, f"{len(kept):,} of {len(found.names):,} {what}"],
    )


def _draw(name: str) -> float:
    """A number from 0 to 1 that a signal's name alone decides."""
    digest = hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
