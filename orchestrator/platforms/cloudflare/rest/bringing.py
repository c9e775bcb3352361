"""Bringing an image to an application: begun once, believed when it is seen.

| under way | the newest version is | what it is taken for |
|---|---|---|
| the one that is known | | ours: it goes on |
| another | what is wanted | ours, whose answer was lost: it goes on |
| one that was given up | another | it is replaced by a new one |
| another, and ours is known | another | ours was replaced: it has failed |
| another, ours is not known | another | somebody else's: it is waited for |
| none | what is wanted | over: done where every instance shows the image |
| none, and ours is known | another | ours was taken back: it has failed |
| none | another | nothing has begun: it begins |

That the platform calls a rollout completed is not believed: instances were seen that
went on with the old image. They are named, so that they can be started anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.errors import PlatformError, Refused
from orchestrator.core.hosting import InstanceType
from orchestrator.core.loads import RollOutcome
from orchestrator.platforms.cloudflare.rest import calls, flows
from orchestrator.platforms.cloudflare.rest.errors import Trouble
from orchestrator.platforms.cloudflare.rest.http import RestHttp
from orchestrator.platforms.cloudflare.rest.requests import (
    STEP_PERCENTAGES,
    RollingEvenly,
    RolloutDraft,
)
from orchestrator.platforms.cloudflare.rest.types import (
    Configuration,
    Instance,
    RolloutSight,
)
from orchestrator.platforms.port import RollSight

__all__ = ("Goal", "MayBegin", "bring", "configurations")

LOOKS: Final = 3
"""Looks for a rollout that was begun: what is read may lag behind what was written."""

NAMED: Final = 3
"""Instances that are named of those which have not got the image."""

ALIASES: Final = {"dev": "lite", "standard": "standard-1"}
DEFAULT_SIZE: Final = "lite"
"""The size of an application that tells none."""

MayBegin: TypeAlias = Callable[[], Awaitable[PlatformError | None]]
"""Says why nothing may be begun now, if so."""


@attrs.frozen(kw_only=True)
class Goal:
    """What an application is to run, and how it comes there.

    ``image`` None: what was deployed is right, only its rollout is watched; ``size``
    None: it stays what it is. ``known`` is the rollout that was begun for this,
    ``given_up`` the one before, which may be replaced; "" where there is none.
    """

    application: str
    image: str | None
    size: InstanceType | None
    description: str
    percent: int = 100
    known: str = ""
    given_up: str = ""


async def bring(
    http: RestHttp, goal: Goal, may_begin: MayBegin
) -> Result[RollSight, Trouble]:
    """Begin what is wanted unless that was begun, and say how far it is."""
    found = await _named(http, goal.application)
    if isinstance(found, Failure):
        return found
    id_ = found.unwrap()
    looked = await flows.observe_rollout(http, id_)
    for look in range(LOOKS):
        if isinstance(looked, Failure) or not _has_vanished(looked.unwrap(), goal):
            break
        await http.timing.sleep((http.limits.backoff_ms << look) / 1000)
        looked = await flows.observe_rollout(http, id_)
    if isinstance(looked, Failure):
        return looked
    sight = looked.unwrap()
    judged = _judged(sight, goal)
    if judged is not None:
        return Success(judged)
    refusal = await may_begin()
    if refusal is not None:
        return Failure(Trouble(error=refusal))
    begun = await flows.start_rollout_once(http, id_, _draft(goal), replaces=True)
    updated, total = _counts(sight, goal)
    return begun.map(
        lambda start: RollSight(
            outcome=RollOutcome.PROGRESSING, updated=updated, total=total, id=start.id
        )
    )


async def configurations(
    http: RestHttp, name: str
) -> Result[tuple[Configuration, ...], Trouble]:
    """Return what instances of the application of a name may be made of now."""
    found = await _named(http, name)
    if isinstance(found, Failure):
        return found
    looked = await flows.observe_rollout(http, found.unwrap())
    return looked.map(
        lambda sight: (
            sight.application.configuration,
            *(version.configuration for version in sight.versions),
        )
    )


async def _named(http: RestHttp, name: str) -> Result[str, Trouble]:
    """Return the id of the application of a name."""
    listed = await calls.list_applications(http, name=name)
    if isinstance(listed, Failure):
        return listed
    ids = [one.id for one in listed.unwrap() if one.name == name]
    if not ids:
        cause = f"the account has no application {name!r}: deploy the gateway first"
        return Failure(Trouble(error=Refused(cause=cause)))
    return Success(ids[0])


def _has_vanished(sight: RolloutSight, goal: Goal) -> bool:
    """Say whether what was begun is not to be seen, and has come to nothing."""
    is_none = sight.application.active_rollout_id is None
    return is_none and goal.known != "" and not _is_aimed(sight, goal)


def _judged(sight: RolloutSight, goal: Goal) -> RollSight | None:
    """Say how far it is; None: it is to begin (see the table above)."""
    active = sight.application.active_rollout_id
    is_aimed = _is_aimed(sight, goal)
    updated, total = _counts(sight, goal)
    so_far = RollSight(outcome=RollOutcome.PROGRESSING, updated=updated, total=total)
    if active is None and is_aimed:
        if updated == total:
            return attrs.evolve(so_far, outcome=RollOutcome.DONE, id=goal.known)
        behind = sorted(one.name or one.id for one in _all_behind(sight, goal))
        cause = _words(behind, len(sight.instances))
        return attrs.evolve(so_far, id=goal.known, cause=cause, behind=tuple(behind))
    if active is not None and (active == goal.known or is_aimed):
        return attrs.evolve(so_far, id=active)
    if active is not None and active == goal.given_up:
        return None
    if goal.known:
        end = "was taken back" if active is None else f"was replaced by {active}"
        cause = f"the platform's rollout {goal.known} {end}"
        return attrs.evolve(so_far, outcome=RollOutcome.FAILED, cause=cause)
    if active is not None:
        cause = f"another rollout of the platform is under way: {active}"
        return attrs.evolve(so_far, cause=cause)
    return None


def _aim_of(sight: RolloutSight) -> Configuration:
    """Return what instances are to be, where the platform tells; else nothing.

    While a rollout is under way that is the newest version, for the application itself
    may show either; else the version that the application says it has.
    """
    application = sight.application
    is_rolling = application.active_rollout_id is not None
    told = [
        each
        for each in sight.versions
        if is_rolling or each.version == application.version
    ]
    newest = max(told, key=lambda each: each.version, default=None)
    if newest is not None and newest.configuration.image is not None:
        return newest.configuration
    return Configuration() if is_rolling else application.configuration


def _is_aimed(sight: RolloutSight, goal: Goal) -> bool:
    aim = _aim_of(sight)
    if goal.image is not None and aim.image != goal.image:
        return False
    if goal.size is None:
        return True
    told = aim.instance_type or DEFAULT_SIZE
    return ALIASES.get(told, told) == goal.size.name


def _counts(sight: RolloutSight, goal: Goal) -> tuple[int, int]:
    """Count the instances that are what is wanted, and all."""
    behind = len(_all_behind(sight, goal))
    return len(sight.instances) - behind, len(sight.instances)


def _all_behind(sight: RolloutSight, goal: Goal) -> list[Instance]:
    image = goal.image or _aim_of(sight).image
    return [one for one in sight.instances if not _runs(one, image, goal.size)]


def _runs(instance: Instance, image: str | None, size: InstanceType | None) -> bool:
    """Say whether an instance shows that it is what is wanted."""
    if instance.image is None or instance.image != image:
        return False
    shown = instance.size
    if size is None or shown is None:
        return True
    return shown.vcpu in {None, size.vcpu} and shown.memory_mib in {
        None,
        size.memory_mib,
    }


def _words(behind: list[str], total: int) -> str:
    more = ", ..." if len(behind) > NAMED else ""
    return (
        f"{len(behind)} of {total} instances are not what was rolled out, though the"
        f" platform calls it over: {', '.join(behind[:NAMED])}{more}"
    )


def _draft(goal: Goal) -> RolloutDraft:
    fitting = [step for step in STEP_PERCENTAGES if step <= goal.percent]
    size = None if goal.size is None else goal.size.name
    return RolloutDraft(
        description=goal.description,
        target=Configuration(image=goal.image, instance_type=size),
        plan=RollingEvenly(step_percentage=max(fitting, default=STEP_PERCENTAGES[0])),
    )
