"""What an order may hold: each field's type and size; what was found is never told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.bench.workerd import Workerd
from tests.platforms.cloudflare.gateway.kit import TOKEN, Gateway, Reply, keeping

SECRET = "planted-and-never-told"
WHOLE: tuple[Any, ...] = (-1, 1.5, 2**53, "1", None, True, [], {}, SECRET)
TEXT: tuple[Any, ...] = (1, None, True, [], {}, "with\0nothing")
LISTS: tuple[Any, ...] = (1, None, SECRET, {}, [1], [None], [[]])
FLAGS = (None, 0, 1, "true", SECRET)
PORT = (0, 65_536, 1.5, "80", None, SECRET)

# A field of an order, and values that it must not have; each is tried by itself.
START: dict[str, tuple[Any, ...]] = {
    "run": WHOLE,
    "epoch": WHOLE,
    "revision": WHOLE,
    "fingerprint": (*TEXT, SECRET * 9),
    "application": (*TEXT, "UPPER", SECRET * 9),
    "entrypoint": (*LISTS, [SECRET] * 257, [SECRET * 500], ["with\0nothing"]),
    "env": (
        *(1, None, SECRET, [SECRET]),
        *({SECRET: "x"}, {"": "x"}, {"A=B": SECRET}, {"A" * 257: SECRET}),
        *({"A": 1}, {"A": None}, {"A": {"B": SECRET}}, {"A": f"{SECRET}\0"}),
        {"A": SECRET * 4_000},
        {f"A{number}": SECRET for number in range(513)},
    ),
    "ports": (
        *(1, None, SECRET, [80], {"UPPER": 80}, {SECRET * 2: 80}),
        *({"http": port} for port in PORT),
        {f"p{number}": 80 for number in range(17)},
    ),
    "wait_for": (1, None, SECRET, {}, *([port] for port in PORT), [80] * 17),
    "start_timeout_ms": (*WHOLE, 10**12),
    "stop": (
        *(None, SECRET, [], {}, {"signal": 15}, {"grace_ms": 1}),
        {"signal": 15, "grace_ms": SECRET},
        {"signal": SECRET, "grace_ms": 1},
        *({"signal": number, "grace_ms": 1} for number in (0, 65, "15", None)),
        {"signal": 15, "grace_ms": 1, "more": SECRET},
    ),
    "internet": FLAGS,
    "keep_alive": FLAGS,
    "sleep_after_ms": (0, -1, 1.5, "1", SECRET, 10**12),
    "location_hint": (1, [], SECRET, "WEUR", "weur "),
    "jurisdiction": (1, [], SECRET * 2, "EU"),
    "image": (1, [], "", "two words", SECRET * 500),
    "instance": (
        *(1, [], SECRET * 2, {}, {"vcpu": 1}, {"more": 1}),
        *(
            {"vcpu": 1, "memoryMib": 256, "diskMb": 1_000, **wrong}
            for wrong in (
                {"vcpu": 0},
                {"vcpu": 65},
                {"vcpu": "1"},
                {"vcpu": [1]},
                {"vcpu": True},
                {"memoryMib": 1.5},
                {"diskMb": SECRET},
                {"more": SECRET},
            )
        ),
    ),
    "more": (SECRET, None),
    "__proto__": ({"run": 1},),
}
KEYED: dict[str, tuple[Any, ...]] = {
    "run": WHOLE,
    "epoch": WHOLE,
    "more": (SECRET, None),
}
STOP: dict[str, tuple[Any, ...]] = {
    **KEYED,
    "signal": (*WHOLE, 0, 65),
    "grace_ms": (*WHOLE, 10**12),
}
ASKED: dict[str, tuple[Any, ...]] = {
    "kind": (1, "", "HTTP", SECRET, [], ["tcp"], {}),
    "run": (-1, 1.5, 2**53, "1", True, [], {}, SECRET),
    "epoch": (-1, 1.5, "1", SECRET),
    "timeout_ms": (0, 25_001, 1.5, "1", SECRET),
    "more": (SECRET,),
}
HTTP: dict[str, tuple[Any, ...]] = {
    **ASKED,
    "port": PORT,
    "path": (1, "", "no-slash", f"/{SECRET} x", "/" * 1_025),
    "method": (1, "POST", "get", SECRET),
    "headers": (
        *(1, SECRET, [], {"a b": "x"}, {"a": 1}, {"a": SECRET * 500}),
        *({"a": f"{SECRET}\r\nb: c"}, {"a": f"{SECRET}\n"}, {"a": f"{SECRET}\0"}),
        *({"a:": SECRET}, {"": SECRET}, {SECRET * 20: "x"}),
        {f"h{number}": "x" for number in range(33)},
    ),
    "command": (["true"], SECRET),
}
TCP: dict[str, tuple[Any, ...]] = {
    **ASKED,
    "kind": ("HTTP", SECRET, []),
    "port": PORT,
    "path": ("/", SECRET),
    "command": (["true"], SECRET),
}
COMMAND: dict[str, tuple[Any, ...]] = {
    **ASKED,
    "kind": ("HTTP", SECRET, []),
    "command": (
        *(1, None, SECRET, {}, [], [1], [None], [[]]),
        *([SECRET] * 257, [SECRET * 500], ["with\0nothing"]),
    ),
    "port": (80, SECRET),
}
ATTACH: dict[str, tuple[Any, ...]] = {
    "after": WHOLE,
    "orphan_after_ms": (0, 999, 1.5, "1000", SECRET, 10**12),
    "lease": (
        *(1, True, SECRET, [], {}, {"holder": "a"}, {"ms": 1_000}),
        *(
            {"holder": holder, "ms": 1_000}
            for holder in ("", 1, None, "\t", "\u00e9", SECRET * 9)
        ),
        *({"holder": "a", "ms": ms} for ms in (*WHOLE, 999, 600_001)),
        {"holder": "a", "ms": 1_000, "more": SECRET},
    ),
    "more": (SECRET,),
}
SHOWN: dict[str, tuple[Any, ...]] = {"epoch": WHOLE, "more": (SECRET, None)}
HASH = (*TEXT, "", "0" * 63, "0" * 65, "A" * 64, SECRET, f"{SECRET:0<64}")
SNAPSHOT: dict[str, tuple[Any, ...]] = {
    **SHOWN,
    "seq": WHOLE,
    "digest": HASH,
    "rules": WHOLE,
    "size": (*WHOLE, 0, 2**30 + 1),
    "parts": (*WHOLE, 0, 1_025),
    "checksum": HASH,
}
BASE: dict[str, tuple[Any, ...]] = {**SHOWN, "seq": WHOLE}
ACK: dict[str, tuple[Any, ...]] = {
    "cursor": (*TEXT, SECRET * 9),
    "more": (SECRET,),
}
QUESTIONS: dict[str, tuple[Any, ...]] = {
    "questions": (1, None, SECRET, {}, [{}] * 101),
    "more": (SECRET,),
}
BATCH: dict[str, tuple[Any, ...]] = {
    "orders": (1, None, SECRET, {}, [{}] * 101),
    "more": (SECRET,),
}

SIGHT = {"run": 1, "epoch": 1}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, tuple[Any, ...]]]] = {
    "start": ("containers/a/start", {}, START),
    "stop": ("containers/a/stop", {**SIGHT, "signal": 15, "grace_ms": 1}, STOP),
    "destroy": ("containers/a/destroy", SIGHT, KEYED),
    "forget": ("containers/a/forget", SIGHT, KEYED),
    "http": ("containers/a/probe", {"port": 8080}, HTTP),
    "tcp": ("containers/a/probe", {"kind": "tcp", "port": 8080}, TCP),
    "command": (
        "containers/a/probe",
        {"kind": "command", "command": ["true"]},
        COMMAND,
    ),
    "probe": ("probe", {"questions": []}, QUESTIONS),
    "attach": ("attach", {"after": 0}, ATTACH),
    "renew": ("lease/renew", {"epoch": 1}, SHOWN),
    "release": ("lease/release", {"epoch": 1}, SHOWN),
    "snapshot": (
        "journal/snapshots",
        {
            "epoch": 1,
            "seq": 1,
            "rules": 1,
            "size": 1,
            "parts": 1,
            **dict.fromkeys(("digest", "checksum"), "0" * 64),
        },
        SNAPSHOT,
    ),
    "base": ("journal/base", {"epoch": 1, "seq": 1}, BASE),
    "ack": ("events/ack", {"cursor": ""}, ACK),
    "batch": ("batch", {"orders": []}, BATCH),
}


def assert_refused(answer: Reply, place: str) -> None:
    assert (answer.status, answer.code) == (422, "invalid"), answer
    assert answer.body["details"]["place"] == place
    assert answer.body["details"]["expected"] in answer.body["message"]
    assert SECRET not in str(answer.body)


@pytest.mark.parametrize("case", CASES)
async def test_a_wrong_field_is_refused_by_its_place(
    gateway: Gateway, case: str
) -> None:
    path, sound, fields = CASES[case]
    sound = sound or gateway.start_body()

    async def check(field: str, wrong: object) -> None:
        # Not a dict of it: what JSON calls __proto__ is a field as any other.
        body = json.dumps({**sound, field: wrong})
        answer = await gateway.ask("POST", gateway.path(path), data=body.encode())
        assert_refused(answer, field)

    tried = [(field, wrong) for field, many in fields.items() for wrong in many]
    for begin in range(0, len(tried), 16):
        await asyncio.gather(*(check(*one) for one in tried[begin : begin + 16]))
    for field in sound:
        if field == "kind":
            continue  # another kind of question, then
        body = {key: found for key, found in sound.items() if key != field}
        assert_refused(await gateway.post(path, **body), field)
    assert await gateway.listed() == {}


async def test_a_field_that_is_no_field_is_named_and_cut(gateway: Gateway) -> None:
    answer = await gateway.order("destroy", "a", 1, **{"x" * 1_000: SECRET})
    assert_refused(answer, "x" * 64)


async def test_what_may_be_left_out_may_be_null(scripted: Gateway) -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("sleep_after_ms", "location_hint", "jurisdiction", "image", "instance")
    )
    assert (await scripted.start("a", **nothing)).status == 202
    largest: dict[str, Any] = {
        "env": {f"A{number}": "x" * 1_000 for number in range(512)},
        "entrypoint": ["x" * 1_000] * 256,
        "ports": {f"p{number}": 8080 for number in range(16)},
        "run": 2**50,
    }
    assert (await scripted.start("b", **largest)).status == 202
    (given,) = (await scripted.drive("b", "calls", "start"))[0]
    assert given["env"] == largest["env"]
    assert given["entrypoint"] == largest["entrypoint"]


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b'"x"', b"1", b"null", b"\xff{}", b"{} {}", b"{'a': 1}"]
)
async def test_what_is_no_object_of_json_is_refused(
    gateway: Gateway, data: bytes
) -> None:
    paths = ("attach", "batch", "probe", "containers/a/start", "containers/a/probe")
    for path in paths:
        answer = await gateway.ask("POST", gateway.path(path), data=data)
        assert_refused(answer, "body")


async def answered(gateway: Gateway, head: str, sent: bytes) -> Reply:
    """Send this much of an order and no more; a refusal does not wait for the rest.

    By hand, for a client of HTTP reports a connection that is closed on what it still
    sends, not the answer that came before.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.workerd.port)
    lines = (
        f"POST {gateway.path('attach')} HTTP/1.1",
        "Host: gateway",
        f"Authorization: Bearer {TOKEN}",
        head,
    )
    writer.write("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + sent)
    first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    fields = (line.split(": ", 1) for line in rest if line)
    headers = {name.lower(): value for name, value in fields}
    body = await reader.readexactly(int(headers["content-length"]))
    writer.close()
    return Reply(int(first.split()[1]), json.loads(body), headers)


async def test_a_body_too_large_is_not_read_to_its_end(gateway: Gateway) -> None:
    sent = b" " * 1_048_577
    answer = await answered(gateway, "Content-Length: 9999999", sent)
    assert (answer.status, answer.code) == (413, "too_large")
    assert answer.body["details"] == {"max": 1_048_576}


async def test_so_is_one_that_does_not_say_its_size(gateway: Gateway) -> None:
    piece = b"400\r\n" + b" " * 1_024 + b"\r\n"
    head = "Transfer-Encoding: chunked"
    answer = await answered(gateway, head, piece * 1_025)
    assert (answer.status, answer.code) == (413, "too_large")


@pytest.mark.parametrize("name", ["nothing", "constructor", "valueof"])
async def test_an_application_that_is_not_deployed_is_told(
    gateway: Gateway, name: str
) -> None:
    answer = await gateway.start("a", application=name)
    assert (answer.status, answer.code) == (409, "no_application")
    assert answer.body["details"] == {"application": name, "known": ["web", "api"]}


async def test_image_and_size_belong_to_the_application(gateway: Gateway) -> None:
    choices: tuple[dict[str, Any], ...] = ({"image": "x"}, {"instance": "lite"})
    for choice in choices:
        answer = await gateway.start("a", **choice)
        assert (answer.status, answer.code) == (409, "unsupported")


async def test_what_an_environment_holds_is_nowhere_but_in_the_container(
    gateway: Gateway, workerd: Workerd
) -> None:
    answers = [await gateway.start("a", env={"PASSWORD": SECRET})]
    await gateway.news("ready", "a")
    (one,) = await gateway.running(1)
    assert workerd.engine.docker.environment(one.id)["PASSWORD"] == SECRET
    answers += [
        await gateway.get("containers"),
        await gateway.get("containers", "a"),
        await gateway.post(
            "containers", "a", "probe", port=8080, headers={"x": SECRET}
        ),
        await gateway.stop("a"),
    ]
    await gateway.end_of("a")
    answers += [
        await gateway.start("a", 1, env={"PASSWORD": SECRET}),
        await gateway.start("a", 0, env={"PASSWORD": SECRET}),
        await gateway.start("b", env={"PASSWORD": SECRET}, application="nothing"),
        await gateway.get("events"),
    ]
    assert [answer.status for answer in answers] == [
        *[202, 200, 200, 200, 202, 202],
        *[409, 409, 200],
    ]
    for answer in answers:
        assert SECRET not in str((answer.body, dict(answer.headers)))
    assert SECRET not in workerd.log
    assert keeping(workerd.folder / "storage", "a-fingerprint")
    assert not keeping(workerd.folder / "storage", SECRET)
