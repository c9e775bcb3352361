"""What each endpoint of Cloudflare's REST API is asked, and how its answer is read.

A listing asks for pages until there are no more. An item that a change in between
moves to a later page comes once, as it was first seen; a token that comes back again
would go round for ever and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

from returns.result import Failure, Result, Success

from orchestrator.core.errors import Refused, Unreachable
from orchestrator.platforms.cloudflare.rest import answers
from orchestrator.platforms.cloudflare.rest.errors import Answer, Trouble, misread
from orchestrator.platforms.cloudflare.rest.http import Call, RestHttp
from orchestrator.platforms.cloudflare.rest.reading import (
    Malformed,
    Reader,
    each,
    read,
)
from orchestrator.platforms.cloudflare.rest.requests import (
    ApplicationChange,
    ApplicationDraft,
    RolloutDraft,
    change_tree,
    draft_tree,
    rollout_tree,
)
from orchestrator.platforms.cloudflare.rest.types import (
    Application,
    Configuration,
    ImagePreparation,
    Instance,
    Rollout,
    Version,
)

__all__ = (
    "change_application",
    "create_application",
    "create_rollout",
    "delete_application",
    "get_application",
    "get_instance",
    "is_id",
    "list_applications",
    "list_instances",
    "list_versions",
    "prepare_image",
)

T = TypeVar("T")
Listed = TypeVar("Listed", Application, Instance)
Query: TypeAlias = tuple[tuple[str, str], ...]

NOT_FOUND: Final = 404
NO_ROUTE: Final = frozenset({7000, 7003})
"""Numbers of a 404 that says that the address is wrong, not that nothing is there."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


async def list_applications(
    http: RestHttp, *, name: str | None = None, image: str | None = None
) -> Result[tuple[Application, ...], Trouble]:
    """List the applications of the account."""
    query = _query(per_page=http.limits.applications_per_page, name=name, image=image)
    return await _paged(http, "/applications", query, answers.application)


async def get_application(
    http: RestHttp, application_id: str
) -> Result[Application | None, Trouble]:
    """Read an application; None if there is none of that id."""
    return await _got(http, ("applications", application_id), answers.application)


async def create_application(
    http: RestHttp, draft: ApplicationDraft
) -> Result[Application, Trouble]:
    """Make an application, whatever there is already."""
    secret = _holds_secrets(draft.configuration)
    call = Call("POST", "/applications", body=draft_tree(draft), withheld=secret)
    return (await http.ask(call)).bind(_reads(answers.application))


async def change_application(
    http: RestHttp, application_id: str, change: ApplicationChange
) -> Result[Application, Trouble]:
    """Change what can change without a rollout."""
    path = _path("applications", application_id)
    if path is None:
        return _no_id(application_id)
    secret = _holds_secrets(change.configuration)
    call = Call("PATCH", path, body=change_tree(change), withheld=secret)
    return (await http.ask(call)).bind(_reads(answers.application))


async def delete_application(
    http: RestHttp, application_id: str
) -> Result[bool, Trouble]:
    """Have an application deleted; False if there was none of that id."""
    path = _path("applications", application_id)
    if path is None:
        return _no_id(application_id)
    outcome = await http.ask(Call("DELETE", path))
    return _unless_missing(outcome.map(lambda _: True), missing=False)


async def list_instances(
    http: RestHttp,
    application_id: str,
    *,
    state: str | None = None,
    name_prefix: str | None = None,
) -> Result[tuple[Instance, ...], Trouble]:
    """List the instances of an application."""
    path = _path("applications", application_id, "instances-v2")
    if path is None:
        return _no_id(application_id)
    size = http.limits.instances_per_page
    query = _query(per_page=size, state=state, name_prefix=name_prefix)
    return await _paged(http, path, query, answers.instance)


async def get_instance(
    http: RestHttp, application_id: str, instance_id: str
) -> Result[Instance | None, Trouble]:
    """Read an instance; None if there is none of that id."""
    steps = ("applications", application_id, "instances", instance_id)
    return await _got(http, steps, answers.instance)


async def list_versions(
    http: RestHttp, application_id: str
) -> Result[tuple[Version, ...], Trouble]:
    """List the versions of an application of the scheduler."""
    path = _path("applications", application_id, "versions")
    if path is None:
        return _no_id(application_id)
    return (await http.ask(Call("GET", path))).bind(_reads(each(answers.version)))


async def create_rollout(
    http: RestHttp, application_id: str, draft: RolloutDraft
) -> Result[Rollout, Trouble]:
    """Begin a rollout, whatever is under way."""
    path = _path("applications", application_id, "rollouts")
    if path is None:
        return _no_id(application_id)
    secret = _holds_secrets(draft.target)
    call = Call("POST", path, body=rollout_tree(draft), withheld=secret)
    return (await http.ask(call)).bind(_reads(answers.rollout))


async def prepare_image(
    http: RestHttp, image: str
) -> Result[ImagePreparation, Trouble]:
    """Ask for an image to be fetched, or how far that is: asking is idempotent."""
    outcome = await http.ask(Call("POST", "/image-preparations", body={"image": image}))
    return outcome.bind(lambda said: _reads(answers.preparation(said.status))(said))


async def _got(
    http: RestHttp, steps: tuple[str, ...], reader: Reader[T]
) -> Result[T | None, Trouble]:
    path = _path(*steps)
    if path is None:
        return _no_id("/".join(steps))
    outcome = await http.ask(Call("GET", path))
    return _unless_missing(outcome.bind(_reads(reader)), missing=None)


async def _paged(
    http: RestHttp, path: str, query: Query, reader: Reader[Listed]
) -> Result[tuple[Listed, ...], Trouble]:
    listed: dict[str, Listed] = {}
    tokens: set[str] = set()
    asked = query
    for _ in range(http.limits.pages_max):
        outcome = await http.ask(Call("GET", path, query=asked))
        page = outcome.bind(_reads(each(reader)))
        if isinstance(page, Failure):
            return page
        for item in page.unwrap():
            listed.setdefault(item.id, item)
        token = outcome.unwrap().next_page_token
        if token is None:
            return Success(tuple(listed.values()))
        if token in tokens:
            place = "$.result_info.next_page_token"
            again = Malformed(place=place, expected="a new token", found="an old one")
            return Failure(misread(again))
        tokens.add(token)
        asked = (*query, ("page_token", token))
    cause = f"there are more than {http.limits.pages_max} pages"
    return Failure(Trouble(error=Unreachable(cause=cause)))


def _reads(reader: Reader[T]) -> Callable[[Answer], Result[T, Trouble]]:
    """Return what reads the result of an answer."""

    def reads(answer: Answer) -> Result[T, Trouble]:
        return read(answer.result, reader, "$.result").alt(misread)

    return reads


def _unless_missing(outcome: Result[T, Trouble], *, missing: T) -> Result[T, Trouble]:
    """Turn the trouble that a thing is not there into the value for that."""

    def kept(trouble: Trouble) -> Result[T, Trouble]:
        absent = trouble.status == NOT_FOUND and trouble.problem.number not in NO_ROUTE
        return Success(missing) if absent else Failure(trouble)

    return outcome.lash(kept)


def is_id(said: str) -> bool:
    """Say whether a text can be an id, and leads nowhere else in an address."""
    return _ID.fullmatch(said) is not None


def _path(*steps: str) -> str | None:
    """Return the path of ids and fixed words; None if one could lead elsewhere."""
    safe = all(is_id(step) for step in steps)
    return "/" + "/".join(steps) if safe else None


def _no_id(said: str) -> Failure[Trouble]:
    return Failure(Trouble(error=Refused(cause=f"{said!r} is no id")))


def _query(**said: object) -> Query:
    return tuple((key, str(value)) for key, value in said.items() if value is not None)


def _holds_secrets(configuration: Configuration | None) -> bool:
    return configuration is not None and bool(configuration.environment)
