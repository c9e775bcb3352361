"""A fleet in Python is taken wherever a file is; ``fleet export`` writes either."""

from __future__ import annotations

import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner, Result

from orchestrator.cli.failing import Failed
from orchestrator.cli.fleet import _config, _kept_now
from orchestrator.cli.main import cli
from orchestrator.cli.python_files import fleet_declared
from orchestrator.cli.tools import parsed_file
from orchestrator.codec.wire import tree_of
from orchestrator.core.admit import admit
from orchestrator.core.custom import NO_POLICIES
from orchestrator.core.dependencies import Condition
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.reduce import reduce
from orchestrator.core.requests import Apply
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.core.table import Table
from orchestrator.runtime.reports import config_of
from tests.cli.kit import COMMAND, reached, run, up

HEAD = "import orchestrator\nfrom orchestrator import container\n"
FLEET = f"""{HEAD}
fleet = orchestrator.fleet(
    "demo",
    containers=[container("web", command=["sleep", "999"], working_dir="sub")],
)
small = orchestrator.fleet("small", platform={{"kind": "simulated"}})
"""


@pytest.fixture(autouse=True)
def _forget_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


def file_at(folder: Path, text: str, name: str = "fleet.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def asked(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], standalone_mode=False)


def refusal(*words: object) -> str:
    """Return how a command refuses its input."""
    failed = asked(*words).exception
    assert isinstance(failed, Failed), failed
    assert failed.code == 2
    return failed.message


def test_a_file_in_python_is_read_where_it_lies(tmp_path: Path) -> None:
    path = file_at(tmp_path, FLEET)
    assert parsed_file(path).spec.containers[0].working_dir == str(tmp_path / "sub")
    said = asked("validate", path)
    assert said.stdout == f"{path} is valid: fleet 'demo', 1 container\n"
    said = asked("validate", f"{path}:small")
    assert said.stdout.startswith(f"{path}:small is valid: fleet 'small'")
    assert not (tmp_path / "__pycache__").exists()


def test_it_is_read_anew_each_time_also_beside_others(tmp_path: Path) -> None:
    path = file_at(tmp_path, FLEET)
    assert fleet_declared(path).spec.name == "demo"
    file_at(tmp_path, FLEET.replace('"demo"', '"omed"'))
    assert fleet_declared(path).spec.name == "omed"
    found: list[str] = []
    thread = threading.Thread(
        target=lambda: found.append(fleet_declared(path).spec.name)
    )
    thread.start()
    thread.join()
    assert found == ["omed"]


def test_what_it_prints_is_not_in_the_way(tmp_path: Path) -> None:
    path = file_at(tmp_path, f'print("hello")\n{FLEET}')
    done = run("fleet", "export", str(path))
    assert (done.code, done.err) == (0, "hello\n")
    assert tomllib.loads(done.out)["fleet"] == {"name": "demo"}


def test_it_finds_what_lies_beside_it_and_is_found_by_it(tmp_path: Path) -> None:
    file_at(tmp_path, "COMMAND = ['run']\n", "w3_beside.py")
    body = f"""{HEAD}
from dataclasses import dataclass
from w3_beside import COMMAND
@dataclass
class Tier:
    size: int = 1
import w3_fleet
assert w3_fleet.Tier is Tier
fleet = orchestrator.fleet("x", containers=[container("a", command=COMMAND)])
"""
    path = file_at(tmp_path, body, "w3_fleet.py")
    assert fleet_declared(path).spec.containers[0].command == ("run",)
    assert "w3_fleet" not in sys.modules


def test_a_file_may_have_the_name_of_a_library(tmp_path: Path) -> None:
    path = file_at(tmp_path, f"import json\njson.dumps\n{FLEET}", "json.py")
    assert fleet_declared(path).spec.name == "demo"


FAULTS = [
    ("x = 1\n1 / 0\n", ":2: ZeroDivisionError: division by zero"),
    ("def f():\n    g()\ndef g():\n    {}['a']\nf()\n", ":4: KeyError: 'a'"),
    ("import w3_nowhere\n", ":1: ModuleNotFoundError: No module named 'w3_nowhere'"),
    ("\nx = (\n", ":2: SyntaxError: '(' was never closed"),
    ("import sys\nsys.exit()\n", ":2: SystemExit"),
    ("raise ValueError('a\\n  b')\n", ":1: ValueError: a b"),
    (f"{HEAD}orchestrator.fleet()\n", ":3: TypeError: fleet() missing 1 required"),
    ("x = 1\n", ": expected an object 'fleet', made by orchestrator.fleet, found none"),
    (
        f"{HEAD}prod = orchestrator.fleet('x')\n",
        ": expected an object 'fleet', made by orchestrator.fleet, found none; there"
        " is {path}:prod",
    ),
    (
        "from orchestrator import fleet\n",
        ": fleet: expected what orchestrator.fleet makes, found a function",
    ),
    ("class B(BaseException): ...\nraise B('x')\n", ":2: B: x"),
    ("raise GeneratorExit\n", ":1: GeneratorExit"),
    ("raise StopIteration(3)\n", ":1: StopIteration: 3"),
    (
        "class Dumb(Exception):\n    def __str__(self): 1 / 0\nraise Dumb\n",
        ":3: Dumb",
    ),
    ("raise SyntaxError\n", ":1: SyntaxError"),
    (
        "def __getattr__(name): 1 / 0\n",
        ": expected an object 'fleet', made by orchestrator.fleet, found none",
    ),
    ("a\0b", ""),
    (
        f"{HEAD}fleet = orchestrator.fleet(\n    'x',\n    prune='kep',\n)\n",
        ":3: fleet.prune: expected one of stop, keep, forget, found 'kep'",
    ),
    (
        f"{HEAD}a = container('a', comand=[])\n\nf = orchestrator.fleet(\n"
        "    'x', containers=[a])\n",
        ":5: container('a').comand: expected a known key, found 'comand'",
    ),
]


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_what_is_wrong_is_one_sentence_with_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    path = file_at(tmp_path, text)
    told = refusal("validate", path)
    expected = f"{path}{message.replace('{path}', str(path))}"
    assert any(line.startswith(expected) for line in told.splitlines()), told


def test_what_is_found_under_a_name_is_its_owners_code_too(tmp_path: Path) -> None:
    body = """
class Sly:
    __class__ = property(lambda self: 1 / 0)
    @property
    def fleet(self):
        raise KeyError("gone")
fleet = Sly()
"""
    path = file_at(tmp_path, body)
    expected = f"{path}: fleet: expected what orchestrator.fleet makes, found a Sly"
    assert refusal("validate", path) == expected
    assert refusal("validate", f"{path}:fleet.fleet") == f"{path}:6: KeyError: 'gone'"


def test_an_interrupt_is_one_of_the_command_alone(tmp_path: Path) -> None:
    path = file_at(tmp_path, "raise KeyboardInterrupt\n")
    assert run("validate", str(path)).code == 130
    found: list[str] = []

    def beside() -> None:
        with pytest.raises(Failed) as caught:
            fleet_declared(path)
        found.append(caught.value.message)

    thread = threading.Thread(target=beside)
    thread.start()
    thread.join()
    assert found == [f"{path}:1: KeyboardInterrupt"]


def test_a_fault_in_what_it_imports_names_both_places(tmp_path: Path) -> None:
    file_at(tmp_path, "x = (\n", "w3_broken.py")
    told = refusal("validate", file_at(tmp_path, "\nimport w3_broken\n"))
    assert told.endswith(
        "fleet.py:2: SyntaxError: '(' was never closed (w3_broken.py, line 1)"
    )


@pytest.mark.parametrize(
    "command", [["plan"], ["simulate"], ["up"], ["fleet", "export"]]
)
def test_every_command_refuses_it_without_a_traceback(
    tmp_path: Path, command: list[str]
) -> None:
    path = file_at(tmp_path, "1 / 0\n")
    done = run(*command, str(path))
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"orchestrator: {path}:1: ZeroDivisionError: division by zero\n"
    )


def test_a_path_that_means_nothing_is_told(tmp_path: Path) -> None:
    path = file_at(tmp_path, FLEET)
    assert refusal("validate", f"{path}:a b").endswith("found 'a b' for a name")
    assert refusal("validate", f"{path}:").endswith("found '' for a name")
    assert refusal("validate", f"{path}:none.such").startswith(f"{path}: expected an")
    assert "found a FleetSpec" in refusal("validate", f"{path}:fleet.spec")
    assert refusal("validate", tmp_path / "no.py") == (
        f"{tmp_path / 'no.py'}: No such file or directory"
    )
    (tmp_path / "folder.py").mkdir()
    assert "Is a directory" in refusal("validate", tmp_path / "folder.py")


def test_a_policy_can_be_supposed_from_python(tmp_path: Path) -> None:
    path = file_at(tmp_path, FLEET)
    incident = Path(__file__).parents[2] / "docs/examples/incident.jsonl.gz"
    journal = tmp_path / "journal.db"
    assert asked("journal", "import", incident, journal).exit_code == 0
    said = asked("replay", "what-if", journal, "--policy", f"{path}:fleet")
    assert said.exception is None, said.exception


def test_a_file_goes_from_one_form_to_the_other_and_back(tmp_path: Path) -> None:
    source = file_at(tmp_path, FLEET)
    toml = file_at(tmp_path, asked("fleet", "export", source).stdout, "fleet.toml")
    python = file_at(tmp_path, asked("fleet", "export", toml).stdout, "other.py")
    assert "container(" in python.read_text()
    assert parsed_file(source) == parsed_file(toml) == parsed_file(python)
    for file, form in ((python, "toml"), (toml, "toml")):
        said = asked("fleet", "export", file, "--to", form)
        assert said.stdout == toml.read_text()
    said = asked("fleet", "export", python, "--to", "python")
    assert said.stdout == python.read_text()


def test_what_toml_cannot_hold_is_told(tmp_path: Path) -> None:
    body = 'containers=[container("a", command=["x"], config={"k": None})]'
    path = file_at(tmp_path, f'{HEAD}fleet = orchestrator.fleet("x", {body})\n')
    assert refusal("fleet", "export", path).startswith("containers[0].config.k: exp")
    assert '{"k": None}' in asked("fleet", "export", path, "--to", "python").stdout


def test_a_file_goes_without_an_operator(tmp_path: Path) -> None:
    said = asked("fleet", "export", file_at(tmp_path, FLEET), "--state", tmp_path)
    assert "FILE goes without --state" in str(said.exception)


RUNNING = f"""{HEAD}
fleet = orchestrator.fleet(
    "tried",
    containers=[
        container("web", command=["sleep", "999"], replicas=2),
        container("job", command=["sleep", "998"], env={{"TOKEN": "hunter2"}}),
    ],
    restart={{"backoff": {{"initial": "20ms", "max": "40ms"}}}},
    ad_hoc={{"command": ["sleep", "997"]}},
    platform={{"kind": "local", "log_max_bytes": 1000}},
)
"""


def test_what_an_operator_keeps_is_written_without_its_secrets(tmp_path: Path) -> None:
    state = tmp_path / "state"
    path = file_at(tmp_path, RUNNING)
    with up(path, state):
        client = reached(state)
        client.post("containers", "extra", "start")
        assert run("scale", "web", "3", "--state", str(state)).code == 0
        done = run("fleet", "export", "--state", str(state))
        assert done.code == 0, done.err
        for note in (
            "*** stands in one place for what looks secret: say it there anew",
            "web: scaled to 3, its file says 2",
            "not known to the operator, and not here: [journal], [api], env_vars, hook",
        ):
            assert f"note: {note}" in done.err
            assert f"# {note}" in done.out
        assert "hunter2" not in done.out + done.err
        python = run("fleet", "export", "--to", "python", "--state", str(state))
    written = tomllib.loads(done.out)
    assert written["platform"] == {"kind": "local", "log_max_bytes": 1000}
    assert written["restart"]["backoff"] == {"initial": "20ms", "max": "40ms"}
    assert [(e["name"], e.get("replicas")) for e in written["containers"]] == [
        ("job", None),
        ("web", 3),
    ]
    assert written["containers"][0]["env"] == {"TOKEN": "***"}
    toml = file_at(tmp_path, done.out, "back.toml")
    assert parsed_file(toml) == parsed_file(file_at(tmp_path, python.out, "back.py"))


PASSED = f"""{HEAD}
fleet = orchestrator.fleet(
    "passed",
    containers=[
        container("w", command=["sleep", "996"], replicas=1),
        container("w-1", command=["sleep", "995"]),
    ],
)
"""


def test_replicas_past_the_name_of_another_container_are_told(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with up(file_at(tmp_path, PASSED), state):
        reached(state)
        assert run("scale", "w", "3", "--state", str(state)).code == 0
        done = run("fleet", "export", "--state", str(state))
    assert done.code == 0, done.err
    note = "w: only 1 can be said by a file, for w-1 is a container of its own"
    assert f"note: {note}" in done.err
    assert f"# {note}" in done.out
    written = parsed_file(file_at(tmp_path, done.out, "back.toml")).spec
    declared = parsed_file(tmp_path / "fleet.py").spec
    assert written.services == declared.services
    assert set(written.containers) == set(declared.containers)


class Answers:
    """An operator of which only the answers are known."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def client(self) -> Answers:
        return self

    def folder(self) -> None:
        return None

    def get(self, what: str) -> object:
        if what == "config":
            return tree_of(config_of(self._fleet))
        names = [name for name in self._fleet.containers if name != "db"]
        return [{"name": name, "min_replica_set": True} for name in names]


def test_what_no_file_can_say_is_a_sentence() -> None:
    """It needs who is there by request alone."""
    needs = Table.of([("db", Condition.READY)])
    web = ContainerSpec(name="web", command=("run",), depends_on=needs)
    db = ContainerSpec(name="db", command=("run",))
    spec = FleetSpec(name="x", containers=(web, db))
    event = admit(empty_fleet("x"), Apply(spec=spec), 0, NO_POLICIES).unwrap()
    reach = Answers(reduce(empty_fleet("x"), event).fleet)
    with pytest.raises(Failed) as caught:
        _kept_now(reach)  # type: ignore[arg-type]
    assert caught.value.code == 2
    assert caught.value.message == (
        "no file can say what the operator has now: depends_on: web: expected a service"
        " of this fleet, found 'db'"
    )


def test_an_answer_of_another_release_is_told() -> None:
    class Other:
        def get(self, *path: str) -> object:
            return {"name": "x", "unheard_of": path}

    with pytest.raises(Failed, match="another release") as caught:
        _config(Other())  # type: ignore[arg-type]
    assert caught.value.code == 6


def test_exported_python_passes_a_strict_type_checker(tmp_path: Path) -> None:
    file_at(tmp_path, RUNNING)
    done = run("fleet", "export", str(tmp_path / "fleet.py"), "--to", "python")
    python = file_at(tmp_path, done.out, "exported.py")
    root = Path(__file__).parents[2]
    checked = subprocess.run(
        (COMMAND[0], "-m", "mypy", "--strict", str(python)),
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_a_container_that_is_leaving_is_declared_no_more() -> None:
    specs = [ContainerSpec(name=name, command=("run",)) for name in ("a", "b")]
    spec = FleetSpec(name="x", containers=tuple(specs))
    event = admit(empty_fleet("x"), Apply(spec=spec), 0, NO_POLICIES).unwrap()
    fleet = reduce(empty_fleet("x"), event).fleet
    leaving = attrs.evolve(fleet.containers["a"], leaving=True)
    fleet = attrs.evolve(fleet, containers=fleet.containers.put("a", leaving))
    assert [each.name for each in config_of(fleet).containers] == ["b"]
