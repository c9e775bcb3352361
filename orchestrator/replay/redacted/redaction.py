"""What becomes of each text of a history that is shared: one table for all classes.

``redact`` walks any value that a journal holds (an event, a command, a record, a whole
fleet), and has *words* (``replay.redacted.pseudonyms``) say what stands there. Numbers,
times, policies, exit codes, salts and kinds stay as they are. A text that ``DECIDED``
does not mention is a mistake, and is raised, not shown: whoever adds a field decides.

The law: to redact and fold is to fold and redact. So a text that the core makes out of
others (why a start failed) is taken apart as the core has put it together.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, Final, TypeVar

import attrs

from orchestrator.core import (
    commands,
    errors,
    events,
    exits,
    lineages,
    loads,
    notices,
    observations,
    phases,
    service_events,
)
from orchestrator.core.dependencies import Awaited
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.groups import Membership
from orchestrator.core.health import CheckKind, CommandProbe, HttpProbe, TcpProbe
from orchestrator.core.hosting import (
    INSTANCE_TYPES,
    JURISDICTIONS,
    LOCATION_HINTS,
    REGIONS,
    InstanceType,
    Placement,
)
from orchestrator.core.notices import Notice, Notices
from orchestrator.core.notify import Notify
from orchestrator.core.policies import CustomPolicyRef
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.services import Service
from orchestrator.core.specs import STOP_SIGNALS, ContainerSpec
from orchestrator.core.state import Container, Desired, Fleet
from orchestrator.core.table import Table
from orchestrator.core.tickets import Ticket, Tickets, Used
from orchestrator.replay.redacted.pseudonyms import Kind, Words
from orchestrator.replay.redacted.rewording import (
    Treatment,
    as_,
    both,
    choice,
    each,
    json,
    one_of,
    reason,
    same,
    table,
    template,
    url_path,
)

__all__ = ("DECIDED", "redact")

T = TypeVar("T")


def redact(value: T, words: Words) -> T:
    """Return a persisted value in other words; one without any is returned itself.

    >>> from orchestrator.replay.redacted.pseudonyms import Pseudonyms, Vocabulary
    >>> event, heard = events.TimeReached(at=5, name="web-0"), Vocabulary()
    >>> _ = redact(event, heard)
    >>> redact(event, Pseudonyms.of(heard, key=bytes(16)))
    TimeReached(at=5, name='c1')

    """
    redacted: T = _walk(value, words)
    return redacted


def _walk(value: Any, words: Words) -> Any:
    kind = value.__class__
    if kind in _PLAIN or isinstance(value, Enum):
        return value
    if kind is tuple:
        return tuple(_walk(inner, words) for inner in value)
    if kind is Table:
        pairs = ((_walk(key, words), _walk(one, words)) for key, one in value.items())
        return Table.of(pairs)
    if not attrs.has(kind):
        msg = f"expected a decision about a {kind.__name__}"
        raise AssertionError(msg)
    if kind is Service:  # the core makes names of its name
        _ = words.text(Kind.SERVICE, value.name)
    changed: dict[str, Any] = {}
    for field, treatment in _treatments(kind):
        old = getattr(value, field)
        if old.__class__ not in _PLAIN:
            new = treatment(old, words)
            if new != old:
                changed[field] = new
    other = attrs.evolve(value, **changed) if changed else value
    if kind is ContainerSpec:
        words.learn(value, other)
    return other


_PLAIN: Final = frozenset({int, float, bool, type(None)})


@cache
def _treatments(kind: type) -> tuple[tuple[str, Treatment], ...]:
    """Return what is done to each field; those nobody decided about hold no texts."""
    decided = DECIDED.get(kind, {})
    return tuple(
        (field.name, decided.get(field.name, _walk)) for field in attrs.fields(kind)
    )


NAME: Final = as_(Kind.NAME)
PORT: Final = as_(Kind.PORT)
TEXT: Final = as_(Kind.TEXT)
CURSOR: Final = as_(Kind.CURSOR)
NAMES: Final = table(NAME, same)
ADDRESSES: Final = table(PORT, as_(Kind.ADDRESS))
TICKET: Final = as_(Kind.TICKET)
ASKED: Final = {"by": TEXT, "why": TEXT}
PLACED: Final = table(both(same, NAME), same)
TOLD: Final = {"name": NAME, "cursor": CURSOR}

DECIDED: Final[Mapping[type, Mapping[str, Treatment]]] = {
    ContainerSpec: {
        "name": NAME,
        "service": NAME,
        "image": as_(Kind.IMAGE),
        "command": each(template),
        "working_dir": as_(Kind.PATH),
        "ports": table(PORT, same),
        "config": json(Kind.CONFIG_KEY, Kind.CONFIG_VALUE),
        "env": table(as_(Kind.ENV_KEY), template),
        "stop_signal": one_of(*STOP_SIGNALS),
        "wait_for": each(PORT),
        "depends_on": NAMES,
    },
    FleetSettings: {"container_name_env_key": as_(Kind.ENV_KEY)},
    InstanceType: {"name": one_of(*INSTANCE_TYPES, "custom")},
    Placement: {
        "regions": each(choice(Kind.REGION, REGIONS)),
        "jurisdiction": choice(Kind.JURISDICTION, JURISDICTIONS),
        "location_hint": choice(Kind.HINT, LOCATION_HINTS),
        "spread": each(choice(Kind.HINT, LOCATION_HINTS)),
    },
    HttpProbe: {
        "port": PORT,
        "path": url_path,
        "headers": table(as_(Kind.HEADER), template),
    },
    TcpProbe: {"port": PORT},
    CommandProbe: {"command": each(template)},
    Membership: {"group": as_(Kind.GROUP)},
    CustomPolicyRef: {
        "name": same,  # it names code, which a replay needs
        "params": json(Kind.PARAM_KEY, Kind.PARAM_VALUE),
    },
    Notify: {"url": as_(Kind.URL), "secret": as_(Kind.SECRET)},
    RolloutPolicy: {
        "strategy": same,  # it names code, too
        "params": json(Kind.PARAM_KEY, Kind.PARAM_VALUE),
    },
    lineages.Revision: ASKED,
    lineages.Rollout: {"service": NAME, "reason": TEXT, "trouble": TEXT, **ASKED},
    lineages.Roster: {
        **dict.fromkeys(("old", "old_down", "lost", "resting", "drained"), PLACED),
        **dict.fromkeys(("due", "ripening", "kept", "spent", "surplus"), PLACED),
        **dict.fromkeys(("living", "counted", "kept_up", "going"), NAMES),
        "moved": table(NAME, _walk),
        "twins": table(same, NAME),
    },
    lineages.PlatformRoll: {"id": CURSOR, "given_up": CURSOR, "restarted": each(NAME)},
    Notice: {"name": NAME, "why": TEXT},
    Notices: {"open": table(same, _walk), "troubled": NAMES},
    notices.NoticeFailed: {"cause": TEXT},
    Container: {"name": NAME, "stops_after": NAME, "place": as_(Kind.ADDRESS)},
    Desired: ASKED,
    Awaited: {
        "lacking": table(same, NAMES),
        "waiting": table(same, NAMES),
        "asleep": NAMES,
        "ending": NAMES,
        "held": NAMES,
    },
    Ticket: {"key": TICKET, "digest": TICKET},
    Tickets: {"used": table(TICKET, _walk), "order": table(both(same, TICKET), same)},
    Used: {"digest": TICKET},
    Fleet: {
        "name": as_(Kind.FLEET),
        "containers": table(NAME, _walk),
        "cursor": CURSOR,
        "waiting": table(both(same, NAME), same),
        "starting": NAMES,
        "diverged": NAMES,
        "forgetting": NAMES,
        "strangers": NAMES,
        "services": table(NAME, _walk),
        "evicting": NAMES,
        "lineages": table(NAME, _walk),
        "rolling": NAMES,
        "rolls_at": table(both(same, NAME), same),
        "loads": table(NAME, _walk),
        "groups": table(as_(Kind.GROUP), each(both(same, NAME))),
        "awaited": table(NAME, _walk),
    },
    events.SpecApplied: {"fleet": as_(Kind.FLEET), **ASKED},
    events.StartRequested: {"name": NAME, **ASKED},
    events.StopRequested: {"name": NAME, **ASKED},
    events.RestartRequested: {"name": NAME, **ASKED},
    events.RemoveRequested: {"name": NAME, **ASKED},
    events.CrashHistoryCleared: {"name": NAME, **ASKED},
    events.ReconcileRequested: ASKED,
    service_events.ScaleRequested: {"service": NAME, **ASKED},
    service_events.AdoptRequested: {"name": NAME, **ASKED},
    service_events.OrphanStopRequested: {"name": NAME, **ASKED},
    service_events.RolloutRequested: {"service": NAME, **ASKED},
    loads.LoadObserved: {"service": NAME},
    loads.ServiceRolled: {
        "service": NAME,
        "cause": TEXT,
        "id": CURSOR,
        "behind": each(NAME),
    },
    events.PlaceObserved: {"name": NAME, "place": as_(Kind.ADDRESS)},
    events.ContainerStarted: TOLD,
    events.ContainerReady: {**TOLD, "addresses": ADDRESSES},
    events.ContainerEnded: TOLD,
    events.ContainerErrored: {**TOLD, "cause": TEXT},
    events.HealthChanged: {"name": NAME, "cause": TEXT},
    events.ContainerObserved: {"name": NAME, "fingerprint": as_(Kind.FINGERPRINT)},
    events.CommandAccepted: {"name": NAME},
    events.CommandFailed: {"name": NAME},
    events.FleetObserved: {"strangers": NAMES, "cause": TEXT},
    events.TimeReached: {"name": NAME},
    observations.SeenRunning: {"addresses": ADDRESSES},
    commands.StartContainer: {"name": NAME},
    commands.StopContainer: {"name": NAME, "signal": one_of(*STOP_SIGNALS)},
    commands.DestroyContainer: {"name": NAME},
    commands.ForgetContainer: {"name": NAME},
    commands.RollService: {"service": NAME},
    phases.Running: {"addresses": ADDRESSES},
    phases.Pending: {"waits_for": NAME},
    phases.BackingOff: {"waits_for": NAME},
    phases.CrashLooping: {"waits_for": NAME},
    exits.StartFailed: {"reason": reason},
    exits.Unhealthy: {"check": one_of(*CheckKind)},
    exits.GroupEnded: {"group": as_(Kind.GROUP), "by": NAME},
    errors.ContainerStartFailed: {"name": NAME, "cause": TEXT},
    errors.ContainerStopFailed: {"name": NAME, "cause": TEXT},
    errors.Unreachable: {"cause": TEXT},
    errors.Refused: {"cause": TEXT},
    errors.Unauthorized: {"cause": TEXT},
    errors.StaleRun: {"name": NAME},
    errors.SecretMissing: {"name": NAME, "key": as_(Kind.SECRET)},
    errors.EnvVarsFailed: {"name": NAME, "cause_type": TEXT},
}
"""What is done about each field that holds texts."""
