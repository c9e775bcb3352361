"""The pages about rollouts say, and show, what their commands do."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.docs.generate import DOCS
from tests.docs.rollout_pictures import PAGES, PICTURES, drawn

CODES = {"roll-out.md": 9}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_the_picture_and_the_words_of_its_command(
    page: str, tmp_path: Path
) -> None:
    one = drawn(page, tmp_path)
    assert one.code == CODES.get(page, 0)
    assert one.told in one.printed
    kept = (PICTURES / PAGES[page]).read_text(encoding="utf-8")
    assert one.picture == kept, "run: python -m tests.docs.rollout_pictures"


@pytest.mark.parametrize("page", PAGES)
def test_a_picture_is_on_its_page_and_says_in_words_what_it_shows(page: str) -> None:
    text = (DOCS / "how-to" / page).read_text(encoding="utf-8")
    found = re.search(rf"!\[([^\]]+)\]\(\.\./pictures/{PAGES[page]}\)", text)
    assert found is not None
    assert len(found[1].split()) > 5
    root = ET.fromstring(  # noqa: S314 - our own
        (PICTURES / PAGES[page]).read_text(encoding="utf-8")
    )
    about = root.findtext("{http://www.w3.org/2000/svg}desc") or ""
    assert "web, revision 1 to 2 by" in about
