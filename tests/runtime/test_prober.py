"""Health checks are asked in time, counted in memory, and told when a verdict turns."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import attrs
import pytest
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator import ContainerSpec, FleetSpec
from orchestrator.core.errors import PlatformError, StaleRun, Unreachable
from orchestrator.core.events import ContainerErrored, Event, HealthChanged
from orchestrator.core.exits import Unhealthy
from orchestrator.core.explain import ContainerInfo
from orchestrator.core.health import (
    CommandProbe,
    HealthCheck,
    HealthChecks,
    HttpProbe,
    Probe,
    TcpProbe,
)
from orchestrator.core.phases import Running
from orchestrator.core.table import Table
from orchestrator.platforms.port import Question, Reply
from orchestrator.runtime import asker, prober
from orchestrator.runtime.interpreter import Limits
from tests.runtime.kit import LIMIT_MS, Faulty, FullJournal, Kit, fleet, spec, value
from tests.runtime.kit import opened as opened_with
from tests.runtime.virtual import in_virtual_time

PORTS = Table.of([("http", 80), ("admin", 81), ("start", 82)])
ALIVE, READY, START = "http", "admin", "start"

WELL = Reply(passed=True, detail="HTTP 200")
ILL = Reply(passed=False, detail="HTTP 503")

Said: TypeAlias = Reply | PlatformError
Answerer: TypeAlias = Callable[[Question], Said | Awaitable[Said]]


def check(port: str, **more: Any) -> HealthCheck:
    more.setdefault("period_ms", 20)
    more.setdefault("failure_threshold", 2)
    return HealthCheck(probe=more.pop("probe", TcpProbe(port=port)), **more)


def checked(name: str = "web", **checks: HealthCheck) -> ContainerSpec:
    return spec(name, ports=PORTS, health=HealthChecks(**checks), stop_grace_ms=10)


class Asked(Faulty):
    """A platform whose containers answer as the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[Question] = []
        self.says: dict[str, Said] = {}
        self.answer: Answerer | None = None
        self.at_once: Counter[tuple[str, Probe]] = Counter()
        self.most: Counter[str] = Counter()

    def probe(self, question: Question) -> FutureResult[Reply, PlatformError]:
        self.questions.append(question)
        return FutureResult(self._answered(question))

    async def _answered(self, question: Question) -> Result[Reply, PlatformError]:
        key = (question.name, question.probe)
        self.at_once[key] += 1
        self.most["one check"] = max(self.most["one check"], self.at_once[key])
        self.most["all"] = max(self.most["all"], self.at_once.total())
        try:
            said = await self._said(question)
        finally:
            self.at_once[key] -= 1
        return Success(said) if isinstance(said, Reply) else Failure(said)

    async def _said(self, question: Question) -> Said:
        if self.answer is None:
            probe = question.probe
            port = "command" if isinstance(probe, CommandProbe) else probe.port
            return self.says.get(port, WELL)
        said = self.answer(question)
        return said if isinstance(said, Said) else await said

    async def asked(self, count: int, port: str | None = None) -> None:
        """Wait until so many questions more were asked, of one port or at all."""

        def number() -> int:
            ports = [getattr(q.probe, "port", None) for q in self.questions]
            return len(ports) if port is None else ports.count(port)

        goal = number() + count
        async with asyncio.timeout(LIMIT_MS / 1_000):
            while number() < goal:  # noqa: ASYNC110 - a list tells nobody
                await asyncio.sleep(0.002)


@attrs.frozen
class Clinic:
    kit: Kit
    asked: Asked

    async def changes(self) -> list[tuple[str, bool]]:
        records = await value(self.kit.operator.events())
        return [
            (str(record.event.check), record.event.passing)
            for record in records
            if isinstance(record.event, HealthChanged)
        ]

    async def turned(self, ready: bool) -> None:  # noqa: FBT001 - it reads so
        await self.kit.until(lambda: self.ready is ready)

    @property
    def ready(self) -> bool:
        return self.kit.operator.infos()[0].ready


@asynccontextmanager
async def opened(
    declared: FleetSpec, asked: Asked, **means: Any
) -> AsyncIterator[Clinic]:
    async with opened_with(declared, platform=asked, **means) as kit:
        yield Clinic(kit, asked)


@in_virtual_time
async def test_a_thousand_healthy_containers_add_nothing_to_the_journal() -> None:
    checks = HealthChecks(
        readiness=check(READY, period_ms=1_000),
        liveness=check(ALIVE, period_ms=1_000),
    )
    names = [f"web-{index}" for index in range(1_000)]
    declared = fleet(
        *(spec(name, ports=PORTS, health=checks) for name in names),
        max_concurrent_starts=1_000,
        reconcile_interval_ms=0,
    )
    async with opened(declared, Asked()) as clinic:
        operator = clinic.kit.operator
        await value(operator.converge(limit_ms=LIMIT_MS * 3, steady_ms=0))
        await clinic.asked.asked(1_000)
        seq = operator.seq
        await clinic.asked.asked(6_000)
        assert operator.seq == seq
        assert {question.name for question in clinic.asked.questions[-3_000:]} == {
            *names
        }
        assert clinic.asked.most["one check"] == 1


@in_virtual_time
async def test_a_container_is_ready_when_its_checks_have_passed() -> None:
    asked = Asked()
    asked.says = {START: ILL, READY: ILL}
    late = check(START, failure_threshold=1_000)
    declared = fleet(checked(startup=late, readiness=check(READY)))
    async with opened(declared, asked) as clinic:
        await asked.asked(3, START)
        assert not any(question.probe.port == READY for question in asked.questions)  # type: ignore[union-attr]
        asked.says[START] = WELL
        await asked.asked(3, READY)
        assert not clinic.ready
        assert await clinic.changes() == [("startup", True)]
        asked.says[READY] = WELL
        info = await value(clinic.kit.operator.wait("web", limit_ms=LIMIT_MS))
        assert (info.ready, info.run) == (True, 1)
        assert await clinic.changes() == [("startup", True), ("readiness", True)]
        count = sum(question.probe == late.probe for question in asked.questions)
        await asked.asked(3)
        still = sum(question.probe == late.probe for question in asked.questions)
        assert still == count  # once it has passed nobody asks


@in_virtual_time
async def test_readiness_comes_and_goes_and_only_turns_are_written() -> None:
    asked = Asked()
    async with opened(fleet(checked(readiness=check(READY))), asked) as clinic:
        operator = clinic.kit.operator
        await value(operator.wait("web", limit_ms=LIMIT_MS))
        for said, ready in ((ILL, False), (WELL, True), (ILL, False)):
            asked.says[READY] = said
            await clinic.turned(ready)
            await asked.asked(5)
        told = [("readiness", True), ("readiness", False)] * 2
        assert await clinic.changes() == told
        records = await value(operator.events())
        assert records[-1].event.cause == "HTTP 503"  # type: ignore[union-attr]
        assert operator.infos()[0].run == 1
        assert operator.infos()[0].phase == "running"


@in_virtual_time
async def test_a_liveness_check_that_fails_ends_the_run_and_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Told:
        def __init__(self) -> None:
            self.calls: list[tuple[str, str]] = []

        def on_error(self, info: ContainerInfo, event: Event) -> None:
            self.calls.append(("error", type(event).__name__))

        def on_stop(self, info: ContainerInfo, event: Event) -> None:
            self.calls.append(("stop", type(event).__name__))

    asked, told = Asked(), Told()
    asked.answer = lambda question: ILL if question.run == 1 else WELL
    declared = fleet(checked(liveness=check(ALIVE)))
    async with opened(declared, asked, hooks=told) as clinic:
        await clinic.kit.until(lambda: clinic.kit.operator.infos()[0].run == 2)
        container = clinic.kit.operator.fleet.containers["web"]
        assert container.last is not None
        assert container.last.exit == Unhealthy(check="liveness")
        await value(clinic.kit.operator.wait("web", limit_ms=LIMIT_MS))
        first_two = [question.run for question in asked.questions[:2]]
        assert first_two == [1, 1]
        await asked.asked(3)
        assert asked.questions[-1].run == 2
    assert told.calls == [("error", "HealthChanged"), ("stop", "ContainerEnded")]
    lines = [line for line in caplog.messages if "liveness" in line]
    assert lines == ["web is ended: its liveness check fails (HTTP 503)"]


@in_virtual_time
async def test_what_nobody_can_tell_counts_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asker, "PATIENCE_MS", 1)
    asked = Asked()
    async with opened(
        fleet(checked(liveness=check(ALIVE, timeout_ms=1))), asked
    ) as clinic:
        await value(clinic.kit.operator.wait("web", limit_ms=LIMIT_MS))

        async def never(_: Question) -> Said:
            await asyncio.sleep(3_600)
            return ILL

        def bug(_: Question) -> Said:
            raise ValueError("hunter2")

        silent: list[Answerer] = [
            lambda _: Unreachable(cause="cut"),
            lambda _: StaleRun(name="web", run=1, highest=2),
            never,
            bug,
        ]
        for answer in silent:
            asked.answer = answer
            await asked.asked(6)
        assert clinic.ready
        assert await clinic.changes() == []
        assert asked.most["one check"] == 1
        rest: list[Said] = [ILL, Unreachable(cause="cut"), ILL]
        asked.answer = lambda _: rest.pop(0) if rest else WELL
        await clinic.kit.until(lambda: clinic.kit.phase("web") == "stopping")


@in_virtual_time
async def test_a_bug_of_an_adapter_is_told_by_its_type_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Buggy(Asked):
        def probe(self, question: Question) -> FutureResult[Reply, PlatformError]:
            self.questions.append(question)
            raise ValueError("hunter2")

    asked = Buggy()
    async with opened(fleet(checked(liveness=check(ALIVE))), asked) as clinic:
        await asked.asked(3)
        assert clinic.ready
    assert "web: its liveness check could not be asked: ValueError" in caplog.messages
    assert "hunter2" not in caplog.text


@in_virtual_time
async def test_a_bug_of_ours_is_logged_and_the_operator_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(prober, "AGAIN_S", 0.001)
    asked = Asked()
    async with opened(fleet(checked(liveness=check(ALIVE))), asked) as clinic:
        operator = clinic.kit.operator
        await value(operator.wait("web", limit_ms=LIMIT_MS))
        with monkeypatch.context() as patched:
            patched.setattr(prober, "due_checks", broken)
            patched.setattr(prober, "count", broken)
            await value(operator.start_container("other"))
            await value(operator.wait("other", limit_ms=LIMIT_MS))
            await asked.asked(2)
            patched.setattr(prober.Prober, "_ask_what_is_due", broken)
            await asyncio.sleep(0.1)
        await asked.asked(3)
        assert clinic.ready
    for line in ("lost track", "its liveness check", "were interrupted"):
        assert line in caplog.text


@in_virtual_time
async def test_a_check_that_is_gone_is_given_up_at_once() -> None:
    asked = Asked()
    ended: list[str] = []

    async def slow(question: Question) -> Said:
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            ended.append(question.name)
            raise
        return WELL

    declared = fleet(checked(liveness=check(ALIVE)))
    async with opened(declared, asked) as clinic:
        operator = clinic.kit.operator
        await value(operator.wait("web", limit_ms=LIMIT_MS))
        asked.answer = slow
        await asked.asked(1)
        await value(operator.apply(fleet(checked())))
        await asyncio.sleep(0.05)
        assert ended == ["web"]
        assert operator.infos()[0].run == 1
        count = len(asked.questions)
        await asyncio.sleep(0.1)
        assert len(asked.questions) == count
        asked.answer = None
        await value(operator.apply(declared))
        await asked.asked(2)
        asked.answer = slow
        await asked.asked(1)
        await value(operator.stop_container("web"))
        await value(operator.wait("web", "stopped", limit_ms=LIMIT_MS))
        assert ended == ["web", "web"]
        assert asked.at_once.total() == 0


@in_virtual_time
async def test_what_cannot_be_seen_is_not_asked_until_it_is_seen_again() -> None:
    asked = Asked()
    alive = check(ALIVE, failure_threshold=1_000)
    async with opened(fleet(checked(liveness=alive)), asked) as clinic:
        await asked.asked(2)
        loop = clinic.kit.operator._loop
        loop.tell(ContainerErrored(at=0, name="web", run=1, cause="cut"))
        asked.look_as = lambda seen: attrs.evolve(seen, complete=False, sightings=())
        await clinic.kit.container("web", "unknown")
        await asyncio.sleep(0.05)
        count = len(asked.questions)
        await asyncio.sleep(0.1)
        assert len(asked.questions) == count
        asked.look_as = None
        await value(clinic.kit.operator.reconcile())
        await asked.asked(2)
        assert clinic.ready


@in_virtual_time
async def test_questions_at_once_are_bounded_and_end_with_the_operator() -> None:
    asked = Asked()

    async def slow(_: Question) -> Said:
        await asyncio.sleep(0.01)
        return WELL

    asked.answer = slow
    several = fleet(*(checked(f"web-{i}", liveness=check(ALIVE)) for i in range(20)))
    limits = Limits(questions_at_once=3)
    async with opened(several, asked, limits=limits) as clinic:
        await value(clinic.kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        await asked.asked(60)
        names = {question.name for question in asked.questions[-40:]}
        assert len(names) == 20  # nobody waits for ever
    assert asked.most["all"] == 3
    assert asked.at_once.total() == 0


@in_virtual_time
async def test_first_questions_wait_for_the_delay_and_are_spread() -> None:
    asked = Asked()
    patient = check(ALIVE, initial_delay_ms=300)
    many = [
        checked(f"web-{i}", liveness=check(ALIVE, period_ms=60_000)) for i in range(50)
    ]
    declared = fleet(checked(liveness=patient), *many, max_concurrent_starts=60)
    journal, heard = FullJournal(), list[int]()
    async with opened(declared, asked, journal=journal) as clinic:

        def note(question: Question) -> Said:
            if question.name == "web":
                heard.append(clinic.kit.operator._loop.now())
            return WELL

        asked.answer = note
        await value(clinic.kit.operator.wait("web", limit_ms=LIMIT_MS))
        while not heard:  # noqa: ASYNC110 - a list tells nobody
            await asyncio.sleep(0.002)
        phase = clinic.kit.operator.fleet.containers["web"].phase
        assert isinstance(phase, Running)
        assert phase.ready_at is not None
        assert heard[0] - phase.ready_at >= 300
        await value(clinic.kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
    async with opened(declared, asked, journal=journal) as clinic:
        engine: Any = clinic.kit.operator._engine
        heap = engine.prober._heap
        while not heap:  # noqa: ASYNC110 - it begins a moment after the operator
            await asyncio.sleep(0.001)
        first = sorted(at for at, _, asking in heap if asking.name != "web")
        assert len(first) == 50
        assert 5 < first[-1] - first[0] < 10
        web = min(at for at, _, asking in heap if asking.name == "web")
        assert web - asyncio.get_running_loop().time() < 0.25  # it is long due


@in_virtual_time
async def test_after_a_boot_verdicts_stand_and_rows_of_answers_begin_again() -> None:
    asked, journal = Asked(), FullJournal()
    asked.says[READY] = ILL
    alive = check(ALIVE, failure_threshold=5)
    declared = fleet(checked(readiness=check(READY), liveness=alive))
    async with opened(declared, asked, journal=journal) as clinic:
        asked.says[READY] = WELL
        await value(clinic.kit.operator.wait("web", limit_ms=LIMIT_MS))
        changes = await clinic.changes()
        asked.says[ALIVE] = ILL
        await asked.asked(3, ALIVE)
        assert clinic.ready
    async with opened(declared, asked, journal=journal) as clinic:
        await asked.asked(3, ALIVE)
        assert clinic.ready  # three and three are not five in a row
        asked.says[ALIVE] = WELL
        await asked.asked(5)
        assert await clinic.changes() == changes
        info = clinic.kit.operator.infos()[0]
        assert (info.ready, info.run) == (True, 1)


SECRET = "correct-horse-${battery}"


@in_virtual_time
async def test_a_secret_in_a_question_is_in_nothing_that_is_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    asked = Asked()
    headers = Table.of([("Authorization", "Bearer ${secret.TOKEN} of ${name}")])
    page = HttpProbe(port=READY, headers=headers)
    words = CommandProbe(command=("ask", "${port.http}", "$${secret.TOKEN}"))
    declared = fleet(
        checked(readiness=check(READY, probe=page), liveness=check(ALIVE, probe=words))
    )
    secrets = {"TOKEN": SECRET}
    async with opened(declared, asked, secrets=secrets) as clinic:
        operator = clinic.kit.operator
        await value(operator.wait("web", limit_ms=LIMIT_MS))
        await asked.asked(4)
        filled = {type(question.probe): question for question in asked.questions}
        sent = filled[HttpProbe].probe
        assert isinstance(sent, HttpProbe)
        assert dict(sent.headers.items()) == {
            "Authorization": f"Bearer {SECRET} of web"
        }
        asks = filled[CommandProbe].probe
        assert isinstance(asks, CommandProbe)
        assert asks.command == ("ask", "80", "${secret.TOKEN}")
        assert filled[CommandProbe].address == ""
        asked.says[READY] = ILL
        await clinic.kit.until(lambda: not clinic.ready)
        kept = [
            repr(asked.questions),
            repr(await value(operator.events())),
            repr(await value(operator.explain("web"))),
            repr(await value(operator.list_containers())),
            repr(operator.fleet),
            str(clinic.kit.journal._rows),
            caplog.text,
        ]
    assert not any(SECRET in text for text in kept)


@in_virtual_time
async def test_a_secret_that_is_missing_is_said_once_and_is_no_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = Asked()
    headers = Table.of([("X-Key", "${secret.NO_SUCH_SECRET_HERE}")])
    page = HttpProbe(port=ALIVE, headers=headers)
    words = CommandProbe(command=("ask", "${secret.BROKEN}"))
    broken = attrs.evolve(page, headers=Table.of([("X-Key", "${secret.BROKEN}")]))
    declared = fleet(
        checked(
            liveness=check(ALIVE, probe=page),
            readiness=check(ALIVE, probe=broken, failure_threshold=1),
        ),
        checked("words", readiness=check(ALIVE, probe=words)),
    )
    async with opened(declared, asked, secrets={"BROKEN": "a\r\nb"}) as clinic:
        await clinic.kit.container("web", "running")
        await clinic.kit.container("words", "running")
        await asyncio.sleep(0.3)
        assert asked.questions == []
        assert clinic.kit.phase("web") == "running"
        assert await clinic.changes() == []
    lines = [line for line in caplog.messages if " check: " in line]
    assert sorted(lines) == [
        "web: its liveness check: container 'web' needs the secret"
        " 'NO_SUCH_SECRET_HERE'",
        "web: its readiness check: refused by the platform: a line break cannot be sent"
        " with a check",
        "words: its readiness check: container 'words' needs the secret 'BROKEN'",
    ]


@in_virtual_time
async def test_where_the_platform_gives_no_ports_nobody_can_be_asked() -> None:
    class Portless(Asked):
        def ports(
            self, spec: ContainerSpec
        ) -> FutureResult[Mapping[str, int], PlatformError]:
            if self.orders:  # it has been started
                looked.append(spec.name)
                return FutureResult.from_failure(Unreachable(cause="cut"))
            return super().ports(spec)

    asked, looked = Portless(), list[str]()
    probe = CommandProbe(command=("ask", "${port.http}"))
    declared = fleet(checked(liveness=check(ALIVE, probe=probe, failure_threshold=1)))
    async with opened(declared, asked) as clinic:
        await value(clinic.kit.operator.wait("web", limit_ms=LIMIT_MS))
        while len(looked) < 3:  # noqa: ASYNC110 - a list tells nobody
            await asyncio.sleep(0.002)
        assert asked.questions == []
        assert clinic.ready
