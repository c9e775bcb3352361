"""How services are rolled out and scaled, as a fleet file and Python say it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest
from returns.result import Failure

from orchestrator.codec.fleet_file import FleetFile, read_fleet_file
from orchestrator.codec.fleet_functions import InvalidFleet, container, fleet
from orchestrator.codec.fleet_python import python_text
from orchestrator.codec.fleet_toml import toml_text
from orchestrator.codec.fleet_writing import fleet_tree, left_unsaid
from orchestrator.core.autoscaling import Autoscaling, Metric
from orchestrator.core.rollout_policies import (
    CanaryStep,
    OnFailure,
    Promotion,
    RolloutPolicy,
    Share,
)
from orchestrator.core.table import Table

HEAD = '[fleet]\nname = "demo"\n'
OWN = '[fleet]\nname = "demo"\npolicies = "ours:POLICIES"\n'
WEB = '[[containers]]\nname = "web"\ncommand = ["run"]\nreplicas = 4\n'
ROLLOUT = "[containers.rollout]\n"
SCALING = "[containers.autoscaling]\n"
CPU = 'metric = "cpu"\ntarget = 70\nmax = 8\n'


def read(text: str, head: str = HEAD) -> FleetFile:
    given = (head + text).encode()
    return read_fleet_file(given, file="fleet.toml", folder="/srv").unwrap()


def policy(text: str, head: str = HEAD) -> RolloutPolicy | None:
    [service] = read(WEB + text, head).spec.services
    return service.rollout


def scaling(text: str) -> Autoscaling | None:
    [service] = read(WEB + SCALING + text).spec.services
    return service.autoscaling


def refused(text: str, head: str = HEAD) -> list[str]:
    """Return what is wrong, without the line and the path of the entry."""
    given = (head + text).encode()
    answer = read_fleet_file(given, file="fleet.toml", folder="/srv")
    assert isinstance(answer, Failure)
    lines = answer.failure().message.splitlines()
    told = [line.partition(": ")[2] for line in lines]
    return [line.removeprefix("containers[0].") for line in told]


def rollout(text: str, head: str = HEAD) -> list[str]:
    return refused(WEB + ROLLOUT + text, head)


def autoscaling(text: str) -> list[str]:
    return refused(WEB + SCALING + text)


def test_an_entry_that_says_nothing_has_neither() -> None:
    [service] = read(WEB).spec.services
    assert (service.rollout, service.autoscaling) == (None, None)


def test_an_empty_table_is_the_policy_by_default() -> None:
    assert policy("rollout = {}\n") == RolloutPolicy()


def test_a_canary_has_steps_shares_and_durations() -> None:
    text = (
        f'{ROLLOUT}strategy = "canary"\nmax_unavailable = "10%"\nmax_surge = 1\n'
        'steps = [{ share = "10%", soak = "5m" }, { share = "50%" }]\n'
        'promote = "manual"\nmin_ready = "5s"\ncontainer_deadline = "1m"\n'
        'progress_deadline = "2m"\nfailure_budget = "20%"\non_failure = "pause"\n'
    )
    assert policy(text) == RolloutPolicy(
        strategy="canary",
        max_unavailable=Share(10, is_percent=True),
        max_surge=Share(1),
        steps=(
            CanaryStep(share=Share(10, is_percent=True), soak_ms=300_000),
            CanaryStep(share=Share(50, is_percent=True)),
        ),
        promote=Promotion.MANUAL,
        min_ready_ms=5_000,
        container_deadline_ms=60_000,
        progress_deadline_ms=120_000,
        failure_budget=Share(20, is_percent=True),
        on_failure=OnFailure.PAUSE,
    )


def test_a_strategy_of_ones_own_takes_a_version_and_params() -> None:
    text = f'{ROLLOUT}strategy = "batches"\nversion = 2\nparams = {{ size = [1, 2] }}\n'
    own = policy(text, OWN)
    assert own is not None
    assert (own.strategy, own.version) == ("batches", 2)
    assert own.params == Table.of([("size", (1, 2))])


def test_a_number_beside_a_percentage_goes_on_where_it_is_no_less() -> None:
    steps = 'steps = [{ share = "50%" }, { share = 2 }, { share = "75%" }]\n'
    assert policy(f'{ROLLOUT}strategy = "canary"\n{steps}') is not None
    (told,) = rollout(
        'strategy = "canary"\nsteps = [{ share = "50%" }, { share = 1 }]\n'
    )
    assert told == (
        "rollout.steps[1].share: expected more than 50%, the step before, found 1"
    )


DURATION = 'a duration such as "250ms", "10s", "5m" or "1h30m"'
NEEDED = 'a number of replicas up to 10000, or a text up to "100%"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('max_surge = "1"', f"max_surge: expected {NEEDED}, found '1'"),
        ("max_surge = 10001", f"max_surge: expected {NEEDED}, found 10001"),
        ("failure_budget = true", f"failure_budget: expected {NEEDED}, found true"),
        ('max_unavailable = "101%"', f"expected {NEEDED}, found '101%'"),
        ("max_unavailable = 0", "expected more than 0 where max_surge is 0, found 0"),
        (
            'strategy = "canery"\nsteps = [{ share = 1 }]',
            "rollout.strategy: expected one of recreate, rolling, canary, blue_green,"
            " found 'canery'; did you mean \"canary\"?",
        ),
        (
            'strategy = "mine"',
            "found 'mine'; policies = \"module:object\" under [fleet] says where",
        ),
        ("strategy = 3", "rollout.strategy: expected a text, found 3"),
        ('strategy = "canary"', "steps: expected one step at least, found nothing"),
        (
            'strategy = "canary"\nsteps = []',
            "steps: expected an array of one step at least, found an empty one",
        ),
        (
            "steps = [{ share = 1 }]",
            "rollout.steps: expected no such key with rolling, found an array; it is"
            " for canary",
        ),
        (
            'promote = "manual"',
            "promote: expected no such key with rolling, found 'manual'; it is for"
            " canary or blue_green",
        ),
        (
            'keep_old = "5m"',
            "rollout.keep_old: expected no such key with rolling, found '5m'; it is"
            " for blue_green",
        ),
        ("keep_old_ms = 5", "rollout.keep_old_ms: expected no such key with rolling"),
        (
            "version = 2",
            "version: expected no such key with rolling, found 2; it is for a strategy"
            " of the program's own",
        ),
        ("params = {}", "params: expected no such key with rolling, found a table"),
        (
            'on_failure = "rever"',
            "expected one of revert, hold, pause, found 'rever'; did you mean",
        ),
        ("max_unavailible = 1", 'did you mean "max_unavailable"?'),
        ('min_ready = "soon"', "rollout.min_ready: expected"),
        ("min_ready = true", f"min_ready: expected {DURATION}, found true"),
        ("progress_deadline = 60", f"deadline: expected {DURATION}, found 60"),
        (
            'strategy = "blue_green"\nkeep_old = 5',
            f"rollout.keep_old: expected {DURATION}, found 5",
        ),
        (
            'container_deadline = "1s"',
            "rollout.container_deadline: expected more than min_ready, 10s, found 1s",
        ),
        ("container_deadline_ms = 0", "container_deadline_ms: expected > 0, found 0"),
        ("min_ready_ms = true", "min_ready_ms: expected an integer, found true"),
    ],
)
def test_what_is_wrong_with_a_rollout_is_told(text: str, expected: str) -> None:
    (told,) = rollout(text)
    assert told.startswith("rollout.")
    assert expected in told


def test_a_name_leaves_room_for_replicas_beside_others_where_there_are_any() -> None:
    name = "w" * 55
    long = WEB.replace('"web"', f'"{name}"')
    (told,) = refused(f"{long}{ROLLOUT}max_surge = 1\n")
    assert told == (
        "name: expected a name of at most 51 letters: replicas run beside others,"
        " found one of 55"
    )
    _ = read(f"{long.replace(name, name[:51])}{ROLLOUT}max_surge = 1\n")
    _ = read(f"{long}{ROLLOUT}")  # none is made beside another


def test_a_deadline_by_default_may_be_too_early() -> None:
    assert rollout('min_ready = "10m"\ncontainer_deadline = "0s"\n') == [
        "rollout.progress_deadline: expected more than min_ready, 10m, found 10m;"
        " that is its default",
        "rollout.container_deadline_ms: expected > 0, found 0",
    ]


def test_deadlines_and_other_mistakes_of_a_table_are_told_at_once() -> None:
    late = 'min_ready_ms = 400000\non_failure = "x"\nprogress_deadline_ms = -1\n'
    assert len(rollout(late)) == 3


def test_a_deadline_that_is_none_is_told_beside_the_one_by_default() -> None:
    told = rollout("min_ready_ms = 400000\ncontainer_deadline_ms = -1\n")
    assert told == [
        "rollout.container_deadline_ms: expected > 0, found -1",
        "rollout.container_deadline_ms: expected more than min_ready_ms, found less",
    ]


def test_steps_are_told_one_by_one() -> None:
    steps = '[{ share = "10%" }, { share = "5%" }, 3, { soack = 3 }, { share = 0 }]'
    assert rollout(f'strategy = "canary"\nsteps = {steps}\n') == [
        "rollout.steps[1].share: expected more than 10%, the step before, found 5%",
        "rollout.steps[2]: expected a table, found 3",
        "rollout.steps[3].soack: expected a known key, found 'soack';"
        ' did you mean "soak_ms"?',
        f"rollout.steps[3].share: expected {NEEDED}, found nothing",
        "rollout.steps[4].share: expected 1 at least, found 0",
    ]
    many = ", ".join(f"{{ share = {n} }}" for n in range(1, 102))
    (told,) = rollout(f'strategy = "canary"\nsteps = [{many}]\n')
    assert told == "rollout.steps: expected at most 100 steps, found 101"


def test_both_are_for_entries_with_replicas() -> None:
    one = '[[containers]]\nname = "web"\ncommand = ["run"]\nrollout = {}\n'
    (told,) = refused(one)
    assert told == (
        "rollout: expected no such key here, found a table; it is for an entry with"
        " replicas"
    )
    spread = one.replace("rollout = {}", 'placement = { spread = ["weur"] }')
    (told,) = refused(spread)
    assert told == (
        "placement.spread: expected none, found an array; it is for an entry with"
        " replicas"
    )
    template = '[ad_hoc]\ncommand = ["run"]\nrollout = {}\nautoscaling = {}\n'
    assert refused(template) == [
        "ad_hoc.rollout: expected no such key here, found a table",
        "ad_hoc.autoscaling: expected no such key here, found a table",
    ]
    tables = refused(f"{WEB}rollout = 3\nautoscaling = 2\n")
    assert tables == [
        "rollout: expected a table, found 3",
        "autoscaling: expected a table, found 2",
    ]


SHARED = '[rollout]\nstrategy = "canary"\nsteps = [{ share = 1 }]\nmin_ready = "5s"\n'


def test_a_section_holds_for_every_service_that_says_no_other() -> None:
    shared = RolloutPolicy(
        strategy="canary", steps=(CanaryStep(share=Share(1)),), min_ready_ms=5_000
    )
    assert policy(SHARED) == shared
    surging = policy(f"{ROLLOUT}max_surge = 1\n{SHARED}")
    assert surging == attrs.evolve(shared, max_surge=Share(1))
    other = policy(f'{ROLLOUT}strategy = "rolling"\n{SHARED}')
    assert other == RolloutPolicy(min_ready_ms=5_000)
    assert policy("[rollout]\n") == RolloutPolicy()


def test_what_is_wrong_with_the_section_is_told_once() -> None:
    two = WEB + WEB.replace("web", "api")
    assert refused(f'{two}[rollout]\nstrategy = "canary"\n') == [
        "rollout.steps: expected one step at least, found nothing"
    ]
    assert refused("rollout = 3\n" + HEAD, "") == ["rollout: expected a table, found 3"]


def test_autoscaling_is_read() -> None:
    text = (
        'metric = "pushed"\ntarget = 0.25\nmin = 0\nmax = 8\nwindow = "30s"\n'
        'tolerance = "5%"\nup_after = "0s"\ndown_after = "10m"\n'
    )
    assert scaling(text) == Autoscaling(
        metric=Metric.PUSHED,
        target_milli=250,
        least=0,
        most=8,
        window_ms=30_000,
        tolerance_percent=5,
        up_after_ms=0,
        down_after_ms=600_000,
    )
    assert scaling(CPU) == Autoscaling(metric=Metric.CPU, target_milli=70_000, most=8)


FINE = "a number above 0, at most 1000000000, in thousandths at the finest"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CPU.replace("cpu", "cpuu"), "found 'cpuu'; did you mean \"cpu\"?"),
        (CPU.replace('"cpu"', "3"), "metric: expected one of in_flight, cpu, pushed"),
        (
            "target = 1\nmax = 2",
            "expected one of in_flight, cpu, pushed, found nothing",
        ),
        (CPU.replace("70", "0"), f"target: expected {FINE}, found 0"),
        (CPU.replace("70", "0.0001"), f"target: expected {FINE}, found 0.0001"),
        (CPU.replace("70", "nan"), f"target: expected {FINE}, found nan"),
        (CPU.replace("70", '"70%"'), f"target: expected {FINE}, found '70%'"),
        (CPU + "min = 9", "max: expected a number from 9 to 10000, found 8"),
        (CPU + "min = -1", "min: expected a number from 0 to 10000, found -1"),
        (
            CPU.replace("max = 8", ""),
            "max: expected a number from 1 to 10000, found noth",
        ),
        (CPU + "tolerance = 10", 'tolerance: expected a text such as "10%", at most'),
        (CPU + "window = 60", f"window: expected {DURATION}, found 60"),
        (CPU.replace("8", '"5"'), "max: expected a number from 1 to 10000, found '5'"),
        (CPU.replace("8", '"5s"'), "max: expected a number from 1 to 10000, found"),
        (CPU + "window_ms = 0", "window_ms: expected > 0, found 0"),
        (CPU + "windw_ms = 0", 'did you mean "window_ms"?'),
    ],
)
def test_what_is_wrong_with_autoscaling_is_told(text: str, expected: str) -> None:
    (told,) = autoscaling(text)
    assert told.startswith("autoscaling.")
    assert expected in told


def made(**keys: Any) -> FleetFile:
    return fleet(
        "demo",
        folder="/srv",
        containers=[container("web", command=["run"], replicas=4, **keys)],
    )


def test_python_says_the_same_with_tables_and_values() -> None:
    text = f'{ROLLOUT}strategy = "canary"\nsteps = [{{ share = 1, soak = "5m" }}]\n'
    of_file = read(WEB + text + SCALING + CPU)
    steps = [{"share": 1, "soak": timedelta(minutes=5)}]
    tables = made(
        rollout={"strategy": "canary", "steps": steps},
        autoscaling={"metric": Metric.CPU, "target": 70, "max": 8},
    )
    step = CanaryStep(share=Share(1), soak_ms=300_000)
    values = made(
        rollout=RolloutPolicy(strategy="canary", steps=(step,)),
        autoscaling=Autoscaling(metric=Metric.CPU, target_milli=70_000, most=8),
    )
    assert tables.spec == values.spec == of_file.spec
    percent = made(rollout={"max_surge": Share(25, is_percent=True)})
    assert percent.spec == read(f'{WEB}{ROLLOUT}max_surge = "25%"\n').spec


def test_a_policy_that_is_a_value_is_meant_as_it_is() -> None:
    """Whatever the section of the fleet says."""
    whole = fleet(
        "demo",
        rollout={"max_surge": 3, "min_ready": "1s"},
        containers=[
            container("web", command=["x"], replicas=1, rollout=RolloutPolicy()),
            container("api", command=["x"], replicas=1),
        ],
    )
    web, api = whole.spec.services
    assert web.rollout == RolloutPolicy()
    assert api.rollout == RolloutPolicy(max_surge=Share(3), min_ready_ms=1_000)


def test_python_names_the_entry_that_is_wrong() -> None:
    with pytest.raises(InvalidFleet) as raised:
        _ = made(rollout={"strategy": "rollin"})
    (problem,) = raised.value.error.problems
    assert problem.place == "container('web').rollout.strategy"


def test_both_are_written_as_one_would_write_them() -> None:
    text = f"""{HEAD}
[[containers]]
name = "web"
replicas = 4
command = ["run"]
autoscaling = {{metric = "cpu", target = 0.5, max = 8, tolerance = "5%"}}

[containers.rollout]
strategy = "canary"
max_surge = "25%"
steps = [{{share = "10%", soak = "5m"}}, {{share = "50%"}}]
promote = "manual"
"""
    file = read(text, "")
    assert toml_text(fleet_tree(file, "/srv")).unwrap() == text
    assert 'rollout={"strategy": "rolling"}' not in python_text(fleet_tree(file, "/x"))
    plain = read(f"{WEB}rollout = {{}}\n")
    assert "rollout = {}" in toml_text(fleet_tree(plain, "/srv")).unwrap()


def test_what_a_policy_says_in_vain_is_told_and_not_written() -> None:
    vain = RolloutPolicy(keep_old_ms=5, version=3)
    [service] = read(WEB).spec.services
    spec = attrs.evolve(read(WEB).spec, services=(attrs.evolve(service, rollout=vain),))
    assert left_unsaid(spec) == (
        "web: its rollout says version, which means nothing to rolling",
        "web: its rollout says keep_old, which means nothing to rolling",
    )
    assert left_unsaid(read(f"{WEB}rollout = {{}}\n").spec) == ()
    assert left_unsaid(read(WEB).spec) == ()
