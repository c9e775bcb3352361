"""What a container is started with, and what never leaves the start."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator import ContainerSpec, EnvironmentSecrets, FileSecrets
from orchestrator.core.errors import ContainerStartFailed, EnvVarsFailed, SecretMissing
from orchestrator.core.table import Table
from orchestrator.runtime import environment
from orchestrator.runtime.environment import EnvVars, Filled, Surroundings, fill
from orchestrator.runtime.secrets import read_secrets
from tests.runtime.kit import LIMIT_MS, fleet, opened, spec, value

SECRETS = {"API_KEY": "hunter2"}


async def filled(container: ContainerSpec, env_vars: EnvVars | None = None) -> Any:
    around = Surroundings(
        fleet="demo",
        name_key="CONTAINER_NAME",
        ports={"http": 4711, "side-door": 4712},
        secrets=SECRETS,
        env_vars=env_vars,
    )
    outcome = await fill(container, around)
    return outcome.value_or(None) or outcome.failure()


async def test_every_placeholder_is_filled() -> None:
    env = Table.of(
        [
            ("ALL", "${name} ${fleet} ${replica.index} ${port.http} $${literal}"),
            ("KEY", "${secret.API_KEY}"),
            ("DEEP", "${config.a.b} ${config.a}"),
        ]
    )
    config = Table.of([("a", Table.of([("b", True)]))])
    got = await filled(spec("web-1", env=env, config=config, service="web", replica=1))
    assert isinstance(got, Filled)
    assert got.env == {
        "CONTAINER_NAME": "web-1",
        "PORT_HTTP": "4711",
        "PORT_SIDE_DOOR": "4712",
        "ALL": "web-1 demo 1 4711 ${literal}",
        "KEY": "hunter2",
        "DEEP": 'true {"b":true}',
    }
    assert "hunter2" not in repr(got)


async def test_a_builder_has_the_last_word() -> None:
    def build(container: ContainerSpec, secrets: Mapping[str, str]) -> dict[str, str]:
        return {"CONTAINER_NAME": f"my {container.name}", "K": secrets["API_KEY"]}

    got = await filled(spec("web"), build)
    assert got.env["CONTAINER_NAME"] == "my web"
    assert got.env["K"] == "hunter2"


async def test_a_builder_may_be_a_coroutine() -> None:
    async def build(*_: object) -> dict[str, str]:
        await asyncio.sleep(0)
        return {"A": "b"}

    assert (await filled(spec("web"), build)).env["A"] == "b"


def _raises(error: BaseException) -> EnvVars:
    def build(*_: object) -> dict[str, str]:
        raise error

    return build


WRONG: list[tuple[EnvVars, object]] = [
    (_raises(KeyError("NO_KEY")), SecretMissing(name="web", key="NO_KEY")),
    (_raises(KeyError("API_KEY")), EnvVarsFailed(name="web", cause_type="KeyError")),
    (_raises(KeyError()), EnvVarsFailed(name="web", cause_type="KeyError")),
    (
        _raises(StopIteration("hunter2")),
        EnvVarsFailed(name="web", cause_type="RuntimeError"),
    ),
    (
        lambda *_: {"bad key": "x"},
        EnvVarsFailed(name="web", cause_type="NotAnEnvironment"),
    ),
    (
        cast("EnvVars", lambda *_: ["no"]),
        EnvVarsFailed(name="web", cause_type="NotAnEnvironment"),
    ),
]


@pytest.mark.parametrize(("build", "expected"), WRONG)
async def test_a_builder_that_fails_is_told_by_its_type(
    build: EnvVars, expected: object
) -> None:
    assert await filled(spec("web"), build) == expected


async def test_a_builder_that_hangs_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(environment, "BUILDER_S", 0.01)

    goes_on = threading.Event()

    def build(*_: object) -> dict[str, str]:
        assert goes_on.wait()
        return {}

    got = await filled(spec("web"), build)
    goes_on.set()
    assert got == EnvVarsFailed(name="web", cause_type="TimeoutError")


async def test_what_stands_for_nothing_is_told() -> None:
    missing = spec("web", env=Table.of([("A", "${secret.NOT_THERE}")]))
    assert await filled(missing) == SecretMissing(name="web", key="NOT_THERE")
    nothing = spec("web", command=("run", "${config.nothing}"))
    cause = "${config.nothing} stands for nothing"
    assert await filled(nothing) == ContainerStartFailed(name="web", cause=cause)


async def test_a_changed_secret_takes_effect_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    path.touch(mode=0o600)
    path.write_text("# ours\n\nTOKEN=first=1\n")
    env = Table.of([("TOKEN", "${secret.TOKEN}")])
    declared = fleet(spec("web", env=env))
    async with opened(declared, secrets=FileSecrets(path)) as kit:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        assert kit.platform.started("web").env["TOKEN"] == "first=1"
        path.write_text("TOKEN=second\n")
        await value(kit.operator.restart_container("web"))
        await kit.until(lambda: kit.operator.infos()[0].run == 2)
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        assert kit.platform.started("web").env["TOKEN"] == "second"
        rows = await value(kit.journal.read(0, 1000))
        assert not any(b"second" in row.event + row.commands for row in rows)


def test_a_secrets_file_is_for_its_owner_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "secrets"
    path.write_text("A=b\n")
    path.chmod(0o640)
    found = read_secrets(path).failure().message
    assert found.endswith("expected mode 0600, found 0640")
    assert len(FileSecrets(path)) == 0
    assert "expected mode 0600, found 0640" in caplog.text


@pytest.mark.parametrize("text", ["just words\n", "=value\n"])
def test_a_bad_line_is_named_and_not_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secrets"
    path.write_text("A=b\n" + text)
    path.chmod(0o600)
    message = read_secrets(path).failure().message
    assert message.endswith(":2: expected KEY=value, found another line")


def test_a_secrets_file_that_is_not_there(tmp_path: Path) -> None:
    message = read_secrets(tmp_path / "none").failure().message
    assert "expected a readable secrets file, found no such file" in message


def test_secrets_never_show_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECRET", "hunter2")
    secrets = EnvironmentSecrets()
    assert secrets["SOME_SECRET"] == "hunter2"
    assert set(secrets) == set(os.environ)
    assert repr(secrets) == "EnvironmentSecrets(...)"
