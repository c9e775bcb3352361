"""What is not logged: the rubbish that strangers send.

The framework logs a request that it cannot parse with a traceback, and with the bytes
that it stumbled over: a token may be among them.
"""

from __future__ import annotations

import logging
from typing import Final

from aiohttp.http_exceptions import HttpProcessingError

__all__ = ("quiet_logger",)

_NAME: Final = "orchestrator.api.http"


class _Rubbish(logging.Filter):
    """Leaves out what is only the client's fault."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError | ConnectionError)


def quiet_logger() -> logging.Logger:
    """Return the logger for the framework: our own mistakes alone pass it."""
    logger = logging.getLogger(_NAME)
    if not logger.filters:
        logger.addFilter(_Rubbish())
    return logger
