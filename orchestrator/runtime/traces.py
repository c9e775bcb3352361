"""Traces for OpenTelemetry: a span for each command, where somebody collects them.

OpenTelemetry is an extra (``pip install 'cf-container-orchestrator[otel]'``). It is
loaded only where a tracer is given, or one of its own variables names an endpoint;
then its own variables say everything else, too.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from orchestrator.core.commands import ContainerCommand
from orchestrator.core.events import COMMAND_KINDS

__all__ = ("ENDPOINTS", "Span", "Traces", "traces_of")

LOG: Final = logging.getLogger("orchestrator.traces")

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Variables that say where traces go; traces are off where neither is set."""

EXPORTER: Final = "opentelemetry.exporter.otlp.proto.http.trace_exporter"

MISSING: Final = (
    "traces are off: an endpoint is set, but %s is not installed;"
    " it comes with opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http"
)


class Span:
    """One command under way."""

    def __init__(self, span: Any, error_status: Any) -> None:
        """Carry a span of OpenTelemetry, and what it calls an error."""
        self._span = span
        self._error_status = error_status

    def end(self, outcome: str, *, is_error: bool) -> None:
        """End with an outcome: ``accepted``, ``cancelled``, the code of an error."""
        self._span.set_attribute("orchestrator.outcome", outcome)
        if is_error:
            self._span.set_status(self._error_status)
        self._span.end()


class Traces:
    """Begins spans; a tracer of OpenTelemetry takes them.

    ``seq`` says which row is the newest: the one that a command was decided by, or a
    little later.
    """

    def __init__(self, tracer: Any) -> None:
        """Give spans to *tracer*."""
        self.seq: Callable[[], int] = lambda: 0
        self._tracer = tracer
        self._kind = importlib.import_module("opentelemetry.trace")

    def begin(self, command: ContainerCommand, fleet: str) -> Span:
        """Begin the span of a command."""
        kind = COMMAND_KINDS[type(command)].value
        attributes = {
            "orchestrator.fleet": fleet,
            "orchestrator.container": command.name,
            "orchestrator.run": command.run,
            "orchestrator.seq": self.seq(),
            "orchestrator.command": kind,
        }
        span = self._tracer.start_span(
            f"{kind} container",
            kind=self._kind.SpanKind.CLIENT,
            attributes=attributes,
        )
        return Span(span, self._kind.StatusCode.ERROR)

    def close(self) -> None:
        """Send what waits to be sent, where the tracer can be told to."""
        provider = getattr(self._tracer, "span_processor", None)
        if provider is not None:
            provider.force_flush()


def traces_of(environment: Mapping[str, str], version: str) -> Traces | None:
    """Return traces as the environment asks for them, None where it does not."""
    if not any(environment.get(name) for name in ENDPOINTS):
        return None
    try:
        sdk = importlib.import_module("opentelemetry.sdk.trace")
        export = importlib.import_module("opentelemetry.sdk.trace.export")
        resources = importlib.import_module("opentelemetry.sdk.resources")
        exporter = importlib.import_module(EXPORTER)
    except ImportError as missing:
        LOG.warning(MISSING, missing.name)
        return None
    named = {"service.name": "orchestrator", "service.version": version}
    given = {} if environment.get("OTEL_SERVICE_NAME") else named
    provider = sdk.TracerProvider(resource=resources.Resource.create(given))
    provider.add_span_processor(export.BatchSpanProcessor(exporter.OTLPSpanExporter()))
    return Traces(provider.get_tracer("orchestrator", version))
