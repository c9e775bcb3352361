"""A rollout as its owner sees it: every replica in its place, in every state."""

from __future__ import annotations

import attrs

from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.requests import Stop
from orchestrator.core.rollout_info import (
    ReplicaState,
    RolloutInfo,
    rollout_info,
    rollout_infos,
)
from orchestrator.core.rollout_policies import OnFailure, Promotion, Share
from orchestrator.core.services import Service
from orchestrator.core.table import Table

from .rolling import Rolling, policy, served, told

MANUAL = policy(strategy="blue_green", promote=Promotion.MANUAL)


def info_of(story: Rolling) -> RolloutInfo:
    info = rollout_info(story.fleet, "web", story.fleet.at)
    assert info is not None
    assert rollout_infos(story.fleet, story.fleet.at) == (info,)
    return info


def states(info: RolloutInfo) -> list[tuple[str, ReplicaState]]:
    return [(each.name, each.state) for each in info.members]


def old(name: str) -> tuple[str, ReplicaState]:
    return name, ReplicaState.OLD


def test_a_service_without_a_rollout_has_none() -> None:
    story = told(2, policy())
    assert rollout_info(story.fleet, "web", 0) is None
    assert rollout_info(story.fleet, "ghost", 0) is None
    assert rollout_infos(story.fleet, 0) == ()
    story.told(served(2, "two", policy()))
    kept = attrs.evolve(story.fleet, services=Table[str, Service]())
    assert rollout_infos(kept, 0) == ()


def test_a_rollout_in_place_is_told_replica_by_replica() -> None:
    story = told(3, policy())
    story.told(served(3, "two", policy()))
    begun = info_of(story)
    assert states(begun) == [("web-0", ReplicaState.NEW), old("web-1"), old("web-2")]
    assert (begun.goal, begun.moved, begun.counted, begun.old) == (3, 1, 0, 2)
    assert (begun.replicas, begun.budget, begun.by) == (3, 3, "ann")
    assert begun.deadline == story.fleet.at + 60_000
    story.goes_on(lambda it: info_of(it).counted == 1)
    assert states(info_of(story))[0] == ("web-0", ReplicaState.COUNTED)
    story.roll("pause")
    assert info_of(story).deadline is None
    story.roll("resume").goes_on()
    done = info_of(story)
    assert {state for _, state in states(done)} == {ReplicaState.COUNTED}
    assert (done.has_ended, done.deadline) == (True, None)
    assert story.rollout.heading == 2


def test_what_runs_beside_and_what_leaves_are_told() -> None:
    story = told(2, MANUAL)
    story.told(served(2, "two", MANUAL)).goes_on(
        lambda it: it.status() is RolloutStatus.AWAITING_PROMOTION
    )
    assert states(info_of(story)) == [
        ("web-0", ReplicaState.KEPT),
        ("web-0.r2", ReplicaState.COUNTED),
        ("web-1", ReplicaState.KEPT),
        ("web-1.r2", ReplicaState.COUNTED),
    ]
    story.roll("promote")
    assert states(info_of(story))[0] == ("web-0", ReplicaState.LEAVING)


def test_an_old_one_leaves_whose_successor_counts() -> None:
    surge = policy(max_unavailable=Share(0), max_surge=Share(1))
    story = told(2, surge)
    story.told(served(2, "two", surge)).goes_on(
        lambda it: ReplicaState.LEAVING in {state for _, state in states(info_of(it))}
    )
    info = info_of(story)
    assert (info.status, info.counted) == (RolloutStatus.PROGRESSING, 1)
    assert info.deadline == info.progress_at + 120_000


def test_what_is_down_is_told_while_all_are_stopped_first() -> None:
    story = told(2, policy(strategy="recreate"))
    story.told(served(2, "two", policy(strategy="recreate")))
    assert {state for _, state in states(info_of(story))} == {ReplicaState.UNAVAILABLE}


def test_what_was_held_is_told_as_it_was_left() -> None:
    held = policy(on_failure=OnFailure.HOLD, failure_budget=Share(0))
    story = told(3, held)
    story.is_broken = lambda each: each.spec.image == "two"
    story.told(served(3, "two", held)).goes_on(
        lambda it: it.status() is RolloutStatus.HELD
    )
    assert states(info_of(story)) == [
        ("web-0", ReplicaState.NEW),
        old("web-1"),
        old("web-2"),
    ]
    story.asked(Stop(name="web-2"))
    assert states(info_of(story))[2] == ("web-2", ReplicaState.UNAVAILABLE)
    story.scaled(2)
    assert ReplicaState.LEAVING in {state for _, state in states(info_of(story))}


def test_one_that_goes_back_heads_for_where_it_came_from() -> None:
    story = told(2, policy())
    story.told(served(2, "two", policy())).roll("abort")
    info = info_of(story)
    assert (info.status, info.revision, info.back_to) == (
        RolloutStatus.REVERTING,
        2,
        1,
    )
    assert story.rollout.heading == 1
    back = states(info)
    story.roll("pause")
    assert (story.status(), story.rollout.heading) == (RolloutStatus.PAUSED, 1)
    assert states(info_of(story)) == back


def test_a_container_of_the_services_own_name_is_none_of_its_replicas() -> None:
    story = Rolling().told(served(1, rollout=policy())).goes_on()
    own = attrs.evolve(story.fleet.containers["web-0"], name="web")
    story.told(served(1, "two", policy()))
    with_own = attrs.evolve(
        story.fleet, containers=story.fleet.containers.put("web", own)
    )
    info = rollout_info(with_own, "web", 0)
    assert info is not None
    assert [each.name for each in info.members] == ["web-0"]
