"""Services in a browser: many of them, one that scales, and what a replica says."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from playwright.async_api import Route, expect

from orchestrator import Autoscaling, Metric, Service
from tests.page.kit import Windows, served, until
from tests.page.rollout_scenes import awaiting, rolled_fleet, rollout_scene, strip_card
from tests.page.scenes import card
from tests.runtime.kit import opened, spec, value

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_only_what_changes_is_drawn_again_and_many_services_fold(
    windows: Windows, tmp_path: Path
) -> None:
    many = [Service(template=spec(f"s{n:02}"), replicas=1) for n in range(30)]
    async with (
        opened(rolled_fleet(*many)) as kit,
        served(kit.operator, tmp_path) as url,
    ):
        page = await windows.open(url)
        cards = page.locator(".service")
        await expect(cards).to_have_count(12)
        await page.evaluate(
            "document.querySelectorAll('.service').forEach(n => { n.kept = true; })"
        )
        await value(kit.operator.scale("s00", 3))
        await expect(strip_card(page, "s00")).to_contain_text("3 of 3 ready")
        await until(
            page, "[...document.querySelectorAll('.service')].every(n => n.kept)"
        )
        await page.get_by_role("button", name="Show all 30 services").click()
        await expect(cards).to_have_count(30)
        await page.get_by_role("button", name="Show fewer services").click()
        await expect(cards).to_have_count(12)


async def test_a_service_that_scales_by_itself_says_by_what(
    windows: Windows, tmp_path: Path
) -> None:
    policy = Autoscaling(
        metric=Metric.PUSHED,
        target_milli=100_000,
        most=5,
        up_after_ms=0,
        window_ms=600_000,
    )
    web = Service(template=spec("web"), replicas=2, autoscaling=policy)
    async with (
        opened(rolled_fleet(web)) as kit,
        served(kit.operator, tmp_path) as url,
    ):
        page = await windows.open(url)
        told = strip_card(page, "web").locator(".service-scaling")
        await expect(told).to_have_text(
            "Scales by pushed, 1 to 5: nothing was measured lately."
        )
        await value(kit.operator.observe_load("web", 390))
        await expect(told).to_contain_text("load 390, 100 for each")
        await expect(strip_card(page, "web")).to_contain_text("4 of 4 ready")
        await strip_card(page, "web").get_by_role("link", name="web").first.click()
        facts = card(page, "facts")
        await expect(facts).to_contain_text("1 at least, 5 at most")
        await expect(facts).to_contain_text("Its load is 390 on the average of 10m")


async def test_a_replica_says_to_which_revision_of_what_it_belongs(
    windows: Windows, tmp_path: Path
) -> None:
    async with rollout_scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/worker-1")
        line = page.locator(".belonging")
        await expect(line).to_have_text("A replica of worker, of revision 1.")
        await awaiting(it)
        middle = it.kit.operator.seq
        await page.goto(f"{it.url}/#/c/web-0")
        new = "of revision 2: new in the rollout of web to revision 2"
        await expect(line).to_contain_text(new)
        await page.goto(f"{it.url}/#/c/web-3")
        await expect(line).to_contain_text("of revision 1: old, available in the")
        await value(it.kit.operator.rollout("web", "promote"))
        await expect(line).to_have_text("Replica 3 of web, of revision 2.")
        await page.goto(f"{it.url}/#/c/web-3?at={middle}")
        await expect(line).to_contain_text("of revision 1: old, available in the")
        await line.get_by_role("link", name="web").click()
        await expect(page.locator(".note-box")).to_contain_text(f"after row {middle}")


async def test_a_replica_that_runs_elsewhere_is_told_to_be_misplaced(
    windows: Windows, tmp_path: Path
) -> None:
    async with rollout_scene(tmp_path) as it:

        async def elsewhere(route: Route) -> None:
            answer = await route.fetch()
            told = await answer.json()
            wrong = {"name": "web-0", "expected": "weur", "found": "ams"}
            placed = {**told, "place": "ams", "misplaced": wrong}
            await route.fulfill(response=answer, body=orjson.dumps(placed))

        page = await windows.open(it.url)
        await page.route("**/v1/containers/web-0", elsewhere)
        await page.goto(f"{it.url}/#/c/web-0")
        await expect(page.locator(".misplaced")).to_have_text(
            "⚠ Misplaced: it was to run in weur, and runs in ams."
        )
