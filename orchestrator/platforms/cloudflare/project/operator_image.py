"""The image of a hosted operator: what it is built of, and what is kept out of it.

The folder is the whole context of its build: the fleet file as it was when the project
was written, and the Python that it names. What else lies there, a file of secrets
perhaps, is ignored; a wheel is installed in place of the release.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from orchestrator.platforms.cloudflare.project.hosting import (
    FLEET_FILE,
    OPERATOR_FOLDER,
    PORT,
    Hosting,
)

__all__ = ("DOCKERFILE", "operator_files")

DISTRIBUTION: Final = "cf-container-orchestrator"

DOCKERFILE: Final = f"./{OPERATOR_FOLDER}/Dockerfile"
"""As the project's configuration names it."""

_DOCKERFILE: Final = """\
# The operator of the fleet {fleet!r}, hosted beside its gateway. Written by
# `orchestrator gateway init`: change the fleet file and run that again.
#
# It installs the release that wrote it. A wheel in this folder is installed instead;
# the build argument says anything else, as pip takes it.
FROM python:3.13-slim

ARG ORCHESTRATOR="{distribution}=={release}"
COPY . /fleet/
RUN for wheel in /fleet/*.whl; do [ ! -e "$wheel" ] || ORCHESTRATOR="$wheel"; done \\
 && pip install --no-cache-dir "$ORCHESTRATOR" \\
 && useradd --create-home operator

USER operator
ENV HOME=/home/operator
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

    *beside* are the fleet file and its modules, by their path in that folder.
    """
    state = ("--state", "/home/operator/state")
    listen = ("--listen", f"0.0.0.0:{PORT}")
    command = ("up", f"/fleet/{FLEET_FILE}", "--standby", *listen, *state)
    dockerfile = _DOCKERFILE.format(
        fleet=fleet,
        distribution=DISTRIBUTION,
        release=hosting.release,
        host=hosting.host,
        port=PORT,
        command=json.dumps(command),
    )
    allowed = (FLEET_FILE, *hosting.modules, "*.whl")
    ignored = _IGNORED.format(named="\n".join(f"!{name}" for name in allowed))
    texts = {"Dockerfile": dockerfile, ".dockerignore": ignored}
    written = {name: text.encode() for name, text in texts.items()}
    files = {**written, **beside}
    return {f"{OPERATOR_FOLDER}/{name}": data for name, data in files.items()}
