"""The guard between TCP and the application: who comes in, how often, how slowly.

``guard``: the middleware.  ``origins``: browsers that were sent by somebody else.
``tokens``, ``token_file``, ``given_tokens``: who may come in.  ``rates``: how often.
``connections``: how many, and how slow.  ``certificates``: TLS.  ``quiet``: what is not
logged.
"""

from __future__ import annotations

from orchestrator.api.guard.guard import Door, Guard

__all__ = ("Door", "Guard")
