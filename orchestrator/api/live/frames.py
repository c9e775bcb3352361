"""Messages of a live stream in their two forms: server-sent events, and NDJSON.

A message is a kind, a place (the row after which a reader goes on) and JSON without a
line break in it. In NDJSON the kind is the first field of the object.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import orjson

__all__ = ("MEDIA", "Form", "framed", "told")


class Form(StrEnum):
    """How messages are written."""

    SSE = "text/event-stream"
    NDJSON = "application/x-ndjson"


MEDIA: Final = tuple(form.value for form in Form)
"""What ``Accept`` may name."""


def framed(form: Form, kind: str, place: int, body: bytes) -> bytes:
    r"""Frame an object that is written as JSON already.

    >>> framed(Form.SSE, "event", 7, b'{"seq":7}')
    b'id: 7\nevent: event\ndata: {"seq":7}\n\n'
    >>> framed(Form.NDJSON, "event", 7, b'{"seq":7}')
    b'{"kind":"event","seq":7}\n'

    """
    if form is Form.SSE:
        return b"id: %d\nevent: %b\ndata: %b\n\n" % (place, kind.encode(), body)
    return b'{"kind":"%b",%b\n' % (kind.encode(), body[1:])


def told(form: Form, kind: str, place: int, **facts: Any) -> bytes:
    """Frame a message about the stream itself."""
    return framed(form, kind, place, orjson.dumps(facts))
