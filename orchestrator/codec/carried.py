"""What is asked of a gateway that holds a journal, in words of two who are strangers.

The journal asks (``journal.durable``); who carries it there and back speaks HTTP
(``platforms.cloudflare``). Neither knows the other: what both mean is said here, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias, TypedDict

from orchestrator.core.errors import JournalError, PlatformError
from orchestrator.core.moments import Millis

__all__ = ("BYTES", "JSON", "LINES", "Refusal", "Sent")

JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"
BYTES: Final = "application/octet-stream"
"""What kind of body is sent."""

Refusal: TypeAlias = PlatformError | JournalError
"""Why there is no answer: the journal says no, or nobody could be asked.

``TimedOut`` and ``Unreachable``: whether it was done is not known.
"""


class Sent(TypedDict, total=False):
    """What goes with a method and a path, where there is more to say.

    ``kind`` is the media type of ``body``, ``JSON`` unless it says. The answer may take
    ``wait_ms`` longer than usual, and longer for a long body.
    """

    body: bytes
    kind: str
    query: Mapping[str, str]
    wait_ms: Millis
