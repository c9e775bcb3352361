"""Whom trouble is told: each time it begins, until they have heard or are given up."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.backoff import Backoff
from orchestrator.core.commands import Command, ObserveFleet, SendNotice
from orchestrator.core.custom import NO_POLICIES
from orchestrator.core.drafts import open_draft, place, take_note
from orchestrator.core.events import Booted
from orchestrator.core.exits import Exited
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.notices import (
    NOTICES_MAX,
    Notice,
    NoticeDelivered,
    NoticeFailed,
    Notices,
    delivery_of,
)
from orchestrator.core.noticing import delivered, failed, noticed
from orchestrator.core.notify import (
    URL_MAX,
    NoticeKind,
    Notify,
    hidden_url,
    is_notice_url,
    is_notice_url_template,
)
from orchestrator.core.outstanding import outstanding
from orchestrator.core.phases import BackingOff, CrashLooping, Rule
from orchestrator.core.policies import RestartPolicy, When
from orchestrator.core.requests import Remove, Start, Stop
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.core.wake import wake_at_fleet

from .examples import NO_JITTER, Story, spec

URL = "https://receiver.invalid/hook"
NOTIFY = Notify(
    url=URL, attempts=3, backoff=Backoff(initial_ms=1_000, factor=2.0, jitter=0)
)
NEVER = attrs.evolve(NO_JITTER, when=When.NEVER)
QUIET = FleetSettings(reconcile_interval_ms=0)


def told(*specs: ContainerSpec, notify: Notify | None = NOTIFY) -> Story:
    settings = attrs.evolve(QUIET, notify=notify)
    return Story(*(specs or (spec(),)), settings=settings)


def loops(story: Story, name: str = "web") -> Story:
    """Let a container crash until its policy calls that a loop."""
    while story.phase(name) != "CrashLooping":
        story.accepted(name).started(name).ended(name=name)
        until = getattr(story.container(name).phase, "until", None)
        if story.phase(name) == "BackingOff":
            story.time(until or 0, name)
    return story


def sends(story: Story) -> list[SendNotice]:
    return [order for order in story.orders() if isinstance(order, SendNotice)]


def open_of(story: Story) -> list[Notice]:
    return list(story.fleet.notices.open.values())


def test_a_crash_loop_is_told_as_it_begins() -> None:
    story = loops(told())
    assert sends(story) == [SendNotice(number=1, attempt=1)]
    assert open_of(story) == [
        Notice(
            number=1,
            kind=NoticeKind.CRASH_LOOPING,
            name="web",
            run=4,
            at=story.fleet.at,
            epoch=1,
            rule=Rule.CRASH_LOOP_COOLDOWN,
            exit=Exited(code=1),
        )
    ]
    at = story.fleet.at
    story.happens(NoticeDelivered(at=at, number=1))
    assert open_of(story) == []
    assert story.orders() == ()
    assert story.fleet.notices.count == 1


def test_nobody_is_told_where_nobody_is_named() -> None:
    story = loops(told(notify=None))
    assert sends(story) == []
    assert story.fleet.notices == Notices()


def test_each_loop_is_told_and_so_is_the_end_of_it() -> None:
    story = loops(told())
    until = story.container().phase.until  # type: ignore[union-attr]
    assert isinstance(until, int)
    story.time(until).accepted().started().ended(at=until + 5)
    assert story.phase() == "CrashLooping"
    assert sends(story) == [SendNotice(number=2, attempt=1)]
    again = story.container().phase.until  # type: ignore[union-attr]
    assert isinstance(again, int)
    story.time(again).accepted()
    assert sends(story) == []
    story.started(at=again + 1)
    story.ready(at=again + 2)
    kinds = [notice.kind for notice in open_of(story)]
    assert kinds == ["crash_looping", "crash_looping", "recovered"]
    assert open_of(story)[-1].exit is None
    assert open_of(story)[-1].rule is None
    assert not len(story.fleet.notices.troubled)
    run = story.container().run
    assert open_of(story)[-1].run == run


def test_what_has_failed_is_told_and_never_again() -> None:
    story = told(spec(policy=NEVER)).accepted().started().ended()
    assert [notice.kind for notice in open_of(story)] == [NoticeKind.FAILED]
    assert open_of(story)[0].rule is Rule.NEVER_RESTART
    story.happens(NoticeDelivered(at=story.fleet.at, number=1))
    story.asked(Stop(name="web"))
    assert story.fleet.notices.count == 1


def test_a_run_that_is_ready_for_the_first_time_has_not_recovered() -> None:
    story = told().accepted().ready()
    assert story.fleet.notices == Notices()


def test_one_that_its_owner_stops_recovers_when_it_is_ready_again() -> None:
    story = loops(told())
    story.asked(Stop(name="web"))
    assert list(story.fleet.notices.troubled) == ["web"]
    story.asked(Start(name="web")).accepted().ready()
    assert open_of(story)[-1].kind is NoticeKind.RECOVERED


def test_one_that_is_gone_never_recovers() -> None:
    story = told()
    story.asked(Start(name="job", spec=spec("job", NEVER)))
    story.accepted("job").started("job").ended(name="job")
    assert list(story.fleet.notices.troubled) == ["job"]
    story.asked(Remove(name="job"))
    assert list(story.fleet.notices.troubled) == []
    assert len(open_of(story)) == 1
    story.asked(Start(name="api", spec=spec("api"))).accepted("api").ready("api")
    story.asked(Stop(name="api")).ended(name="api").asked(Remove(name="api"))
    assert len(open_of(story)) == 1


def test_only_what_is_asked_for_is_told() -> None:
    some = attrs.evolve(NOTIFY, events=(NoticeKind.RECOVERED,))
    story = loops(told(notify=some))
    assert story.fleet.notices.count == 0
    until = story.container().phase.until  # type: ignore[union-attr]
    assert isinstance(until, int)
    story.time(until).accepted().ready(at=until)
    assert [notice.kind for notice in open_of(story)] == [NoticeKind.RECOVERED]


def test_a_notice_that_fails_is_tried_again_and_given_up_at_last() -> None:
    story = loops(told())
    at = story.fleet.at
    for attempt, wait in ((1, 1_000), (2, 2_000)):
        story.happens(NoticeFailed(at=at, number=1, cause="it answered 500"))
        assert sends(story) == []
        assert wake_at_fleet(story.fleet) == at + wait
        assert open_of(story)[0].failed == attempt
        story.time(at + wait - 1, name=None)
        assert sends(story) == []
        at += wait
        story.time(at, name=None)
        assert sends(story) == [SendNotice(number=1, attempt=attempt + 1)]
        assert wake_at_fleet(story.fleet) is None
    story.happens(NoticeFailed(at=at, number=1, cause="it answered 500"))
    assert open_of(story) == []
    assert story.fleet.notices.lost == 1
    assert wake_at_fleet(story.fleet) is None


def test_a_delivery_has_one_name_at_each_attempt_and_no_other_has_it() -> None:
    story = loops(told(spec("a"), spec("b")), "a")
    loops(story, "b")
    story.happens(NoticeFailed(at=story.fleet.at, number=1, cause="it answered 500"))
    names = [delivery_of("demo", notice) for notice in open_of(story)]
    assert names == ["demo-1-1", "demo-1-2"]
    later = attrs.evolve(open_of(story)[0], epoch=2)
    assert delivery_of("demo", later) == "demo-2-1"


def test_what_came_of_nothing_is_ignored() -> None:
    story = loops(told())
    at, ignored = story.fleet.at, story.fleet.ignored
    story.happens(NoticeDelivered(at=at, number=9))
    story.happens(NoticeFailed(at=at, number=9, cause="x"))
    assert story.fleet.ignored == ignored + 2
    story.happens(NoticeFailed(at=at, number=1, cause="x"))
    before = story.fleet.notices
    story.happens(NoticeFailed(at=at, number=1, cause="x"))
    story.happens(NoticeDelivered(at=at, number=1))
    assert story.fleet.notices == before
    assert story.fleet.ignored == ignored + 4


def test_what_was_on_its_way_is_sent_again_by_the_next_operator() -> None:
    story = loops(told(spec("web"), spec("job", NEVER)))
    story.accepted("job").started("job").ended(name="job")
    at = story.fleet.at
    story.happens(NoticeFailed(at=at, number=1, cause="x"))
    again = SendNotice(number=2, attempt=1)
    assert outstanding(story.fleet) == (again,)
    story.happens(Booted(at=at, epoch=2, rules=1, fences=True))
    assert story.orders() == (again, ObserveFleet())
    assert outstanding(story.fleet) == (again,)
    assert open_of(story)[1].epoch == 1  # its name stays what it was
    story.time(at + 1_000, name=None)
    commands: tuple[Command, ...] = (SendNotice(number=1, attempt=2),)
    assert tuple(sends(story)) == commands
    assert outstanding(story.fleet) == (*commands, again)


def test_a_fleet_that_tells_nobody_any_more_drops_what_waits() -> None:
    story = loops(told())
    story.asked(story.apply(spec(), settings=QUIET))
    assert story.fleet.notices == Notices(count=1, lost=1)
    ignored = story.fleet.ignored
    story.happens(NoticeFailed(at=story.fleet.at, number=1, cause="x"))
    assert story.fleet.ignored == ignored + 1
    settings = attrs.evolve(QUIET, notify=NOTIFY)
    story.asked(story.apply(spec(), settings=settings))
    assert story.fleet.notices == Notices(count=1, lost=1)  # it loops as before


def test_what_comes_and_goes_within_one_step_never_was() -> None:
    """A member that loops may wait for its group in the same step."""
    fleet = told().accepted().started().fleet
    draft = open_draft(fleet, NO_POLICIES)
    web = fleet.containers["web"]
    looping = attrs.evolve(
        web, phase=CrashLooping(since=0, until=9, rule=Rule.CRASH_LOOP_COOLDOWN)
    )
    waiting = attrs.evolve(
        web, phase=BackingOff(since=0, until=99, rule=Rule.GROUP_RESTART)
    )
    assert place(draft, web, looping) == ()
    assert place(draft, looping, waiting) == ()
    assert take_note(draft) == ()
    assert draft.notices == Notices()
    assert place(draft, waiting, looping) == ()
    assert take_note(draft) == (SendNotice(number=1, attempt=1),)


def test_no_more_are_kept_than_there_is_room_for() -> None:
    story = loops(told())
    one = open_of(story)[0]
    full = Table.of((str(n), attrs.evolve(one, number=n)) for n in range(NOTICES_MAX))
    before = Notices(open=full, count=NOTICES_MAX)
    change = ("web", Story(spec()).container(), story.container())
    after = noticed(before, NOTIFY, [change], 5, 1)
    assert after.lost == 1
    assert after.count == NOTICES_MAX + 1
    assert after.open is before.open
    assert list(after.troubled) == ["web"]


def test_outcomes_of_notices_nobody_knows_change_nothing() -> None:
    nothing = Notices()
    assert delivered(nothing, 1) is nothing
    assert failed(nothing, NOTIFY, 1, 5) is nothing


@pytest.mark.parametrize(
    ("url", "is_right"),
    [
        ("https://a.b/c", True),
        ("http://127.0.0.1:80/x?y=1", True),
        ("https://[::1]:99/", True),
        ("https://a/${secret.K}", True),
        ("${secret.K}", True),
        ("${secret.K}x", False),
        ("https://a/${config.k}", False),
        ("https://a/$${x}", False),
        ("https://a/${secret.K", False),
        ("https://u:p@a/", False),
        ("ftp://a/", False),
        ("https:///x", False),
        ("https://a:99999/", False),
        ("https://a:0/", False),
        ("https://[::1", False),
        ("https://a/b c", False),
        ("https://a/\r\nX: y", False),
        ("https://ä/", False),
        ("https://a/#f", False),
        ("https://a/" + "x" * URL_MAX, False),
        ("", False),
        (7, False),
    ],
)
def test_an_address_is_one_of_http_and_without_a_user(
    url: object,
    is_right: bool,  # noqa: FBT001 - a fact of the case
) -> None:
    assert is_notice_url_template(url) is is_right
    if not is_right:
        assert not is_notice_url(url)
        with pytest.raises(ValueError, match=r"^url: expected") as raised:
            Notify(url=url)  # type: ignore[arg-type]
        assert not url or str(url) not in str(raised.value)


def test_an_address_is_never_shown() -> None:
    secret = Notify(url="https://hooks.invalid/services/T0/B0/deadbeef?token=7")
    assert "deadbeef" not in repr(secret)
    assert hidden_url(secret.url) == "https://hooks.invalid/***"
    assert hidden_url("https://hooks.invalid/") == "https://hooks.invalid/"
    assert hidden_url("https://hooks.invalid?token=7") == "https://hooks.invalid/***"
    assert Notify(url=hidden_url(secret.url)).url == hidden_url(secret.url)


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": ()},
        {"events": (NoticeKind.FAILED, NoticeKind.FAILED)},
        {"events": ("failed",)},
        {"events": [NoticeKind.FAILED]},
        {"secret": "NOT A KEY"},
        {"timeout_ms": 0},
        {"attempts": 0},
        {"backoff": None},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Notify(url=URL, **wrong)  # type: ignore[arg-type]


def test_a_policy_that_holds_is_told_too() -> None:
    policy = attrs.evolve(RestartPolicy(), when=When.ON_FAILURE, max_restarts=0)
    story = told(spec(policy=policy)).accepted().started().ended()
    assert [notice.kind for notice in open_of(story)] == [NoticeKind.FAILED]
    assert open_of(story)[0].rule is Rule.MAX_RESTARTS
