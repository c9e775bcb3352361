"""What a container is started with: its words and its environment, filled in.

Later ones win: what the operator gives (the name, ``PORT_...``), the spec's ``env``,
what the env-vars builder returns. The result is given to the platform and forgotten.

The questions of health checks are filled in here, too. Their headers may name secrets,
as ``env`` may; words of commands never do: every user of a machine can read them.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final, TypeAlias, assert_never

import attrs
import orjson
from returns.result import Failure, Result, Success

from orchestrator.codec.json_values import thaw_json
from orchestrator.core.errors import (
    ContainerStartFailed,
    EnvVarsFailed,
    PlatformError,
    Refused,
    SecretMissing,
    StartError,
)
from orchestrator.core.fields import Json
from orchestrator.core.health import CommandProbe, HttpProbe, Probe, TcpProbe
from orchestrator.core.names import is_env_key
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.core.templates import placeholders, render
from orchestrator.runtime.limits import call_limited

__all__ = (
    "EnvVars",
    "Filled",
    "Surroundings",
    "fill",
    "fill_probe",
    "names_port",
)

EnvVars: TypeAlias = Callable[
    [ContainerSpec, Mapping[str, str]], Mapping[str, str] | Awaitable[Mapping[str, str]]
]
"""An env-vars builder: (spec, secrets) -> environment; plain or ``async``."""

BUILDER_S: Final = 10.0


@attrs.frozen(kw_only=True)
class Surroundings:
    """What an environment is built from, besides the spec."""

    fleet: str
    name_key: str
    ports: Mapping[str, int]
    secrets: Mapping[str, str] = attrs.field(repr=False)
    env_vars: EnvVars | None = None


@attrs.frozen(kw_only=True)
class Filled:
    """The words and the environment of a container; may hold secrets."""

    command: tuple[str, ...]
    env: Mapping[str, str] = attrs.field(repr=False)


async def fill(
    spec: ContainerSpec, around: Surroundings
) -> Result[Filled, StartError | PlatformError]:
    """Fill in everything that a start needs."""
    known = _known(spec, around)
    command: list[str] = []
    for word in spec.command:
        filled = render(word, known)
        if isinstance(filled, Failure):
            return Failure(_missing(spec, filled.failure()))
        command.append(filled.unwrap())
    env = {around.name_key: spec.name}
    for port, number in around.ports.items():
        env[f"PORT_{port.upper().replace('-', '_')}"] = str(number)
    for key, text in spec.env.items():
        value = _with_secrets(text, known, spec, around)
        if isinstance(value, Failure):
            return Failure(value.failure())
        env[key] = value.unwrap()
    built = await _built(spec, around)
    return built.map(lambda extra: Filled(command=tuple(command), env={**env, **extra}))


def _with_secrets(
    text: str, known: dict[str, str], spec: ContainerSpec, around: Surroundings
) -> Result[str, StartError | PlatformError]:
    """Fill a text that may name secrets; those that it names are known from then on."""
    for secret in placeholders(text):
        if secret.family == "secret" and secret.key in around.secrets:
            known[secret.path] = around.secrets[secret.key]
    value = render(text, known)
    if isinstance(value, Failure):
        return Failure(_missing(spec, value.failure()))
    return Success(value.unwrap())


def names_port(probe: Probe) -> bool:
    """Say whether the texts of a probe name the number of a port."""
    return any(
        place.family == "port" for text in _texts(probe) for place in placeholders(text)
    )


def _texts(probe: Probe) -> Iterator[str]:
    match probe:
        case HttpProbe(headers=headers):
            yield from headers.values()
        case CommandProbe(command=command):
            yield from command
        case TcpProbe():
            return
        case _:
            assert_never(probe)


def fill_probe(
    probe: Probe, spec: ContainerSpec, around: Surroundings
) -> Result[Probe, StartError | PlatformError]:
    """Fill in the texts of a probe; headers may hold secrets then."""
    known = _known(spec, around)
    if isinstance(probe, CommandProbe):
        around = attrs.evolve(around, secrets={})
    filled: list[str] = []
    for text in _texts(probe):
        value = _with_secrets(text, known, spec, around)
        if isinstance(value, Failure):
            return Failure(value.failure())
        if any(control in value.unwrap() for control in "\r\n\0"):
            return Failure(Refused(cause="a line break cannot be sent with a check"))
        filled.append(value.unwrap())
    match probe:
        case HttpProbe(headers=headers):
            named = Table.of(zip(headers, filled, strict=True))
            return Success(_final(probe, "headers", named))
        case CommandProbe():
            return Success(_final(probe, "command", tuple(filled)))
        case TcpProbe():
            return Success(probe)
        case _:
            assert_never(probe)


def _final(probe: Probe, field: str, value: object) -> Probe:
    """Return a probe with a text that is no template any more.

    It is not validated again: a secret may hold ``${``, and would be quoted.
    """
    filled = copy.copy(probe)
    object.__setattr__(filled, field, value)
    return filled


def _missing(spec: ContainerSpec, path: str) -> StartError | PlatformError:
    family, _, key = path.partition(".")
    if family == "secret":
        return SecretMissing(name=spec.name, key=key)
    cause = f"${{{path}}} stands for nothing"
    return ContainerStartFailed(name=spec.name, cause=cause)


def _known(spec: ContainerSpec, around: Surroundings) -> dict[str, str]:
    known = {
        "name": spec.name,
        "fleet": around.fleet,
        "replica.index": str(spec.replica),
    }
    known |= {f"port.{name}": str(port) for name, port in around.ports.items()}
    _add_config(known, "config", spec.config)
    return known


def _add_config(known: dict[str, str], path: str, value: Json) -> None:
    """Know a config value by its dotted path; texts as they are, the rest as JSON."""
    if isinstance(value, Table):
        for key, inner in value.items():
            _add_config(known, f"{path}.{key}", inner)
    known[path] = (
        value if isinstance(value, str) else orjson.dumps(thaw_json(value)).decode()
    )


async def _built(
    spec: ContainerSpec, around: Surroundings
) -> Result[Mapping[str, str], StartError | PlatformError]:
    """Ask the builder; of what it raises only the type is kept."""
    if around.env_vars is None:
        return Success({})
    try:
        env = await call_limited(
            around.env_vars, spec, around.secrets, limit_s=BUILDER_S
        )
    except KeyError as error:
        missing = error.args[0] if error.args else None
        if isinstance(missing, str) and missing not in around.secrets:
            return Failure(SecretMissing(name=spec.name, key=missing))
        return Failure(EnvVarsFailed(name=spec.name, cause_type="KeyError"))
    except Exception as error:  # noqa: BLE001 - it is the owner's code
        return Failure(EnvVarsFailed(name=spec.name, cause_type=type(error).__name__))
    if not _is_environment(env):
        return Failure(EnvVarsFailed(name=spec.name, cause_type="NotAnEnvironment"))
    return Success(dict(env))


def _is_environment(env: object) -> bool:
    return isinstance(env, Mapping) and all(
        isinstance(key, str) and is_env_key(key) and isinstance(value, str)
        for key, value in env.items()
    )
