"""One reconcile of a RegionalCluster: connect to the member it names, and report what is seen of it."""

import logging
from collections.abc import Callable
from datetime import datetime

from domicile import kube
from domicile.api import Condition
from domicile.controller.hub import Hub
from domicile.controller.members import Members
from domicile.controller.store import Store, Unreadable
from domicile.decision.clusterstatus import cluster_status, look_again
from domicile.decision.decide import CONNECTING
from domicile.decision.events import Told, fit
from domicile.placement.view import OutOfSight

log = logging.getLogger(__name__)

_RETRY = 5.0
_LONGEST = 3600.0
"""The clock of the hub may be set meanwhile, and a timer does not take a hundred years."""


class Clusters:
    """Reconciles members, one at a time each."""

    def __init__(
        self,
        store: Store,
        members: Members,
        hub: Hub,
        clock: Callable[[], datetime],
        may_act: Callable[[], bool],
        look_again: Callable[[str, float], None],
        changed: Callable[[], None],
    ) -> None:
        self._store, self._members, self._hub, self._changed = store, members, hub, changed
        self._clock, self._may_act, self._look_again = clock, may_act, look_again

    async def reconcile(self, name: str) -> None:
        """Bring one member's connection and status in step. Never raises: what went wrong is tried again later."""
        try:
            await self._reconcile(name)
        except kube.Conflict:
            self._look_again(name, 0.1)
        except kube.KubeError as error:
            log.info("RegionalCluster %s is tried again: %s", name, error)
            self._look_again(name, _RETRY)
        except Exception:
            log.exception("reconciling RegionalCluster %s failed", name)
            self._look_again(name, _RETRY)

    async def connect(self, name: str) -> None:
        """Register the member with its kubeconfig as it is now. Tells if that changed what is seen of it: a member that
        was dropped tells nothing itself."""
        before = self._members.view(name)
        await self._connect(name)
        if self._members.view(name) != before:
            self._changed()

    def forget_the_removed(self) -> None:
        """Unregister members whose RegionalCluster is no more, where nobody was listening when it went."""
        known = {name for _, name in self._store.clusters.names()}
        gone = [name for name in self._members.views() if name not in known]
        for name in gone:
            self._members.unregister(name)
        if gone:
            self._changed()

    async def _connect(self, name: str) -> None:
        cluster = self._store.clusters.get(("", name))
        if isinstance(cluster, Unreadable):
            log.warning("RegionalCluster %s cannot be read, and stays as it was: %s", name, cluster.why)
            return
        if cluster is None:
            self._members.unregister(name)
            return
        self._members.register(cluster, await self._hub.kubeconfig(cluster.spec.kubeconfig_secret_ref))

    async def _reconcile(self, name: str) -> None:
        await self.connect(name)
        cluster, view = self._store.clusters.get(("", name)), self._members.view(name)
        if cluster is None or isinstance(cluster, Unreadable) or view is None or not self._may_act():
            return
        if isinstance(view.connection, OutOfSight) and view.connection.reason == CONNECTING:
            return  # The outcome comes by itself, within seconds.
        law, now = self._store.engine().law, self._clock()
        status = cluster_status(cluster, view, law, now)
        if until := look_again(view, law, now):
            self._look_again(name, min((until - now).total_seconds(), _LONGEST))
        if status == cluster.status:
            return
        await self._hub.write_cluster_status(cluster, status)
        before = {c.type: c for c in cluster.status.conditions} if cluster.status else {}
        for condition in status.conditions:
            if told := _told(condition, before.get(condition.type)):
                await self._hub.tell(cluster, told)


def _told(now: Condition, before: Condition | None) -> Told | None:
    """The event of a change in Ready, which says of a fence that is down too, or of nodes that contradict what was attested."""
    if before is not None and (before.status, before.reason) == (now.status, now.reason):
        return None
    occasion = now.last_transition_time.isoformat()
    if now.type == "Ready":
        kind = "Normal" if now.status == "True" else "Warning"
        return Told(kind, now.reason, "Connect", now.message, occasion=occasion)
    if now.type == "FactsConsistent" and now.status == "False":
        return Told("Warning", now.reason, "Compare", fit(now.message), occasion=occasion)
    return None
