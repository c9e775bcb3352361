"""The command and its subcommands, each loaded only when it is called.

Nothing else of ours is loaded before: what is interrupted meanwhile ends as it should.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Final

import click

from orchestrator.cli.colours import colour_option

__all__ = ("COMMANDS", "cli", "main")

COMMANDS: Final[dict[str, str]] = {
    "demo": "orchestrator.cli.demo:demo",
    "up": "orchestrator.cli.up:up",
    "down": "orchestrator.cli.up:down",
    "plan": "orchestrator.cli.planning:plan",
    "apply": "orchestrator.cli.applying:apply",
    "diff": "orchestrator.cli.differences:diff",
    "list": "orchestrator.cli.reads:list_",
    "ps": "orchestrator.cli.reads:list_",
    "status": "orchestrator.cli.reads:status",
    "explain": "orchestrator.cli.reads:explain",
    "logs": "orchestrator.cli.reads:logs",
    "events": "orchestrator.cli.reads:events",
    "wait": "orchestrator.cli.asks:wait",
    "start": "orchestrator.cli.asks:start",
    "stop": "orchestrator.cli.asks:stop",
    "restart": "orchestrator.cli.asks:restart",
    "remove": "orchestrator.cli.asks:remove",
    "reset": "orchestrator.cli.asks:reset",
    "scale": "orchestrator.cli.services:scale",
    "load": "orchestrator.cli.loads:load",
    "services": "orchestrator.cli.services:services",
    "rollout": "orchestrator.cli.rollouts:rollout",
    "adopt": "orchestrator.cli.services:adopt",
    "orphans": "orchestrator.cli.services:orphans",
    "reconcile": "orchestrator.cli.asks:reconcile",
    "policy": "orchestrator.cli.policy:policy",
    "validate": "orchestrator.cli.tools:validate",
    "fleet": "orchestrator.cli.fleet:fleet",
    "simulate": "orchestrator.cli.simulate:simulate",
    "replay": "orchestrator.cli.replay:replay",
    "journal": "orchestrator.cli.journals:journal",
    "token": "orchestrator.cli.tokens:token",
    "context": "orchestrator.cli.contexts:context",
    "gateway": "orchestrator.cli.gateway:gateway",
    "completion": "orchestrator.cli.tools:completion",
    "version": "orchestrator.cli.tools:version",
}
"""Where each command is; ``ps`` is ``list`` under its other name."""

USAGE: Final = 2
UNREACHABLE: Final = 5
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
INTERNAL: Final = 70


class _Commands(click.Group):
    """Finds the commands, in the order of the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [name for name in COMMANDS if name != "ps"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Show the command by the name that it was called by."""
        name, command, rest = super().resolve_command(ctx, args)
        return args[0] if command else name, command, rest


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@colour_option
def cli() -> None:
    """Keep a fleet of containers in the shape that its owner asked for."""


def main() -> None:
    """Run the command; the exit code says how it went."""
    sys.exit(_code())


def _code() -> int:
    try:
        code = cli.main(prog_name="orchestrator", standalone_mode=False)
    except click.ClickException as error:  # one of ours has a code of the table
        error.show()
        return int(getattr(error, "code", USAGE))
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except SystemExit:
        # Click leaves so where nobody reads what is written, and has it be discarded.
        if type(sys.stdout).__name__.endswith("PacifyFlushWrapper"):
            return BROKEN_PIPE
        raise
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        click.echo(f"orchestrator: {place}{error.strerror or error}", err=True)
        return UNREACHABLE
    except Exception as error:
        click.echo(f"orchestrator: internal error: {type(error).__name__}", err=True)
        click.echo("set ORCHESTRATOR_DEBUG=1 to see where", err=True)
        if os.environ.get("ORCHESTRATOR_DEBUG"):
            raise
        return INTERNAL
    return code if isinstance(code, int) else 0
