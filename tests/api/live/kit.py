"""A journal that grows when it is told to, and readers that keep what they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import cache
from typing import Any

import attrs
import orjson

from orchestrator.api.live.frames import Form
from orchestrator.api.live.hub import Hub
from orchestrator.api.live.reader import Reader, begin
from orchestrator.api.live.wanted import Wanted
from orchestrator.codec.wire import tree_of
from orchestrator.core.explain import container_info
from orchestrator.core.reduce import step_of
from orchestrator.core.steps import Step
from orchestrator.journal.memory import MemoryJournal
from orchestrator.runtime.feed import Feed
from orchestrator.runtime.recovery import snapshot_of
from orchestrator.runtime.shown import shown_event
from orchestrator.runtime.travel import Travel
from orchestrator.runtime.views import View
from tests.replay.golden import POLICIES
from tests.runtime.travel_kit import events_of, fill, fleets, head_of, history

COUNT = 150


@cache
def steps(seed: int) -> tuple[Step, ...]:
    """Return the steps of a lively history; the one at index n makes row n + 1."""
    before = fleets(seed, COUNT)
    return tuple(
        step_of(fleet, event, POLICIES)
        for fleet, event in zip(before, events_of(history(seed, COUNT)), strict=False)
    )


@cache
def told_of(seed: int, seq: int) -> dict[str, Any]:
    """Return what the row says to a reader who wants containers, worked out simply."""
    step = steps(seed)[seq - 1]
    at = step.event.at
    after = {name: step.after.containers.get(name) for name in step.touched}
    return {
        "seq": seq,
        "at": at,
        "event": tree_of(shown_event(step.event)),
        "containers": [
            orjson.loads(orjson.dumps(tree_of(container_info(step.after, each, at))))
            for each in after.values()
            if each is not None
        ],
        "gone": [name for name, each in after.items() if each is None],
    }


def concerned(seed: int, seq: int, wanted: Wanted) -> bool:
    """Say whether a row is for a reader: the plain words of the contract."""
    step = steps(seed)[seq - 1]
    names = {*step.touched, getattr(step.event, "name", None)}
    return (not wanted.names or bool(names & wanted.names)) and (
        not wanted.kinds or type(step.event) in wanted.kinds
    )


class Stage:
    """A journal with a past, the operator's part played by hand."""

    def __init__(self, seed: int, base: int = 0, **bounds: int) -> None:
        self.seed = seed
        self.bounds = bounds
        self.watchers: list[Any] = []
        self.running: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.head = base
        head = head_of(history(seed, COUNT), base)
        begins = snapshot_of(fleets(seed, COUNT)[base], head)
        self.journal = MemoryJournal(begins if base else None)
        self.hub = self.open()

    def open(self) -> Hub:
        feed = Feed(
            journal=self.journal,
            travel=Travel(self.journal, POLICIES),
            policies=POLICIES,
            watchers=self.watchers,
            view=self.view,
            running=self.running,
            fatal=lambda: None,
        )
        return Hub(feed, pace_s=0, **self.bounds)

    def view(self) -> View:
        fleet = fleets(self.seed, COUNT)[self.head]
        return View(seq=self.head, at=fleet.at, fleet=fleet)

    async def write(self, count: int) -> range:
        """Make rows durable; nobody has been told yet."""
        rows = history(self.seed, COUNT)[self.head : self.head + count]
        await fill(self.journal, rows)
        return range(self.head, self.head + len(rows))

    def tell(self, written: range) -> None:
        for number in written:
            self.head = number + 1
            for watcher in tuple(self.watchers):
                watcher(steps(self.seed)[number])

    async def append(self, count: int) -> None:
        self.tell(await self.write(count))
        self.hub.take_in()

    def restart(self) -> None:
        """End the operator, and open another one of the same journal."""
        self.hub.leave()
        self.hub = self.open()


@attrs.define
class Client:
    """A program at the other end: it keeps messages, and knows the last id."""

    stage: Stage
    wanted: Wanted
    reader: Reader
    messages: list[dict[str, Any]] = attrs.field(factory=list)
    last_id: int = 0

    @classmethod
    async def connect(cls, stage: Stage, wanted: Wanted) -> Client:
        stage.hub.readers.append(wanted)
        reader = await begin(stage.hub, wanted)
        assert isinstance(reader, Reader)
        client = cls(stage, wanted, reader)
        client.receive(reader.hello())
        return client

    async def reconnect(self) -> None:
        """Come again, from what was seen last."""
        wanted = attrs.evolve(self.wanted, after=self.last_id)
        self.stage.hub.readers.append(wanted)
        reader = await begin(self.stage.hub, wanted)
        assert isinstance(reader, Reader)
        self.reader = reader
        (hello,) = parsed(self.wanted.form, reader.hello())
        assert hello["seq"] == self.last_id

    async def take(self) -> bool:
        """Receive one chunk; say whether there was any."""
        chunk = await self.reader.take()
        self.receive(chunk or b"")
        return chunk is not None

    async def drain(self) -> None:
        while await self.take():
            pass

    def receive(self, chunk: bytes) -> None:
        for message in parsed(self.wanted.form, chunk):
            self.messages.append(message)
            self.last_id = message.get("id", self.last_id)

    def check(self, *, complete: bool = True) -> None:
        """Hold what came to the law: the journal, in order, but for named gaps."""
        place = self.messages[0]["seq"]
        for message in self.messages[1:]:
            if message["kind"] == "gap":
                begin, end = message["from"], message["to"]
                assert end >= begin > place
            else:
                assert message["kind"] == "event"
                begin = end = message["seq"]
                assert concerned(self.stage.seed, end, self.wanted)
                self._check_words(message)
            self._check_silence(range(place + 1, begin))
            place = end
        if complete:
            self._check_silence(range(place + 1, self.stage.head + 1))

    def _check_silence(self, rows: Iterable[int]) -> None:
        for seq in rows:
            assert not concerned(self.stage.seed, seq, self.wanted), seq

    def _check_words(self, message: dict[str, Any]) -> None:
        expected = dict(told_of(self.stage.seed, message["seq"]))
        names = self.wanted.names
        if not self.wanted.containers:
            del expected["containers"], expected["gone"]
        elif names:
            shown, gone = expected["containers"], expected["gone"]
            expected["containers"] = [info for info in shown if info["name"] in names]
            expected["gone"] = [name for name in gone if name in names]
        found = {
            key: value for key, value in message.items() if key not in {"kind", "id"}
        }
        assert found == expected


def parsed(form: Form, data: bytes) -> list[dict[str, Any]]:
    """Read messages of either form, as a strict reader does."""
    if form is Form.NDJSON:
        found = [orjson.loads(line) for line in data.splitlines()]
        return [{**m, "id": m.get("to", m.get("seq", 0))} for m in found]
    messages: list[dict[str, Any]] = []
    for block in data.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        if "data" not in fields:
            continue
        body = orjson.loads(fields["data"])
        messages.append({**body, "kind": fields["event"], "id": int(fields["id"])})
    return messages
