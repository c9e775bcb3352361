"""Who leads a fleet, said on a line above what is shown of it."""

from __future__ import annotations

from typing import Any, Final

import click

from orchestrator.cli.client import Client
from orchestrator.cli.failing import Failed
from orchestrator.cli.plain import cleaned
from orchestrator.cli.shown import since_when

__all__ = ("leader_line", "show_leader")

TIMED_OUT: Final = 3


def show_leader(client: Client, output: str) -> None:
    """Say who leads, above a table; nothing where the operator is the only one."""
    if output not in {"table", "wide"}:
        return
    try:
        line = leader_line(client.get("leader"))
    except Failed as error:
        if error.code == TIMED_OUT:  # what is asked next would wait as long
            raise
        return  # it cannot say, or is not there: what is asked next tells
    if line:
        click.echo(cleaned(line))


def leader_line(told: dict[str, Any]) -> str:
    """Write what an operator answers to ``GET /v1/leader``; "" without a lease.

    >>> leader_line({"role": "leader", "epoch": 1, "leader": None, "since": None})
    ''
    >>> told = {"role": "standby", "leader": None, "since": None, "lag_rows": 2}
    >>> leader_line(told)
    'shown by a standby, 2 rows behind: nobody is known to lead'

    """
    is_standby = told["role"] == "standby"
    if told["leader"] is None and not is_standby:
        return ""
    leads = "nobody is known to lead"
    if told["leader"] is not None:
        leads = f"{told['leader']} leads"
        if told["since"] is not None:
            leads += f" since {since_when(told['since'])}"
        leads += f", epoch {told['epoch']}"
    if not is_standby:
        return leads
    lag = told["lag_rows"]
    behind = f", {lag} {'row' if lag == 1 else 'rows'} behind" if lag else ""
    return f"shown by a standby{behind}: {leads}"
