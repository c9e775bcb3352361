"""The operator beside its gateway: one container of the same project that runs it.

It is an object of a class of its own, with an application of its own under the
``default`` policy, whatever the fleet has. No service folds to these names, so a fleet
may have one that is called ``operator``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final, cast
from urllib.parse import urlsplit

import attrs
from returns.result import Failure, Result, Success

from orchestrator.codec.api_choice import address_of
from orchestrator.codec.fleet_file import FleetFile
from orchestrator.codec.journal_choice import JournalKind
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.codec.wire import tree_of
from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.hosting import INSTANCE_TYPES, InstanceType
from orchestrator.core.names import is_env_key
from orchestrator.core.table import Table
from orchestrator.core.templates import placeholders

__all__ = (
    "FLEET_FILE",
    "OPERATOR_BINDING",
    "OPERATOR_CLASS",
    "OPERATOR_FOLDER",
    "OPERATOR_INSTANCES",
    "PORT",
    "TOKENS_SECRET",
    "TOKENS_VARIABLE",
    "Asked",
    "Hosting",
    "Told",
    "hosting_facts",
    "hosting_of",
    "read_hosting",
    "secrets_named",
)

OPERATOR_CLASS: Final = "FleetOperator"
OPERATOR_BINDING: Final = "GATEWAY_OPERATOR"
OPERATOR_FOLDER: Final = "operator"
FLEET_FILE: Final = "fleet.toml"
PORT: Final = 8_400

OPERATOR_INSTANCES: Final = 2
"""One runs; while a deploy replaces it, the next one finds room."""

GATEWAY_SECRET: Final = "GATEWAY_TOKEN"  # noqa: S105 - the name of a secret
TOKENS_SECRET: Final = "OPERATOR_TOKENS"  # noqa: S105 - the name of a secret
"""The Worker's secret with the digests of the tokens of the operator's own API."""

TOKENS_VARIABLE: Final = "ORCHESTRATOR_TOKENS"
"""What the operator reads them from."""


@attrs.frozen(kw_only=True)
class Asked:
    """How the owner wants it: its size, and secrets that no file names.

    A builder of environments in Python asks for such secrets.
    """

    size: str = "basic"
    more_secrets: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Hosting:
    """What is deployed of an operator, as the project's files say it.

    ``host`` is the gateway's name, which the operator is reached by; ``file`` the
    digest of the fleet file in its image, ``modules`` the files of Python beside it.
    ``secrets``, ``optional``: what it knows by a key, and under which name the Worker
    has it. One that is ``retired`` is kept to be stopped.
    """

    host: str
    release: str
    instance_type: InstanceType
    file: str
    modules: tuple[str, ...] = ()
    secrets: Table[str, str] = Table[str, str]()
    optional: Table[str, str] = Table[str, str]()
    asked: Asked = Asked()
    retired: bool = False


def hosting_of(
    file: FleetFile, data: bytes, asked: Asked, *, release: str
) -> Result[Hosting, InvalidSpec]:
    """Plan the operator of a fleet file, *data* as it is; or say why it cannot be.

    *release* is the version of the distribution that its image installs.
    """
    choice = cast("CloudflareChoice", file.platform)
    problems = tuple(_problems(file, choice, asked))
    if problems:
        return Failure(InvalidSpec(problems=problems))
    secrets = {choice.token_secret: GATEWAY_SECRET, TOKENS_VARIABLE: TOKENS_SECRET}
    if choice.access_secrets is not None:
        for ending in ("CLIENT_ID", "CLIENT_SECRET"):
            key = f"{choice.access_secrets}_{ending}"
            secrets[key] = key
    for key in (*secrets_named(file.spec), *asked.more_secrets):
        secrets.setdefault(key, key)
    own = choice.api_token_secret
    optional = {} if choice.account_id is None or own in secrets else {own: own}
    return Success(
        Hosting(
            host=urlsplit(choice.url or "").netloc,
            release=release,
            instance_type=INSTANCE_TYPES[asked.size],
            file=hashlib.sha256(data).hexdigest(),
            modules=tuple(dict.fromkeys(_modules(file))),
            secrets=Table.of(secrets.items()),
            optional=Table.of(optional.items()),
            asked=asked,
        )
    )


def _problems(
    file: FleetFile, choice: CloudflareChoice, asked: Asked
) -> Iterator[Problem]:
    if choice.url is None:
        yield Problem(
            place="platform.url",
            expected="the address of the gateway, which a hosted operator asks, too",
            found="none",
            hint="deploy without --host-operator first: wrangler prints it",
        )
    elif address_of(urlsplit(choice.url).netloc) is None:
        expected = "the name of a host, by which the operator is reached"
        yield Problem(place="platform.url", expected=expected, found=repr(choice.url))
    if file.journal.kind is not JournalKind.DURABLE_OBJECT:
        yield Problem(
            place="journal.kind",
            expected=repr(JournalKind.DURABLE_OBJECT.value),
            found=repr(file.journal.kind.value),
            hint="nothing on the disk of a container outlives it",
        )
    if file.api.tls_cert is not None:
        yield Problem(
            place="api.tls_cert",
            expected="none: Cloudflare speaks TLS before a hosted operator",
            found="one",
        )
    if asked.size not in INSTANCE_TYPES:
        known = ", ".join(INSTANCE_TYPES)
        yield Problem(place="size", expected=f"one of {known}", found=repr(asked.size))
    for key in (*secrets_named(file.spec), *asked.more_secrets):
        if not is_env_key(key) or key == TOKENS_VARIABLE:
            expected = "a key that a secret of a Worker may have"
            yield Problem(place="secret", expected=expected, found=repr(key))


def _modules(file: FleetFile) -> Iterator[str]:
    """Yield the files of Python that a fleet file names, as they lie beside it."""
    for reference in (file.env_vars, file.hooks, file.policies):
        if reference is not None:
            module = reference.partition(":")[0]
            yield f"{module.replace('.', '/')}.py"


def secrets_named(fleet: FleetSpec) -> tuple[str, ...]:
    """Return the keys of all secrets that a fleet names, in its texts or by a key.

    Each ``${secret.KEY}`` wherever it stands, and the key that signs notices.
    """
    found: dict[str, None] = {}
    for text in _texts(tree_of(fleet)):
        for each in placeholders(text):
            if each.family == "secret":
                found[each.key] = None
    notify = fleet.settings.notify
    if notify is not None and notify.secret is not None:
        found[notify.secret] = None
    return tuple(found)


def _texts(tree: object) -> Iterator[str]:
    """Yield every text of a tree."""
    left = [tree]
    while left:
        match left.pop():
            case str() as text:
                yield text
            case dict() as table:
                left += [*table, *table.values()]
            case list() as array:
                left += array
            case _:
                pass


def hosting_facts(hosting: Hosting, fleet: str) -> dict[str, Any]:
    """Return what the Worker is told of its operator, as JSON."""
    return {
        "binding": OPERATOR_BINDING,
        "fleet": fleet,
        "port": PORT,
        "health": "/healthz",
        "file": hosting.file,
        "release": hosting.release,
        "instance_type": hosting.instance_type.name,
        "secrets": tree_of(hosting.secrets),
        "optional": tree_of(hosting.optional),
        "retired": hosting.retired,
    }


@attrs.frozen(kw_only=True)
class Told:
    """What a gateway tells of the operator that it hosts."""

    fleet: str
    file: str
    release: str
    instance_type: str
    retired: bool


def read_hosting(told: object) -> Told | None:
    """Read what a gateway tells of its operator; None where it hosts none."""
    if not isinstance(told, dict):
        return None
    tree = cast("dict[str, object]", told)
    texts = {
        key: tree.get(key) for key in ("fleet", "file", "release", "instance_type")
    }
    if not all(isinstance(text, str) for text in texts.values()):
        return None
    facts = cast("dict[str, str]", texts)
    return Told(retired=tree.get("retired") is True, **facts)
