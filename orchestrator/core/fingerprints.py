"""What names a spec in short: the fingerprint of what runs, the salt of its waits.

A container found at the platform can be compared with what is asked for by its
fingerprint, although the journal that started it is gone.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import attrs

from orchestrator.core.fields import pairs
from orchestrator.core.specs import ContainerSpec

__all__ = ("fingerprint", "salt_of")

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


def salt_of(fleet: str, name: str) -> int:
    """Return the number that spreads a container's waits, recorded once declared.

    >>> salt_of("demo", "web-0")
    4251813529

    """
    digest = hashlib.blake2b(f"{fleet}/{name}".encode(), digest_size=4)
    return int.from_bytes(digest.digest())


def _rendered(value: object, leaving_out: frozenset[str] = frozenset()) -> str:
    """Write a value so that equal values, and only these, are written alike."""
    entries = pairs(value)
    if entries is not None:
        return f"{{{','.join(f'{k!r}:{_rendered(v)}' for k, v in entries)}}}"
    kind: type[Any] = type(value)
    if not attrs.has(kind):
        return repr(value)
    parts = [
        f"{field.name}={_rendered(getattr(value, field.name))}"
        for field in attrs.fields(kind)
        if field.name not in leaving_out and getattr(value, field.name) != field.default
    ]
    return f"{kind.__name__}({','.join(parts)})"
