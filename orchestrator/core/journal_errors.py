"""Why the journal cannot be used, as values. Import them from ``core.errors``."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import attrs

from orchestrator.core.moments import Millis
from orchestrator.core.platform_errors import StaleOperator

__all__ = (
    "Difference",
    "JournalBusy",
    "JournalCompacted",
    "JournalConflict",
    "JournalCorrupt",
    "JournalError",
    "JournalLocked",
    "JournalTooNew",
    "JournalUnavailable",
    "NotReplayable",
    "PolicyNotRegistered",
    "is_in_doubt",
)


@attrs.frozen(kw_only=True)
class JournalCorrupt:
    """The journal is damaged; ``seq`` is the first row in doubt, where it is known."""

    code: ClassVar[str] = "journal_corrupt"
    seq: int | None = None
    place: str
    expected: str
    found: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        row = "" if self.seq is None else f" at row {self.seq}"
        return (
            f"journal damaged{row} ({self.place}): expected {self.expected},"
            f" found {self.found}"
        )


@attrs.frozen(kw_only=True)
class JournalUnavailable:
    """The journal cannot be written or read now (disk full, permission, closed).

    ``in_doubt``: whether the rows of an append are in it is not known. The same append
    made again, and no other one, finds that out.
    """

    code: ClassVar[str] = "journal_unavailable"
    cause: str
    retryable: bool = True
    in_doubt: bool = False

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"journal unavailable: {self.cause}"


@attrs.frozen(kw_only=True)
class JournalLocked:
    """Another operator writes to this journal."""

    code: ClassVar[str] = "journal_locked"
    holder: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"another operator holds this journal ({self.holder})"


@attrs.frozen(kw_only=True)
class JournalTooNew:
    """The journal was written by a newer release than this one.

    ``found`` is the number of its schema; or, where ``seq`` is given, of the rules
    that its rows were decided by from row ``seq`` on.
    """

    code: ClassVar[str] = "journal_too_new"
    found: int
    known: int
    seq: int | None = None

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        what = f"has schema {self.found}"
        if self.seq is not None:
            what = f"was written under rules {self.found} from row {self.seq} on"
        return (
            f"the journal {what}, this release knows up to"
            f" {self.known}: use a newer release"
        )


@attrs.frozen(kw_only=True)
class JournalConflict:
    """Somebody appended since the caller looked at the head."""

    code: ClassVar[str] = "journal_conflict"
    expected_seq: int
    found_seq: int

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return (
            f"expected the journal to end at {self.expected_seq}, not {self.found_seq}"
        )


@attrs.frozen(kw_only=True)
class Difference:
    """One value of a row that replaying it gives otherwise."""

    place: str
    recorded: str
    recomputed: str


@attrs.frozen(kw_only=True)
class NotReplayable:
    """Replaying a row gives another result than the one recorded.

    ``event`` is the kind of its event, ``differences`` are the fields and commands
    that differ, in the order of the row.
    """

    code: ClassVar[str] = "not_replayable"
    seq: int
    event: str
    differences: tuple[Difference, ...]

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        first, more = self.differences[0], len(self.differences) - 1
        others = f" (and {more} more)" if more else ""
        return (
            f"replay diverges at row {self.seq} ({self.event}) in {first.place}:"
            f" recorded {first.recorded}, recomputed {first.recomputed}{others}"
        )


@attrs.frozen(kw_only=True)
class JournalCompacted:
    """The rows that were asked for are not in the journal any more.

    ``asked`` is the row after which to begin, ``base`` the one up to which all were
    compacted away.
    """

    code: ClassVar[str] = "journal_compacted"
    asked: int
    base: int

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return (
            f"the journal begins behind row {self.base}, for it was compacted: there"
            f" is nothing to see after row {self.asked}"
        )


@attrs.frozen(kw_only=True)
class JournalBusy:
    """As many look back into the journal already as may at a time."""

    code: ClassVar[str] = "journal_busy"
    retry_after_ms: Millis

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return (
            "too many look back into the journal at once: ask again in"
            f" {self.retry_after_ms} ms"
        )


@attrs.frozen(kw_only=True)
class PolicyNotRegistered:
    """A spec names a policy or strategy that the program has not registered.

    A journal that needs it is not replayed: nobody guesses what it would decide.
    """

    code: ClassVar[str] = "policy_not_registered"
    name: str
    policy: str
    version: int

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return (
            f"{self.name} needs the restart policy or rollout strategy"
            f" {self.policy!r} version {self.version}, which is not registered"
        )


JournalError: TypeAlias = (
    JournalCorrupt
    | JournalUnavailable
    | JournalLocked
    | JournalTooNew
    | JournalConflict
    | JournalCompacted
    | JournalBusy
    | NotReplayable
    | PolicyNotRegistered
    | StaleOperator
)
"""Why the journal cannot be used.

``StaleOperator``: it is one that several operators share, and a newer one has taken
over; nothing was written.
"""


def is_in_doubt(error: JournalError) -> bool:
    """Say whether what was to be written may have been."""
    return isinstance(error, JournalUnavailable) and error.in_doubt
