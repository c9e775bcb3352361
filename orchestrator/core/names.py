"""What a name may look like: containers, fleets, ports, environment keys.

Names travel into file paths, host names and environment variables, so the
alphabet is the one that all three accept (RFC 1123 labels, plus ``.`` and ``_``
inside a container's name; POSIX names for environment keys).
"""

from __future__ import annotations

import re

__all__ = ("NAME_LENGTH_MAX", "is_env_key", "is_name", "is_port_name")

NAME_LENGTH_MAX = 63
"""The length of a DNS label (RFC 1035, section 2.3.4)."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)
_PORT = re.compile(r"[a-z](?:[a-z0-9_-]{0,30}[a-z0-9])?", re.ASCII)
_ENV_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}", re.ASCII)


def is_name(text: str) -> bool:
    """Say whether *text* may name a container or a fleet.

    >>> is_name("worker-7"), is_name("Worker 7"), is_name("..")
    (True, False, False)

    """
    return _NAME.fullmatch(text) is not None and ".." not in text


def is_port_name(text: str) -> bool:
    """Say whether *text* may name a port.

    >>> is_port_name("http"), is_port_name("80")
    (True, False)

    """
    return _PORT.fullmatch(text) is not None


def is_env_key(text: str) -> bool:
    """Say whether *text* may be the key of an environment variable.

    >>> is_env_key("API_KEY"), is_env_key("API=KEY")
    (True, False)

    """
    return _ENV_KEY.fullmatch(text) is not None
