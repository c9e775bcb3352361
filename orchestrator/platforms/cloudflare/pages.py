"""Pages of a list of the gateway, put together to the list that they are pages of.

A page goes on behind a name, in the order of the bytes of names; what comes and goes
meanwhile shifts nobody to another page. Note [A list in pages]: each page is a look of
its own, later than the one before, and the whole is a look that took from the first to
the last of them. Of every name it says what was so at *some* moment in that time:

===================================  =================================================
a container that, meanwhile,         is in the list
===================================  =================================================
was there throughout                 once, with a run that it had
came, or went                        or is not: either was true once it had begun
went, and came with a higher run     with one of the runs, or not
===================================  =================================================

So who is missing was not there at one moment after the look began. That is all that
a look may say (``core.observations``): what has changed since it began is not compared.

The list holds from the *first* cursor on. What came after that may be on a page
already, and comes again as news; with the cursor of a later page, what changed on an
earlier one in between would be lost. Pages of two generations are of two registries,
and no list: then all of it begins anew.
"""

from __future__ import annotations

from typing import Final, cast

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.errors import PlatformError, Unreachable
from orchestrator.platforms.cloudflare.http import Tree

__all__ = ("NOTHING", "Listing", "Page", "joined", "page_read")


@attrs.frozen(kw_only=True)
class Page:
    """One answer: some of what is listed, and behind which name it goes on.

    ``after`` is None on the last one. A gateway that knows no pages answers with the
    whole list, whatever page was asked for.
    """

    items: tuple[Tree, ...]
    after: str | None = None
    whole: bool = False
    generation: str = ""
    cursor: str = ""
    complete: bool = False


@attrs.frozen(kw_only=True)
class Listing:
    """What was listed so far: pages of one generation, each behind the one before."""

    pages: tuple[Page, ...] = ()

    @property
    def after(self) -> str | None:
        """Return the name to go on behind; None: nothing is missing."""
        return self.pages[-1].after if self.pages else ""

    @property
    def cursor(self) -> str:
        """Return from which news on it holds."""
        return self.pages[0].cursor if self.pages else ""

    @property
    def complete(self) -> bool:
        """Say whether the gateway could answer for everything on every page."""
        return self.after is None and all(page.complete for page in self.pages)

    @property
    def items(self) -> list[Tree]:
        """Return what is listed, by name."""
        return [item for page in self.pages for item in page.items]


NOTHING: Final = Listing()


def joined(listing: Listing, page: Page) -> Listing:
    """Return a list with the page that was asked for behind it.

    >>> one = Page(items=({"name": "a"},), after="a", generation="g", cursor="g:1")
    >>> two = Page(items=({"name": "b"},), generation="g", cursor="g:7")
    >>> both = joined(joined(NOTHING, one), two)
    >>> [item["name"] for item in both.items], both.cursor, both.after
    (['a', 'b'], 'g:1', None)

    """
    if page.whole or not listing.pages:
        return Listing(pages=(page,))
    if page.generation != listing.pages[0].generation:
        return NOTHING
    return Listing(pages=(*listing.pages, page))


def page_read(tree: Tree, key: str, after: str) -> Result[Page, PlatformError]:
    """Read the answer to the question for the page behind a name.

    What is not in order, or not behind that name, is refused: then it would be in the
    list twice, or the list have no end.
    """
    found: object = tree.get(key)
    items = cast("list[object]", found) if isinstance(found, list) else [None]
    if not all(isinstance(item, dict) for item in items):
        return _misread(f"{key}: expected an array of objects")
    trees = tuple(cast("list[Tree]", items))
    page = Page(
        items=trees,
        whole="next" not in tree,
        generation=str(tree.get("generation", "")),
        cursor=str(tree.get("cursor", "")),
        complete=tree.get("complete") is True,
    )
    if page.whole:
        return Success(page)
    names = [after, *(item.get("name") for item in trees)]
    if not all(map(_is_before, names, names[1:])):
        return _misread(f"{key}: expected names in order, behind the page before")
    goes_on: object = tree["next"]
    if goes_on is None:
        return Success(page)
    is_behind = _is_before(after, goes_on) and not _is_before(goes_on, names[-1])
    if not is_behind:
        return _misread("next: expected the name to go on behind")
    return Success(attrs.evolve(page, after=str(goes_on)))


def _is_before(one: object, other: object) -> bool:
    return isinstance(one, str) and isinstance(other, str) and one < other


def _misread(cause: str) -> Result[Page, PlatformError]:
    return Failure(
        Unreachable(cause=f"the gateway's answer is not understood: {cause}")
    )
