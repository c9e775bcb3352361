"""A wheel of the release that runs, made of the files that it is installed of.

A hosted operator is to be the very program that wrote its project: a checkout and a
release that no index has are hosted as any other, and nobody who takes the name of the
distribution at an index gets into the image, where the secrets of a fleet are.

The same files give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

__all__ = ("WHEELS", "own_wheel", "wheel_name")

DISTRIBUTION: Final = "cf-container-orchestrator"
PACKAGE: Final = "orchestrator"

WHEELS: Final = DISTRIBUTION.replace("-", "_")
"""How the names of its wheels begin, whatever their version."""

KEPT: Final = ("METADATA", "entry_points.txt", "licenses/LICENSE")
"""Of what an installer notes of a distribution: what is no note of its own."""

LEFT_OUT: Final = (".pyc", ".pyo")

MADE: Final = (1980, 1, 1, 0, 0, 0)
"""When each file was made, as the archive says: the earliest that it can say."""

WHEEL: Final = """\
Wheel-Version: 1.0
Generator: orchestrator
Root-Is-Purelib: true
Tag: py3-none-any
"""


def wheel_name(release: str) -> str:
    """Return the name of the wheel of a release.

    >>> wheel_name("0.1.0")
    'cf_container_orchestrator-0.1.0-py3-none-any.whl'

    """
    return f"{WHEELS}-{release}-py3-none-any.whl"


def own_wheel() -> bytes:
    """Return the wheel of the release that runs."""
    noted = dict(_noted())
    noted.update(_package(files(PACKAGE), PACKAGE))
    release = distribution(DISTRIBUTION).version
    record = f"{WHEELS}-{release}.dist-info/RECORD"
    lines = [f"{path},{_digest(data)},{len(data)}\n" for path, data in noted.items()]
    noted[record] = "".join((*lines, f"{record},,\n")).encode()
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in noted.items():
            entry = zipfile.ZipInfo(path, MADE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return output.getvalue()


def _noted() -> Iterator[tuple[str, bytes]]:
    """Yield what says of a distribution what it is."""
    here = distribution(DISTRIBUTION)
    folder = f"{WHEELS}-{here.version}.dist-info"
    for name in KEPT:
        text = here.read_text(name)
        if text is not None:
            yield f"{folder}/{name}", text.encode()
    yield f"{folder}/WHEEL", WHEEL.encode()


def _package(top: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a package by their path, in the order of their paths."""
    left = [(name, top)]
    while left:
        path, entry = left.pop()
        if entry.is_file():
            if not path.endswith(LEFT_OUT):
                yield path, entry.read_bytes()
            continue
        inside = [(each.name, each) for each in entry.iterdir()]
        for found, each in sorted(inside, key=_by_name, reverse=True):
            if found != "__pycache__" and not found.startswith("."):
                left.append((f"{path}/{found}", each))


def _by_name(entry: tuple[str, Traversable]) -> str:
    return entry[0]


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"
