"""The page about shards is true: its program is a fleet, a name stays in its shard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.docs.generate import DOCS
from tests.docs.test_pages import blocks, environment, ran

PAGE = DOCS / "how-to" / "shard-a-large-fleet.md"


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    program, _ = blocks(PAGE, "python")
    (tmp_path / "fleet.py").write_text(program)
    (shell,) = blocks(PAGE, "sh")
    said = ran(shell, tmp_path, environment(tmp_path))
    assert "fleet.py is valid: fleet 'workers-07', 5000 containers" in said
    assert "workers-07-gateway" in said
    wrangler = (tmp_path / "gateway-07" / "wrangler.jsonc").read_text()
    assert '"max_instances": 5' in wrangler


def test_a_name_belongs_to_one_shard_and_no_shard_is_much_larger() -> None:
    _, program = blocks(PAGE, "python")
    scope: dict[str, Any] = {}
    exec(program, scope)  # noqa: S102 - what the page shows
    shards = [scope["shard_of"](f"job-{number}") for number in range(20_000)]
    assert shards == [scope["shard_of"](f"job-{number}") for number in range(20_000)]
    counts = [shards.count(shard) for shard in range(scope["SHARDS"])]
    assert sum(counts) == 20_000
    assert max(counts) < 1.15 * min(counts)
