"""A row taken out of its line by the frame around it, without parsing what is inside.

```
{"seq":7,"at":42,"event":{...},"commands":[...],"changes":{...},"digest":"..."}
 numbers are counted   the first place      from the end, for its length is known
```

Note [What proves the split]. Where the parts are cut is a guess: a part may hold the
words of the frame itself (a container may be called ``changes``). The digest covers
every part with its length, so it fits the parts that were written and no others: where
it fits, the guess was right, and the row is checked as well. What is left is the frame,
and that is compared: numbers and digest are written again, the words between the parts
are where the parts end. So the line is what ``row_line`` makes of the row, to the byte.

Whatever does not fit is in doubt, no more: the line may be damaged, or only unusual.
``journal.lines`` then parses it, and says what is wrong.
"""

from __future__ import annotations

import struct
from binascii import hexlify
from typing import Final

from orchestrator.codec.digests import SIZE, chain
from orchestrator.core.evolving import maker
from orchestrator.journal.port import Row

__all__ = ("framed_row",)

_EVENT: Final = b',"event":'
_COMMANDS: Final = b',"commands":'
_CHANGES: Final = b',"changes":'
_END: Final = -len(b',"digest":""}\n') - 2 * SIZE
"""Where the changes end, from the end of the line."""

_row: Final = maker(Row)


def framed_row(line: bytes, seq: int, before: bytes) -> Row | None:
    """Return the row *seq* behind the digest *before*; None: the line is in doubt."""
    numbers, _, rest = line.partition(_EVENT)
    event, _, rest = rest.partition(_COMMANDS)
    commands, _, rest = rest.partition(_CHANGES)
    changes = rest[:_END]
    try:
        at = int(numbers.rpartition(b":")[2])
        digest = chain(before, seq, at, event, commands, changes)
    except (ValueError, struct.error):
        return None
    if numbers != b'{"seq":%d,"at":%d' % (seq, at):
        return None
    if len(changes) == SIZE:  # that may be a digest of rules 1
        return None
    if not rest.endswith(b',"digest":"%b"}\n' % hexlify(digest)):
        return None
    return _row(
        seq=seq,
        at=at,
        event=event,
        commands=commands,
        changes=changes,
        digest=digest,
    )
