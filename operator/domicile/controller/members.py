"""The members as the hub registers them: RegionalClusters and their kubeconfigs on one side, the fleet's connections on the other."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from domicile.api import RegionalCluster, RegionalClusterSpec
from domicile.fleet import Fleet, arranged
from domicile.placement.view import ClusterView, OutOfSight
from domicile.residency import MemberId, ModelRef
from domicile.serving.seen import SeenWorkload


class Members:
    """Which members are registered, and what is seen of each."""

    def __init__(self, fleet: Fleet, clock: Callable[[], datetime]) -> None:
        self._fleet, self._clock = fleet, clock
        self._registered: dict[str, MemberId] = {}
        self._specs: dict[str, RegionalClusterSpec] = {}
        self._problems: dict[str, OutOfSight] = {}
        self._completed: dict[str, tuple[ClusterView, ClusterView]] = {}
        """What the fleet sees of each, and the same with what its RegionalCluster says."""

    def register(self, cluster: RegionalCluster, kubeconfig: str | None) -> None:
        """Connect to a member, or to the one that it is now. Does nothing if nothing changed."""
        member = MemberId(cluster.metadata.name, cluster.spec.cluster_uid)
        self._registered[member.name] = member
        self._specs[member.name] = cluster.spec
        if kubeconfig is None:
            self._fleet.drop_member(member.name)
            ref = cluster.spec.kubeconfig_secret_ref
            message = f"no key {ref.key} in Secret {ref.name} of the operator's namespace: put the kubeconfig there"
            known = self._problems.get(member.name)
            since = known.since if known else self._clock()
            self._problems[member.name] = OutOfSight("KubeconfigMissing", message, since)
            return
        self._problems.pop(member.name, None)
        self._fleet.set_member(member.name, member.uid, kubeconfig, arranged(cluster.spec))

    def unregister(self, name: str) -> None:
        """Forget a member. What runs there goes on."""
        self._registered.pop(name, None)
        self._specs.pop(name, None)
        self._problems.pop(name, None)
        self._completed.pop(name, None)
        self._fleet.forget_member(name)

    def view(self, name: str) -> ClusterView | None:
        """What is seen of a member; None if it is not registered. The same object as long as that is the same: what follows from it can be
        kept."""
        member = self._registered.get(name)
        if member is None:
            return None
        problem = self._problems.get(name)
        view = ClusterView(member, problem) if problem is not None else self._fleet.view(name)
        spec = self._specs[name]
        if view is None or not (spec.mirrors or spec.peers):
            return view
        seen, completed = self._completed.get(name, (None, view))
        if seen is not view or (completed.mirrors, completed.peers) != (spec.mirrors, spec.peers):
            completed = replace(view, mirrors=spec.mirrors, peers=spec.peers)
            self._completed[name] = view, completed
        return completed

    def views(self) -> Mapping[str, ClusterView]:
        """What is seen of every registered member, by name."""
        found = ((name, self.view(name)) for name in sorted(self._registered))
        return {name: view for name, view in found if view is not None}

    def seen(self, name: str, model: ModelRef) -> SeenWorkload:
        """What a member has of a model."""
        return self._fleet.seen(name, model)
