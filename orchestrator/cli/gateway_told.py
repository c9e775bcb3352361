"""What ``gateway init`` tells: what will be there, what has changed, what is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from rich import box
from rich.table import Table

from orchestrator.cli.gateway_files import Change
from orchestrator.cli.shown import show_table
from orchestrator.codec.api_choice import address_of
from orchestrator.platforms.cloudflare.project.application import Application
from orchestrator.platforms.cloudflare.project.applications import application_warnings
from orchestrator.platforms.cloudflare.project.hosting import Hosting
from orchestrator.platforms.cloudflare.project.images import what_becomes
from orchestrator.platforms.cloudflare.project.plan import Plan

__all__ = ("tell",)

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def tell(folder: Path, plan: Plan, changes: list[Change]) -> None:
    """Tell what a plan is, and what became of each file."""
    click.echo(f"the gateway of fleet {plan.fleet!r} is in {folder}")
    click.echo(f"it is the Worker {plan.worker!r}\n")
    show_table(_applications(plan))
    click.echo()
    for change in changes:
        click.echo(f"{change.path}: {change.what}")
    if not changes:
        click.echo("nothing has changed")
    for sentence in _sentences(plan):
        click.echo(f"\n{sentence}")
    current = [one for one in plan.applications if not one.retired]
    warnings = (*_losses(plan), *_out_of_reach(plan), *application_warnings(current))
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if changes:
        click.echo(f"\nnext: the commands of {folder / 'README.md'}")


def _applications(plan: Plan) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in ("APPLICATION", "CLASS", "DECLARED", "MAX", "SIZE", "IMAGE"):
        table.add_column(head, overflow="fold")
    for one in plan.applications:
        declared = plan.declared.get(one.name) or 0
        size = one.instance_type
        cells = (
            f"{one.name} (retired)" if one.retired else one.name,
            one.class_name,
            str(declared if size or one.retired else sum(plan.declared.values())),
            str(one.max_instances or "-"),
            "at each start" if size is None else size.name,
        )
        table.add_row(*cells, "\n".join(_images(one)) or "-")
    return table


def _images(application: Application) -> Iterator[str]:
    for image in (application.image, *application.images.values()):
        if image is not None:
            yield f"{image} ({what_becomes(image)})"


def _sentences(plan: Plan) -> Iterator[str]:
    if any(one.max_instances and not one.retired for one in plan.applications):
        yield (
            "MAX is how many may run: the declared ones and a headroom of"
            f" {plan.headroom}. It must be said: wrangler's own default is 20, and the"
            " 21st start would be refused."
        )
    if plan.retired:
        yield (
            f"in the fleet file no more, and kept: {', '.join(plan.retired)}. Once none"
            " of their containers runs, --delete-gone removes them; that destroys what"
            " their objects remember. No rename is guessed: a service under a new name"
            " is a new one."
        )
    if plan.deleted:
        yield (
            f"the next deploy deletes {', '.join(plan.deleted)} and destroys their"
            " objects. Their container applications stay until `npx wrangler containers"
            " delete` removes them; `npx wrangler containers list` shows them."
        )
    if plan.hosting is not None:
        yield from _hosted(plan.hosting)


def _hosted(hosting: Hosting) -> Iterator[str]:
    """Say what becomes of the operator."""
    if hosting.retired:
        yield (
            "the operator is hosted no more: after the next deploy it is stopped."
            " `orchestrator gateway operator` says when it is; then --delete-gone"
            " removes its class."
        )
        return
    needed = ", ".join(dict.fromkeys(name for _, name in hosting.secrets.items()))
    yield (
        f"the operator is hosted beside it, as {hosting.instance_type.name}. Docker"
        " builds its image at each deploy. It begins after that, once the Worker has"
        f" these secrets: {needed}. Its page is at https://{hosting.host}/operator/"
    )


def _out_of_reach(plan: Plan) -> Iterator[str]:
    """Warn of an address at which a hosted operator would find itself."""
    hosting = plan.hosting
    if hosting is None or hosting.retired:
        return
    address = address_of(hosting.host)
    if address is not None and address.host in LOOPBACK:
        yield (
            f"platform.url means this machine, {hosting.host}, where a hosted operator"
            " finds no gateway: put the address there that `wrangler deploy` prints"
        )


def _losses(plan: Plan) -> Iterator[str]:
    if plan.worker_was is not None:
        yield (
            f"the Worker was {plan.worker_was!r} and is {plan.worker!r} now: a new one,"
            " with objects of its own; delete the old one once it runs nothing"
        )
    if plan.bare_classes:
        yield (
            f"classes that no application is known of are kept:"
            f" {', '.join(plan.bare_classes)}; --delete-gone deletes them"
        )
