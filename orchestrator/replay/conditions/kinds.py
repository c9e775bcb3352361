"""What a fact of a condition is: its kind, what it is asked about, where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, TypeAlias

import attrs

from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step

__all__ = ("NONE", "Asks", "Fact", "Kind", "Reader", "Situation", "Value")

NONE: Final = "none"
"""A text where there is nothing to say."""

Value: TypeAlias = int | str | bool


class Kind(StrEnum):
    """What can be compared with what; the value is how a problem calls it."""

    NUMBER = "a number"
    DURATION = "a duration such as 10s"
    MOMENT = "a moment such as '2026-01-31T12:30:00Z'"
    TEXT = "a text"
    TRUTH = "a condition"


class Asks(StrEnum):
    """What a question is about; the value is how a problem calls it."""

    CONTAINER = "the name of a container"
    SERVICE = "the name of a service"
    PHASE = "a phase"
    COMMAND = "a command"


@attrs.frozen(kw_only=True)
class Situation:
    """What a condition is held against: the fleet after row ``seq``, and the step.

    ``step`` is None where only the state is known. ``counts``: containers of each
    phase, where the caller keeps count.
    """

    seq: int
    fleet: Fleet
    step: Step | None = None
    counts: Mapping[str, int] | None = None


Reader: TypeAlias = Callable[[Situation, tuple[str, ...]], Value]


@attrs.frozen(kw_only=True)
class Fact:
    """One thing that can be asked.

    ``takes`` is what it is asked about; of that, ``may_leave`` words may be left out.
    ``words`` are all that a text may come to, None where it may be any. ``grows``: as
    long as a container is the same one, the number never falls. ``of_row``: it is about
    the row, not about how things stand after it.
    """

    kind: Kind
    about: str
    read: Reader
    takes: tuple[Asks, ...] = ()
    may_leave: int = 0
    words: tuple[str, ...] | None = None
    grows: bool = False
    of_row: bool = False
