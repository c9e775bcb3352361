"""Every operation of the document, asked with whatever its schemas allow and forbid.

An operator lives in a thread of its own and answers over loopback. What it answers must
be documented, with the status, the type, the headers and the schema that the document
names; nothing is its own mistake (5xx). What a schema forbids must be refused.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from orchestrator.api.app import make_app
from orchestrator.api.openapi import document
from orchestrator.api.routes import ROUTES
from orchestrator.codec.wire import tree_of
from tests.runtime.kit import HOLD, NEVER, fleet, opened, spec

EXAMPLES = 10
"""For each operation, and each of what is allowed and what is forbidden."""

LIMIT_S = 60
SHORT_MS = 20

FLEET = fleet(spec("web"), spec("dead", HOLD), spec("job", NEVER))

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

SLOW = {"limit_ms": SHORT_MS, "wait_ms": SHORT_MS}
"""What may make an operation wait for long."""


class Served:
    """An operator that answers in a thread, until it is told to end."""

    def __init__(self) -> None:
        self.url = ""
        self._begun = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        async with opened(FLEET) as kit:
            runner = web.AppRunner(make_app(kit.operator, version="1"))
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self._begun.set()
            await self._end.wait()
            await runner.cleanup()

    def begin(self) -> None:
        self._thread.start()
        assert self._begun.wait(LIMIT_S)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    served = Served()
    served.begin()
    yield served
    served.end()


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


SCHEMA = schemathesis.openapi.from_dict(copy.deepcopy(document()))


def quick(case: Any) -> Any:
    """Return a case that waits for little, and asks for no stream without an end."""
    query = dict(case.query or {})
    for name, most in SLOW.items():
        if type(query.get(name, 0)) is int:
            query[name] = min(query.get(name, most), most)
    parameters = case.operation.definition.raw.get("parameters", ())
    known = {one["name"] for one in parameters}
    case.query = {
        name: query[name] for name in query if name not in SLOW or name in known
    }
    if case.query.get("follow") in (True, "true"):
        case.query["follow"] = False
    case.headers = {**(case.headers or {}), "Accept": "application/json"}
    return case


CASES = [
    pytest.param(route, mode, id=f"{route.handler}-{mode.value}")
    for route in ROUTES
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE
    or (route.query or route.headers or route.body or "seq" in route.names)
]
"""What takes nothing, or any text, cannot be asked with what is forbidden."""


@pytest.mark.parametrize(("route", "mode"), CASES)
def test_what_is_answered_is_documented(
    served: Served, session: requests.Session, route: Any, mode: GenerationMode
) -> None:
    operation = SCHEMA[route.path][route.method]
    again = session.put(f"{served.url}/v1/spec", json=tree_of(FLEET), timeout=LIMIT_S)
    assert again.status_code == 200, again.text
    is_waiting = route.handler == "wait"  # 504 says that the time was up
    checks = CHECKS if is_waiting else [*CHECKS, not_a_server_error]
    if mode is GenerationMode.NEGATIVE:
        checks = [*checks, negative_data_rejection]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode).map(quick))
    def asked(case: Any) -> None:
        response = case.call(base_url=served.url, session=session, timeout=LIMIT_S)
        case.validate_response(response, checks=checks)

    asked()
