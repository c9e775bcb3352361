"""What an answer says of the fleet that it shows, beside its body."""

from __future__ import annotations

from typing import Final

__all__ = ("AT_HEADER", "SEQ_HEADER")

SEQ_HEADER: Final = "Orchestrator-Seq"
"""The row after which the fleet is shown."""

AT_HEADER: Final = "Orchestrator-At"
"""The moment from which it is seen, in milliseconds since 1970."""
