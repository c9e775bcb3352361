"""``up --standby``: by turns a standby and a leader, in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from orchestrator import Claim, MemoryJournal, Operator, SimulatedPlatform, settled
from orchestrator.cli import opening, running, standing_by
from orchestrator.cli.client import Client
from orchestrator.cli.failing import Failed
from orchestrator.cli.leader_words import leader_line
from orchestrator.cli.live import show_lines
from orchestrator.cli.session import Session
from orchestrator.cli.shown import now_ms, since_when
from orchestrator.cli.telling import Telling
from orchestrator.codec.fleet_file import read_fleet_file
from orchestrator.codec.journal_choice import JournalKind, LeaseChoice
from orchestrator.platforms.simulated.lines import Line
from orchestrator.runtime.preparing import Means
from orchestrator.testing.shared import SharedJournal
from tests.cli.inside import ran
from tests.runtime.kit import LIMIT_MS, value
from tests.runtime.test_standby import until

LEASE_MS = 10_000
"""Longer than a busy machine holds up whoever renews it."""

LIMIT_S = 60.0

FLEET = b"""
[fleet]
name = "shared"
reconcile_interval = "0s"
[platform]
kind = "cloudflare"
url = "https://gateway.example"
[journal]
kind = "durable_object"
[lease]
duration = "10s"
[[containers]]
name = "web"
image = "docker.io/library/web:1"
"""


@attrs.define(eq=False)
class Ground:
    """What operators share, and what one of them has said."""

    folder: Path
    platform: SimulatedPlatform
    rows: MemoryJournal
    said: list[str] = attrs.field(factory=list[str])
    lines: list[Line] = attrs.field(factory=list[Line])
    is_cut: bool = False

    def means(self, name: str) -> Means:
        line = Line(self.platform)
        self.lines.append(line)
        return {
            "platform": line,
            "journal": SharedJournal(self.rows, line),
            "lease": Claim(holder=f"{name}/1", ms=LEASE_MS),
        }

    async def opened(self, *_: Any, is_known: bool = False, **more: Any) -> Means:
        """Stand in for what opens a gateway: the same, in memory."""
        del is_known
        line = Line(self.platform)
        line.is_cut = self.is_cut
        self.lines.append(line)
        journal = SharedJournal(self.rows, line)
        return {"platform": line, "journal": journal, **more}  # type: ignore[typeddict-item]

    def cut(self) -> None:
        """Have nothing arrive, over the lines that there are and those to come."""
        self.is_cut = True
        for line in self.lines:
            line.is_cut = True

    def mend(self) -> None:
        """Have everything arrive again."""
        self.is_cut = False
        for line in self.lines:
            line.is_cut = False

    def session(self, **more: Any) -> Session:
        more.setdefault("show", show)
        file = read_fleet_file(FLEET, file="f", folder="/").unwrap()
        return Session(
            state=self.folder / "state",
            file=file,
            folder=self.folder,
            secrets=None,
            telling=Said(self.said),
            **more,
        )

    async def until_said(self, text: str) -> None:
        await until(lambda: any(text in each for each in self.said), LIMIT_S)


async def show(operator: Operator, end: asyncio.Event) -> int:
    await show_lines(operator, end)
    return 0


async def show_nothing(_: Operator, end: asyncio.Event) -> int:
    """Leave standard output to others of this process."""
    await end.wait()
    return 0


class Said(Telling):
    """Keeps what is said."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        object.__setattr__(self, "said", said)

    def say(self, text: str) -> None:
        self.said.append(text)  # type: ignore[attr-defined]


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    it = Ground(tmp_path, SimulatedPlatform(seed=4, speed=20), MemoryJournal())
    for module in (opening, standing_by):
        monkeypatch.setattr(module, "means_of", it.opened)
    return it


@asynccontextmanager
async def running_session(session: Session) -> AsyncIterator[asyncio.Task[int]]:
    """Run a session until the block ends, or it ends by itself."""
    ending: list[standing_by.Ending] = []

    class Kept(standing_by.Ending):
        def __init__(self) -> None:
            super().__init__()
            ending.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "Ending", Kept)
        task = asyncio.ensure_future(running.run_session(session))
        try:
            yield task
        finally:
            if ending:
                ending[0].end.set()
            if not task.done():
                async with asyncio.timeout(LIMIT_S):
                    await asyncio.wait([task])


async def test_it_stands_by_leads_and_stands_by_again(ground: Ground) -> None:
    spec = ground.session().file.spec
    leader = await value(Operator.start(spec, **ground.means("other")))
    _ = await value(leader.wait("web", limit_ms=LIMIT_MS))
    async with running_session(ground.session(standby=True)) as task:
        client = Client(ground.folder / "state")
        await ground.until_said("standing by: other/1 leads since")
        assert not any("nobody is known" in each for each in ground.said)
        await until((ground.folder / "state" / "operator.sock").exists, LIMIT_S)
        told = await asyncio.to_thread(client.get, "leader")
        assert told["role"] == "standby"
        with pytest.raises(Failed) as refused:
            await asyncio.to_thread(client.post, "down")
        assert refused.value.code == 6
        await leader.close()
        await ground.until_said("leading, under epoch 2")
        await ground.until_said("nobody led for")
        told = await asyncio.to_thread(client.get, "leader")
        assert (told["role"], told["epoch"], told["takeovers"]) == ("leader", 2, 1)

        ground.cut()  # it cannot renew, and cannot lead again by another line
        await ground.until_said("standing by again: platform unreachable")
        told = await asyncio.to_thread(client.get, "leader")
        assert told["role"] == "standby"
        ground.mend()
        await ground.until_said("leading, under epoch 3")
    assert task.result() == 0
    assert not (ground.folder / "state" / "operator.sock").exists()


async def test_it_ends_when_the_fleet_is_brought_down(ground: Ground) -> None:
    spec = ground.session().file.spec
    leader = await value(Operator.start(spec, **ground.means("other")))
    async with running_session(ground.session(standby=True)) as task:
        await ground.until_said("standing by")
        assert await settled(leader.down()) is None
        await asyncio.sleep(1.0)
        await leader.close()
        async with asyncio.timeout(LIMIT_S):
            assert await task == 0
    assert "the fleet was brought down: the standby ends" in ground.said


async def test_without_standby_it_is_refused_at_once(ground: Ground) -> None:
    spec = ground.session().file.spec
    leader = await value(Operator.start(spec, **ground.means("other")))
    with pytest.raises(Failed) as refused:
        await running.run_session(ground.session())
    assert refused.value.code == 6
    assert "other/1 leads this fleet" in refused.value.message
    await leader.close()


async def test_one_operator_works_in_a_folder(ground: Ground) -> None:
    async with running_session(ground.session(standby=True)):
        await ground.until_said("leading")
        with pytest.raises(Failed) as locked:
            await running.run_session(ground.session(standby=True))
        assert locked.value.code == 6
        assert "another operator" in locked.value.message


@pytest.mark.parametrize("is_standby", [False, True])
@pytest.mark.parametrize("name", [".fleet.json", "operator.sock"])
async def test_where_its_folder_cannot_be_used_it_lets_go_of_the_fleet(
    ground: Ground, name: str, monkeypatch: pytest.MonkeyPatch, *, is_standby: bool
) -> None:
    gone: list[Line] = []

    async def detach(line: Line) -> None:
        gone.append(line)

    monkeypatch.setattr(Line, "detach", detach)
    (ground.folder / "state" / name).mkdir(parents=True)
    with pytest.raises(OSError, match=name):
        await running.run_session(ground.session(standby=is_standby))
    assert gone == ground.lines
    assert await settled(Line(ground.platform).lease()) is None


async def test_a_file_that_is_read_again_is_declared_when_it_leads(
    ground: Ground,
) -> None:
    file = ground.folder / "fleet.toml"
    file.write_bytes(FLEET)
    spec = ground.session().file.spec
    leader = await value(Operator.start(spec, **ground.means("other")))
    session = ground.session(standby=True, path=file)
    claim = Claim(holder="me", ms=LEASE_MS)
    standby = await standing_by.begin_to_stand_by(session, {"lease": claim})
    file.write_text("nonsense")
    standing_by._read_again(session, standby)
    assert "is not taken" in ground.said[-1]
    file.write_bytes(FLEET.replace(b'"shared"', b'"other"'))
    standing_by._read_again(session, standby)
    assert "another fleet" in ground.said[-1]
    more = b'[[containers]]\nname = "more"\nimage = "docker.io/library/web:1"\n'
    file.write_bytes(FLEET + more)
    standing_by._read_again(session, standby)
    assert "declared when this one leads" in ground.said[-1]
    await leader.close()
    operator = await value(standby.lead())
    assert set(operator.fleet.containers) == {"web", "more"}
    await operator.close()


@pytest.mark.parametrize("word", ["--once", "--stop-on-exit"])
def test_what_does_not_go_with_it_is_a_mistake(tmp_path: Path, word: str) -> None:
    file = tmp_path / "fleet.toml"
    file.write_bytes(FLEET)
    done = ran("up", file, "--standby", word)
    assert done.code == 2
    assert "does not go with --once or --stop-on-exit" in done.err


def test_it_needs_a_journal_that_others_have_too(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text('[fleet]\nname = "alone"\n')
    done = ran("up", file, "--standby", "--state", tmp_path / "state")
    assert done.code == 2
    assert "durable_object" in done.err
    assert not (tmp_path / "state").exists()


def test_a_lease_is_claimed_where_others_may_be() -> None:
    assert opening.claim_of(JournalKind.SQLITE) is None
    one = opening.claim_of(JournalKind.DURABLE_OBJECT)
    two = opening.claim_of(JournalKind.DURABLE_OBJECT, LeaseChoice(duration_ms=5_000))
    assert one is not None
    assert two is not None
    assert (one.ms, two.ms) == (15_000, 5_000)
    assert one.holder != two.holder
    assert one.holder.rpartition("/")[0]


def test_who_leads_is_said_in_words() -> None:
    told = {"role": "leader", "leader": "m/1", "since": 0, "epoch": 4, "lag_rows": 0}
    line = leader_line(told)
    assert line.startswith("m/1 leads since ")
    assert line.endswith(", epoch 4")
    behind = leader_line({**told, "role": "standby", "lag_rows": 1})
    assert behind.startswith("shown by a standby, 1 row behind: m/1 leads")


def test_who_leads_since_another_day_is_told_with_the_date() -> None:
    day_ms, now = 86_400_000, now_ms()
    assert len(since_when(now, now)) == len("12:04:31")
    assert len(since_when(now - day_ms, now)) == len("2026-01-31 12:04:31")
    told = {"role": "leader", "leader": "m/1", "since": now - day_ms, "epoch": 4}
    assert f"since {since_when(now - day_ms, now)}, epoch 4" in leader_line(told)


async def test_a_list_says_above_it_who_leads(ground: Ground) -> None:
    session = ground.session(standby=True, show=show_nothing)
    async with running_session(session):
        await ground.until_said("leading")
        state = ground.folder / "state"
        done = await asyncio.to_thread(ran, "list", "--state", state)
        first, *rest = done.out.splitlines()
        assert "leads since" in first
        assert rest[0].startswith("NAME")
        plain = await asyncio.to_thread(ran, "list", "--state", state, "-o", "json")
        assert json.loads(plain.out)[0]["name"] == "web"
        one = await asyncio.to_thread(ran, "status", "web", "--state", state)
        assert "leads since" in one.out.splitlines()[0]
