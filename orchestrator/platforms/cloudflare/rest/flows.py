"""What takes more than one request: making once, watching a rollout, an image.

A write whose answer was lost may or may not have happened. It is never sent again on
a guess: the flow looks what is there, before it asks and after an answer was lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from returns.result import Failure, Result, Success

from orchestrator.core.errors import RateLimited, Refused, TimedOut, Unreachable
from orchestrator.core.moments import Millis
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.rest import calls
from orchestrator.platforms.cloudflare.rest.errors import Trouble
from orchestrator.platforms.cloudflare.rest.http import RestHttp
from orchestrator.platforms.cloudflare.rest.requests import (
    ApplicationDraft,
    DurableObjectDraft,
    NamespaceByClass,
    NamespaceById,
    RolloutDraft,
)
from orchestrator.platforms.cloudflare.rest.types import (
    Application,
    Creation,
    DurableObjectApplication,
    ImagePreparation,
    RolloutSight,
    RolloutStart,
    ScheduledApplication,
)

__all__ = (
    "create_once",
    "observe_rollout",
    "runs_everywhere",
    "standing",
    "start_rollout_once",
    "wait_for_image",
)

ALREADY: Final = "DURABLE_OBJECT_ALREADY_HAS_APPLICATION"
CONFLICT: Final = 409
LOOKS: Final = 3
"""Looks for an application whose answer was lost: a list may lag behind a write."""


async def create_once(
    http: RestHttp, draft: ApplicationDraft
) -> Result[Creation, Trouble]:
    """Make an application unless it stands; look for it where the answer was lost."""
    before = await _look(http, draft)
    if isinstance(before, Failure):
        return before
    there = before.unwrap()
    if there is not None:
        return Success(Creation(application=there, existed=True))
    made = await calls.create_application(http, draft)
    if isinstance(made, Failure) and _may_stand(made.failure()):
        return await _found_after(http, draft, made.failure())
    return made.map(lambda new: Creation(application=new, existed=False))


def standing(
    draft: ApplicationDraft, applications: Iterable[Application]
) -> Result[Application | None, Refused]:
    """Find the application that a draft asks for; refuse if another is in its place.

    A namespace has one application at most, so it decides before the name does. Which
    namespace a class has cannot be seen: there the name alone decides.
    """
    namespace = draft.namespace
    wanted = namespace.id if isinstance(namespace, NamespaceById) else None
    ranked = sorted(
        (one for one in applications if _alike(one, draft.name, wanted)),
        key=lambda one: _namespace_of(one) != wanted,
    )
    if not ranked:
        return Success(None)
    found = ranked[0]
    scheduled = isinstance(found, ScheduledApplication)
    if scheduled == isinstance(draft, DurableObjectDraft):
        return Failure(Refused(cause=f"{found.name!r} stands under the other policy"))
    unseen = isinstance(namespace, NamespaceByClass)
    if not unseen and _namespace_of(found) != wanted:
        return Failure(Refused(cause=f"{found.name!r} has another namespace"))
    return Success(found)


async def start_rollout_once(
    http: RestHttp, application_id: str, draft: RolloutDraft, *, replaces: bool
) -> Result[RolloutStart, Trouble]:
    """Begin a rollout unless one is under way, or *replaces* it.

    Where the answer was lost, a rollout that was not there before is taken for it.
    """
    before = await _scheduled(http, application_id)
    if isinstance(before, Failure):
        return before
    active = before.unwrap().active_rollout_id
    if active is not None and not replaces:
        return _refused(f"the rollout {active} is under way")
    begun = await calls.create_rollout(http, application_id, draft)
    if isinstance(begun, Failure) and _is_lost(begun.failure()):
        after = await _scheduled(http, application_id)
        seen = after.map(lambda now: now.active_rollout_id).value_or(None)
        if seen is not None and seen != active:
            return Success(RolloutStart(id=seen, rollout=None))
    return begun.map(lambda rollout: RolloutStart(id=rollout.id, rollout=rollout))


async def observe_rollout(
    http: RestHttp, application_id: str
) -> Result[RolloutSight, Trouble]:
    """See how far the rollout of an application is; nothing public tells it directly.

    The application is read first: where it says that no rollout is under way, the
    instances that are listed after it are what the rollout left. Read before it, one
    that was replaced in between would seem to be left behind.
    """
    application = await _scheduled(http, application_id)
    if isinstance(application, Failure):
        return application
    versions = await calls.list_versions(http, application_id)
    if isinstance(versions, Failure):
        return versions
    listed = await calls.list_instances(http, application_id, state="active")
    return listed.map(
        lambda instances: RolloutSight(
            application=application.unwrap(),
            versions=versions.unwrap(),
            images=Table.of(Counter(each.image or "" for each in instances).items()),
            instances=instances,
        )
    )


def runs_everywhere(sight: RolloutSight, image: str) -> bool:
    """Say whether a rollout to *image* is over, as the instances themselves show it.

    That the platform calls it completed is not enough: instances were seen that went
    on with the old image.
    """
    over = sight.application.active_rollout_id is None
    return over and set(sight.images) <= {image}


async def wait_for_image(
    http: RestHttp, image: str, *, limit_ms: Millis, every_ms: Millis
) -> Result[ImagePreparation, Trouble]:
    """Ask for an image until the platform has nothing more to do, or time is up."""
    deadline = http.timing.now_ms() + limit_ms
    while True:
        asked = await calls.prepare_image(http, image)
        if isinstance(asked, Success) and asked.unwrap().done:
            return asked
        pause_ms = every_ms
        late = Trouble(error=TimedOut(after_ms=limit_ms))
        if isinstance(asked, Failure):
            late = asked.failure()
            if not isinstance(late.error, Unreachable | TimedOut | RateLimited):
                return asked
            pause_ms = max(every_ms, late.wait_ms or 0, _held_ms(late))
        if http.timing.now_ms() + pause_ms > deadline:
            return Failure(late)
        await http.timing.sleep(pause_ms / 1000)


async def _look(
    http: RestHttp, draft: ApplicationDraft
) -> Result[Application | None, Trouble]:
    listed = await calls.list_applications(http)
    return listed.bind(
        lambda all_: standing(draft, all_).alt(lambda error: Trouble(error=error))
    )


async def _found_after(
    http: RestHttp, draft: ApplicationDraft, lost: Trouble
) -> Result[Creation, Trouble]:
    for look in range(LOOKS):
        await http.timing.sleep((http.limits.backoff_ms << look) / 1000)
        there = (await _look(http, draft)).value_or(None)
        if there is not None:
            return Success(Creation(application=there, existed=True))
    return Failure(lost)


async def _scheduled(
    http: RestHttp, application_id: str
) -> Result[ScheduledApplication, Trouble]:
    def checked(found: Application | None) -> Result[ScheduledApplication, Trouble]:
        match found:
            case None:
                return _refused(f"there is no application {application_id}")
            case DurableObjectApplication():
                return _refused(f"{found.name!r} has no rollouts under its policy")
            case ScheduledApplication():
                return Success(found)

    return (await calls.get_application(http, application_id)).bind(checked)


def _alike(application: Application, name: str, namespace_id: str | None) -> bool:
    same = namespace_id is not None and _namespace_of(application) == namespace_id
    return same or application.name == name


def _namespace_of(application: Application) -> str | None:
    """Return the namespace; it is the id itself where Durable Objects schedule."""
    if isinstance(application, DurableObjectApplication):
        return application.namespace_id or application.id
    return application.namespace_id


def _is_lost(trouble: Trouble) -> bool:
    return isinstance(trouble.error, Unreachable | TimedOut)


def _may_stand(trouble: Trouble) -> bool:
    taken = trouble.problem.code == ALREADY or trouble.status == CONFLICT
    return taken or _is_lost(trouble)


def _held_ms(trouble: Trouble) -> Millis:
    error = trouble.error
    return (error.retry_after_ms or 0) if isinstance(error, RateLimited) else 0


def _refused(cause: str) -> Failure[Trouble]:
    return Failure(Trouble(error=Refused(cause=cause)))
