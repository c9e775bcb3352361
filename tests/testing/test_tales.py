"""Tales with notices and tickets: told at once, done once."""

from __future__ import annotations

import attrs

from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.notices import NoticeDelivered, NoticeFailed
from orchestrator.core.notify import Notify
from orchestrator.core.policies import CrashLimit, RestartPolicy
from orchestrator.core.requests import Stop
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.tickets import Ticket
from orchestrator.testing import Scenario, comes_up, crashes
from orchestrator.testing.stories import story, told

SPEC = FleetSpec(
    name="demo",
    settings=FleetSettings(notify=Notify(url="https://receiver.invalid/")),
    containers=(
        ContainerSpec(
            name="web",
            command=("run",),
            restart=RestartPolicy(crash=CrashLimit(allowed_crashes=0)),
        ),
    ),
)


def test_a_notice_arrives_at_once() -> None:
    tale = Scenario.of(SPEC).when(comes_up("web")).when(crashes("web")).tale
    arrived = [each for each in tale.events if isinstance(each, NoticeDelivered)]
    assert [each.number for each in arrived] == [1]
    assert not len(tale.fleet.notices.open)
    assert "notice 1 arrives" in story(tale)
    assert tale.commands_since(0)
    failed = NoticeFailed(at=0, number=2, cause="it answered 500")
    assert told(failed) == "notice 2 does not arrive: it answered 500"


def test_a_request_with_a_ticket_is_done_once() -> None:
    tale = Scenario.of(SPEC).when(comes_up("web")).tale
    stop = Stop(name="web", ticket=Ticket(key="one", digest="d1"))
    once = tale.asked(stop)
    assert once.refusal is None
    assert once.asked(stop) == once
    other = attrs.evolve(stop, ticket=Ticket(key="one", digest="d2"))
    assert once.asked(other).refusal is not None
