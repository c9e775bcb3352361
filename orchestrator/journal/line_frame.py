"""Rows taken out of their lines by the frame around them, without parsing the inside.

```
{"seq":7,"at":42,"event":{...},"commands":[...],"changes":{...},"digest":"..."}
 numbers are counted   the first place      from the end, for its length is known
```

Note [What proves the split]. Where the parts are cut is a guess: a part may hold the
words of the frame itself (a container may be called ``changes``). The digest covers
every part with its length, so it fits the parts that were written and no others: where
it fits, the guess was right, and the row is checked as well. What is left is the frame:
the row is written again, with the digest that it must have, and compared. So the line
is what ``row_line`` makes of the row, to the byte.

Whatever does not fit is in doubt, no more: the line may be damaged, or only unusual.
``journal.lines`` then parses it, and says what is wrong.
"""

from __future__ import annotations

import struct
from binascii import hexlify
from collections.abc import Sequence
from itertools import count, takewhile
from typing import Final

from orchestrator.codec.digests import SIZE, chained_digests
from orchestrator.journal.pages import Page
from orchestrator.journal.port import Head

__all__ = ("framed_rows",)

_EVENT: Final = b',"event":'
_COMMANDS: Final = b',"commands":'
_CHANGES: Final = b',"changes":'
_END: Final = -len(b',"digest":""}') - 2 * SIZE
"""Where the changes end, from the end of the line."""

_FRAME: Final = (
    b'{"seq":%d,"at":%d,"event":%b,"commands":%b,"changes":%b,"digest":"%b"}'
)

_LATEST: Final = 2**64 - 1
"""The latest moment that a digest can cover."""

_Parts = tuple[int, bytes, bytes, bytes]
"""The moment of a row, its event, its commands, its changes."""


def framed_rows(lines: Sequence[bytes], head: Head) -> Page | None:
    """Return the rows behind *head* up to the first line that is in doubt.

    Lines are without their ends. None: the very first is in doubt.
    """
    parts = _cut(lines)
    try:
        digests = chained_digests(head.digest, head.seq, parts)
    except struct.error:  # there are seldom moments that none can be
        parts = [*takewhile(_is_moment_of, parts)]
        digests = chained_digests(head.digest, head.seq, parts)
    whole = _as_written(lines, head.seq, parts, digests)
    if not whole:
        return None
    ats, events, commands, changes = zip(*parts[:whole], strict=True)
    return Page(
        after=head.seq,
        ats=ats,
        events=events,
        commands=commands,
        changes=changes,
        digests=digests[:whole],
    )


def _cut(lines: Sequence[bytes]) -> list[_Parts]:
    """Guess where the parts are, up to a line that has no moment where one should be.

    A change of a digest's length may be one that rules 1 wrote, in another way.
    """
    parts = list[_Parts]()
    try:
        for line in lines:
            numbers, _, rest = line.partition(_EVENT)
            event, _, rest = rest.partition(_COMMANDS)
            commands, _, rest = rest.partition(_CHANGES)
            changes = rest[:_END]
            if len(changes) == SIZE:
                break
            at = int(numbers.rpartition(b":")[2])
            parts.append((at, event, commands, changes))
    except ValueError:
        pass
    return parts


def _is_moment_of(part: _Parts) -> bool:
    return 0 <= part[0] <= _LATEST


def _as_written(
    lines: Sequence[bytes], seq: int, parts: list[_Parts], digests: list[bytes]
) -> int:
    """Return how many lines are those of their rows, to the first that is not."""
    rows = zip(count(seq + 1), parts, digests, strict=False)
    written = [
        _FRAME % (number, *part, hexlify(digest)) for number, part, digest in rows
    ]
    if lines == written:
        return len(written)
    pairs = enumerate(zip(lines, written, strict=False))
    return next((place for place, (one, other) in pairs if one != other), len(written))
