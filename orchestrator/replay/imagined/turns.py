"""Which run of a container one is: of all its runs, and of those of what it runs.

What a run was started with has a name, the fingerprint of its spec (its *mark* here):
command, image, environment, ports, and not how the operator looks after it. How a run
goes belongs to that: the runs of a container are counted by it.
"""

from __future__ import annotations

import attrs

from orchestrator.core.fingerprints import Fingerprints
from orchestrator.core.state import Container

__all__ = ("Turn", "Turns")


@attrs.frozen(kw_only=True)
class Turn:
    """The ``of_all``-th run of a container, the ``of_mark``-th with this mark.

    Both count from 1; 0: a run that nobody has seen begin.
    """

    name: str
    mark: str
    of_all: int = 0
    of_mark: int = 0


@attrs.define(kw_only=True, eq=False)
class Turns:
    """Counts the runs of each container while they begin."""

    marks: Fingerprints = attrs.field(factory=Fingerprints)
    _last: dict[str, Turn] = attrs.field(factory=dict[str, Turn])
    _of_mark: dict[tuple[str, str], int] = attrs.field(
        factory=dict[tuple[str, str], int]
    )

    def begin(self, container: Container) -> Turn:
        """Count a run that begins of what *container* is to run now."""
        name, mark = container.name, self.marks.of(container.spec)
        before = self._last.get(name)
        count = self._of_mark[name, mark] = self._of_mark.get((name, mark), 0) + 1
        of_all = 1 if before is None else before.of_all + 1
        turn = Turn(name=name, mark=mark, of_all=of_all, of_mark=count)
        self._last[name] = turn
        return turn

    def last(self, container: Container) -> Turn:
        """Return the run that has begun last; none has: one that nobody saw begin."""
        unseen = Turn(name=container.name, mark=self.marks.of(container.spec))
        return self._last.get(container.name) or unseen
