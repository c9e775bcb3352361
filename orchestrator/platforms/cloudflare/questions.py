"""Questions to a container as the gateway takes them, and what its answers mean: pure.

What a container did is a reply: refused, too late, another status, another exit code.
What was in the way of asking it is an error, and says nothing about it.
"""

from __future__ import annotations

from typing import Final, assert_never

from returns.result import Failure, Result, Success

from orchestrator.core.errors import PlatformError, Refused, Unreachable
from orchestrator.core.health import CommandProbe, HttpProbe, TcpProbe
from orchestrator.core.moments import Millis
from orchestrator.platforms.cloudflare.http import Answer, Tree
from orchestrator.platforms.port import Question, Reply

__all__ = ("TIMEOUT_MAX_MS", "question_body", "reply_of", "time_of")

TIMEOUT_MAX_MS: Final[Millis] = 25_000
"""The gateway gives a container no longer to answer."""

USER_AGENT: Final = ("User-Agent", "orchestrator-health-check")


def time_of(question: Question) -> Millis:
    """Return how long a container is given to answer."""
    return min(question.timeout_ms, TIMEOUT_MAX_MS)


def question_body(question: Question) -> Answer:
    """Return what the gateway is asked; refused where a port has no number."""
    keyed: Tree = {
        "name": question.name,
        "run": question.run,
        "epoch": question.epoch,
        "timeout_ms": time_of(question),
    }
    match question.probe:
        case CommandProbe(command=command):
            return Success(keyed | {"kind": "command", "command": list(command)})
        case HttpProbe() as probe:
            headers = dict(probe.headers.items())
            if not any(name.lower() == USER_AGENT[0].lower() for name in headers):
                headers = dict((USER_AGENT, *headers.items()))
            asked = {"kind": "http", "path": probe.path, "headers": headers}
        case TcpProbe() as probe:
            asked = {"kind": "tcp"}
        case _:
            assert_never(question.probe)
    port = question.address.rpartition(":")[2]
    if not (port.isascii() and port.isdigit()):
        return Failure(Refused(cause=f"port {probe.port} has no address"))
    return Success(keyed | asked | {"port": int(port)})


def reply_of(question: Question, tree: Tree) -> Result[Reply, PlatformError]:
    """Return what an answer of the gateway says about the container, if it does.

    >>> from orchestrator.core.health import TcpProbe
    >>> asked = Question(name="db", run=1, epoch=1, probe=TcpProbe(port="sql"),
    ...     address="db:demo/db:5432", timeout_ms=1_000)
    >>> reply_of(asked, {"run": 1, "error": "not_listening"}).unwrap()
    Reply(passed=False, detail='connection refused')

    """
    match question.probe, tree:
        case _, {"error": str(kind)}:
            return _unanswered(question, kind, is_up=tree.get("up") is True)
        case HttpProbe() as probe, {"status": int(status)} if type(status) is int:
            return _told(passed=probe.passes(status), detail=f"HTTP {status}")
        case TcpProbe(), {"opened": True}:
            return _told(passed=True, detail="connected")
        case CommandProbe(), {"code": int(code)} if type(code) is int:
            return _told(passed=code == 0, detail=f"exit {code}")
        case _:
            return Failure(Unreachable(cause="the gateway's answer is not understood"))


def _told(*, passed: bool, detail: str) -> Result[Reply, PlatformError]:
    return Success(Reply(passed=passed, detail=detail))


def _unanswered(
    question: Question, kind: str, *, is_up: bool
) -> Result[Reply, PlatformError]:
    """Say whose an error is: the container's, or that of the way to it."""
    match kind:
        case "not_listening":
            return _told(passed=False, detail="connection refused")
        case "timed_out":
            within = f"no answer within {time_of(question)} ms"
            return _told(passed=False, detail=within)
        case _ if is_up and not isinstance(question.probe, CommandProbe):
            return _told(passed=False, detail=f"no answer: {kind[:32]}")
        case _:
            return Failure(Unreachable(cause=f"it could not be asked: {kind[:32]}"))
