"""What looks secret in a declaration is hidden, and what is hidden is no value."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.codec.wire import frozen_config, tree_of
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.health import CommandProbe, HealthCheck, HealthChecks, HttpProbe
from orchestrator.core.notify import Notify
from orchestrator.core.table import Table
from orchestrator.runtime.masks import masked_settings, masked_spec, refused_masks
from tests.runtime.kit import spec


def env(key: str, text: str) -> str:
    return masked_spec(spec("web", env=Table.of([(key, text)]))).env[key]


def config(key: str, value: Any) -> Any:
    frozen = frozen_config({key: value}).unwrap()
    return tree_of(masked_spec(spec("web", config=frozen)).config)[key]


def command(*words: str) -> tuple[str, ...]:
    return masked_spec(spec("web", command=words)).command


@pytest.mark.parametrize(
    "key",
    [
        "ENCRYPTION_KEY",
        "ACCESS_KEY",
        "accessKey",
        "api-key",
        "DSN",
        "PWD",
        "COOKIE",
        "DB_PASSWORD",
    ],
)
def test_telling_keys_hide_their_values(key: str) -> None:
    assert config(key, "hunter2") == "***"


@pytest.mark.parametrize("key", ["MONKEY", "keyboard", "hosts", "PORT"])
def test_other_keys_hide_nothing(key: str) -> None:
    assert config(key, "hunter2") == "hunter2"


def test_of_a_value_with_placeholders_only_they_are_shown() -> None:
    mixed = "envs3cr3t-${secret.NKEY}$${more"
    assert env("PASSWORD_X", mixed) == "***${secret.NKEY}***"
    assert env("PASSWORD_X", "${secret.NKEY}") == "${secret.NKEY}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://user:hunter2pw@db/x", "postgres://***@db/x"),
        ("redis://:hunter2@cache:6379/0", "redis://***@cache:6379/0"),
        ("https://hunter2@git.example/x", "https://***@git.example/x"),
        ("amqp://u:hun@ter2@mq", "amqp://***@mq"),
        ("postgres://u:${secret.PW}@db", "postgres://u:${secret.PW}@db"),
        ("http://auth:8080/users/a@b", "http://auth:8080/users/a@b"),
        ("xyz; password=hunter3pw", "xyz; password=***"),
        ("a=1&access_token=hunter&b=2", "a=1&access_token=***&b=2"),
        ('{"password": "hunter2", "n": 1}', '{"password": "***", "n": 1}'),
        ("Authorization: Bearer hunter2", "Authorization: Bearer ***"),
        ("the password is not said", "the password is not said"),
    ],
)
def test_secrets_in_the_midst_of_a_text_are_hidden(text: str, shown: str) -> None:
    assert env("VALUE", text) == shown
    assert config("value", [{"inner": text}]) == [{"inner": shown}]
    assert command("run", text) == ("run", shown)


def test_what_a_telling_flag_is_given_is_hidden() -> None:
    assert command("run", "--password=hunter4pw") == ("run", "--password=***")
    assert command("run", "--api-key", "-hunter4") == ("run", "--api-key", "***")
    assert command("run", "-token", "hunter4") == ("run", "-token", "***")
    assert command("run", "--auth", "--verbose") == ("run", "--auth", "--verbose")
    said = ("sh", "-c", "run --password hunter4 --fast")
    assert command(*said) == ("sh", "-c", "run --password *** --fast")


CHECKS = HealthChecks(
    startup=HealthCheck(probe=CommandProbe(command=("ask", "--token", "hunter5"))),
    readiness=HealthCheck(
        probe=HttpProbe(
            port="http",
            path="/ready?token=hunter5",
            headers=Table.of([("Authorization", "Bearer hunter5")]),
        )
    ),
)


def test_checks_hide_what_their_questions_carry() -> None:
    ports = Table.of([("http", 80)])
    masked = masked_spec(spec("web", ports=ports, health=CHECKS))
    assert "hunter5" not in repr(masked)
    refused = refused_masks(masked, "$.spec")
    assert refused is not None
    assert [problem.place for problem in refused.problems] == ["$.spec.health"]


MASKED = spec("web", env=Table.of([("DB_URL", "postgres://***@db/x")]))


def test_a_mask_in_the_place_of_a_secret_is_no_value() -> None:
    notify = Notify(url="https://hooks.example/***")
    ad_hoc = spec(
        "any",
        command=("run", "--token", "***"),
        config=frozen_config({"db": {"password": "***"}}).unwrap(),
    )
    settings = FleetSettings(ad_hoc=ad_hoc, notify=notify)
    refused = refused_masks(
        FleetSpec(name="demo", settings=settings, containers=(spec("own"), MASKED))
    )
    assert refused is not None
    assert [problem.place for problem in refused.problems] == [
        "$.settings.ad_hoc.config.db",
        "$.settings.ad_hoc.command",
        "$.settings.notify.url",
        "$.containers[1].env.DB_URL",
    ]
    assert "expected the value itself, found ***" in refused.message


def test_stars_that_hide_nothing_are_a_value_like_any_other() -> None:
    stars = frozen_config({"pattern": "***", "title": "*** news ***"}).unwrap()
    free = spec("web", config=stars, command=("echo", "***"))
    notify = Notify(url="https://hooks.example/a")
    settings = FleetSettings(notify=notify)
    fleet = FleetSpec(name="demo", settings=settings, containers=(free,))
    assert refused_masks(fleet) is None
    assert masked_spec(free) == free
    assert masked_settings(FleetSettings()) == FleetSettings()
