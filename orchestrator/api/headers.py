"""What an answer says of the fleet that it shows, beside its body."""

from __future__ import annotations

from typing import Final

__all__ = ("AT_HEADER", "KEY_HEADER", "REPLAYED_HEADER", "SEQ_HEADER", "TOTAL_HEADER")

SEQ_HEADER: Final = "Orchestrator-Seq"
"""The row after which the fleet is shown; of a request, the row that holds it."""

AT_HEADER: Final = "Orchestrator-At"
"""The moment from which it is seen, in milliseconds since 1970."""

KEY_HEADER: Final = "Idempotency-Key"
"""Of a request: sent again with the same key, it does nothing twice."""

REPLAYED_HEADER: Final = "Idempotency-Replayed"
"""Of an answer: the request had been carried out before."""

TOTAL_HEADER: Final = "Orchestrator-Total"
"""Of a list: how many there are in all, of which the answer may hold a page."""
