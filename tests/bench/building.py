"""Images of the bench that Docker builds of a Dockerfile, as wrangler has it do.

Wrangler hands the Dockerfile over by standard input, with the folder as the context. So
the command of Docker is needed here, and not the engine alone: it is the command that
reads what is kept out of a context.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.bench.engine import Engine

__all__ = ("build", "docker")

LIMIT_S = 240.0


def build(engine: Engine, name: str, folder: Path, dockerfile: str) -> str:
    """Build an image of a folder; return what was said of it."""
    words = ("build", "--tag", name, "--file", "-", str(folder))
    return docker(engine, *words, given=dockerfile)


def docker(engine: Engine, *words: str, given: str = "") -> str:
    """Run the command of Docker at an engine of the bench; return what it says."""
    program = shutil.which("docker")
    assert program is not None, "there is no command of Docker"
    with tempfile.TemporaryDirectory() as settings:  # not those of whoever runs this
        done = subprocess.run(
            [program, *words],
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=LIMIT_S,
            env={
                "PATH": os.environ["PATH"],
                "DOCKER_HOST": f"unix://{engine.docker.socket}",
                "DOCKER_CONFIG": settings,
                # The other builder is a plugin, which may be missing, and asks a
                # registry for an image that is here.
                "DOCKER_BUILDKIT": "0",
            },
        )
    assert done.returncode == 0, done.stdout
    return done.stdout
