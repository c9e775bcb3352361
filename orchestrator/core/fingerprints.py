"""What names a spec in short: the fingerprint of what runs, the salt of its waits.

A container found at the platform can be compared with what is asked for by its
fingerprint, although the journal that started it is gone.
"""

from __future__ import annotations

import hashlib
from functools import cache
from operator import attrgetter
from typing import Any, Final

import attrs

from orchestrator.core.fields import pairs
from orchestrator.core.specs import ContainerSpec

__all__ = ("Fingerprints", "fingerprint", "is_same_process", "salt_of")

_OF_THE_OPERATOR: Final = frozenset(
    {
        "restart",
        "stop_signal",
        "stop_grace_ms",
        "start_timeout_ms",
        "keep_alive",
        "health",
        "group",
        "depends_on",
    }
)
"""What the operator does about a run; a change takes effect without a restart."""

_of_the_process: Final = attrgetter(
    *(f.name for f in attrs.fields(ContainerSpec) if f.name not in _OF_THE_OPERATOR)
)


def fingerprint(spec: ContainerSpec) -> str:
    """Name what a run was started with, in 16 hexadecimal digits.

    Equal fingerprints: the process need not be restarted to be what the spec says.
    Fields at their default are left out, so that a release that adds a field does
    not make every running container look changed.

    >>> one = ContainerSpec(name="a", image="b")
    >>> fingerprint(one) == fingerprint(attrs.evolve(one, stop_grace_ms=1))
    True
    >>> fingerprint(one) == fingerprint(attrs.evolve(one, image="c"))
    False

    """
    text = _rendered(spec, leaving_out=_OF_THE_OPERATOR)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@attrs.define(eq=False)
class Fingerprints:
    """The fingerprints of specs; the last one of each name is not worked out again."""

    _known: dict[str, tuple[ContainerSpec, str]] = attrs.field(
        factory=dict[str, tuple[ContainerSpec, str]]
    )

    def of(self, spec: ContainerSpec) -> str:
        """Return the fingerprint of a spec."""
        known = self._known.get(spec.name)
        if known is None or known[0] is not spec:
            known = self._known[spec.name] = (spec, fingerprint(spec))
        return known[1]


def is_same_process(one: ContainerSpec, other: ContainerSpec) -> bool:
    """Say whether two specs have equal fingerprints.

    Unequal values are never written alike, so most that differ need not be written.
    """
    is_maybe = _of_the_process(one) == _of_the_process(other)
    return is_maybe and fingerprint(one) == fingerprint(other)


def salt_of(fleet: str, name: str) -> int:
    """Return the number that spreads a container's waits, recorded once declared.

    >>> salt_of("demo", "web-0")
    4251813529

    """
    digest = hashlib.blake2b(f"{fleet}/{name}".encode(), digest_size=4)
    return int.from_bytes(digest.digest())


def _rendered(value: object, leaving_out: frozenset[str] = frozenset()) -> str:
    """Write a value so that equal values, and only these, are written alike."""
    if value.__class__ in _PLAIN:
        return repr(value)
    entries = pairs(value)
    if entries is not None:
        return f"{{{','.join(f'{k!r}:{_rendered(v)}' for k, v in entries)}}}"
    kind: Any = type(value)
    parts = [
        f"{name}={_rendered(found)}"
        for name, default in _fields_of(kind)
        if name not in leaving_out
        and (found := getattr(value, name)) is not default
        and found != default
    ]
    return f"{kind.__name__}({','.join(parts)})"


_PLAIN: Final = frozenset({str, int, bool, float, tuple, type(None)})
"""What a process is told, beside tables and classes of attrs."""


@cache
def _fields_of(kind: Any) -> tuple[tuple[str, object], ...]:
    """Return the fields of a class of attrs, each with its default."""
    return tuple((field.name, field.default) for field in attrs.fields(kind))
