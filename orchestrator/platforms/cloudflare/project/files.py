"""The files of a gateway's project: a Worker that ``wrangler deploy`` takes as it is.

    wrangler.jsonc       what is deployed
    src/index.js         the classes and the applications of this fleet
    src/gateway/*.js     the gateway, the same for every fleet
    operator/            the image of the operator, where the project hosts it
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
from orchestrator.platforms.cloudflare.project.hosting import (
    OPERATOR_CLASS,
    TOKENS_SECRET,
    Hosting,
    hosting_facts,
)
from orchestrator.platforms.cloudflare.project.jsonc import pretty
from orchestrator.platforms.cloudflare.project.operator_image import operator_files
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

README_OF_OPERATOR: Final = """
## Its operator

Of the folder `operator` Docker builds the image of the fleet's operator at each deploy;
the Worker starts it and keeps it alive. It needs these secrets of the Worker beside
`GATEWAY_TOKEN`:

{secrets}

`{tokens}` are the digests of the tokens that the operator's own API asks for:

    orchestrator token create NAME --scope write --state ../tokens
    orchestrator token export --state ../tokens | npx wrangler secret put {tokens}

Its page is at `https://{host}/operator/`; the command reaches it there, too:

    orchestrator list --url https://{host}/operator --token-file FILE
    orchestrator gateway operator --fleet FILE

The image holds the fleet file and the release of `orchestrator` as they were when this
was written. After a change of either run `orchestrator gateway init` again, and deploy.

It shows the token that `GATEWAY_TOKEN` was when it was started. So it goes on without a
pause where the token is changed in another order: put the old one as
`GATEWAY_TOKEN_NEXT`, then the new one as `GATEWAY_TOKEN`, and delete
`GATEWAY_TOKEN_NEXT` once the operator was started anew, some minutes later.
"""

_VERSION: Final = re.compile(
    rb'^export const VERSION = "([^"\n]{1,64})";$', re.MULTILINE
)


def project_of(
    plan: Plan,
    sources: Mapping[str, bytes],
    *,
    token_secret: str,
    beside: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """Return the files of a plan by their path; *sources* are the gateway's own.

    *beside* are the files that the image of a hosted operator holds.
    """
    readme = README.format(fleet=plan.fleet, token_secret=token_secret)
    if plan.hosting is not None:
        readme += _readme_of(plan.hosting)
    texts = {
        WRANGLER_FILE: wrangler_file(plan),
        "src/index.js": _index(plan),
        "README.md": readme,
        ".gitignore": IGNORED,
    }
    written = {path: text.encode() for path, text in texts.items()}
    gateway = {f"src/gateway/{name}": sources[name] for name in sorted(sources)}
    if plan.hosting is None:
        return written | gateway
    return written | gateway | operator_files(plan.hosting, plan.fleet, beside or {})


def _readme_of(hosting: Hosting) -> str:
    needed = dict.fromkeys(secret for _, secret in hosting.secrets.items())
    own = [secret for secret in needed if secret != "GATEWAY_TOKEN"]  # noqa: S105
    listed = "\n".join(f"*   `npx wrangler secret put {secret}`" for secret in own)
    return README_OF_OPERATOR.format(
        secrets=listed, tokens=TOKENS_SECRET, host=hosting.host
    )


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
    classes = [one.class_name for one in plan.applications] + [
        one for one in plan.bare_classes if one != OPERATOR_CLASS
    ]
    lines = [
        "// Written by `orchestrator gateway init`: run it again rather than editing.",
        "",
        'import * as gateway from "./gateway/gateway.js";',
        "",
        'export { FleetRegistry } from "./gateway/gateway.js";',
        *(f"export class {one} extends gateway.FleetContainer {{}}" for one in classes),
        *_operator_lines(plan),
        "",
        "export default gateway.makeGateway({",
        f"  applications: {pretty(facts)},".replace("\n", "\n  "),
        *(["  operator,"] if plan.hosting is not None else []),
        "});",
        "",
    ]
    return "\n".join(lines)


def _operator_lines(plan: Plan) -> list[str]:
    """Write the class of the operator; one that was left over runs nothing."""
    if plan.hosting is not None:
        return [
            "",
            f"const operator = {pretty(hosting_facts(plan.hosting, plan.fleet))};",
            f"export class {OPERATOR_CLASS} extends gateway.OperatorContainer {{",
            "  static hosting = operator;",
            "}",
        ]
    if OPERATOR_CLASS in plan.bare_classes:
        return [f"export class {OPERATOR_CLASS} extends gateway.OperatorContainer {{}}"]
    return []
