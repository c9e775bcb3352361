"""Whatever is measured, whenever: the number stays within bounds and comes to rest.

*Bounds*: never fewer than least, nor more than most, by itself. *Rest*: a load that
stays the same is answered once, and then nothing changes any more. *Cool-downs*: no two
changes within one. *Monotone*: who bears more never wants fewer. *Order*: loads of one
moment may come in any. *Names*: up and down again leaves who is ready. *Replay*:
reduced is folded.
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.codec.wire import decode_event, encode_event
from orchestrator.core.autoscale import AUTOSCALER, Verdict, assess
from orchestrator.core.autoscaling import Autoscaling, Metric
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.invariants import violations
from orchestrator.core.load_windows import SLOTS, Samples, average, with_sample
from orchestrator.core.loads import LoadObserved, Loads
from orchestrator.core.reduce import fold, step_of
from orchestrator.core.requests import Apply, Scale
from orchestrator.core.scaling import is_ready, members
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Fleet
from orchestrator.testing.chances import Move, played
from orchestrator.testing.scenarios import Scenario
from orchestrator.testing.strategies import moves

from .test_scaling import after

NOTHING: Samples = ()
MILLI = st.integers(0, 3_000_000)
WINDOWS = st.sampled_from([1, 7, 1_000, 60_000, 61_001])
POLICIES = st.builds(
    lambda least, more, **fields: Autoscaling(
        metric=Metric.PUSHED, least=least, most=max(1, least + more), **fields
    ),
    st.integers(0, 4),
    st.integers(0, 6),
    target_milli=st.sampled_from([1, 100_000, 333_333]),
    window_ms=WINDOWS,
    tolerance_percent=st.sampled_from([0, 10, 100]),
    up_after_ms=st.sampled_from([0, 30_000]),
    down_after_ms=st.sampled_from([0, 300_000]),
)
TOLD = st.lists(st.tuples(st.integers(0, 90_000), MILLI), max_size=25)


def served(replicas: int, policy: Autoscaling) -> FleetSpec:
    template = ContainerSpec(name="web", command=("run",))
    service = Service(template=template, replicas=replicas, autoscaling=policy)
    own = tuple(replica_of(service, index) for index in range(replicas))
    solo = ContainerSpec(name="web-2", command=("run",))
    free = (solo,) if replicas <= 2 else ()  # in the way of a replica
    return FleetSpec(name="demo", containers=(*own, *free), services=(service,))


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    policy, replicas = draw(POLICIES), draw(st.integers(0, 5))
    return played(Scenario.of(served(replicas, policy)), draw(moves(20))).fleet


def web(fleet: Fleet) -> tuple[Container, ...]:
    return members(fleet.containers.values(), "web")


def policy_of(fleet: Fleet) -> Autoscaling:
    policy = fleet.services["web"].autoscaling
    assert policy is not None
    return policy


def told(fleet: Fleet, wait: int, milli: int) -> Fleet:
    event = LoadObserved(at=fleet.at + wait, service="web", load_milli=milli)
    step = step_of(fleet, event)
    assert violations(step) == ()
    return step.after


@given(fleet=fleets(), path=TOLD)
def test_the_number_never_leaves_its_bounds(
    fleet: Fleet, path: list[tuple[int, int]]
) -> None:
    """Only its owner can scale it beyond, for as long as the cool-down is not over."""
    policy = policy_of(fleet)
    for wait, milli in path:
        before = fleet.services["web"].replicas
        fleet = told(fleet, wait, milli)
        now = fleet.services["web"].replicas
        assert len(web(fleet)) == now
        assert policy.least <= now <= policy.most or now == before
        if policy.least <= before <= policy.most:
            assert policy.least <= now <= policy.most


@given(fleet=fleets(), path=TOLD, milli=MILLI)
def test_a_load_that_stays_the_same_is_answered_and_then_nothing_changes(
    fleet: Fleet, path: list[tuple[int, int]], milli: int
) -> None:
    policy = policy_of(fleet)
    for wait, other in path:
        fleet = told(fleet, wait, other)
    cool = max(policy.up_after_ms, policy.down_after_ms)
    every = max(1, policy.window_ms // 4)
    window = SLOTS * -(-policy.window_ms // SLOTS)  # no slot is shorter than 1 ms
    for wait in (0, window + every, cool, cool):
        fleet = told(fleet, wait, milli)
    number = fleet.services["web"].replicas
    for _ in range(3 * SLOTS):
        fleet = told(fleet, every, milli)
        assert fleet.services["web"].replicas == number
    found = assess(policy, number, fleet.loads["web"], fleet.at)
    assert found.verdict is Verdict.ENOUGH


@given(fleet=fleets(), path=TOLD)
def test_no_two_changes_come_within_a_cool_down(
    fleet: Fleet, path: list[tuple[int, int]]
) -> None:
    policy = policy_of(fleet)
    changes = [fleet.loads["web"].scaled_at] if "web" in fleet.loads else []
    for wait, milli in path:
        before = fleet.services["web"].replicas
        fleet = told(fleet, wait, milli)
        grown = fleet.services["web"].replicas - before
        if grown:
            cool = policy.up_after_ms if grown > 0 else policy.down_after_ms
            assert not changes or changes[-1] is None or fleet.at >= changes[-1] + cool
            changes.append(fleet.at)
        assert fleet.loads["web"].scaled_at == (changes[-1] if changes else None)


@given(policy=POLICIES, replicas=st.integers(0, 12), pair=st.tuples(MILLI, MILLI))
def test_more_load_never_wants_fewer(
    policy: Autoscaling, replicas: int, pair: tuple[int, int]
) -> None:
    wanted = [
        assess(policy, replicas, Loads(samples=((0, milli),)), 0).wanted
        for milli in sorted(pair)
    ]
    assert wanted[0] <= wanted[1]


@given(
    policy=POLICIES,
    path=st.lists(st.tuples(st.integers(0, 30_000), MILLI, MILLI), min_size=1),
    replicas=st.integers(0, 12),
)
def test_whoever_bears_more_all_the_time_never_wants_fewer(
    policy: Autoscaling, path: list[tuple[int, int, int]], replicas: int
) -> None:
    wanted = []
    for more in (False, True):
        at, loads = 0, Loads()
        for wait, milli, on_top in path:
            at += wait
            load = milli + (on_top if more else 0)
            samples = with_sample(loads.samples, policy.window_ms, at, load)
            loads = Loads(samples=samples)
        wanted.append(assess(policy, replicas, loads, at).wanted)
    assert wanted[0] <= wanted[1]


@given(loads=st.lists(MILLI, min_size=1, max_size=5), data=st.data())
def test_loads_of_one_moment_may_come_in_any_order(
    loads: list[int], data: st.DataObject
) -> None:
    orders = (loads, data.draw(st.permutations(loads)))
    found = []
    for order in orders:
        samples: tuple[tuple[int, int], ...] = ((0, 5),)
        for milli in order:
            samples = with_sample(samples, 60_000, 50_000, milli)
        found.append(samples)
    assert found[0] == found[1]


@given(path=TOLD, window=WINDOWS)
def test_an_average_lies_between_the_loads_and_little_is_kept(
    path: list[tuple[int, int]], window: int
) -> None:
    at, samples = 0, NOTHING
    for wait, milli in path:
        at += wait
        samples = with_sample(samples, window, at, milli)
        kept = [load for _, load in samples]
        mean = average(samples, window, at)
        assert mean is not None
        assert min(kept) <= mean.load_milli <= max(kept)
        assert 1 <= mean.slots <= SLOTS
        assert len(samples) <= mean.slots
        assert all(one < other for (one, _), (other, _) in pairwise(samples))
        assert samples[0][0] > at - window - SLOTS


@given(path=TOLD, window=WINDOWS, quiet=st.integers(0, 3))
def test_a_load_need_not_be_told_again_while_it_stays(
    path: list[tuple[int, int]], window: int, quiet: int
) -> None:
    at, samples = 0, NOTHING
    for wait, milli in [*path, (0, 77)]:
        at += wait
        samples = with_sample(samples, window, at, milli)
    held = samples[-1][1]
    again = at + quiet * (window // SLOTS) // 3
    told_again = with_sample(samples, window, again, held)
    assert average(told_again, window, again) == average(samples, window, again)


@given(fleet=fleets(), path=TOLD)
def test_loads_are_reduced_as_they_are_folded_and_written(
    fleet: Fleet, path: list[tuple[int, int]]
) -> None:
    events, at = [], fleet.at
    for wait, milli in path:
        at += wait
        event = LoadObserved(at=at, service="web", load_milli=milli)
        assert decode_event(encode_event(event)).unwrap() == event
        events.append(event)
    reduced = fleet
    for event in events:
        reduced = step_of(reduced, event).after
    assert fold(fleet, events) == reduced


FREE = Autoscaling(
    metric=Metric.PUSHED, target_milli=100_000, least=0, most=12, tolerance_percent=0
)


@given(replicas=st.integers(0, 5), lived=moves(20), high=st.integers(5, 12))
def test_up_and_down_again_leaves_who_is_ready_and_their_names(
    replicas: int, lived: list[Move], high: int
) -> None:
    fleet = played(Scenario.of(served(replicas, FREE)), lived).fleet
    present = web(fleet)
    up = told(fleet, 400_000, high * 100_000)
    assert len(web(up)) == high
    down = told(up, 400_000, len(present) * 100_000)
    assert len(web(down)) == len(present)
    ready = [each for each in present if is_ready(each)]
    assert [down.containers.get(each.name) for each in ready] == ready
    if len(ready) == len(present):
        assert web(down) == present


@given(
    fleet=fleets(),
    path=TOLD,
    replicas=st.integers(0, 5),
    policy=POLICIES,
    keep=st.booleans(),
)
def test_a_file_that_is_applied_keeps_the_number_within_its_bounds(
    fleet: Fleet,
    path: list[tuple[int, int]],
    replicas: int,
    policy: Autoscaling,
    *,
    keep: bool,
) -> None:
    for wait, milli in path:
        fleet = told(fleet, wait, milli)
    declared, number = fleet.services["web"].declared, len(web(fleet))
    now = after(fleet, Apply(spec=served(replicas, policy), keep_scale=keep))
    asked = number if declared == replicas else replicas
    expected = min(max(asked, policy.least), policy.most)
    assert len(web(now)) == now.services["web"].replicas == expected
    assert after(now, Apply(spec=served(replicas, policy), keep_scale=not keep)) == now


@given(fleet=fleets(), replicas=st.integers(0, 12), milli=MILLI)
def test_what_an_owner_scales_to_stands_until_its_cool_down_is_over(
    fleet: Fleet, replicas: int, milli: int
) -> None:
    policy = policy_of(fleet)
    before = fleet.services["web"].replicas
    fleet = after(fleet, Scale(service="web", replicas=replicas))
    cool = min(policy.up_after_ms, policy.down_after_ms)
    if before != replicas and cool:
        assert len(web(told(fleet, cool - 1, milli))) == replicas
    later = told(fleet, max(policy.up_after_ms, policy.down_after_ms), milli)
    assert policy.least <= len(web(later)) <= policy.most
    by = {each.desired.by for each in web(later)} - {
        each.desired.by for each in web(fleet)
    }
    assert by <= {AUTOSCALER}
