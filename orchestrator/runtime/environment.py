"""What a container is started with: its words and its environment, filled in.

Later ones win: what the operator gives (the name, ``PORT_...``), the spec's ``env``,
what the env-vars builder returns. The result is given to the platform and forgotten.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

import attrs
import orjson
from returns.result import Failure, Result, Success

from orchestrator.codec.json_values import thaw_json
from orchestrator.core.errors import (
    ContainerStartFailed,
    EnvVarsFailed,
    PlatformError,
    SecretMissing,
    StartError,
)
from orchestrator.core.fields import Json
from orchestrator.core.names import is_env_key
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.core.templates import placeholders, render
from orchestrator.runtime.limits import call_limited

__all__ = ("EnvVars", "Filled", "Surroundings", "fill")

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
        for secret in placeholders(text):
            if secret.family == "secret" and secret.key in around.secrets:
                known[secret.path] = around.secrets[secret.key]
        value = render(text, known)
        if isinstance(value, Failure):
            return Failure(_missing(spec, value.failure()))
        env[key] = value.unwrap()
    built = await _built(spec, around)
    return built.map(lambda extra: Filled(command=tuple(command), env={**env, **extra}))


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
