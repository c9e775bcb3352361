"""The files of a gateway's project: a Worker that ``wrangler deploy`` takes as it is.

    wrangler.jsonc       what is deployed
    src/index.js         the classes and the applications of this fleet
    src/gateway/*.js     the gateway, the same for every fleet
    README.md            the commands
    .gitignore

The same plan gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from orchestrator.platforms.cloudflare.project.application import facts_of
from orchestrator.platforms.cloudflare.project.jsonc import pretty
from orchestrator.platforms.cloudflare.project.plan import Plan
from orchestrator.platforms.cloudflare.project.wrangler_file import wrangler_file

__all__ = ("WRANGLER_FILE", "gateway_sources", "gateway_version", "project_of")

WRANGLER_FILE: Final = "wrangler.jsonc"

IGNORED: Final = "node_modules/\n.wrangler/\n.dev.vars*\n"

README: Final = """\
# The gateway of the fleet `{fleet}`

A Worker that starts and stops the fleet's containers. The operator asks it; nobody else
needs to. Written by `orchestrator gateway init`: change the fleet file and run that
again rather than editing these files. Settings that you add to `wrangler.jsonc`
(`routes`, say) are kept where you run it with `--force`.

It needs Node.js 22 or newer, a Docker-compatible engine where an image is a Dockerfile,
and an account with Workers Paid. `CLOUDFLARE_API_TOKEN` holds a token that may edit
Workers Scripts and Workers Containers; no log-in is needed then.

1.  Get wrangler, and give the gateway its token. The same value belongs into the
    operator's secrets, as `{token_secret}`:

        npm install --no-save wrangler@4
        python3 -c "import secrets; print(secrets.token_urlsafe(32))"
        npx wrangler secret put GATEWAY_TOKEN

2.  Deploy it. The first time may take minutes until containers can be started:

        npx wrangler deploy

3.  Put the address that it printed into the fleet file, below `[platform]`, as
    `url = "https://..."`, and ask whether all is well:

        orchestrator gateway check --fleet FILE

To change the token without a pause, put the new one as `GATEWAY_TOKEN_NEXT`, change the
operator's, then put it as `GATEWAY_TOKEN` and delete `GATEWAY_TOKEN_NEXT`.
"""

_VERSION: Final = re.compile(
    rb'^export const VERSION = "([^"\n]{1,64})";$', re.MULTILINE
)


def project_of(
    plan: Plan, sources: Mapping[str, bytes], *, token_secret: str
) -> dict[str, bytes]:
    """Return the files of a plan by their path; *sources* are the gateway's own."""
    readme = README.format(fleet=plan.fleet, token_secret=token_secret)
    texts = {
        WRANGLER_FILE: wrangler_file(plan),
        "src/index.js": _index(plan),
        "README.md": readme,
        ".gitignore": IGNORED,
    }
    written = {path: text.encode() for path, text in texts.items()}
    gateway = {f"src/gateway/{name}": sources[name] for name in sorted(sources)}
    return written | gateway


def gateway_sources() -> dict[str, bytes]:
    """Read the gateway, as it is shipped."""
    folder = files("orchestrator.platforms.cloudflare").joinpath("worker")
    return {
        entry.name: entry.read_bytes()
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".js")
    }


def gateway_version(sources: Mapping[str, bytes]) -> str | None:
    """Return the version of a gateway, as its source says.

    >>> gateway_version({"gateway.js": b'export const VERSION = "1.0.0";'})
    '1.0.0'

    """
    found = _VERSION.search(sources.get("gateway.js", b""))
    return None if found is None else found[1].decode()


def _index(plan: Plan) -> str:
    facts = {one.name: facts_of(one) for one in plan.applications}
    classes = [one.class_name for one in plan.applications] + list(plan.bare_classes)
    lines = [
        "// Written by `orchestrator gateway init`: run it again rather than editing.",
        "",
        'import * as gateway from "./gateway/gateway.js";',
        "",
        'export { FleetRegistry } from "./gateway/gateway.js";',
        *(f"export class {one} extends gateway.FleetContainer {{}}" for one in classes),
        "",
        "export default gateway.makeGateway({",
        f"  applications: {pretty(facts)},".replace("\n", "\n  "),
        "});",
        "",
    ]
    return "\n".join(lines)
