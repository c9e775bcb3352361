"""Start containers with the engine's own calls, in parallel, and see each answer.

``bare_docker.py SOCKET COUNT AT_ONCE IMAGE SIDECAR WORD...``, beside the engine. It is
the least that a runtime must do: create, start, and look until HTTP 200. SIDECAR is an
image that is started beside each, or ``-``. It prints when each had answered, in ms,
and removes all again. Standard library only: the command ``docker`` takes longer.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

PORT: Final = 8080
LOOK_EVERY_S: Final = 0.01
LIMIT_S: Final = 120.0
CALL_LIMIT_S: Final = 60.0
MEMORY_BYTES: Final = 64 * 1024 * 1024
"""What the bench lets every container have."""


class OverSocket(http.client.HTTPConnection):
    """HTTP to a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=CALL_LIMIT_S)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CALL_LIMIT_S)
        self.sock.connect(self.path)


def call(path: str, method: str, target: str, body: Any = None) -> Any:
    """Make one call that has to succeed."""
    connection = OverSocket(path)
    try:
        told = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"} if told else {}
        connection.request(method, target, told, headers)
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status < http.client.BAD_REQUEST, (target, said)
        return json.loads(said) if said else None
    finally:
        connection.close()


def begun(path: str, name: str, image: str, words: list[str]) -> None:
    """Create a container, and start it; a sidecar says by itself what it runs."""
    body = {
        "Image": image,
        **({"Cmd": words} if words else {}),
        "HostConfig": {
            "PublishAllPorts": True,
            "RestartPolicy": {"Name": "no"},
            "Memory": MEMORY_BYTES,
            "MemorySwap": MEMORY_BYTES,
        },
    }
    call(path, "POST", f"/containers/create?name={name}", body)
    call(path, "POST", f"/containers/{name}/start")


def answered(path: str, name: str) -> float:
    """Look until it answers, and return when."""
    told = call(path, "GET", f"/containers/{name}/json")
    address = told["NetworkSettings"]["IPAddress"]
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        connection = http.client.HTTPConnection(address, PORT, timeout=1)
        try:
            connection.request("GET", "/")
            if connection.getresponse().status == http.client.OK:
                return time.monotonic()
        except OSError:
            time.sleep(LOOK_EVERY_S)
        finally:
            connection.close()
    raise TimeoutError(name)


def one(path: str, image: str, sidecar: str, words: list[str], name: str) -> float:
    """Start one container, and its sidecar if it has one."""
    begun(path, name, image, words)
    if sidecar != "-":
        begun(path, f"{name}-side", sidecar, [])
    return answered(path, name)


def main() -> None:
    """Start all, tell, and remove them."""
    path, count, at_once, image, sidecar, *words = sys.argv[1:]
    names = [f"bare-{os.getpid()}-{number}" for number in range(int(count))]
    start = partial(one, path, image, sidecar, words)
    began = time.monotonic()
    try:
        with ThreadPoolExecutor(int(at_once)) as pool:
            moments = list(pool.map(start, names))
        print(json.dumps([(moment - began) * 1_000 for moment in moments]))
    finally:
        sides = [f"{name}-side" for name in names] if sidecar != "-" else []
        gone = [f"/containers/{name}?force=1&v=1" for name in (*names, *sides)]
        with ThreadPoolExecutor(int(at_once)) as pool:
            list(pool.map(partial(call, path, "DELETE"), gone))


if __name__ == "__main__":
    main()
