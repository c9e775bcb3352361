"""``[notify]`` is read whole, or told what is wrong with it, and never shown."""

from __future__ import annotations

import pytest
from returns.result import Failure

from orchestrator.codec.fleet_file import FleetFile, read_fleet_file
from orchestrator.codec.wire import read_tree, tree_of
from orchestrator.core.backoff import Backoff
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.notify import NoticeKind, Notify

FLEET = """
[fleet]
name = "demo"

[[containers]]
name = "web"
command = ["run"]
"""


def read(text: str) -> FleetFile:
    answer = read_fleet_file((FLEET + text).encode(), file="f.toml", folder="/srv")
    assert not isinstance(answer, Failure), answer
    return answer.unwrap()


def problems(text: str) -> list[str]:
    answer = read_fleet_file((FLEET + text).encode(), file="f.toml", folder="/srv")
    return answer.failure().message.splitlines()


def test_a_section_is_read_with_its_durations() -> None:
    file = read(
        """
[notify]
url = "https://hooks.invalid/${secret.HOOK}"
secret = "KEY"
events = ["failed"]
timeout = "3s"
attempts = 4
backoff = { initial = "2s", max = "1m", jitter = 0 }
"""
    )
    assert file.spec.settings.notify == Notify(
        url="https://hooks.invalid/${secret.HOOK}",
        secret="KEY",
        events=(NoticeKind.FAILED,),
        timeout_ms=3_000,
        attempts=4,
        backoff=Backoff(initial_ms=2_000, max_ms=60_000, jitter=0),
    )
    assert (file.warnings, file.notes) == ((), ())
    tree = tree_of(file.spec.settings)
    assert read_tree(tree, FleetSettings).unwrap() == file.spec.settings


def test_without_the_section_nobody_is_told() -> None:
    settings = read("").spec.settings
    assert settings.notify is None
    assert "notify" not in tree_of(settings)


def test_what_is_wrong_is_told_with_its_line() -> None:
    told = problems(
        """
[notify]
url = "https://me:pw-7@hooks.invalid/s3cr3t"
secret = "NOT A KEY"
events = ["crashed"]
timeout = "soon"
atempts = 3
"""
    )
    assert [line.split(": expected")[0] for line in told] == [
        "f.toml:10: notify.url",
        "f.toml:11: notify.secret",
        "f.toml:12: notify.events[0]",
        "f.toml:13: notify.timeout",
        "f.toml:14: notify.atempts",
    ]
    assert "found another text" in told[0]
    assert not any("s3cr3t" in line or "pw-7" in line for line in told)


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ("[notify]", "f.toml:9: notify.url: expected an http or https address"),
        ("[notify]\nurl = 7", "f.toml:10: notify.url: expected an http or https"),
        ("notify = 7", "f.toml:8: containers[0].notify: expected a known key"),
    ],
)
def test_an_address_is_needed(section: str, place: str) -> None:
    (told,) = problems(section if section.startswith("notify") else f"\n{section}")
    assert told.startswith(place)


def test_it_is_no_key_of_the_fleet() -> None:
    text = FLEET.replace('"demo"', '"demo"\nnotify = { url = "https://x.invalid/y" }')
    answer = read_fleet_file(text.encode(), file="f.toml", folder="/srv")
    told = answer.failure().message
    assert told.startswith("f.toml:4: fleet.notify: expected no such key here")
    assert "[notify]" in told


def test_it_must_be_a_table() -> None:
    text = 'notify = "https://x.invalid/y"\n' + FLEET
    answer = read_fleet_file(text.encode(), file="f.toml", folder="/srv")
    assert "f.toml:1: notify: expected a table" in answer.failure().message


def test_what_can_hardly_be_meant_is_a_warning() -> None:
    plain = read('[notify]\nurl = "http://hooks.invalid/x"\nsecret = "KEY"')
    assert plain.warnings == (
        "[notify] url is not https: who is on the way can read what is told",
    )
    here = read('[notify]\nurl = "http://127.0.0.1:80/x"')
    assert here.warnings == ()
    assert here.notes == (
        "[notify] has no secret: its receiver cannot know who sent a notice",
    )
