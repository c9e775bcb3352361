"""Containers of a fleet file: replicas and defaults spelt out, each a spec."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Final, cast

import attrs

from orchestrator.codec.fleet_autoscaling import read_autoscaling
from orchestrator.codec.fleet_checks import check_spec
from orchestrator.codec.fleet_groups import memberships
from orchestrator.codec.fleet_health import health_spelt
from orchestrator.codec.fleet_needs import Needs, check_needs, needed_by
from orchestrator.codec.fleet_policies import policy_over, policy_spelt
from orchestrator.codec.fleet_problems import Problems
from orchestrator.codec.fleet_rollouts import RolloutReader
from orchestrator.codec.fleet_tables import Tree, sized, spelt_out
from orchestrator.codec.platform_choices import LocalChoice, PlatformChoice
from orchestrator.codec.problems import shown
from orchestrator.core.groups import Membership
from orchestrator.core.rollout_requests import wrong_names
from orchestrator.core.services import REPLICAS_MAX, Service, replica_of
from orchestrator.core.specs import ContainerSpec

__all__ = ("SpecReader",)

_SPELT: Final = ("service", "replica")
"""Fields of a spec that are spelt out of ``replicas``."""

_OF_SERVICES: Final = ("rollout", "autoscaling")
"""Keys of an entry that has ``replicas``."""

_KEYS: Final = (
    *(
        field.name
        for field in attrs.fields(ContainerSpec)
        if field.name not in {*_SPELT, "group"}
    ),
    "replicas",
    *_OF_SERVICES,
)


@attrs.define(kw_only=True)
class SpecReader:
    """Reads the containers of one file; what is wrong goes to *problems*.

    ``defaults`` is the ``[restart]`` table; ``has_policies``: the file says where its
    custom policies are. ``services`` are the entries with ``replicas`` that were read,
    ``alone`` the names of the others.
    """

    problems: Problems
    folder: str
    platform: PlatformChoice
    has_policies: bool
    defaults: Tree = attrs.field(factory=dict[str, Any])
    rollouts: RolloutReader = attrs.field(init=False)
    services: dict[str, Service] = attrs.field(factory=dict[str, Service])
    alone: set[str] = attrs.field(factory=set[str])
    needs: list[Needs] = attrs.field(factory=list[Needs])

    def __attrs_post_init__(self) -> None:
        """Have the policies of its services read into the same problems."""
        self.rollouts = RolloutReader(
            problems=self.problems, has_policies=self.has_policies
        )

    def take_defaults(self, tree: Tree) -> None:
        """Take what holds for every container; what is wrong in it is told once."""
        self.rollouts.take_defaults(tree)
        found = self.problems.found
        before = len(found)
        table = self.problems.table(tree, "restart")
        defaults = self._policy(
            spelt_out(table, "restart", self.problems.wrong), "restart"
        )
        given = {"name": "any", "command": ["any"], "restart": defaults}
        _ = self.problems.read(given, ContainerSpec, "")
        self.defaults = defaults if len(found) == before else {}

    def template(self, tree: Tree) -> ContainerSpec | None:
        """Return the template of containers that are started by request."""
        if "ad_hoc" not in tree:
            return None
        not_here = ("name", "replicas", *_OF_SERVICES)
        self.problems.not_given(tree["ad_hoc"], not_here, "ad_hoc")
        given = self.problems.table(tree, "ad_hoc")
        kept = {key: given[key] for key in given if key not in not_here}
        return self._unspread(
            self._spec({"name": "ad-hoc", **kept}, "ad_hoc"), "ad_hoc"
        )

    def containers(self, tree: Tree) -> tuple[ContainerSpec, ...]:
        """Return the declared containers, each with its place in its group."""
        found = tree.get("containers", [])
        if not isinstance(found, list):
            self.problems.wrong("containers", "an array of tables", shown(found))
            return ()
        groups = self._groups(tree, cast("list[object]", found))
        specs: dict[str, ContainerSpec] = {}
        for index, given in enumerate(cast("list[object]", found)):
            path = f"containers[{index}]"
            if not isinstance(given, dict):
                self.problems.wrong(path, "a table", shown(given))
                continue
            for spec in self._replicas(cast("Tree", given), path):
                if spec.name in specs:
                    found_name = repr(spec.name)
                    self.problems.wrong(f"{path}.name", "a name of its own", found_name)
                specs[spec.name] = attrs.evolve(spec, group=groups.get(spec.service))
        for name, service in self.services.items():
            template = attrs.evolve(service.template, group=groups.get(name))
            self.services[name] = attrs.evolve(service, template=template)
        check_needs(self.needs, self._names(cast("list[object]", found)), self.problems)
        return tuple(specs.values())

    def _groups(self, tree: Tree, entries: list[object]) -> dict[str, Membership]:
        groups = self.problems.table(tree, "groups")
        return memberships(groups, self._names(entries), self.problems)

    @staticmethod
    def _names(entries: list[object]) -> list[str]:
        """Return the names of the entries that have one, whatever else is wrong."""
        names = [
            cast("Tree", entry).get("name")
            for entry in entries
            if isinstance(entry, dict)
        ]
        return [name for name in names if isinstance(name, str)]

    def _replicas(self, given: Tree, path: str) -> list[ContainerSpec]:
        given = dict(given)
        replicas = given.pop("replicas", None)
        if replicas is None:
            hint = "it is for an entry with replicas"
            self.problems.not_given(given, _OF_SERVICES, path, hint)
        said: Tree = {key: given.pop(key) for key in _OF_SERVICES if key in given}
        spec = self._spec(given, path)
        if replicas is None:
            return self._alone(spec, path) if spec.name == given.get("name") else []
        if type(replicas) is not int or not 0 <= replicas <= REPLICAS_MAX:
            expected = f"a number from 0 to {REPLICAS_MAX}"
            self.problems.wrong(f"{path}.replicas", expected, shown(replicas))
            return []
        if spec.name != given.get("name"):
            return []
        if spec.name in self.services or spec.name in self.alone:
            self.problems.wrong(f"{path}.name", "a name of its own", repr(spec.name))
        service = self._service(spec, replicas, said, path)
        self.services[spec.name] = service
        try:
            return [replica_of(service, index) for index in range(replicas)]
        except ValueError:
            longest = 63 - len(str(REPLICAS_MAX))
            expected = f"at most {longest} letters"
            self.problems.wrong(f"{path}.name", expected, repr(spec.name))
            return []

    def _service(
        self, spec: ContainerSpec, replicas: int, said: Tree, path: str
    ) -> Service:
        scaling = None
        if "autoscaling" in said:
            where = f"{path}.autoscaling"
            scaling = read_autoscaling(said["autoscaling"], where, self.problems)
        where = f"{path}.rollout"
        policy = self.rollouts.policy(said.get("rollout"), where, replicas)
        service = Service(
            template=spec, replicas=replicas, rollout=policy, autoscaling=scaling
        )
        wrong = wrong_names((service,))
        for problem in () if wrong is None else wrong.problems:
            expected, found = problem.expected, problem.found
            self.problems.wrong(f"{path}.name", expected, found, problem.hint)
        return service

    def _alone(self, spec: ContainerSpec, path: str) -> list[ContainerSpec]:
        if spec.name in self.services:
            self.problems.wrong(f"{path}.name", "a name of its own", repr(spec.name))
        self.alone.add(spec.name)
        return [self._unspread(spec, path)]

    def _unspread(self, spec: ContainerSpec, path: str) -> ContainerSpec:
        """Tell of a spread of what is one container, and go on without it."""
        place = spec.placement
        if not place.spread:
            return spec
        where, hint = f"{path}.placement.spread", "it is for an entry with replicas"
        self.problems.wrong(where, "none", shown(list(place.spread)), hint)
        return attrs.evolve(spec, placement=attrs.evolve(place, spread=()))

    def _spec(self, given: Tree, path: str) -> ContainerSpec:
        problems = self.problems
        problems.not_given(given, _SPELT, path)
        hint = "[groups.NAME] lists its members"
        problems.not_given(given, ("group",), path, hint)
        tree = sized(spelt_out(given, path, problems.wrong), path, problems.wrong)
        tree = {key: tree[key] for key in tree if key not in {*_SPELT, "group"}}
        own = tree.get("restart", {})
        if isinstance(own, dict):
            policy = self._policy(cast("Tree", own), f"{path}.restart")
            tree["restart"] = policy_over(self.defaults, policy)
        tree = health_spelt(problems.only(tree, _KEYS, path), path, problems)
        spec = problems.read(tree, ContainerSpec, path)
        name = "" if path == "ad_hoc" else spec.name
        self.needs.append((path, name, needed_by(given.get("depends_on"))))
        if bool(given.get("ports")) is bool(spec.ports):
            for key, expected, found, hint in check_spec(spec, self.platform, path):
                problems.wrong(key, expected, found, hint)
        if isinstance(self.platform, LocalChoice):
            working_dir = PurePosixPath(self.folder, spec.working_dir or ".")
            spec = attrs.evolve(spec, working_dir=str(working_dir))
        return spec

    def _policy(self, tree: Tree, path: str) -> Tree:
        wrong = self.problems.wrong
        return policy_spelt(tree, path, wrong, has_policies=self.has_policies)
