"""The route that exports the journal."""

from __future__ import annotations

from typing import Final

from orchestrator.api import parameters
from orchestrator.api.headers import SEQ_HEADER
from orchestrator.api.route import Route
from orchestrator.core import errors

__all__ = ("EXPORTS",)

_ABOUT: Final = (
    "The bytes that `orchestrator journal export` writes: a line for each row, and a"
    " last one, `end`, which says that nothing is missing. It ends at the row of"
    " `Orchestrator-Seq`, the newest when it was asked for; what comes later is no part"
    " of it. It is packed on the way for who sends `Accept-Encoding: gzip`, and a"
    " packed file with `gzip=true`. One that breaks off has no last line, and reads as"
    " cut off. Rows hold what answers hide: who may only read is refused with"
    " `not_allowed` where there is anything of the kind, and asks with `redact=true`."
)

EXPORTS: Final = (
    Route(
        method="GET",
        path="/v1/export",
        handler="export",
        summary="The whole journal, as `orchestrator journal import` reads it.",
        about=_ABOUT,
        query=(parameters.GZIP, parameters.REDACT, parameters.KEEP),
        answer=str,
        media=("application/x-ndjson", "application/gzip"),
        tells=(SEQ_HEADER,),
        errors=(
            errors.InvalidSpec,
            errors.JournalCompacted,
            errors.JournalCorrupt,
            errors.JournalUnavailable,
            errors.OperatorClosed,
        ),
    ),
)
