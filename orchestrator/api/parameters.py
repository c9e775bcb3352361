"""The parameters that routes have: their types, their bounds, what they are for."""

from __future__ import annotations

from typing import Final, Literal, get_args

from orchestrator.api.headers import KEY_HEADER
from orchestrator.api.moments import NUMBER_MAX
from orchestrator.api.plain import BY_MAX, LETTER, PLAIN, WHY_MAX
from orchestrator.api.route import Parameter
from orchestrator.codec.converter import tag_of
from orchestrator.core.events import Event
from orchestrator.core.moments import Millis
from orchestrator.core.phases import PHASE_NAMES
from orchestrator.replay.places import Place
from orchestrator.runtime.reports import WaitFor

__all__ = (
    "AFTER",
    "AT",
    "BY",
    "FOLLOW",
    "FOR",
    "FROM",
    "GZIP",
    "HEARTBEAT",
    "IF_MATCH",
    "KEEP",
    "KEY",
    "LAST_EVENT",
    "LIMIT",
    "LIMIT_MS",
    "NAMES",
    "PATTERNS",
    "PHASES",
    "POINTS",
    "PRUNE",
    "REDACT",
    "TYPES",
    "UNTIL",
    "WAIT_MS",
    "WHY",
    "WITH",
)

_WORDS: Final = tuple[str, ...]

WAIT_MS_MAX: Final[Millis] = 24 * 3_600_000

AT: Final = Parameter(name="at", form=Place, about="As it was then; left out: now.")
FROM: Final = Parameter(
    name="from",
    form=Place,
    about="Behind which place to begin; left out: a day ago, or the newest 2000 rows,"
    " whichever is less.",
)
UNTIL: Final = Parameter(
    name="until", form=Place, about="At which place to end; left out: now."
)
PHASES: Final = Parameter(
    name="phase",
    form=_WORDS,
    default=(),
    known=tuple(PHASE_NAMES.values()),
    about="Only containers in these phases.",
)
PATTERNS: Final = Parameter(
    name="name",
    form=_WORDS,
    default=(),
    about="Only containers of these names; `web-*` is every name that begins so.",
)
NAMES: Final = Parameter(
    name="name",
    form=_WORDS,
    default=(),
    about="Only what concerns containers of these names.",
)
TYPES: Final = Parameter(
    name="type",
    form=_WORDS,
    default=(),
    known=tuple(tag_of(kind) for kind in get_args(Event)),
    about="Only events of these types.",
)
POINTS: Final = Parameter(
    name="points",
    form=int,
    default=200,
    least=1,
    most=1_000,
    about="In how many pieces of time.",
)
LIMIT: Final = Parameter(
    name="limit", form=int, default=1_000, most=1_000, about="How many rows at most."
)
WAIT_MS: Final = Parameter(
    name="wait_ms",
    form=int,
    default=0,
    most=60_000,
    about="How long to wait for the first row, where there is none yet.",
)
AFTER: Final = Parameter(
    name="after",
    form=int,
    most=NUMBER_MAX,
    about="Behind which row to begin; left out: with the first row there is, and in a"
    " stream from now on.",
)
FOLLOW: Final = Parameter(
    name="follow", form=bool, default=False, about="Whether to go on with what comes."
)
FOR: Final = Parameter(
    name="for",
    form=WaitFor,
    default="ready",
    about="What to wait for.",
)
LIMIT_MS: Final = Parameter(
    name="limit_ms",
    form=int,
    default=60_000,
    most=WAIT_MS_MAX,
    about="How long to wait at most.",
)
WITH: Final = Parameter(
    name="with",
    form=Literal["containers"],
    about="In a stream: the containers that a row touched, as they are after it.",
)
HEARTBEAT: Final = Parameter(
    name="heartbeat_ms",
    form=int,
    default=15_000,
    least=1_000,
    most=60_000,
    about="In a stream: how often to say that nothing has happened.",
)
GZIP: Final = Parameter(
    name="gzip",
    form=bool,
    default=False,
    about="Whether the answer is a packed file, as one that ends in `.gz`.",
)
REDACT: Final = Parameter(
    name="redact",
    form=bool,
    default=False,
    about="Whether other words stand for names, config and texts.",
)
KEEP: Final = Parameter(
    name="keep",
    form=_WORDS,
    default=(),
    known=("addresses", "config", "names", "texts"),
    about="With `redact=true`: what is told as it is.",
)
LAST_EVENT: Final = Parameter(
    name="Last-Event-ID",
    form=int,
    most=NUMBER_MAX,
    about="In a stream: behind which row to go on, as browsers send it.",
)
KEY: Final = Parameter(
    name=KEY_HEADER,
    pattern="^[!-~]{1,128}$",
    expected="1 to 128 visible ASCII characters",
    about="1 to 128 visible ASCII characters. A request that is sent again with the"
    " same key does nothing twice.",
)
BY: Final = Parameter(
    name="by",
    default="owner",
    pattern=f"^{LETTER}{{0,{BY_MAX}}}$",
    expected=f"at most {BY_MAX} {PLAIN}",
    about="Who asks.",
)
WHY: Final = Parameter(
    name="why",
    default="",
    pattern=f"^{LETTER}{{0,{WHY_MAX}}}$",
    expected=f"at most {WHY_MAX} {PLAIN}",
    about="What for.",
)
PRUNE: Final = Parameter(
    name="prune",
    form=Literal["stop", "keep", "forget"],
    about="What becomes of a container that is not declared any more; left out: what"
    " the settings say.",
)
IF_MATCH: Final = Parameter(
    name="If-Match",
    pattern='^("(0|[1-9][0-9]{0,17})"|0|[1-9][0-9]{0,17}|[*])$',
    expected='the revision of a fleet, such as "7"',
    about='The revision of the fleet that is replaced, such as `"7"`; another one'
    " is a conflict.",
)
