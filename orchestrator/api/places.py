"""What is where in a state folder, for the operator and for who wants to reach it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = (
    "HTTP_AT",
    "JOURNAL",
    "LOCAL",
    "SOCKET",
    "SOCKET_NAMED_BY",
    "TOKENS",
    "socket_of",
)

SOCKET: Final = "operator.sock"
SOCKET_NAMED_BY: Final = "operator.sock.path"
JOURNAL: Final = "journal.db"
LOCAL: Final = "local"
HTTP_AT: Final = "operator.http.json"
"""Says under which URL the operator is reached, while it listens to HTTP."""
TOKENS: Final = "tokens.json"


def socket_of(state: Path) -> Path:
    """Return where the socket of a state folder is, or would be."""
    try:
        return Path((state / SOCKET_NAMED_BY).read_text(encoding="utf-8"))
    except OSError:
        return state / SOCKET
