"""Live events: one shared hub for an operator, any number of readers.

``wanted``: what a reader asks for.  ``records``: rows, encoded once for all.
``frames``: messages of server-sent events and NDJSON.  ``hub``: the newest rows.
``reader``: from the past to the present, without hole or repetition.
``serving``: the two over HTTP.

The law: what a reader is sent, with what its gaps name, is the journal in order.
"""

from orchestrator.api.live.serving import say_goodbye, stream

__all__ = ("say_goodbye", "stream")
