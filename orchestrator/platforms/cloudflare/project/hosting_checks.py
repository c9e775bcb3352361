"""What is found of an operator that a gateway hosts, held against the fleet file."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.core.hosting import INSTANCE_TYPES
from orchestrator.platforms.cloudflare.project.comparing import AGAIN
from orchestrator.platforms.cloudflare.project.findings import Finding, fine, warning
from orchestrator.platforms.cloudflare.project.hosting import Told, read_hosting
from orchestrator.platforms.cloudflare.project.prices import cost_of_operator

__all__ = ("check_hosting",)

WHAT = "operator"


def check_hosting(
    answer: object, fleet: str, *, file: str, release: str
) -> Iterator[Finding]:
    """Yield findings of what a gateway tells of its operator, if it hosts one.

    *file* is the digest of the fleet file, *release* the version of this command.
    """
    told = read_hosting(answer)
    if told is None:
        return
    if told.retired:
        found = "hosted no more, and kept to be stopped"
        todo = "once it is stopped: `gateway init ... --delete-gone`, then deploy"
        yield warning(WHAT, found, todo)
        return
    others = list(_differences(told, fleet, file=file, release=release))
    sound = fine(WHAT, f"hosted, release {told.release}; {_price(told)}")
    yield from others or [sound]


def _differences(
    told: Told, fleet: str, *, file: str, release: str
) -> Iterator[Finding]:
    if told.fleet != fleet:
        yield warning(WHAT, f"hosted for the fleet {told.fleet!r}", AGAIN)
        return
    if told.file != file:
        yield warning(WHAT, "its image holds another version of the fleet file", AGAIN)
    if told.release != release:
        yield warning(WHAT, f"release {told.release}; this is {release}", AGAIN)


def _price(told: Told) -> str:
    size = INSTANCE_TYPES.get(told.instance_type)
    if size is None:
        return f"of the size {told.instance_type}"
    cost = cost_of_operator(size)
    return f"{size.name}, {cost.idle:,.2f} to {cost.busy:,.2f} USD a day more"
