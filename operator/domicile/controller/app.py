"""The operator process: wait to lead, look at the hub, then watch and reconcile until told to stop."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

from domicile import kube, serving
from domicile.api import ClusterAttestation, RegionalCluster, SovereignModel
from domicile.controller import probes, watches
from domicile.controller.carry_out import CarryOut
from domicile.controller.clusters import Clusters
from domicile.controller.evidence import Evidence, Opening
from domicile.controller.hub import Hub, resource
from domicile.controller.leader import Lease
from domicile.controller.members import Members
from domicile.controller.models import Models
from domicile.controller.policies import ALL, Policies
from domicile.controller.queue import KeyedQueue
from domicile.controller.settings import Settings
from domicile.controller.store import Name, Store
from domicile.fleet import Connect, Fleet, Terms
from domicile.residency import HUB, MemberId

log = logging.getLogger(__name__)

LEASE = "domicile-operator"
_POLICIES_SETTLE = 1.0
"""Seconds until the status of policies follows: changes that come together are looked at once."""


class PartEnded(Exception):
    """Something that should go on until the operator is stopped has ended."""


class Operator:
    """One process of the operator, wired up."""

    def __init__(
        self,
        settings: Settings,
        client: kube.Api,
        endpoint: kube.Endpoint,
        opening: Opening,
        clock: Callable[[], datetime] = kube.system_clock,
        connect: Connect | None = None,
    ) -> None:
        """`client` is of the hub at `endpoint`, at which kopf watches over connections of its own; `opening` opens the log of evidence."""
        self._settings, self._client, self._endpoint = settings, client, endpoint
        self._store = Store()
        self._models: KeyedQueue[Name] = KeyedQueue()
        self._clusters: KeyedQueue[str] = KeyedQueue()
        self._lease = Lease(client, settings.namespace, LEASE, settings.identity, time.monotonic, settings.lease)
        self._hub = Hub(client, self._store, settings.namespace, settings.identity, clock, self._remembered)
        self._evidence = Evidence(
            opening,
            hub=lambda: self._store.hub.uid if self._store.hub is not None else "",
            epoch=lambda: self._lease.terms.current.epoch,
            models=self._store.model_uids,
            about={"identity": settings.identity, "version": version("domicile")},
            clock=clock,
            changed=self._wake_all,
            regions=settings.evidence_regions,
        )
        self._fleet = Fleet(
            self._member_changed,
            clock=clock,
            connect=connect,
            watch_seconds=settings.watch_seconds,
            may_act=lambda: self._lease.held,
            office=_Office(self._store, self._lease, self._evidence),
        )
        members = Members(self._fleet, clock)
        carry_out = CarryOut(self._hub, self._fleet, self._evidence, clock, lambda: self._lease.held, self._models.add)
        self._model_loop = Models(self._store, members, carry_out, self._evidence, clock, self._models.add_after)
        self._cluster_loop = Clusters(
            self._store,
            members,
            self._hub,
            clock,
            lambda: self._lease.held,
            self._clusters.add_after,
            self._wake_every_model,
        )
        self._policies: KeyedQueue[str] = KeyedQueue()
        self._policy_loop = Policies(
            self._store, self._hub, self._evidence, clock, lambda: self._lease.held, self._policies.add_after
        )
        self._looking = False

    @property
    def ready(self) -> bool:
        """Whether this process leads and has looked at the whole hub once."""
        return self._looking and self._lease.held

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Raises LeadershipLost, or what else ended it."""
        runner = None
        if self._settings.health_port:
            host, port = self._settings.health_host, self._settings.health_port
            runner = await probes.serve(host, port, lambda: self.ready)
        try:
            if await _first(self._lease.acquire(), stop.wait()):
                await self._lead(stop)
        finally:
            # What acts has ended: another process need not wait until all connections are closed.
            await self._evidence.close()
            await self._lease.release()
            await self._fleet.close()
            if runner is not None:
                await runner.cleanup()

    async def _lead(self, stop: asyncio.Event) -> None:
        handlers = watches.registry(self._on_object, self._endpoint)
        async with _together() as tasks:
            tasks.add(self._lease.keep())
            # Half a second of importing, beside the first look at the hub and not in the way of the first placement.
            asyncio.get_running_loop().run_in_executor(None, serving.load)
            tasks.add(watches.run(handlers, self._settings, stop))
            await self._look()
            tasks.add(self._evidence.keep())
            await self._evidence.tried()
            for name in self._store.clusters.names():
                await self._cluster_loop.connect(name[1])
            self._looking = True
            self._cluster_loop.forget_the_removed()
            log.info(
                "looking after %d models on %d clusters",
                len(self._store.models.names()),
                len(self._store.clusters.names()),
            )
            self._wake_all()
            tasks.add(self._resync())
            tasks.add(self._watch_secrets())
            tasks.add(self._clusters.work(self._cluster_loop.reconcile))
            tasks.add(self._policies.work(self._policy_loop.reconcile))
            for _ in range(self._settings.workers):
                tasks.add(self._models.work(self._model_loop.reconcile))
            await tasks.until(stop)

    async def _look(self) -> None:
        """List everything, consistently: nothing is decided on part of the picture."""
        for shelf in self._store.shelves():
            listed = await self._client.list(resource(shelf.kind))
            changed = shelf.reconcile(listed.items, listed.resource_version)
            self._changed(shelf.kind.info.plural, changed)
        namespaces = await self._client.list(kube.NAMESPACES)
        self._store.hub = _hub_identity(namespaces.items)
        self._changed("namespaces", {("", name) for name in self._store.namespaces.reconcile(namespaces.items)})

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(self._settings.resync)
            try:
                await self._look()
            except kube.KubeError as error:
                log.warning("the hub could not be listed: %s", error)

    async def _watch_secrets(self) -> None:
        """A kubeconfig that changed is used at once."""

        def changed(change: kube.Change) -> None:
            for cluster in self._store.clusters.readable():
                if cluster.spec.kubeconfig_secret_ref.name == change.key[1]:
                    self._clusters.add(cluster.metadata.name)

        secrets = kube.Reflector(
            self._client,
            kube.SECRETS,
            namespace=self._settings.namespace,
            on_change=changed,
            trim=_version_only,
        )
        await secrets.run()

    def _on_object(self, plural: str, event: str, raw: Mapping[str, Any]) -> None:
        deleted = event == "DELETED"
        meta = raw.get("metadata", {})
        name = (str(meta.get("namespace", "")), str(meta.get("name", "")))
        if plural == "namespaces":
            labels = self._store.namespaces
            changed = labels.remove(name[1]) if deleted else labels.put(raw)
        else:
            shelf = next(s for s in self._store.shelves() if s.kind.info.plural == plural)
            changed = shelf.remove(raw) if deleted else shelf.put(raw)
        if changed:
            self._changed(plural, {name})

    def _changed(self, plural: str, names: set[Name]) -> None:
        """Wake what these changes can affect."""
        if not self._looking or not names:
            return
        self._policies.add_after(ALL, _POLICIES_SETTLE)
        if plural == SovereignModel.info.plural:
            for name in names:
                self._models.add(name)
        elif plural == "namespaces":
            self._wake_models(lambda model: ("", model[0]) in names)
        else:
            if plural == RegionalCluster.info.plural:
                for name in names:
                    self._clusters.add(name[1])
            if plural == ClusterAttestation.info.plural:
                for name in self._store.clusters.names():
                    self._clusters.add(name[1])
            self._wake_every_model()

    def _remembered(self, plural: str) -> None:
        """What was written here is known here. Who wrote it looks again by itself; whether a policy is in use may have changed."""
        if plural == SovereignModel.info.plural:
            self._policies.add_after(ALL, _POLICIES_SETTLE)

    def _member_changed(self, cluster: str, model: tuple[str, str] | None) -> None:
        if not self._looking:
            return
        if model is not None:
            self._models.add(model)
        else:
            self._clusters.add(cluster)
            self._wake_every_model()

    def _wake_all(self) -> None:
        self._policies.add(ALL)
        for name in self._store.clusters.names():
            self._clusters.add(name[1])
        self._wake_every_model()

    def _wake_every_model(self) -> None:
        if self._looking:
            self._wake_models(lambda _: True)

    def _wake_models(self, affected: Callable[[Name], bool]) -> None:
        for name in self._store.models.names():
            if affected(name):
                self._models.add(name)


@dataclass(frozen=True)
class _Office:
    """As which hub members are claimed, and in which term."""

    store: Store
    lease: Lease
    evidence: Evidence

    @property
    def hub(self) -> str:
        return self.store.hub.uid if self.store.hub is not None else ""

    @property
    def terms(self) -> Terms:
        return self.lease.terms

    async def begin_after(self, epoch: int) -> None:
        await self.lease.begin_after(epoch)

    def evidence_head(self) -> str:
        return self.evidence.head

    def evidence_kept(self, member: str, note: str) -> None:
        self.evidence.kept(member, note)


def _hub_identity(namespaces: Iterable[kube.Object]) -> MemberId | None:
    """The hub is a cluster with an identity like any other, so that facts about it can be attested."""
    uids = [
        kube.shape.text(m.get("uid"))
        for each in namespaces
        if (m := kube.shape.metadata(each)).get("name") == "kube-system"
    ]
    return MemberId(HUB, uids[0]) if uids else None


def _version_only(secret: kube.Object) -> kube.Object:
    """That a Secret changed is all that is kept of it: what is in it is read when it is used."""
    meta = secret["metadata"]
    return {"metadata": {key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion")}}


async def _first(wanted: Any, other: Any) -> bool:
    """Whether `wanted` ended before `other`; the one that did not is cancelled."""
    tasks = [asyncio.ensure_future(wanted), asyncio.ensure_future(other)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    if tasks[0] in done:
        tasks[0].result()
        return True
    return False


class _Tasks:
    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []

    def add(self, work: Any) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for `stop`, or for the first task that ends: none of them should."""
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([stopping, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for task in done:
            # kopf, when it ends, cancels also what it did not start: what ended kopf is worth more than that.
            if task is not stopping and not task.cancelled():
                task.result()
        if not stop.is_set():
            raise PartEnded("a part of the operator ended by itself, and the rest is of no use without it")

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


@contextlib.asynccontextmanager
async def _together():
    tasks = _Tasks()
    try:
        yield tasks
    finally:
        await tasks.end()
