"""What a running operator foresees, and what it then does."""

from __future__ import annotations

import attrs

from orchestrator.core.drift import DriftKind
from orchestrator.core.errors import InvalidSpec, RevisionConflict
from orchestrator.core.origins import Origin, Prune
from orchestrator.core.planning import PlanAction
from orchestrator.core.table import Table
from tests.runtime.kit import HOLD, LIMIT_MS, error, fleet, opened, spec, value
from tests.runtime.virtual import in_virtual_time

SECRET = Table.of([("API_TOKEN", "hunter2"), ("DSN_PATH", "x")])
OTHER = Table.of([("API_TOKEN", "hunter3"), ("DSN_PATH", "x")])


@in_virtual_time
async def test_a_plan_is_what_the_apply_then_does_and_changes_nothing_itself() -> None:
    async with opened(fleet(spec("web"), spec("db"))) as kit:
        operator = kit.operator
        await value(operator.wait("web", limit_ms=LIMIT_MS))
        await value(operator.wait("db", limit_ms=LIMIT_MS))
        wanted = fleet(spec("web", env=SECRET), spec("new"))
        before, seq = operator.fleet, operator.seq
        plan = await value(operator.plan(wanted))
        assert operator.fleet.containers == before.containers
        assert operator.seq == seq
        actions = {change.name: change.action for change in plan.changes}
        assert actions == {
            "db": PlanAction.STOP,
            "new": PlanAction.CREATE,
            "web": PlanAction.RESTART,
        }
        revision = await value(
            operator.apply(wanted, expect_revision=plan.revision_before)
        )
        assert revision == plan.revision_after
        again = await value(operator.plan(wanted))
        assert again.is_empty


@in_virtual_time
async def test_what_is_pruned_once_follows_the_choice() -> None:
    async with opened(fleet(spec("web"), spec("db"))) as kit:
        operator = kit.operator
        await value(operator.wait("db", limit_ms=LIMIT_MS))
        plan = await value(operator.plan(fleet(spec("web")), prune=Prune.KEEP))
        assert [change.action for change in plan.changes] == [PlanAction.KEEP]
        await value(operator.apply(fleet(spec("web")), prune=Prune.KEEP))
        assert operator.fleet.containers["db"].origin is Origin.AD_HOC
        assert operator.fleet.settings.prune is Prune.STOP


@in_virtual_time
async def test_a_secret_that_changes_is_told_and_neither_value_is() -> None:
    async with opened(fleet(spec("web", env=SECRET))) as kit:
        plan = await value(kit.operator.plan(fleet(spec("web", env=OTHER))))
        (change,) = plan.changes
        (field,) = change.fields
        assert (field.path, field.before, field.after) == (
            "env.API_TOKEN",
            '"***"',
            '"***"',
        )
        assert "hunter" not in str(plan)


@in_virtual_time
async def test_a_plan_is_refused_as_the_apply_would_be() -> None:
    async with opened(fleet(spec("web"))) as kit:
        behind = kit.operator.plan(fleet(spec("web")), expect_revision=9)
        assert await error(behind) == RevisionConflict(expected=9, found=1)
        other = attrs.evolve(fleet(spec("web")), name="other")
        assert isinstance(await error(kit.operator.plan(other)), InvalidSpec)


@in_virtual_time
async def test_drift_tells_what_does_not_run() -> None:
    async with opened(fleet(spec("web"), spec("dead", HOLD))) as kit:
        operator = kit.operator
        await value(operator.wait("web", limit_ms=LIMIT_MS))
        await kit.container("dead", "crash_looping")
        (found,) = await value(operator.drift())
        assert (found.name, found.kind) == ("dead", DriftKind.NOT_RUNNING)
