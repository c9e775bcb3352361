"""How a run ends, and why a command is not carried out."""

from __future__ import annotations

from hypothesis import strategies as st

from orchestrator.core import errors
from orchestrator.core.exits import (
    Exit,
    Exited,
    GroupEnded,
    Lost,
    OutOfMemory,
    RolledOut,
    Signaled,
    Slept,
    StartFailed,
    Stopped,
    Unhealthy,
)
from orchestrator.core.health import CheckKind
from orchestrator.testing.strategies.pools import made_once, moments, names, runs, texts

__all__ = (
    "command_errors",
    "exits",
    "obstacles",
    "platform_errors",
    "platform_exits",
    "start_errors",
)


@made_once
def platform_errors() -> st.SearchStrategy[errors.PlatformError]:
    """Draw what a platform may answer instead of carrying a command out."""
    return st.one_of(
        st.builds(errors.ContainerStartFailed, name=names(), cause=texts()),
        st.builds(errors.ContainerStopFailed, name=names(), cause=texts()),
        st.builds(errors.Unreachable, cause=texts()),
        st.builds(errors.Refused, cause=texts()),
        st.builds(errors.Unauthorized, cause=texts()),
        st.builds(errors.RateLimited, retry_after_ms=st.none() | st.integers(0, 9_999)),
        st.just(errors.NoCapacity()),
        st.just(errors.QuotaExceeded()),
        st.builds(errors.TimedOut, after_ms=st.integers(0, 30_000)),
        st.builds(errors.StaleRun, name=names(), run=runs(), highest=runs()),
        st.builds(errors.StaleOperator, epoch=runs(), highest=runs()),
    )


@made_once
def start_errors() -> st.SearchStrategy[errors.StartError]:
    """Draw what may keep a start from reaching the platform."""
    return st.one_of(
        st.builds(errors.SecretMissing, name=names(), key=st.just("KEY")),
        st.builds(errors.EnvVarsFailed, name=names(), cause_type=st.just("KeyError")),
    )


@made_once
def command_errors() -> st.SearchStrategy[errors.PlatformError | errors.StartError]:
    """Draw why a command was not carried out."""
    return st.one_of(platform_errors(), start_errors())


@made_once
def obstacles() -> st.SearchStrategy[Exit]:
    """Draw what keeps a run from beginning without being the container's fault."""
    return st.one_of(
        start_errors(),
        st.sampled_from((errors.NoCapacity(), errors.QuotaExceeded())),
        st.builds(errors.RateLimited, retry_after_ms=st.none() | st.integers(0, 9_999)),
        st.builds(errors.Unauthorized, cause=texts()),
    )


@made_once
def platform_exits() -> st.SearchStrategy[Exit]:
    """Draw how a run ends as a platform tells it: nothing that only we can know."""
    return st.one_of(
        st.builds(Exited, code=st.sampled_from((0, 1, 7, 255))),
        st.builds(Signaled, signal=st.sampled_from((9, 11, 15))),
        st.sampled_from((OutOfMemory(), RolledOut(), Slept())),
        st.builds(StartFailed, reason=st.just("spawn refused")),
    )


@made_once
def exits() -> st.SearchStrategy[Exit]:
    """Draw how a run ends, also by our own doing (``Stopped``, ``GroupEnded``)."""
    return st.one_of(
        st.builds(Exited, code=st.sampled_from((0, 1, 7, 255))),
        st.builds(Signaled, signal=st.sampled_from((9, 11, 15))),
        st.sampled_from((OutOfMemory(), RolledOut(), Slept(), Stopped(), Lost())),
        st.builds(StartFailed, reason=texts()),
        st.builds(Unhealthy, check=st.sampled_from([str(kind) for kind in CheckKind])),
        st.builds(
            GroupEnded,
            group=st.sampled_from(("pair", "all")),
            by=names(),
            restart_at=st.none() | moments(),
        ),
        obstacles(),
    )
