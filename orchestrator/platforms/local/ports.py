"""Free loopback ports: one for each port of each container, kept over restarts.

They lie below the range from which systems draw the ports of outgoing connections
(32768 and up on Linux, 49152 and up on macOS), so that none is taken by chance. The
first try is a hash of the name: a platform that lost its records finds the same.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final

from orchestrator.platforms.local.folders import Folders, read_json, write_json

__all__ = ("kept_ports", "ports_for")

FIRST: Final = 12_000
COUNT: Final = 20_000


def kept_ports(folders: Folders, name: str) -> dict[str, int]:
    """Return the ports that a container was given before."""
    tree = read_json(folders.ports(name)) or {}
    return {key: port for key, port in tree.items() if type(port) is int}


def ports_for(
    folders: Folders, name: str, wanted: Iterable[str], taken: set[int], *, alive: bool
) -> Mapping[str, int]:
    """Return a port for each wanted name, the same as before where it is free.

    *taken*: ports of other containers. While the container is *alive* its own ports
    are in use by itself, and stay.
    """
    before = kept_ports(folders, name)
    ports: dict[str, int] = {}
    for key in wanted:
        known = before.get(key)
        if known is not None and (alive or (known not in taken and _is_free(known))):
            ports[key] = known
        else:
            ports[key] = _found(
                f"{folders.root}/{name}/{key}", taken | {*ports.values()}
            )
    if ports != before:
        folders.container(name).mkdir(parents=True, exist_ok=True)
        write_json(folders.ports(name), ports)
    return ports


def _found(seed: str, taken: set[int]) -> int:
    start = int.from_bytes(blake2b(seed.encode(), digest_size=4).digest())
    for step in range(COUNT):
        port = FIRST + (start + step) % COUNT
        if port not in taken and _is_free(port):
            return port
    raise OSError(f"no free port from {FIRST} to {FIRST + COUNT - 1}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
