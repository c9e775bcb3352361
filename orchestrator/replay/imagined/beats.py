"""What a played hypothesis yields: steps of both sides in their order, and partings."""

from __future__ import annotations

import attrs

from orchestrator.core.moments import Moment
from orchestrator.core.state import Container
from orchestrator.core.steps import Step
from orchestrator.replay.history import Entry

__all__ = ("Beat", "Parted")


@attrs.frozen(kw_only=True)
class Beat:
    """What happens next: in the record, in the hypothesis, or in both.

    ``recorded`` is what today's code makes of the row ``entry``.
    """

    entry: Entry | None = None
    recorded: Step | None = None
    imagined: Step | None = None


@attrs.frozen(kw_only=True)
class Parted:
    """Where a container parts from the record: at row ``seq`` or behind it.

    ``recorded`` and ``imagined`` are its record there; None: it is not there.
    """

    name: str
    seq: int
    at: Moment
    recorded: Container | None
    imagined: Container | None
