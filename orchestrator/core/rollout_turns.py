"""How a rollout begins, turns back, and ends: what touches a whole service at once.

```
begin ─▶ (steps: core.rollouts) ─▶ done
             │ fails
             ├─ on_failure revert ─▶ back to the last good revision ─▶ reverted
             ├─ on_failure hold, or it fails again ─▶ held
             └─ on_failure pause ─▶ paused
```

Only here all replicas of a service are looked at, and each end is written down with a
reason. The platform's own part of a rollout is asked for here (``prepared``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, assert_never

from orchestrator.core.commands import Command
from orchestrator.core.drafts import FleetDraft, place
from orchestrator.core.evolving import evolve
from orchestrator.core.generations import (
    alike,
    judge,
    spec_for,
    trimmed,
    with_revision,
)
from orchestrator.core.lineages import (
    Doing,
    Outcome,
    Revision,
    Rollout,
    RolloutStatus,
    Roster,
)
from orchestrator.core.moments import Moment
from orchestrator.core.moves import start_anew
from orchestrator.core.noticing import told_of_rollout
from orchestrator.core.phases import Rule, live_run
from orchestrator.core.platform_rollouts import prepared
from orchestrator.core.renewals import redeclare
from orchestrator.core.rollout_policies import WHOLE, OnFailure, RolloutPolicy
from orchestrator.core.rosters import names_in, scan
from orchestrator.core.standings import is_drained, is_up
from orchestrator.core.state import Container, Desired
from orchestrator.core.under_way import forget, gauge_of, keep, under_way

__all__ = (
    "begin",
    "drop_lineage",
    "end",
    "fail",
    "revert",
    "supersede",
    "woken",
)

REVERTING: Final = RolloutStatus.REVERTING
_TOLD: Final = {RolloutStatus.DONE, RolloutStatus.REVERTED, RolloutStatus.HELD}


# Begin


def begin(
    draft: FleetDraft,
    target: Revision,
    asked: Desired,
    names: tuple[str, ...],
    *,
    anew: bool,
) -> tuple[Command, ...]:
    """Begin a rollout to a revision, from whatever revisions the replicas have.

    *names* are those of all replicas. One that is under way is superseded. Unless all
    are to be *anew*, those count as new at once that need no restart to be what the
    revision says.
    """
    service = target.template.name
    supersede(draft, service, "a newer rollout has taken its place")
    lineage, known = draft.lineages[service], draft.services[service]
    commands: tuple[Command, ...] = ()
    stay = [each for each in _present(draft, names) if not each.leaving]
    wanted = [each for each in stay if each.desired.running or is_drained(each)]
    are_up = (each.generation == lineage.serving and is_up(each) for each in wanted)
    if wanted and all(are_up):
        lineage = judge(lineage, lineage.serving, Outcome.GOOD)
    equal = frozenset[int]() if anew else alike(lineage, target.template)
    lineage = with_revision(lineage, target)
    for each in _one_of_each(stay, equal, target.number):
        commands += _renumbered(draft, each, target)
    at = asked.at
    rollout = Rollout(
        service=service,
        target=target.number,
        previous=lineage.serving,
        policy=known.rollout or RolloutPolicy(),
        status=RolloutStatus.PROGRESSING,
        since=at,
        began_at=at,
        progress_at=at,
        by=asked.by,
        why=asked.why,
    )
    rollout, orders = prepared(draft, lineage, rollout, target.number)
    roster = scan(_present(draft, names), gauge_of(rollout, at))
    keep(draft, lineage, evolve(rollout, roster=roster))
    draft.rolling = draft.rolling.put(service, None)
    return commands + orders


def _present(draft: FleetDraft, names: Iterable[str]) -> Iterator[Container]:
    """Yield those of some replicas that there still are."""
    found = map(draft.containers.get, names)
    return (each for each in found if each is not None)


def _one_of_each(
    stay: list[Container], equal: frozenset[int], number: int
) -> Iterable[Container]:
    """Return who is new at once: of two of one index one, the other may go then."""
    found: dict[int, Container] = {}
    for each in stay:
        if each.generation in equal:
            index = each.spec.replica
            found[index] = max(
                found.get(index, each),
                each,
                key=lambda one: (one.generation == number, is_up(one), one.name),
            )
    return found.values()


def _renumbered(
    draft: FleetDraft, container: Container, target: Revision
) -> tuple[Command, ...]:
    """Have a replica be of another revision that is the same to its process."""
    spec = spec_for(target.template, container.spec.replica, container.name)
    if (container.generation, container.spec) == (target.number, spec):
        return ()
    moved = evolve(container, generation=target.number, changed_at=draft.at)
    orders: tuple[Command, ...] = ()
    if spec != container.spec and live_run(container.phase) is not None:
        moved, orders = redeclare(moved, spec, draft.at)
    elif spec != container.spec:
        moved = evolve(moved, spec=spec, revision=container.revision + 1)
    return orders + place(draft, container, moved)


# End


def end(draft: FleetDraft, service: str, status: RolloutStatus, reason: str) -> None:
    """Write down how a rollout has ended, and what is known of its revisions now."""
    lineage, rollout = under_way(draft, service)
    _waken(draft, rollout.roster)
    forget(draft, rollout)
    at = draft.at
    over = evolve(
        rollout,
        status=status,
        reason=reason,
        since=at,
        ended_at=at,
        until=None,
        paused_from=None,
        doing=Doing.ASKING,
        roster=Roster(),
        wakes_at=None,
    )
    lineage = evolve(lineage, rollout=None, past=(*lineage.past, over))
    if status is RolloutStatus.DONE:
        served = evolve(lineage, serving=rollout.target)
        counted = (draft.containers[name] for name in rollout.roster.counted)
        is_proven = any(map(is_up, counted))
        lineage = judge(served, rollout.target, Outcome.GOOD) if is_proven else served
    draft.lineages = draft.lineages.put(service, trimmed(lineage))
    if status in _TOLD and draft.settings.notify is not None:
        why = f"{status.value}: {reason}"
        draft.notices = told_of_rollout(
            draft.notices, draft.settings.notify, (service, why), at, draft.epoch
        )


def supersede(draft: FleetDraft, service: str, reason: str) -> None:
    """End the rollout of a service that is under way, if there is one."""
    if service in draft.rolling:
        end(draft, service, RolloutStatus.SUPERSEDED, reason)


def drop_lineage(draft: FleetDraft, service: str) -> None:
    """Forget the revisions of a service that there is no more, and its rollout."""
    if service in draft.rolling:
        rollout = under_way(draft, service)[1]
        _waken(draft, rollout.roster)
        forget(draft, rollout)
    draft.lineages = draft.lineages.drop(service)


def _waken(draft: FleetDraft, roster: Roster) -> None:
    """Start again whom the rollout itself has stopped."""
    for _, name in roster.drained:
        container = draft.containers.get(name)
        if container is None or container.leaving or not is_drained(container):
            continue
        _ = place(draft, container, woken(container, draft.at))


def woken(container: Container, at: Moment) -> Container:
    """Return one that a rollout has stopped as one that is to run again."""
    wish = evolve(container.desired, running=True, why="its rollout is over", at=at)
    wanted = evolve(container, desired=wish, changed_at=at)
    if live_run(wanted.phase) is None:
        return start_anew(wanted, at, Rule.REQUESTED)
    return wanted


# Fail


def fail(draft: FleetDraft, service: str, reason: str) -> tuple[Command, ...]:
    """Have a rollout fail: it turns back, is held, or waits for its owner."""
    lineage, rollout = under_way(draft, service)
    if rollout.status is REVERTING:
        why = f"{rollout.reason}; going back failed, too: {reason}"
        end(draft, service, RolloutStatus.HELD, why)
        return ()
    lineage = judge(lineage, rollout.target, Outcome.FAILED)
    keep(draft, lineage, rollout)
    match rollout.policy.on_failure:
        case OnFailure.HOLD:
            end(draft, service, RolloutStatus.HELD, reason)
        case OnFailure.PAUSE:
            paused = evolve(
                rollout,
                status=RolloutStatus.PAUSED,
                paused_from=rollout.status,
                since=draft.at,
                reason=reason,
            )
            keep(draft, lineage, paused)
        case OnFailure.REVERT:
            good = lineage.good
            if good in {0, rollout.target} or lineage.revision(good) is None:
                why = f"{reason}; no other revision is known to be good"
                end(draft, service, RolloutStatus.HELD, why)
            else:
                return revert(draft, service, good, reason)
        case _:
            assert_never(rollout.policy.on_failure)
    return ()


def revert(
    draft: FleetDraft, service: str, back_to: int, reason: str
) -> tuple[Command, ...]:
    """Turn a rollout back to a revision, of which new replicas are made from now on."""
    lineage, rollout = under_way(draft, service)
    _waken(draft, rollout.roster)
    at = draft.at
    turned = evolve(
        rollout,
        status=REVERTING,
        back_to=back_to,
        paused_from=None,
        reason=reason,
        since=at,
        progress_at=at,
        until=None,
        doing=Doing.FINISHING,
        share=WHOLE,
        goal=draft.services[service].replicas,
        beside=False,
        failures=0,
        best=0,
    )
    lineage = evolve(lineage, serving=back_to)
    turned, commands = prepared(draft, lineage, turned, back_to)
    present = _present(draft, names_in(rollout.roster))
    roster = scan(present, gauge_of(turned, at))
    keep(draft, lineage, evolve(turned, roster=roster))
    return commands
