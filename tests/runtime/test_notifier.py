"""Notices that are really posted: taken, refused, late, and after a kill -9."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from orchestrator import Backoff, settled
from orchestrator.core.commands import SendNotice
from orchestrator.core.events import Event
from orchestrator.core.notices import NoticeDelivered, NoticeEvent, NoticeFailed
from orchestrator.core.notify import Notify
from orchestrator.core.state import empty_fleet
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.runtime.notifier import Notifier, envelope_of
from orchestrator.runtime.posting import LINES_MAX, post
from orchestrator.runtime.reports import config_of
from orchestrator.simulation.characters import Character
from tests.core.test_notices import loops
from tests.core.test_notices import told as story_of
from tests.runtime.kit import HOLD, LIMIT_MS, Kit, fleet, opened, spec, value
from tests.runtime.receiver import OK, Letter, Receiver, receiver

FAST = Backoff(initial_ms=1, max_ms=2)
NO = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
SECRETS = {"SIGNING": "k3y", "PATH_OF_HOOK": "hook/s3cr3t-path"}
PATIENT_MS = 300_000
"""For an answer: one that comes late is not asked for a second time."""


def notify(here: Receiver, **more: object) -> Notify:
    first = Notify(url=here.url, secret="SIGNING", backoff=FAST, timeout_ms=PATIENT_MS)
    return attrs.evolve(first, **more)  # type: ignore[arg-type]


async def outcomes(kit: Kit) -> list[NoticeEvent]:
    records = await value(kit.operator.events(0))
    return [r.event for r in records if isinstance(r.event, NoticeEvent)]


async def settles(kit: Kit) -> list[NoticeEvent]:
    """Wait until no notice is open; return what came of each attempt."""

    def is_over() -> bool:
        notices = kit.operator.fleet.notices
        return notices.count > 0 and not len(notices.open)

    async with asyncio.timeout(60):
        await kit.until(is_over)
    return await outcomes(kit)


def is_signed(letter: Letter, key: str) -> bool:
    """Check a signature as a receiver does."""
    given = dict(
        part.split("=", 1)
        for part in letter.headers["Orchestrator-Signature"].split(",")
    )
    signed = given["t"].encode() + b"." + letter.body
    wanted = hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, given["v1"])


async def test_a_crash_loop_is_told_signed_and_once() -> None:
    async with receiver() as here:
        declared = fleet(spec("dead", HOLD), notify=notify(here))
        async with opened(declared, secrets=SECRETS) as kit:
            assert [type(each) for each in await settles(kit)] == [NoticeDelivered]
        (letter,) = here.letters
        assert letter.target == "/hook/s3cr3t-path?k=v"
        assert is_signed(letter, "k3y")
        assert not is_signed(letter, "other")
        assert letter.headers["Content-Type"] == "application/json"
        assert letter.headers["Orchestrator-Event"] == "crash_looping"
        assert letter.headers["Orchestrator-Attempt"] == "1"
        tree = letter.tree
        assert tree["delivery"] == letter.headers["Orchestrator-Delivery"]
        assert tree["delivery"].startswith("demo-")
        assert tree["delivery"].endswith("-1")
        assert (tree["container"], tree["kind"]) == ("dead", "crash_looping")
        assert tree["rule"] == "crash_loop_hold"
        assert "it fails too often" in tree["why"]
        assert tree["text"].startswith("demo: dead is crash-looping: it fails")


async def test_what_is_not_taken_is_sent_again_under_the_same_name() -> None:
    async with receiver(NO, b"", OK) as here:
        declared = fleet(spec("dead", HOLD), notify=notify(here))
        async with opened(declared, secrets=SECRETS) as kit:
            told = await settles(kit)
        causes = [each.cause for each in told if isinstance(each, NoticeFailed)]
        assert causes == ["it answered 503", "the answer is not HTTP"]
        assert len({letter.tree["delivery"] for letter in here.letters}) == 1
        assert len({letter.body for letter in here.letters}) == 1
        attempts = [letter.headers["Orchestrator-Attempt"] for letter in here.letters]
        assert attempts == ["1", "2", "3"]


async def test_what_is_never_taken_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with receiver(NO) as here:
        telling = notify(here, attempts=2)
        async with opened(
            fleet(spec("dead", HOLD), notify=telling), secrets=SECRETS
        ) as kit:
            assert [type(each) for each in await settles(kit)] == [NoticeFailed] * 2
            assert kit.operator.fleet.notices.lost == 1
            shown = config_of(kit.operator.fleet)
            assert shown.settings.notify is not None
            assert shown.settings.notify.url == f"http://127.0.0.1:{here.port}/***"
    assert "attempt 2 of 2: it answered 503" in caplog.text
    assert "s3cr3t" not in caplog.text
    assert "k3y" not in caplog.text


async def test_a_receiver_that_hangs_holds_nobody_up() -> None:
    async def never() -> bytes:
        await asyncio.Event().wait()
        return b""

    async with receiver(never) as here:
        async with opened(
            fleet(spec("dead", HOLD), spec("web"), notify=notify(here)),
            secrets=SECRETS,
        ) as kit:
            await here.has(1)
            await value(kit.operator.wait("web", "ready", limit_ms=LIMIT_MS))
            await value(kit.operator.stop_container("web"))
            await value(kit.operator.wait("web", "stopped", limit_ms=LIMIT_MS))
            assert len(kit.operator.fleet.notices.open) == 1
            # The end waits for no answer: one may take minutes.
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < PATIENT_MS / 2_000


async def test_it_is_told_as_the_next_operator_boots(tmp_path: Path) -> None:
    """The first is killed (-9) with a notice on its way that nobody has answered."""
    killed: list[subprocess.Popen[bytes]] = []

    async def kills() -> bytes:
        killed[0].send_signal(signal.SIGKILL)
        await asyncio.to_thread(killed[0].wait)
        return b""

    async with receiver(kills, OK) as here:
        path = tmp_path / "journal.db"
        killed.append(
            subprocess.Popen(
                [sys.executable, "-c", KILLED, str(path), here.url],
                cwd=Path(__file__).parents[2],
                env=os.environ | {"SIGNING": "k3y"},
            )
        )
        await here.has(1)
        await asyncio.to_thread(killed[0].wait)
        assert killed[0].returncode == -signal.SIGKILL
        journal = await settled(open_sqlite(path))
        declared = fleet(spec("dead", HOLD), notify=notify(here))
        async with opened(declared, journal=journal, secrets=SECRETS) as kit:
            told = await settles(kit)
            assert [type(each) for each in told] == [NoticeDelivered]
        first, second = here.letters
        assert first.body == second.body
        assert first.tree["delivery"] == second.tree["delivery"]
        assert is_signed(second, "k3y")


KILLED = """
import asyncio, sys
from pathlib import Path
from orchestrator import Operator, settled
from orchestrator.core.notify import Notify
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.simulation.characters import Character
from tests.core.test_notices import loops
from tests.core.test_notices import told as story_of
from tests.runtime.kit import HOLD, Faulty, fleet, spec
from tests.runtime.test_notifier import FAST, PATIENT_MS

async def main():
    journal = await settled(open_sqlite(Path(sys.argv[1])))
    telling = Notify(
        url=sys.argv[2], secret="SIGNING", backoff=FAST, timeout_ms=PATIENT_MS
    )
    declared = fleet(spec("dead", HOLD), notify=telling)
    async with Operator.open(declared, platform=Faulty(), journal=journal):
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_recovery_is_told() -> None:
    async with receiver() as here:
        held = spec("dead", HOLD)
        async with opened(fleet(held, notify=notify(here)), secrets=SECRETS) as kit:
            await here.has(1)
            kit.platform._world.characters["dead"] = Character.STEADY
            await value(kit.operator.start_container("dead", force=True))
            await here.has(2)
            first, second = (letter.tree for letter in here.letters)
            assert (first["kind"], second["kind"]) == ("crash_looping", "recovered")
            assert second["run"] > first["run"]
            assert second["text"] == "demo: dead is ready again"
            assert first["delivery"] != second["delivery"]
            await settles(kit)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", None),
        (b"HTTP/1.0 299 \r\n\r\n", None),
        (b"HTTP/1.1 202\r\n", None),
        (b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", None),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "it answered 404"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
            "it answered 302 (redirects are not followed)",
        ),
        (b"", "the answer is not HTTP"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n", "the answer is not HTTP"),
        (b"\x00\xff" * 5_000, "the answer is not HTTP"),
        (
            b"HTTP/1.1 100 Continue\r\n" + b"A: b\r\n" * LINES_MAX,
            "the answer is not HTTP",
        ),
    ],
)
async def test_every_answer_is_understood_or_refused(
    answer: bytes, cause: str | None
) -> None:
    async with receiver(answer) as here:
        assert await post(here.url, {"X": "y"}, b"{}", timeout_ms=60_000) == cause
        (letter,) = here.letters
        assert letter.headers["Host"] == f"127.0.0.1:{here.port}"
        assert (letter.headers["X"], letter.body) == ("y", b"{}")


async def test_one_that_never_answers_is_left_after_its_time() -> None:
    async def never() -> bytes:
        await asyncio.Event().wait()
        return b""

    async with receiver(never) as here:
        found = await post(here.url, {}, b"", timeout_ms=50)
        assert found == "no answer within 50ms"
        secure = here.url.replace("http:", "https:")
        found = await post(secure, {}, b"", timeout_ms=500)
        assert found is not None
        assert "s3cr3t" not in found


async def test_a_port_that_nobody_listens_on_is_told_as_such() -> None:
    with socket.socket() as free:  # bound, so that nobody else gets it
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        found = await post(f"http://127.0.0.1:{port}/x", {}, b"", timeout_ms=60_000)
    assert found == "the connection was refused"


async def test_a_plain_port_is_no_secure_one() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    found = await post(f"https://127.0.0.1:{port}/x", {}, b"", timeout_ms=60_000)
    assert found == "no secure connection could be made"
    server.close()


async def one_attempt(telling: Notify, secrets: dict[str, str]) -> tuple[Event, ...]:
    """Send one notice, outside of any operator."""
    told: list[Event] = []
    came = asyncio.Event()

    def submit(event: Event) -> None:
        told.append(event)
        came.set()

    notifier = Notifier(secrets, submit)
    story = loops(story_of(notify=telling))
    envelope = envelope_of(SendNotice(number=1, attempt=1), story.fleet)
    assert envelope is not None
    notifier.send(envelope)
    await came.wait()
    await notifier.close()
    notifier.send(envelope)
    assert len(told) == 1
    return tuple(told)


async def test_secrets_are_looked_up_as_it_is_sent() -> None:
    async with receiver() as here:
        url = f"http://127.0.0.1:{here.port}/${{secret.PATH_OF_HOOK}}"
        telling = notify(here, url=url)
        assert await one_attempt(telling, SECRETS) == (NoticeDelivered(at=0, number=1),)
        assert here.letters[0].target == "/hook/s3cr3t-path"
        (failed,) = await one_attempt(telling, {"SIGNING": "x"})
        assert failed == NoticeFailed(
            at=0,
            number=1,
            cause="its address names a secret that is missing: secret.PATH_OF_HOOK",
        )
        (failed,) = await one_attempt(telling, {"PATH_OF_HOOK": "x"})
        assert failed == NoticeFailed(
            at=0, number=1, cause="the secret that signs it is missing: SIGNING"
        )
        bad = SECRETS | {"PATH_OF_HOOK": "x HTTP/1.1\r\nX-Evil: 1"}
        (failed,) = await one_attempt(telling, bad)
        assert failed == NoticeFailed(
            at=0, number=1, cause="its address is none, with the secrets filled in"
        )
        bare = notify(here, secret=None)
        await one_attempt(bare, {})
        assert "Orchestrator-Signature" not in here.letters[-1].headers


async def test_a_bug_is_an_outcome_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("https://secret.invalid/")

    monkeypatch.setattr("orchestrator.runtime.notifier.post", broken)
    async with receiver() as here:
        (failed,) = await one_attempt(notify(here), SECRETS)
    assert failed == NoticeFailed(
        at=0, number=1, cause="it could not be sent: RuntimeError"
    )


def test_nothing_is_sent_for_a_notice_that_is_gone() -> None:
    assert envelope_of(SendNotice(number=1, attempt=1), empty_fleet("demo")) is None
