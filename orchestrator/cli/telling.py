"""What ``up`` tells of itself while it works: its log, its metrics, its traces."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import click

from orchestrator.cli.tools import version_text
from orchestrator.runtime.logs import LogFormat, LogLevel, configure_logging
from orchestrator.runtime.telemetry import NAMES_MAX, Telemetry
from orchestrator.runtime.traces import traces_of

__all__ = ("NAMES_MOST", "Telling", "telling_options")

F = TypeVar("F", bound=Callable[..., Any])

LOG: Final = logging.getLogger("orchestrator.up")

NAMES_MOST = 100_000
"""Containers with series of their own: no Prometheus wants more of one operator."""


@attrs.frozen(kw_only=True)
class Telling:
    """How an operator tells of itself; None: what the fleet file says."""

    log_format: LogFormat = "human"
    log_level: LogLevel = "warning"
    metrics_max_names: int | None = None

    def begin(self, *, verbose: bool, fleet: str | None = None) -> None:
        """Begin to log to standard error; *verbose* is short for level info.

        *fleet* is the one that every line is about.
        """
        quiet = self.log_level in {"warning", "error"}
        level: LogLevel = "info" if verbose and quiet else self.log_level
        configure_logging(self.log_format, level, fleet=fleet)

    def say(self, text: str) -> None:
        """Say a sentence on standard error, in the form that the log has there."""
        if self.log_format == "human":
            # Looked up now: a live table stands before standard error.
            if sys.stderr is not None:  # it may be closed
                sys.stderr.write(f"{text}\n")
                sys.stderr.flush()
        else:
            LOG.warning("%s", text)

    def telemetry(self, journal: Path, in_file: int = NAMES_MAX) -> Telemetry:
        """Return what counts, and what traces where the environment asks for it."""
        said = self.metrics_max_names
        return Telemetry(
            journal_file=journal,
            names_max=in_file if said is None else said,
            traces=traces_of(os.environ, version_text()),
        )


def telling_options(function: F) -> F:
    """Add the options of the log and the metrics to a command, as ``telling``."""

    @click.option(
        "--log-format",
        type=click.Choice(["human", "json"]),
        default="human",
        show_default=True,
        help="How the log is written, to standard error.",
    )
    @click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="warning",
        show_default=True,
        help="What is logged; info tells the life of each container.",
    )
    @click.option(
        "--metrics-max-names",
        type=click.IntRange(0, NAMES_MOST),
        metavar="N",
        help="Containers with metrics of their own; in place of the file's.",
    )
    @functools.wraps(function)
    def wrapped(
        *args: Any,
        log_format: LogFormat,
        log_level: LogLevel,
        metrics_max_names: int | None,
        **more: Any,
    ) -> Any:
        telling = Telling(
            log_format=log_format,
            log_level=log_level,
            metrics_max_names=metrics_max_names,
        )
        return function(*args, telling=telling, **more)

    return wrapped  # type: ignore[return-value]
