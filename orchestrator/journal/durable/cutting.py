"""A cut at a gateway: rows go from the beginning, or from the end, all at once.

Note [Whether a cut was made]. Where the answer was lost the cut is asked for again, and
what the second answer says is not the whole truth: a cut that was made is refused. So
the journal is looked at. If it shows the cut, it was made. If it does not, the first
request may still be on its way, and that is in doubt. But who is stale stays stale:
what did not come before that comes no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from returns.result import Failure

from orchestrator.core.errors import JournalError, StaleOperator
from orchestrator.journal.durable.answers import JournalState
from orchestrator.journal.durable.asking import Asking, doubtful
from orchestrator.journal.durable.reader import Reader
from orchestrator.journal.port import Head, Snapshot

__all__ = ("cut", "has_begun", "has_ended", "told")


async def cut(
    asking: Asking,
    reader: Reader,
    path: str,
    tree: Mapping[str, Any],
    is_made: Callable[[JournalState], bool | None],
) -> JournalError | None:
    """Have a cut made; *is_made* tells by the journal whether it was (None: unknown).

    See Note [Whether a cut was made].
    """
    answered, is_lost = await asking.write("POST", path, orjson.dumps(tree))
    if not isinstance(answered, Failure):
        return None
    error: JournalError = answered.failure()
    if not is_lost:
        return error
    state = await reader.state()
    if not isinstance(state, JournalState):
        return doubtful(error)
    made = is_made(state)
    if made:
        return None
    is_over = made is False and isinstance(error, StaleOperator)
    return error if is_over else doubtful(error)


def has_begun(base: Snapshot, state: JournalState) -> bool:
    """Say whether rows begin behind *base*, or a later one."""
    kept = state.base
    if kept is None:
        return False
    is_same = (kept.seq, kept.digest) == (base.seq, base.digest)
    return is_same or kept.seq > base.seq


def has_ended(head: Head, expect: Head, state: JournalState) -> bool | None:
    """Say whether rows end with *head*, and not *expect*; None: somebody wrote more."""
    return {head: True, expect: False}.get(state.head)


def told(head: Head) -> dict[str, int | str]:
    """Return a head as a gateway is told it."""
    return {"seq": head.seq, "digest": head.digest.hex()}
