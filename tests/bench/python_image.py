"""An image of this machine's Python with the project in it, made without any network.

What a container of it runs is the command as it is here: the interpreter, its standard
library, the distributions that the project needs, and the shared libraries of all of
them. One way more leads out of it: a port of its own on loopback is that of the engine,
for an operator tells its token to no other address without TLS.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from tests.bench.docker import Docker
from tests.bench.machine import ROOT

__all__ = ("INTERPRETER", "PACKAGES", "import_python")

DISTRIBUTION: Final = "cf-container-orchestrator"
INTERPRETER: Final = "opt/python/bin/python3"
LIBRARY: Final = f"opt/python/lib/{Path(sysconfig.get_path('stdlib')).name}"
PACKAGES: Final = "opt/packages"
RUN: Final = "opt/run.py"

LEFT_OUT: Final = frozenset(
    {"test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "site-packages"}
    | {"dist-packages", "__pycache__", "lib2to3", "pydoc_data"}
)
"""Of the standard library: what no program needs."""

PROGRAM: Final = """\
import os, socket, sys, threading

def joined(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
    except OSError:
        pass
    for each in (one, other):
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

def served(listening, way):
    while True:
        client, _ = listening.accept()
        try:
            server = socket.create_connection(way)
        except OSError:
            client.close()
            continue
        for pair in ((client, server), (server, client)):
            threading.Thread(target=joined, args=pair, daemon=True).start()

host, _, port = os.environ["BENCH_GATEWAY"].partition(":")
listening = socket.create_server(("127.0.0.1", int(port)))
way = (listening, (host, int(port)))
threading.Thread(target=served, args=way, daemon=True).start()

from orchestrator.cli.main import main
sys.exit(main())
"""


def import_python(
    docker: Docker, name: str, files: Mapping[str, bytes], *changes: str
) -> None:
    """Make an image that runs the project's command, with more *files* in it.

    ``BENCH_GATEWAY`` in its environment is the address that its own loopback stands
    for, at the same port.
    """
    found = {
        INTERPRETER: Path(sys.executable).resolve().read_bytes(),
        RUN: PROGRAM.encode(),
        "etc/passwd": b"root:x:0:0::/root:/bin/sh\n",
        "etc/hosts": b"127.0.0.1 localhost\n",
        "home/operator/.keep": b"",
        **dict(_standard_library()),
        **dict(_packages()),
    }
    found |= _shared_libraries([Path(sys.executable).resolve(), *_extensions()])
    entry = f'ENTRYPOINT ["/{INTERPRETER}", "/{RUN}"]'
    path = f"ENV PYTHONPATH=/{PACKAGES} PYTHONHOME=/opt/python PYTHONUNBUFFERED=1"
    docker.import_image(name, {**found, **files}, {}, entry, path, *changes)


def _standard_library() -> Iterator[tuple[str, bytes]]:
    folder = Path(sysconfig.get_path("stdlib"))
    for path in folder.rglob("*"):
        place = path.relative_to(folder)
        if path.is_file() and not LEFT_OUT & set(place.parts):
            yield f"{LIBRARY}/{place}", path.read_bytes()


def _packages() -> Iterator[tuple[str, bytes]]:
    """Yield the files of all that the project needs, and its own."""
    for each in _needed(DISTRIBUTION):
        for file in each.files or ():
            path = Path(str(file.locate()))
            place = Path(str(file))
            is_inside = ".." not in place.parts and not place.is_absolute()
            if is_inside and path.is_file() and path.suffix not in {".pyc", ".pth"}:
                yield f"{PACKAGES}/{place}", path.read_bytes()
    for path in (ROOT / "orchestrator").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"{PACKAGES}/{path.relative_to(ROOT)}", path.read_bytes()


def _needed(name: str) -> Iterable[Distribution]:
    """Return a distribution and all that it needs here, without its extras."""
    found: dict[str, Distribution] = {}
    left = [name]
    while left:
        wanted = re.sub(r"[-_.]+", "-", left.pop()).lower()
        if wanted in found:
            continue
        try:
            found[wanted] = distribution(wanted)
        except PackageNotFoundError:  # it is for another system
            continue
        for need in found[wanted].requires or ():
            told = re.match(r"[A-Za-z0-9._-]+", need)
            if told is not None and "extra ==" not in need:
                left.append(told[0])
    return found.values()


def _extensions() -> Iterator[Path]:
    """Yield the compiled modules of the standard library and of the packages."""
    yield from Path(sysconfig.get_path("stdlib")).glob("lib-dynload/*.so")
    for each in _needed(DISTRIBUTION):
        for file in each.files or ():
            if file.suffix == ".so":
                yield Path(str(file.locate()))


def _shared_libraries(programs: Iterable[Path]) -> dict[str, bytes]:
    """Find what programs are linked with; each library stands where it is here."""
    words = ["ldd", *map(str, programs)]
    told = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    places = set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", told, re.MULTILINE))
    return {place.lstrip("/"): Path(place).read_bytes() for place in sorted(places)}
