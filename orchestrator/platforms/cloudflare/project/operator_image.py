"""The image of a hosted operator: what it is built of, and what is kept out of it.

The folder is the whole context of its build: the fleet file as it was when the project
was written, the Python that it names, and a wheel of the release that wrote them. What
else lies there, a file of secrets perhaps, is ignored; another wheel is installed, too.

Note [Modes]
    A build takes the modes of files as they are in the folder. Whoever has said
    ``umask 077``, as one does who makes a token, writes files that nobody else may
    read, and the operator runs as a user of its own. So they are opened to all; they
    stay root's, for nothing in a container has to change them. That user is not called
    ``operator``: Debian has a group of that name, at which ``useradd`` fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from orchestrator.platforms.cloudflare.project.hosting import (
    FLEET_FILE,
    OPERATOR_FOLDER,
    PORT,
    Hosting,
)
from orchestrator.platforms.cloudflare.project.own_wheel import WHEELS, wheel_name

__all__ = ("DOCKERFILE", "operator_files")

DOCKERFILE: Final = f"./{OPERATOR_FOLDER}/Dockerfile"
"""As the project's configuration names it."""

_DOCKERFILE: Final = """\
# The operator of the fleet {fleet!r}, hosted beside its gateway. Written by
# `orchestrator gateway init`: change the fleet file and run that again.
#
# It installs the release that wrote it, whose wheel lies beside. Another wheel of it in
# this folder takes its place, and wheels of other distributions are installed, too. The
# build argument says anything else, as pip takes it.
FROM python:3.13-slim

COPY *.whl /opt/wheels/
ARG ORCHESTRATOR="/opt/wheels/{wheel}"
RUN for wheel in /opt/wheels/*.whl; do \\
      case "$wheel" in \\
        */{wheel}) ;; \\
        */{wheels}-*) ORCHESTRATOR="$wheel" ;; \\
        *) set -- "$@" "$wheel" ;; \\
      esac; \\
    done \\
 && pip install --no-cache-dir --root-user-action=ignore "$ORCHESTRATOR" "$@" \\
 && useradd --create-home orchestrator

# What changes with the fleet comes last: what is above need not be built again.
{copies}
RUN chmod -R a+rX /fleet

USER orchestrator
ENV HOME=/home/orchestrator
# What it writes is in the log at once.
ENV PYTHONUNBUFFERED=1
# The name of the gateway, under which the operator is reached.
ENV ORCHESTRATOR_HOSTS={host}
# It is started again unless it ends with 0: that says that the fleet was brought down.
ENV ORCHESTRATOR_SUPERVISED=1
EXPOSE {port}
ENTRYPOINT ["orchestrator"]
CMD {command}
"""

_IGNORED: Final = """\
# What is not named here cannot get into the image.
*
{named}
"""


def operator_files(
    hosting: Hosting, fleet: str, beside: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Return the files of the operator's folder by their path in the project.

    *beside* are the fleet file, its modules and the wheel, by their path in that
    folder.
    """
    state = ("--state", "/home/orchestrator/state")
    listen = ("--listen", f"0.0.0.0:{PORT}")
    command = ("up", f"/fleet/{FLEET_FILE}", "--standby", *listen, *state)
    held = (FLEET_FILE, *hosting.modules)
    dockerfile = _DOCKERFILE.format(
        fleet=fleet,
        wheel=wheel_name(hosting.release),
        wheels=WHEELS,
        copies="\n".join(_copies(held)),
        host=hosting.host,
        port=PORT,
        command=json.dumps(command),
    )
    ignored = _IGNORED.format(named="\n".join(f"!{name}" for name in (*held, "*.whl")))
    texts = {"Dockerfile": dockerfile, ".dockerignore": ignored}
    written = {name: text.encode() for name, text in texts.items()}
    files = {**written, **beside}
    return {f"{OPERATOR_FOLDER}/{name}": data for name, data in files.items()}


def _copies(held: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines that bring files to their place."""
    for name in held:
        folder, slash, _ = name.rpartition("/")
        yield f"COPY {name} /fleet/{folder}{slash}"
