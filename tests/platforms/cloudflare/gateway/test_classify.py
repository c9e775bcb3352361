"""What a message of the platform means: the texts that were seen, and what they are.

The table runs where it is used, in workerd. The texts are those of Cloudflare in
production and of its runtime on one's own machine, of several versions.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from orchestrator.platforms.cloudflare.project.files import gateway_sources
from tests.platforms.cloudflare.gateway.kit import Gateway

DO = "Durable Object"
EXITED = "Container exited with unexpected exit code"
SIGNALLED = "Runtime signalled the container to exit"
RAW_MAX = 500

# The text, and what it is: a kind, and the code where the text has one.
GOLDEN: list[tuple[str, str, int | None]] = [
    (f"{EXITED}: 7", "exited", 7),
    (f"{EXITED}: 137", "exited", 137),
    (f"Error: {EXITED}: 143", "exited", 143),
    (f"{EXITED}: -1", "exited", -1),
    (EXITED, "exited", None),
    ("The container ran out of memory", "out_of_memory", None),
    (f"{EXITED}: 137 (OOMKilled)", "out_of_memory", None),
    ("OOM error: the instance is restarted", "out_of_memory", None),
    (f"{DO}'s isolate exceeded its memory limit and was reset.", "object_reset", None),
    (f"{SIGNALLED}: 143", "signalled", 143),
    (f"{SIGNALLED}: 0", "signalled", 0),
    (SIGNALLED, "signalled", None),
    (f"{SIGNALLED} due to a new version rollout: 0", "rollout", 0),
    (f"{SIGNALLED} due to a new version rollout", "rollout", None),
    (
        f"There is no container instance that can be provided to this {DO}, try again"
        " later",
        "no_capacity",
        None,
    ),
    (
        "Maximum number of running container instances exceeded. Try again later, or"
        " try configuring a higher value for max_instances",
        "quota",
        None,
    ),
    ("You are requesting too many containers per second", "rate_limited", None),
    (
        f"There is no container application assigned to this {DO} class",
        "no_application",
        None,
    ),
    (
        "The container is not listening in the TCP address 10.0.0.1:8080",
        "not_listening",
        None,
    ),
    ("Container is not listening to port 8080", "not_listening", None),
    (
        "connect(): Connection refused: container port not found. Make sure you exposed"
        " the port in your container definition.",
        "not_listening",
        None,
    ),
    ("connection refused", "not_listening", None),
    (
        "start() cannot be called on a container that is already running.",
        "already_running",
        None,
    ),
    (
        "monitor() cannot be called on a container that is not running.",
        "not_running",
        None,
    ),
    ("The container is not running, consider calling start()", "not_running", None),
    ("Container failed to start", "start_failed", None),
    ("Monitor failed to find container", "start_failed", None),
    ("Container ingress proxy is not running", "start_failed", None),
    (f"{DO} reset because its code was updated.", "object_reset", None),
    (
        f"Connection closed: this {DO} instance is no longer active. Reconnect or retry"
        " the request.",
        "object_reset",
        None,
    ),
    (
        f"{DO} connection closed because the object was reset.",
        "object_reset",
        None,
    ),
    (
        f"A call to blockConcurrencyWhile() in a {DO} waited for too long. The call was"
        f" canceled and the {DO} was reset.",
        "object_reset",
        None,
    ),
    (f"{DO} is overloaded. Too many requests queued.", "overloaded", None),
    (
        "Too many requests for the same object within a 10 second window.",
        "overloaded",
        None,
    ),
    ("Network connection lost.", "engine_lost", None),
    ("internal error; reference = 0123456789abcdef", "engine_lost", None),
    ("Container suddenly disconnected, try again", "engine_lost", None),
    ("The operation was aborted due to timeout", "timed_out", None),
    ("The operation was aborted", "timed_out", None),
    ("Connection timed out", "timed_out", None),
    ("Something that nobody has said before: 3", "unknown", None),
    ("", "unknown", None),
]


async def classified(gateway: Gateway, *told: object) -> Any:
    answer = await gateway.ask("POST", "/tests/classify", told)
    assert answer.status == 200, answer
    return answer.body


async def test_what_was_seen_is_known(gateway: Gateway) -> None:
    found = await classified(gateway, *([text, {}] for text, _, _ in GOLDEN))
    assert [
        (text, kind) if code is None else (text, kind, code)
        for text, kind, code in GOLDEN
    ] == [
        tuple(one[key] for key in ("raw", "kind", "code") if key in one)
        for one in found
    ]


async def test_letters_may_be_small_or_large(gateway: Gateway) -> None:
    for change in (str.upper, str.lower):
        found = await classified(
            gateway, *([change(text), {}] for text, _, _ in GOLDEN)
        )
        assert [kind for _, kind, _ in GOLDEN] == [one["kind"] for one in found]
        assert [code for _, _, code in GOLDEN] == [one.get("code") for one in found]


def test_each_row_and_each_of_its_texts_is_met() -> None:
    source = gateway_sources()["classify.js"].decode()
    rows = re.findall(r'^  \["(\w+)", /(.+)/i\],$', source, flags=re.MULTILINE)
    assert len(rows) == source.count("/i],")
    for kind, pattern in rows:
        for part in pattern.split("|"):
            met = [text for text, of, _ in GOLDEN if of == kind]
            assert any(re.search(part, text, flags=re.IGNORECASE) for text in met), part


async def test_the_property_counts_more_than_the_text(gateway: Gateway) -> None:
    told = [
        [f"{EXITED}: 1", {"exitCode": 9}],
        ["it has ended", {"exitCode": 0}],
        [f"{SIGNALLED}: 1", {"exitCode": 143}],
        [f"{EXITED}: 1", {"exitCode": "9"}],
        ["it has ended", {"exitCode": 1.5}],
    ]
    found = await classified(gateway, *told)
    assert [(one["kind"], one.get("code")) for one in found] == [
        ("exited", 9),
        ("exited", 0),
        ("signalled", 143),
        ("exited", 1),
        ("unknown", None),
    ]


@pytest.mark.parametrize("told", [None, "a text", 7, {}, {"message": None}])
async def test_what_is_no_error_is_unknown(gateway: Gateway, told: object) -> None:
    (found,) = await classified(gateway, [told])
    assert found["kind"] == "unknown"
    assert isinstance(found["raw"], str)


async def test_what_is_kept_of_a_text_is_bounded(gateway: Gateway) -> None:
    long = "Network connection lost. " + "x" * 10_000
    (found,) = await classified(gateway, [long, {}])
    assert found == {"kind": "engine_lost", "raw": long[:RAW_MAX]}
