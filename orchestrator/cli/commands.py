"""The subcommands: where each is, what it is for in a line, and under which heading.

What lists them (``--help``, the completion of a shell) loads none of them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ("COMMANDS", "SECTIONS", "Listed")


class Listed(NamedTuple):
    """A subcommand: ``module:name`` in this folder, and what the list says of it."""

    place: str
    summary: str


SECTIONS: Final[dict[str, dict[str, Listed]]] = {
    "Run a fleet": {
        "demo": Listed("demo:demo", "Run a fleet that shows every behaviour."),
        "up": Listed("up:up", "Keep the fleet of a file running."),
        "down": Listed("up:down", "Stop everything: containers and operator."),
    },
    "Change it": {
        "validate": Listed("tools:validate", "Check a fleet file; tell every problem."),
        "plan": Listed("planning:plan", "Say what applying a file would change."),
        "apply": Listed("applying:apply", "Make the fleet of a file the declared one."),
        "diff": Listed(
            "differences:diff", "Show where what runs is not what is asked."
        ),
        "scale": Listed("services:scale", "Have a service run so many replicas."),
        "rollout": Listed(
            "rollouts:rollout", "Roll services out, step by step, and back."
        ),
        "fleet": Listed("fleet:fleet", "Work with the declaration of a fleet."),
        "policy": Listed(
            "policy:policy", "Look at restart policies before they count."
        ),
    },
    "Look at it": {
        "list": Listed("reads:list_", "List all containers (`ps` is the same)."),
        "status": Listed("reads:status", "Show one container."),
        "explain": Listed(
            "reads:explain", "Say why it is where it is, and what is next."
        ),
        "logs": Listed("reads:logs", "Show what a container wrote."),
        "events": Listed("reads:events", "Show the events of the journal."),
        "services": Listed(
            "services:services", "List the services and their replicas."
        ),
        "orphans": Listed(
            "services:orphans", "List what runs and the fleet does not know."
        ),
    },
    "Act on containers": {
        "start": Listed("asks:start", "Start containers, those of a template too."),
        "stop": Listed("asks:stop", "Stop containers; they stay stopped."),
        "restart": Listed("asks:restart", "End each run and start another."),
        "remove": Listed("asks:remove", "Forget ad-hoc containers that are at rest."),
        "reset": Listed("asks:reset", "Clear crash histories; start what was held."),
        "wait": Listed("asks:wait", "Wait until containers are where they shall be."),
        "reconcile": Listed("asks:reconcile", "Look now, and close every difference."),
        "adopt": Listed("services:adopt", "Take an orphan into the fleet."),
        "load": Listed("loads:load", "Tell how much load a service bears."),
    },
    "Rehearse and look back": {
        "simulate": Listed(
            "simulate:simulate", "Run a fleet in virtual time, with faults."
        ),
        "replay": Listed(
            "replay:replay", "Fold a journal: verify, compare, ask what if."
        ),
        "journal": Listed(
            "journals:journal", "Look into a journal, shorten it, repair it."
        ),
    },
    "Set up": {
        "gateway": Listed("gateway:gateway", "Make or check the Worker at Cloudflare."),
        "token": Listed("tokens:token", "Make, list and revoke the tokens of the API."),
        "context": Listed("contexts:context", "Keep names for operators elsewhere."),
        "completion": Listed("tools:completion", "Print what completes this command."),
        "version": Listed(
            "tools:version", "Show the version, of rules and schema too."
        ),
    },
}
"""All that are listed, by heading, in the order of the list."""

COMMANDS: Final[dict[str, Listed]] = {
    name: listed for section in SECTIONS.values() for name, listed in section.items()
} | {"ps": SECTIONS["Look at it"]["list"]}
"""All that can be called; ``ps`` is ``list`` under its other name."""
