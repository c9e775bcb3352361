"""An owner who changes his mind over and over: templates, numbers, rollouts, loads.

What he declares is right or wrong by chance: about every third release of his is one
whose containers die, never listen, or hang. It is drawn from dice of his own, so that
the rest of a run goes as it would without him.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.lineages import RolloutAction
from orchestrator.core.loads import LoadObserved
from orchestrator.core.moments import Millis
from orchestrator.core.requests import Apply, Request, Roll, Scale
from orchestrator.core.specs import ContainerSpec
from orchestrator.simulation.changes import Changed, Wanted, asked, with_template
from orchestrator.simulation.characters import Character, Release
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.runs import Run

__all__ = ("Owner", "let_him_change_it")

BAD: Final = 350
"""Of a thousand releases, how many are not well."""

MORE: Final = 3
"""How many replicas more than now he may ask for."""

RELEASE: Final = "RELEASE"
"""The environment variable in which one release differs from another."""

_BAD: Final = (
    Character.DEAD,
    Character.NEVER_READY,
    Character.IMAGE_MISSING,
    Character.FLAKY,
    Character.FLAPPING,
    Character.SLOW,
    Character.HUNG,
)


@attrs.define(kw_only=True)
class Owner:
    """Somebody with a fleet file; ``spec`` is what it says now."""

    spec: FleetSpec
    dice: Dice
    releases: list[Release]
    number: int = 0

    def next_wish(self) -> tuple[Wanted, str] | None:
        """Return what he wants next, in his words; None where there is nothing to."""
        names = [service.name for service in self.spec.services]
        if not names:
            return None if not self.spec.containers else self._release()
        name, roll = self.dice.pick(names), self.dice.between(0, 9)
        if roll < 4:  # noqa: PLR2004 - four of ten
            return self._release()
        if roll < 7:  # noqa: PLR2004 - three of ten
            action = self.dice.pick(tuple(RolloutAction))
            return Roll(service=name, action=action), f"rollout {action} {name}"
        if roll == 7:  # noqa: PLR2004 - one of ten
            return self._scale(name)
        if roll == 8:  # noqa: PLR2004 - one of ten
            load = self.dice.between(0, 20_000)
            measured = LoadObserved(at=0, service=name, load_milli=load)
            return measured, f"load {name} {load / 1_000:g}"
        return Apply(spec=self.spec), "apply the same once more"

    def _scale(self, name: str) -> tuple[Request, str]:
        now = next(one.declared for one in self.spec.services if one.name == name)
        count = self.dice.between(0, now + MORE)
        return Scale(service=name, replicas=count), f"scale {name} {count}"

    def _release(self) -> tuple[Request, str]:
        """Give a service, or a container, a template that it never had."""
        self.number += 1
        before = self._any_template()
        env = before.env.put(RELEASE, str(self.number))
        template = attrs.evolve(before, env=env)
        kind = "well"
        if self.dice.happens(BAD):
            character = self.dice.pick(_BAD)
            self.releases.append(Release(template=template, character=character))
            kind = str(character)
        self.spec = with_template(self.spec, template)
        words = f"apply release {self.number} of {template.name} ({kind})"
        return Apply(spec=self.spec), words

    def _any_template(self) -> ContainerSpec:
        if self.spec.services:
            return self.dice.pick(self.spec.services).template
        return self.dice.pick(self.spec.containers)


def let_him_change_it(
    run: Run, owner: Owner, every_ms: Millis, told: Callable[[Changed], None]
) -> None:
    """Have an owner want something every so often, until the plan is over."""

    def wait() -> None:
        run.stage.later(run.now + owner.dice.between(1, 2 * every_ms), change)

    def change() -> None:
        wish = owner.next_wish() if run.stage.is_broken else None
        if wish is None:
            return
        wanted, words = wish
        refusal = asked(run, wanted)
        why = "" if refusal is None else refusal.message
        told(Changed(at=run.now, words=words, refused=why))
        wait()

    wait()
