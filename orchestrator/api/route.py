"""What a route is: the method, the path, and everything that a caller must know of it.

The router, the check of queries and ``/openapi.json`` are made from the same values.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import attrs

from orchestrator.core.access_errors import AccessError
from orchestrator.core.errors import ContainerError

__all__ = ("Failing", "Form", "Method", "Parameter", "Route", "Scope")

Method: TypeAlias = Literal["GET", "POST", "PUT", "DELETE"]

Scope: TypeAlias = Literal["open", "read", "write"]
"""What a caller must be allowed: nothing, to look, to change.

To plan a change is to be allowed as the change is.
"""

Form: TypeAlias = Any
"""A type as it stands in an annotation: a class, a union, ``tuple[X, ...]``, None."""

Failing: TypeAlias = type[ContainerError | AccessError]


@attrs.frozen(kw_only=True)
class Parameter:
    """One parameter of a query, or one header of a request.

    ``form`` is its type: ``int`` from ``least`` to ``most``, ``bool``, ``str``, a
    ``Literal``, a ``replay.places.Place``, or ``tuple[str, ...]`` for words between
    commas, out of ``known`` where that says any; a text looks like ``pattern``,
    of which ``expected`` tells.
    """

    name: str
    about: str
    form: Form = str
    default: Any = None
    least: int = 0
    most: int = 0
    known: tuple[str, ...] = ()
    pattern: str = ".*"
    expected: str = ""


@attrs.frozen(kw_only=True)
class Route:
    """One operation of the library, as it is reached by HTTP.

    ``handler`` names the function that answers. ``answer`` is the class of what a
    success says, ``media`` what it is written as: JSON, or a stream or page whose
    pieces have that class. ``also`` are answers with another status that are no errors.
    ``by_leader``: it needs the platform, or a fleet that nobody has changed since.
    """

    method: Method
    path: str
    handler: str
    summary: str
    about: str = ""
    scope: Scope = "read"
    by_leader: bool = False
    query: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    body: Form = None
    answer: Form = None
    media: tuple[str, ...] = ("application/json",)
    tells: tuple[str, ...] = ()
    also: tuple[tuple[int, Form], ...] = ()
    errors: tuple[Failing, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names that stand in the path.

        >>> Route(method="GET", path="/a/{b}/c", handler="x", summary="").names
        ('b',)

        """
        parts = self.path.split("/")
        return tuple(part[1:-1] for part in parts if part.startswith("{"))

    @property
    def needs_leader(self) -> bool:
        """Say whether a standby refuses it; the rest it answers as far as it knows."""
        return self.by_leader or self.scope == "write"

    @property
    def is_streamed(self) -> bool:
        """Say whether an answer may go on without an end."""
        return any("stream" in media or "ndjson" in media for media in self.media)
