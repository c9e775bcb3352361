"""What ``gateway check`` finds: a list of findings, each with what to do about it.

First the file by itself; where that is sound the gateway is asked, and its answer held
against the file. A problem is what would refuse starts, a warning what can surprise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

import attrs
from returns.result import Failure

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import PlatformError, Unauthorized
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.health import CommandProbe
from orchestrator.core.moments import Millis, Moment, format_duration
from orchestrator.platforms.cloudflare.project.application import (
    DURABLE_OBJECT,
    Application,
    read_applications,
)
from orchestrator.platforms.cloudflare.project.applications import (
    application_warnings,
    applications_of,
)
from orchestrator.platforms.cloudflare.project.comparing import AGAIN, compared
from orchestrator.platforms.cloudflare.project.findings import (
    Cause,
    Finding,
    Level,
    fine,
    problem,
    warning,
)
from orchestrator.platforms.cloudflare.project.images import ImageKind, image_kind
from orchestrator.platforms.cloudflare.project.sums import sums

__all__ = ("API", "Asked", "AsksAbout", "ask", "check_answer", "check_file")

API: Final = 1
"""The version of the interface that this release speaks."""

SKEW_WARNING: Final[Millis] = 2_000
SKEW_PROBLEM: Final[Millis] = 60_000


class AsksAbout(Protocol):
    """Asks a gateway what it is."""

    async def about(self) -> Mapping[str, Any] | PlatformError:
        """Ask it."""
        ...


@attrs.frozen(kw_only=True)
class Asked:
    """What a gateway answered, and when it was asked and had answered, by our clock."""

    answer: Mapping[str, Any] | PlatformError
    asked_at: Moment
    answered_at: Moment


async def ask(gateway: AsksAbout, clock: Callable[[], Moment]) -> Asked:
    """Ask a gateway what it is, and note how long that took."""
    asked_at = clock()
    answer = await gateway.about()
    return Asked(answer=answer, asked_at=asked_at, answered_at=clock())


def check_file(
    fleet: FleetSpec, choice: CloudflareChoice, secrets: Mapping[str, str]
) -> list[Finding]:
    """Check the file by itself: what it names must be there."""
    found: list[Finding] = []
    if choice.url is None:
        todo = 'deploy the gateway, then put url = "https://..." below [platform]'
        found.append(problem("url", "platform.url is not given", todo, Cause.FILE))
    else:
        found.append(fine("url", choice.url))
    found += _secrets(choice, secrets)
    wanted = applications_of(fleet, choice)
    if isinstance(wanted, Failure):
        for wrong in wanted.failure().problems:
            todo = wrong.hint or f"change {wrong.place} in the fleet file"
            found.append(problem("fleet file", wrong.message, todo, Cause.FILE))
        return found
    applications = wanted.unwrap()
    for told in application_warnings(applications):
        found.append(warning("fleet file", told, "change it, or know about it"))
    return [*found, *sums(fleet, applications)]


def _secrets(choice: CloudflareChoice, secrets: Mapping[str, str]) -> Iterator[Finding]:
    key = choice.token_secret
    if not secrets.get(key):
        yield problem(
            "token",
            f"the secret {key} is not there",
            f"put {key} into the environment, or into the file of --secrets: the value"
            " that `npx wrangler secret put GATEWAY_TOKEN` was given",
            Cause.FILE,
        )
    else:
        yield fine("token", f"{key} is there")


def check_answer(
    fleet: FleetSpec,
    choice: CloudflareChoice,
    asked: Asked,
    *,
    version: str | None = None,
) -> list[Finding]:
    """Check what a gateway answered; *version* is that of the gateway shipped here."""
    answer = asked.answer
    if not isinstance(answer, Mapping):
        return [_no_answer(answer, choice)]
    found = [
        fine("gateway", f"answered within {asked.answered_at - asked.asked_at} ms")
    ]
    found += _versions(answer, version)
    if any(one.level is Level.PROBLEM for one in found):
        return found
    found.append(_clock(answer.get("now"), asked))
    wanted = applications_of(fleet, choice).value_or(())
    deployed = read_applications(answer.get("applications"))
    if isinstance(deployed, Failure):
        message = deployed.failure().message
        return [*found, problem("applications", message, AGAIN)]
    found += _capabilities(answer.get("capabilities"), wanted)
    found += _commands(fleet, answer.get("capabilities"))
    return [*found, *compared(fleet, choice, wanted, deployed.unwrap())]


def _no_answer(error: PlatformError, choice: CloudflareChoice) -> Finding:
    if isinstance(error, Unauthorized):
        return problem(
            "authorized",
            error.message,
            f"give the Worker the value of {choice.token_secret}: `npx wrangler secret"
            " put GATEWAY_TOKEN`; where Access stands before it, see access_secrets",
            Cause.RIGHTS,
        )
    return problem(
        "gateway",
        error.message,
        f"look whether it is deployed at {choice.url}: `npx wrangler deployments list`,"
        " `npx wrangler tail`",
        Cause.REACH,
    )


def _versions(answer: Mapping[str, Any], version: str | None) -> Iterator[Finding]:
    found, deployed = answer.get("api"), answer.get("gateway")
    if found != API:
        yield problem(
            "version",
            f"the gateway speaks version {found!r} of the interface, this command"
            f" {API}",
            AGAIN if not isinstance(found, int) or found < API else "upgrade this one",
        )
    elif version is not None and deployed != version:
        told = f"gateway {deployed}; this release writes {version}"
        yield warning("version", told, AGAIN)
    else:
        yield fine("version", f"gateway {deployed}, interface {found}")


def _clock(now: object, asked: Asked) -> Finding:
    """Compare the clocks: what the way there and back can explain is no skew."""
    if type(now) is not int:
        told = "the gateway does not tell the time"
        return warning("clock", told, "this is not the gateway that init writes")
    late, early = asked.asked_at - now, now - asked.answered_at
    skew = max(late, early, 0)
    side = "behind" if early > 0 else "ahead of"
    found = f"this machine is {format_duration(skew)} {side} Cloudflare"
    todo = "let the clock of this machine be set over the network (NTP)"
    if skew > SKEW_PROBLEM:
        return problem("clock", found, todo)
    if skew > SKEW_WARNING:
        return warning("clock", found, todo)
    return fine("clock", "the clocks agree")


def _capabilities(told: object, wanted: tuple[Application, ...]) -> Iterator[Finding]:
    what = "capabilities"
    offered: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    has = [key for key in ("exec", "inspect", "snapshots") if offered.get(key) is True]
    if offered.get("container") is False:
        found = "its objects have no container"
        yield problem(what, found, "deploy with wrangler 4.150 or newer")
    elif "inspect" not in has:
        found = "no inspect: which image a container really runs cannot be told"
        yield warning(what, found, "deploy it again, with today's wrangler")
    else:
        yield fine(what, ", ".join(has))
    images = offered.get("images")
    named = set(map(str, images)) if isinstance(images, list | dict) else set[str]()
    for application in wanted:
        if application.scheduling_policy is not DURABLE_OBJECT:
            continue
        for name, image in application.images.items():
            is_built = image_kind(image) is ImageKind.DOCKERFILE
            if is_built and name not in named:
                found = f"{image} is not among the images of the objects"
                yield problem("images", found, AGAIN)


def _commands(fleet: FleetSpec, told: object) -> Iterator[Finding]:
    """Say whose health checks run a command where the runtime has no way to."""
    offered: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    if offered.get("exec") is True:
        return
    asked = {
        spec.service
        for spec in fleet.containers
        for _, check in spec.health.all()
        if isinstance(check.probe, CommandProbe)
    }
    for name in sorted(asked):
        found = f"{name}: the runtime runs no commands, so its check stays unknown"
        yield warning("health", found, f"{AGAIN}; or ask over HTTP or TCP")
