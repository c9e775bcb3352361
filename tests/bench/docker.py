"""The Docker engine of the bench, asked and told over its socket.

It is told through its own socket, not through the shim: what a test does by itself is
not counted among the calls of workerd.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import tarfile
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import attrs

CALL_LIMIT_S = 60.0
AT_ONCE = 8
NOT_FOUND = 404
# workerd starts one of these beside each container: see images.py.
SIDECAR_IMAGE = "bench-sidecar:1"


class DockerError(Exception):
    """What the engine refused to do."""


class Reply(NamedTuple):
    status: int
    body: bytes


class OverSocket(http.client.HTTPConnection):
    """HTTP to a socket in the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=CALL_LIMIT_S)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CALL_LIMIT_S)
        self.sock.connect(str(self.path))


def call(path: Path, method: str, target: str, body: bytes | None = None) -> Reply:
    """Make one call; OSError where nobody listens."""
    connection = OverSocket(path)
    try:
        connection.request(method, target, body)
        answer = connection.getresponse()
        return Reply(answer.status, answer.read())
    finally:
        connection.close()


@attrs.frozen(kw_only=True)
class Container:
    """A container as the engine lists it."""

    id: str
    name: str
    image: str
    state: str
    labels: Mapping[str, str]


@attrs.frozen
class Docker:
    """An engine, by the path of its socket. Everything here blocks."""

    socket: Path

    def answers(self) -> bool:
        """Say whether the engine is up."""
        try:
            return call(self.socket, "GET", "/_ping").status == http.client.OK
        except OSError:
            return False

    def containers(
        self, *, stopped: bool = False, sidecars: bool = False
    ) -> tuple[Container, ...]:
        """List what runs, and also what has stopped, or the sidecars, if asked to."""
        listed = self.must("GET", f"/containers/json?all={int(stopped)}")
        every = (
            Container(
                id=one["Id"],
                name=one["Names"][0].removeprefix("/"),
                image=one["Image"],
                state=one["State"],
                labels=one["Labels"] or {},
            )
            for one in json.loads(listed)
        )
        return tuple(one for one in every if sidecars or one.image != SIDECAR_IMAGE)

    def count(self) -> int:
        """Count the containers that run, without their sidecars."""
        return len(self.containers())

    def inspect(self, name: str) -> Any:
        """Tell all that the engine knows of a container."""
        return json.loads(self.must("GET", f"/containers/{name}/json"))

    def environment(self, name: str) -> dict[str, str]:
        """Give the environment a container was started with."""
        words: list[str] = self.inspect(name)["Config"]["Env"]
        return {key: value for key, _, value in (word.partition("=") for word in words)}

    def kill(self, name: str, signal: str = "KILL") -> None:
        """Send a signal to the first process of a container."""
        self.must("POST", f"/containers/{name}/kill?signal={signal}")

    def freeze(self, name: str) -> None:
        """Let a container stand still, so that it answers nothing and ends not."""
        self.must("POST", f"/containers/{name}/pause")

    def thaw(self, name: str) -> None:
        """Let a frozen container go on."""
        self.must("POST", f"/containers/{name}/unpause")

    def remove(self, names: Iterable[str]) -> None:
        """Remove containers, running or not; those that are gone already are gone."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            tuple(pool.map(self.remove_one, names))

    def remove_one(self, name: str) -> None:
        target = f"/containers/{name}?force=1&v=1"
        reply = call(self.socket, "DELETE", target)
        # 409: workerd is removing it at this moment.
        if reply.status not in (204, NOT_FOUND, 409):
            raise DockerError(f"DELETE {target}: {reply}")

    def remove_all(self) -> None:
        """Remove every container of this engine, sidecars too."""
        every = self.containers(stopped=True, sidecars=True)
        self.remove(one.id for one in every)

    def is_emptied(self) -> bool:
        """Say whether no container is left; what is being removed may still go."""
        until = time.monotonic() + CALL_LIMIT_S
        while self.containers(stopped=True, sidecars=True):
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True

    def import_image(
        self,
        name: str,
        files: Mapping[str, bytes],
        links: Mapping[str, str],
        *changes: str,
    ) -> None:
        """Make an image of files, all of them executable, and of symbolic links."""
        repo, _, tag = name.partition(":")
        query = [("fromSrc", "-"), ("repo", repo), ("tag", tag)]
        query += [("changes", change) for change in changes]
        archive = packed(files, links)
        target = f"/images/create?{urlencode(query, quote_via=quote)}"
        said = self.must("POST", target, archive)
        if b'"error"' in said:
            raise DockerError(said.decode())

    def must(self, method: str, target: str, body: bytes | None = None) -> bytes:
        """Make a call that has to succeed."""
        reply = call(self.socket, method, target, body)
        if reply.status >= http.client.BAD_REQUEST:
            raise DockerError(
                f"{method} {target}: {reply.status} {reply.body.decode()}"
            )
        return reply.body


def packed(files: Mapping[str, bytes], links: Mapping[str, str]) -> bytes:
    """Pack files and links as an image is made of."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        folders = {str(parent) for name in files for parent in Path(name).parents}
        for name in sorted({*folders, "tmp"} - {"."}):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            archive.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return output.getvalue()
