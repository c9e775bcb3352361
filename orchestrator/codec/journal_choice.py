"""``[journal]`` of a fleet file: how the journal is kept."""

from __future__ import annotations

from typing import Final

import attrs
from attrs.validators import ge, instance_of, le

__all__ = ("SNAPSHOT_EVERY", "SNAPSHOT_EVERY_MAX", "JournalChoice")

SNAPSHOT_EVERY: Final = 10_000
"""Rows; folding so many takes a fraction of a second."""

SNAPSHOT_EVERY_MAX: Final = 1_000_000
"""Rows; folding so many takes a minute or so, at each boot."""


@attrs.frozen(kw_only=True)
class JournalChoice:
    """What a fleet file says of its journal.

    ``snapshot_every``: after so many rows the fleet is saved beside them, so that
    neither a boot nor a look into the past folds many more.
    """

    snapshot_every: int = attrs.field(
        default=SNAPSHOT_EVERY,
        validator=[instance_of(int), ge(1), le(SNAPSHOT_EVERY_MAX)],
    )
