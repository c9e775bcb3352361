"""The image of a hosted operator, built by Docker of the folder that a user has."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.bench.building import build, docker
from tests.bench.engine import Engine
from tests.bench.python_image import import_base

__all__ = ("base_of", "built", "with_a_way_out")

FROM: Final = re.compile(r"^FROM (\S+)$", re.MULTILINE)


def base_of(folder: Path) -> str:
    """Return the image that the Dockerfile of an operator's folder builds on."""
    (name,) = FROM.findall((folder / "Dockerfile").read_text())
    return str(name)


def built(engine: Engine, name: str, folder: Path) -> str:
    """Build the image of a folder; its base is made where the engine has none yet."""
    if shutil.which("docker") is None:
        pytest.skip("there is an engine of Docker, and no command (Debian: docker-cli)")
    base = base_of(folder)
    if not docker(engine, "images", "--quiet", base).strip():
        import_base(engine.docker, base)
    return build(engine, name, folder, (folder / "Dockerfile").read_text())


def with_a_way_out(engine: Engine, name: str, image: str, gateway: str) -> None:
    """Name an image anew, whose containers have a gateway at their own loopback."""
    folder = engine.folder / "nothing"
    folder.mkdir(exist_ok=True)
    build(engine, name, folder, f"FROM {image}\nENV BENCH_GATEWAY={gateway}\n")
