"""The image that a hosted operator is built on, made without any registry.

It stands in for that of Docker's library, and has what a Dockerfile needs of it: a
shell, pip, Debian's own program that adds users, and a Python, which is this machine's.
Its pip asks no index, for a build of the bench reaches none: what the project needs
lies in it, as the wheels that an index gave.

One way more leads out of its containers, where ``BENCH_GATEWAY`` is set: a port of
their own loopback is that of the engine, for an operator tells its token to no other
address without TLS.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.bench.docker import Docker
from tests.bench.machine import CACHE, locked

__all__ = ("import_base",)

DISTRIBUTION: Final = "cf-container-orchestrator"
PREFIX: Final = "usr/local"
INTERPRETER: Final = f"{PREFIX}/bin/python3"
LIBRARY: Final = f"{PREFIX}/lib/{Path(sysconfig.get_path('stdlib')).name}"
WHEELS: Final = "wheels"
DOWNLOAD_LIMIT_S: Final = 240.0

LEFT_OUT: Final = frozenset(
    {"test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "site-packages"}
    | {"dist-packages", "__pycache__", "lib2to3", "pydoc_data"}
)
"""Of the standard library: what no program needs."""

USERADD: Final = "usr/sbin/useradd"
USERS: Final = Path("/usr/share/base-passwd")
"""Who is there in every Debian, before anybody is added."""
SETTINGS: Final = ("etc/login.defs", "etc/default/useradd")

PIP: Final = f"""\
#!/{INTERPRETER}
import sys
from pip._internal.cli.main import main
sys.exit(main())
"""

PIP_SETTINGS: Final = f"""\
[global]
no-index = true
find-links = /{WHEELS}
"""

WAY_OUT: Final = """\
import os, socket, threading

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

if "BENCH_GATEWAY" in os.environ:
    host, _, port = os.environ["BENCH_GATEWAY"].partition(":")
    listening = socket.create_server(("127.0.0.1", int(port)))
    way = (listening, (host, int(port)))
    threading.Thread(target=served, args=way, daemon=True).start()
"""


def import_base(docker: Docker, name: str) -> None:
    """Make the image, under the name by which a Dockerfile asks for it.

    ``BENCH_GATEWAY`` in the environment of a container is the address that its own
    loopback stands for, at the same port.
    """
    busybox = shutil.which("busybox")
    assert busybox is not None
    applets = subprocess.run(
        [busybox, "--list"], capture_output=True, text=True, check=True
    )
    python = Path(sys.executable).resolve()
    files = {
        "bin/busybox": Path(busybox).read_bytes(),
        INTERPRETER: python.read_bytes(),
        f"{PREFIX}/bin/pip": PIP.encode(),
        f"{LIBRARY}/sitecustomize.py": WAY_OUT.encode(),
        USERADD: Path("/", USERADD).read_bytes(),
        "etc/pip.conf": PIP_SETTINGS.encode(),
        "etc/passwd": (USERS / "passwd.master").read_bytes(),
        "etc/group": (USERS / "group.master").read_bytes(),
        "etc/shadow": b"root:*:19000:0:99999:7:::\n",
        "etc/hosts": b"127.0.0.1 localhost\n",
        "etc/nsswitch.conf": b"passwd: files\ngroup: files\nshadow: files\n",
        "etc/skel/.profile": b"",
        "home/.keep": b"",
        "root/.keep": b"",
        **{place: Path("/", place).read_bytes() for place in SETTINGS},
        **dict(_standard_library()),
        **dict(_pip()),
        **dict(_wheels()),
    }
    files |= _shared_libraries([python, Path("/", USERADD), *_extensions()])
    links = {f"bin/{each}": "busybox" for each in applets.stdout.split()}
    docker.import_image(
        name,
        files,
        {link: target for link, target in links.items() if link not in files},
        f"ENV PATH=/{PREFIX}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        'CMD ["python3"]',
    )


def _standard_library() -> Iterator[tuple[str, bytes]]:
    folder = Path(sysconfig.get_path("stdlib"))
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        is_needed = not LEFT_OUT & set(parts) and not parts[0].startswith("config-")
        if path.is_file() and is_needed:
            yield "/".join((LIBRARY, *parts)), path.read_bytes()


def _pip() -> Iterator[tuple[str, bytes]]:
    """Yield the installer that this interpreter has."""
    found = find_spec("pip")
    assert found is not None
    assert found.origin is not None
    folder = Path(found.origin).parent
    for path in folder.rglob("*"):
        place = path.relative_to(folder.parent)
        if path.is_file() and "__pycache__" not in place.parts:
            yield f"{LIBRARY}/site-packages/{place}", path.read_bytes()


def _wheels() -> Iterator[tuple[str, bytes]]:
    """Yield what the project needs, as an index gives it to this Python."""
    for path in sorted(_downloaded().iterdir()):
        yield f"{WHEELS}/{path.name}", path.read_bytes()


def _downloaded() -> Path:
    """Fetch the wheels once, all of them or none."""
    needs = [need for need in requires(DISTRIBUTION) or () if "extra ==" not in need]
    told = "\n".join((sys.version, sysconfig.get_platform(), *needs))
    place = CACHE / f"wheels-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    CACHE.mkdir(exist_ok=True)
    with locked(CACHE / "lock"):
        if place.is_dir():
            return place
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="new-") as folder:
            fresh = Path(folder) / "done"
            words = ["download", "--quiet", "--only-binary=:all:", "--dest", str(fresh)]
            subprocess.run(
                [sys.executable, "-m", "pip", *words, *needs],
                check=True,
                timeout=DOWNLOAD_LIMIT_S,
            )
            fresh.rename(place)
    return place


def _extensions() -> Iterator[Path]:
    """Yield the compiled modules of the standard library, and those installed here."""
    yield from Path(sysconfig.get_path("stdlib")).glob("lib-dynload/*.so")
    yield from Path(sysconfig.get_path("platlib")).glob("*/*.so")


def _shared_libraries(programs: Iterable[Path]) -> dict[str, bytes]:
    """Find what programs are linked with; each library stands where it is here."""
    words = ["ldd", *map(str, programs)]
    told = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    places = set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", told, re.MULTILINE))
    return {place.lstrip("/"): Path(place).read_bytes() for place in sorted(places)}
