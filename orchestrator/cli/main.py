"""The command and its subcommands, each loaded only when it is called.

Nothing else of ours is loaded before: what is interrupted meanwhile ends as it should.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Final

import click
from click.shell_completion import CompletionItem

from orchestrator.cli.colours import colour_option
from orchestrator.cli.commands import COMMANDS, SECTIONS

__all__ = ("cli", "main")

USAGE: Final = 2
UNREACHABLE: Final = 5
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
INTERNAL: Final = 70


class _Commands(click.Group):
    """Finds the commands; to list them, it needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].place.partition(":")
        found = importlib.import_module(f"orchestrator.cli.{module}")
        command: click.Command = getattr(found, name)
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the list, each with its line, under its heading."""
        del ctx
        width = max(map(len, COMMANDS))
        for heading, section in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [(name.ljust(width), it.summary) for name, it in section.items()]
                )

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """Complete the name of a command, or an option of ours."""
        names = [
            CompletionItem(name, help=COMMANDS[name].summary)
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Show the command by the name that it was called by."""
        name, command, rest = super().resolve_command(ctx, args)
        return args[0] if command else name, command, rest


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    package_name="cf-container-orchestrator", message="orchestrator %(version)s"
)
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
