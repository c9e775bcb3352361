"""``[api]`` of a fleet file: where HTTP is served, to whom, and within which limits.

Without ``listen`` nothing is served but the Unix socket of the state folder. Tokens are
not here: they are made by ``orchestrator token`` and kept in the state folder, hashed.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Final, cast

import attrs
from attrs.validators import ge, instance_of, le, optional

from orchestrator.core.fields import holds

__all__ = (
    "BODY_MAX",
    "BODY_MOST",
    "LISTEN_SHAPE",
    "Address",
    "ApiChoice",
    "address_of",
)

BODY_MAX: Final = 8 * 1_048_576
"""Bytes of a request's body, where the file says nothing: fleets of thousands fit."""

BODY_MOST: Final = 64 * 1_048_576
"""Bytes that the file may say; who may open the socket may send as many."""

_RATE: Final = 50
_RATE_MOST: Final = 1_000_000
_HOSTS_MOST: Final = 100
_NAME_MOST: Final = 253
_PORT_MOST: Final = 65_535
_NAMES: Final = 1_000
_NAMES_MOST: Final = 100_000

LISTEN_SHAPE: Final = "HOST:PORT, such as 127.0.0.1:8400 or [::1]:8400"
"""What is expected where something else was found."""

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE | re.ASCII)
_PLACE: Final = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::([0-9]{1,5}))?", re.ASCII)


@attrs.frozen(kw_only=True)
class Address:
    """A host and a port; the host of IPv6 without its brackets, in lower case.

    ``port`` is None where none is given; 0 stands for any that is free.
    """

    host: str
    port: int | None

    def __str__(self) -> str:
        """Write it as ``address_of`` reads it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def address_of(text: str) -> Address | None:
    """Read a host, with or without a port; None where it is neither.

    >>> address_of("[::1]:8400"), str(address_of("Ops.example.com"))
    (Address(host='::1', port=8400), 'ops.example.com')
    >>> address_of("127.0.0.1:99999"), address_of("http://x"), address_of("::1")
    (None, None, None)

    """
    found = _PLACE.fullmatch(text)
    if found is None:
        return None
    bracketed, name, digits = found.groups()
    port = None if digits is None else int(digits)
    if port is not None and port > _PORT_MOST:
        return None
    if bracketed is None:
        is_name = len(name) <= _NAME_MOST and _NAME.fullmatch(name)
        return Address(host=name.lower(), port=port) if is_name else None
    try:
        return Address(host=str(IPv6Address(bracketed)), port=port)
    except ValueError:
        return None


def _is_listen(value: object) -> bool:
    address = address_of(value) if isinstance(value, str) else None
    return address is not None and address.port is not None


def _is_host(value: object) -> bool:
    return isinstance(value, str) and address_of(value) is not None


def _are_hosts(value: object) -> bool:
    hosts = cast("tuple[object, ...]", value)
    return len(hosts) <= _HOSTS_MOST and all(map(_is_host, hosts))


def _is_path(value: object) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


_path: Final = optional(holds(_is_path, "the path of a file in PEM"))


@attrs.frozen(kw_only=True)
class ApiChoice:
    """What a fleet file says of HTTP.

    ``listen``: host and port. ``hosts``: further names under which a proxy reaches it.
    ``tls_cert``, ``tls_key``: files in PEM. ``requests_per_second``: of one client.
    ``metrics_max_names``: containers with metrics of their own.
    """

    listen: str | None = attrs.field(
        default=None, validator=optional(holds(_is_listen, LISTEN_SHAPE))
    )
    read_only: bool = attrs.field(default=False, validator=instance_of(bool))
    hosts: tuple[str, ...] = attrs.field(
        default=(),
        validator=holds(_are_hosts, "names of hosts, such as ops.example.com"),
    )
    tls_cert: str | None = attrs.field(default=None, validator=_path)
    tls_key: str | None = attrs.field(default=None, validator=_path)
    requests_per_second: int = attrs.field(
        default=_RATE, validator=[instance_of(int), ge(1), le(_RATE_MOST)]
    )
    body_max_bytes: int = attrs.field(
        default=BODY_MAX, validator=[instance_of(int), ge(1), le(BODY_MOST)]
    )
    metrics_max_names: int = attrs.field(
        default=_NAMES, validator=[instance_of(int), ge(0), le(_NAMES_MOST)]
    )
