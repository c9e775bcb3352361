"""Whether a request was meant for this operator, or slipped in through a browser.

A page of somebody else can have a browser send requests here, under a name that it has
pointed at this machine (DNS rebinding), or blindly (a form that posts across sites).
Browsers say so in ``Host``, ``Origin`` and ``Sec-Fetch-*``, which no page can change.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import attrs
from multidict import MultiMapping

from orchestrator.codec.api_choice import Address, address_of
from orchestrator.core.access_errors import ForeignOrigin

__all__ = ("SAFE", "Names", "foreign")

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS: Final = {"http": 80, "https": 443}
_SHOWN: Final = 100
_KEPT: Final = 256
"""Values of ``Host`` that are not read again: most clients write the same one."""

_OWN_SITES: Final = frozenset({"none", "same-origin"})


@attrs.frozen(kw_only=True, cache_hash=True)
class Names:
    """Under which names an operator is reached.

    ``listen`` is the address that was asked for. At a loopback address, or at every one
    (``is_everywhere``), the names of this machine for itself are its own; at every one,
    so is any address in digits: nobody can point those elsewhere. ``others`` are names
    of proxies, with a port or with any.
    """

    listen: Address
    is_loopback: bool
    is_everywhere: bool = False
    others: tuple[Address, ...] = ()

    def has(self, host: Address) -> bool:
        """Say whether a name is one of them, whatever its port: tunnels change that."""
        if host.host == self.listen.host:
            return True
        if host.host in _LOCAL and (self.is_loopback or self.is_everywhere):
            return True
        if self.is_everywhere and _is_digits(host.host):
            return True
        return any(
            host.host == other.host and other.port in {None, host.port}
            for other in self.others
        )

    def __str__(self) -> str:
        """Say what is expected of who asks."""
        known = ", ".join(map(str, (self.listen, *self.others)))
        return f"a name of this operator ({known}; `hosts` of [api] adds more)"


def _is_digits(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def foreign(
    method: str, hosts: list[str], headers: MultiMapping[str], names: Names
) -> ForeignOrigin | None:
    """Return why a request was not meant for this operator; None: it was.

    *hosts* are all values of ``Host``, and of the target where it names one.
    """
    first: Address | None = None
    for text in hosts:
        host = _own(text, names)
        if host is None:
            return _refused("Host", str(names), text)
        first = first or host
    if first is None:
        return _refused("Host", str(names), "nothing")
    for origin in headers.getall("Origin", []):
        if not _is_same(origin, first, names):
            return _refused("Origin", "the operator's own page, or none", origin)
    for site in headers.getall("Sec-Fetch-Site", []):
        if site not in _OWN_SITES and not _follows_a_link(method, headers):
            return _refused("Sec-Fetch-Site", "same-origin", site)
    return None


@lru_cache(maxsize=_KEPT)
def _own(text: str, names: Names) -> Address | None:
    """Read a host that is one of the operator's names; None where it is not."""
    host = address_of(text)
    return host if host is not None and names.has(host) else None


def _is_same(origin: str, host: Address, names: Names) -> bool:
    """Say whether a page's origin is that of the host which was asked.

    A proxy may speak TLS in our place, so the scheme is the page's own.
    """
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    default = _PORTS.get(parts.scheme)
    place = address_of(parts.netloc)
    if default is None or place is None or origin != f"{parts.scheme}://{parts.netloc}":
        return False
    return any(
        (place.host, place.port or default) == (own.host, own.port or default)
        for own in (host, *names.others)
    )


def _follows_a_link(method: str, headers: MultiMapping[str]) -> bool:
    """Say whether a person came from another site to look at the page."""
    return method in SAFE and headers.getall("Sec-Fetch-Mode", []) == ["navigate"]


def _refused(header: str, expected: str, found: str) -> ForeignOrigin:
    return ForeignOrigin(header=header, expected=expected, found=repr(found[:_SHOWN]))
