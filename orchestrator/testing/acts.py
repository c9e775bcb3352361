"""What the platform does in a scenario: outcomes, news of runs, looks, checks.

Each word returns an ``Act``, to be played by ``Scenario.when``. Runs number
themselves: an act is about the newest run of its container, unless it names one.
What several of these make together, and what the owner does, is in ``turns``.

| word | what happens |
|---|---|
| ``accepts``, ``refuses`` | the oldest command without an outcome gets one |
| ``starts``, ``becomes_ready`` | the platform tells of the run |
| ``crashes``, ``dies``, ``succeeds``, ``ends`` | the run ends |
| ``fails_to_start`` | the start is refused |
| ``loses_sight``, ``vanishes``, ``is_seen`` | the platform does not know, or looks |
| ``passes_check``, ``fails_check`` | a health check changes its verdict |
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from orchestrator.core.errors import ContainerStartFailed, PlatformError, StartError
from orchestrator.core.events import (
    COMMAND_KINDS,
    CommandAccepted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerErrored,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    Event,
    HealthChanged,
)
from orchestrator.core.exits import Exit, Exited, Signaled
from orchestrator.core.health import CheckKind
from orchestrator.core.observations import SeenAbsent, Sight
from orchestrator.testing.sources import Spoken
from orchestrator.testing.tales import Impossible, Tale

__all__ = (
    "Act",
    "accepts",
    "acted",
    "becomes_ready",
    "crashes",
    "dies",
    "ends",
    "fails_check",
    "fails_to_start",
    "is_seen",
    "loses_sight",
    "passes_check",
    "refuses",
    "starts",
    "succeeds",
    "vanishes",
)


@attrs.frozen(kw_only=True)
class Act(Spoken):
    """Something that happens; ``play`` is given the tale, and whether it is late."""

    play: Callable[[Tale, bool], Tale] = attrs.field(repr=False, eq=False)


def acted(
    verb: str, *args: object, play: Callable[[Tale, bool], Tale], **options: object
) -> Act:
    """Return an act with the words that it is written with; None is left out."""
    said = tuple((name, value) for name, value in options.items() if value is not None)
    return Act(verb=verb, args=args, options=said, play=play)


def _told(
    verb: str, name: str, *args: object, make: Callable[[Tale, int], Event], **o: object
) -> Act:
    """Return an act that is one event about a run of a container."""
    run = o.get("run")

    def play(tale: Tale, is_late: bool) -> Tale:  # noqa: FBT001 - a callback
        number = run if isinstance(run, int) else tale.container(name).run
        return tale.happens(make(tale, number), late=is_late)

    return acted(verb, name, *args, play=play, **o)


def _outcome(
    verb: str,
    name: str,
    error: PlatformError | StartError | None,
    run: int | None,
    kind: CommandKind | None = None,
) -> Act:
    def play(tale: Tale, is_late: bool) -> Tale:  # noqa: FBT001 - a callback
        waits = tale.ledger.waits_for(name, run, kind)
        number = tale.container(name).run if run is None else run
        of = kind or CommandKind.START
        if waits is not None:
            number, of = waits.run, COMMAND_KINDS[type(waits)]
        elif not is_late:
            raise Impossible(f"no command of {name!r} waits for its outcome")
        at = tale.now
        if error is None:
            event: Event = CommandAccepted(at=at, name=name, run=number, kind=of)
        else:
            event = CommandFailed(at=at, name=name, run=number, kind=of, error=error)
        return tale.happens(event, late=is_late)

    words = () if error is None else (error,)
    return acted(verb, name, *words, play=play, run=run, kind=kind)


def accepts(
    name: str, *, run: int | None = None, kind: CommandKind | None = None
) -> Act:
    """Have the platform take on the oldest command that waits for its outcome."""
    return _outcome("accepts", name, None, run, kind)


def refuses(
    name: str,
    error: PlatformError | StartError,
    *,
    run: int | None = None,
    kind: CommandKind | None = None,
) -> Act:
    """Have the oldest command that waits fail, or nobody know (``TimedOut``)."""
    return _outcome("refuses", name, error, run, kind)


def fails_to_start(name: str, cause: str = "no such image") -> Act:
    """Have the platform refuse the start."""
    refusal = _outcome(
        "", name, ContainerStartFailed(name=name, cause=cause), None, CommandKind.START
    )
    return acted("fails_to_start", name, cause, play=refusal.play)


def starts(name: str, *, run: int | None = None) -> Act:
    """Have the platform tell that a process of the run exists."""
    return _told(
        "starts",
        name,
        run=run,
        make=lambda tale, run: ContainerStarted(at=tale.now, name=name, run=run),
    )


def becomes_ready(name: str, *, run: int | None = None) -> Act:
    """Have the platform tell that the ports of the run listen."""
    return _told(
        "becomes_ready",
        name,
        run=run,
        make=lambda tale, run: ContainerReady(at=tale.now, name=name, run=run),
    )


def _end(verb: str, name: str, exit_: Exit, run: int | None, **said: object) -> Act:
    told = _told(
        verb,
        name,
        run=run,
        make=lambda tale, run: ContainerEnded(
            at=tale.now, name=name, run=run, exit=exit_
        ),
    )
    options = tuple((key, value) for key, value in said.items() if value is not None)
    return attrs.evolve(told, options=(*options, *told.options))


def crashes(name: str, code: int = 1, *, run: int | None = None) -> Act:
    """End the run with a code, 1 unless another is given."""
    return _end("crashes", name, Exited(code=code), run, code=code)


def dies(name: str, signal: int = 9, *, run: int | None = None) -> Act:
    """End the run by a signal that we did not send."""
    return _end("dies", name, Signaled(signal=signal), run, signal=signal)


def succeeds(name: str, *, run: int | None = None) -> Act:
    """End the run with code 0."""
    return _end("succeeds", name, Exited(code=0), run)


def ends(name: str, exit_: Exit, *, run: int | None = None) -> Act:
    """End the run as the platform says."""
    told = _end("ends", name, exit_, run)
    return attrs.evolve(told, args=(name, exit_))


def loses_sight(name: str, cause: str = "cut off", *, run: int | None = None) -> Act:
    """Have the platform not know any more whether the run is alive."""
    return _told(
        "loses_sight",
        name,
        cause,
        run=run,
        make=lambda tale, run: ContainerErrored(
            at=tale.now, name=name, run=run, cause=cause
        ),
    )


def is_seen(name: str, sight: Sight, *, run: int | None = None) -> Act:
    """Have a look show the container in a way that is news."""
    return _told(
        "is_seen",
        name,
        sight,
        run=run,
        make=lambda tale, run: ContainerObserved(
            at=tale.now, name=name, run=run, sight=sight
        ),
    )


def vanishes(name: str, *, run: int | None = None) -> Act:
    """Have a complete look not show the run any more."""
    seen = is_seen(name, SeenAbsent(), run=run)
    return attrs.evolve(seen, verb="vanishes", args=(name,))


def _verdict(
    verb: str, name: str, check: str, run: int | None, cause: str | None = None
) -> Act:
    return _told(
        verb,
        name,
        CheckKind(check).value,
        run=run,
        cause=cause,
        make=lambda tale, run: HealthChanged(
            at=tale.now,
            name=name,
            run=run,
            check=CheckKind(check),
            passing=cause is None,
            cause=cause or "",
        ),
    )


def passes_check(name: str, check: str = "readiness", *, run: int | None = None) -> Act:
    """Have a health check of the run pass from now on."""
    return _verdict("passes_check", name, check, run)


def fails_check(
    name: str, check: str = "liveness", *, run: int | None = None, cause: str = "503"
) -> Act:
    """Have a health check of the run fail from now on."""
    return _verdict("fails_check", name, check, run, cause)
