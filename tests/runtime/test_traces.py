"""Traces: a span for each command, and nothing loaded where nobody collects them."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from orchestrator.core.commands import StopContainer
from orchestrator.core.errors import Unreachable
from orchestrator.runtime import traces
from orchestrator.runtime.telemetry import Telemetry
from orchestrator.runtime.traces import Traces, traces_of
from tests.runtime.kit import LIMIT_MS, fleet, opened, spec, value


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def collecting(exporter: InMemorySpanExporter) -> Traces:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Traces(provider.get_tracer("test"))


async def test_each_command_of_an_operator_is_a_span(
    exporter: InMemorySpanExporter,
) -> None:
    telemetry = Telemetry(traces=collecting(exporter))
    async with opened(fleet(spec("web")), telemetry=telemetry) as kit:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        await value(kit.operator.stop_container("web"))
        await kit.container("web", "stopped")
    seq = kit.operator.seq
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["start container", "stop container"]
    for span in spans:
        assert span.attributes is not None
        told = dict(span.attributes)
        number = told.pop("orchestrator.seq")
        assert isinstance(number, int)
        assert 1 <= number <= seq
        assert told == {
            "orchestrator.fleet": "demo",
            "orchestrator.container": "web",
            "orchestrator.run": 1,
            "orchestrator.command": span.name.split()[0],
            "orchestrator.outcome": "accepted",
        }
        assert span.kind is SpanKind.CLIENT
        assert span.status.status_code is StatusCode.UNSET


def test_a_command_that_failed_is_an_error_with_its_code(
    exporter: InMemorySpanExporter,
) -> None:
    telemetry = Telemetry(traces=collecting(exporter))
    command = StopContainer(name="web", run=2, signal="TERM", grace_ms=1)
    with telemetry.carrying_out(command, "demo") as told:
        told(Unreachable(cause="no route to hunter2"))
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["orchestrator.outcome"] == "unreachable"
    assert "hunter2" not in span.to_json()


def test_without_an_endpoint_there_are_no_traces() -> None:
    assert traces_of({}, "1.0") is None
    assert traces_of({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, "1.0") is None


def test_an_endpoint_without_its_exporter_is_told_and_no_reason_to_fail(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "EXPORTER", "opentelemetry.exporter.not_there")
    with caplog.at_level(logging.WARNING):
        found = traces_of({traces.ENDPOINTS[0]: "http://127.0.0.1:9"}, "1.0")
    assert found is None
    assert "traces are off" in caplog.text


def test_with_an_endpoint_and_an_exporter_there_are_traces(
    monkeypatch: pytest.MonkeyPatch, exporter: InMemorySpanExporter
) -> None:
    monkeypatch.setattr(traces, "EXPORTER", __name__)
    monkeypatch.setattr(
        sys.modules[__name__], "OTLPSpanExporter", lambda: exporter, raising=False
    )
    found = traces_of({traces.ENDPOINTS[1]: "http://127.0.0.1:9"}, "1.0")
    assert found is not None
    command = StopContainer(name="web", run=2, signal="TERM", grace_ms=1)
    found.begin(command, "demo").end("accepted", is_error=False)
    found.close()
    (span,) = exporter.get_finished_spans()
    assert span.resource.attributes["service.name"] == "orchestrator"
    assert span.resource.attributes["service.version"] == "1.0"


def test_nothing_of_it_is_loaded_where_it_is_off() -> None:
    program = (
        "import sys, orchestrator.runtime.operator, orchestrator.runtime.traces as t;"
        "t.traces_of({}, '1');"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
