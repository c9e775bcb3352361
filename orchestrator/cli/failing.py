"""How a command fails: a sentence on the error stream, and its exit code."""

from __future__ import annotations

from typing import IO, Any

import click

from orchestrator.api.statuses import exit_code_of
from orchestrator.cli.plain import cleaned
from orchestrator.core.errors import ContainerError

__all__ = ("Failed", "failed")


class Failed(click.ClickException):
    """A command has failed, with an exit code of the table."""

    def __init__(self, message: str, exit_code: int) -> None:
        """Say *message*, and leave with *exit_code*."""
        super().__init__(message)
        self.code = exit_code

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the message, each line with the command's name."""
        for line in self.message.splitlines():
            click.echo(f"orchestrator: {cleaned(line)}", err=True, file=file)


def failed(error: ContainerError) -> Failed:
    """Return an error as a failure of the command.

    One that wraps another may say as which it ends (``durable.asking.NotAuthorized``).
    """
    code: str = getattr(error, "ends_like", error.code)
    return Failed(error.message, exit_code_of(code))
