"""The command that tells what a service bears."""

from __future__ import annotations

import math
from typing import Any

import click

from orchestrator.cli.completing import SERVICE
from orchestrator.cli.reach import Reach, reach_options
from orchestrator.cli.shown import output_option, show_facts
from orchestrator.cli.trees import TREES

__all__ = ("load",)


@click.command()
@click.argument("name", type=SERVICE)
@click.argument("value", metavar="LOAD", type=click.FloatRange(0))
@output_option("table", "json", "yaml")
@reach_options
def load(name: str, value: float, output: str, reach: Reach) -> None:
    """Tell that the service NAME bears LOAD, the sum over all of its replicas.

    One whose `[containers.autoscaling]` has the metric `pushed` is scaled by that.
    """
    if not math.isfinite(value):
        raise click.BadParameter("expected a finite number", param_hint="LOAD")
    info = reach.client().tell("services", name, "load", load=value)
    show_facts(info if output in TREES else _brief(info), output)


def _brief(info: dict[str, Any]) -> dict[str, Any]:
    """Say in a few lines what became of it."""
    told = info["autoscaling"]
    return {
        "service": info["name"],
        "replicas": info["replicas"],
        "wanted": told["wanted"],
        "why": told["why"],
    }
