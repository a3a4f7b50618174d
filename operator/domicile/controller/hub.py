"""Writing to the hub: finalizers, status, events. Every write says which version it is based on, and none is made twice."""

import base64
import binascii
import hashlib
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from domicile import kube
from domicile.api import (
    GROUP,
    VERSION,
    Kind,
    ModelRemnant,
    RegionalCluster,
    RegionalClusterStatus,
    ResidencyPolicy,
    ResidencyPolicyStatus,
    SovereignModel,
    SovereignModelStatus,
)
from domicile.api.regionalcluster import KubeconfigSecretRef
from domicile.api.sovereignmodel import FINALIZER
from domicile.controller.microtime import micro_time
from domicile.controller.store import Store
from domicile.decision.events import Told

log = logging.getLogger(__name__)

MANAGER = "domicile"
"""Our field manager on the hub."""
DECISION = "domicile.dev/decision"
"""Annotation of an Event: digest of the decision's record in the evidence."""


def resource(kind: type[Kind]) -> kube.Resource:
    """Where the API server has a kind of ours."""
    return kube.Resource(GROUP, VERSION, kind.info.plural, namespaced=kind.info.scope == "Namespaced")


class Hub:
    """The hub's API server, as far as the controller writes there."""

    def __init__(
        self,
        client: kube.Api,
        store: Store,
        namespace: str,
        instance: str,
        clock: Callable[[], datetime],
        remembered: Callable[[str], None],
    ) -> None:
        """`remembered` is told the plural of the kind whenever an answer changed the store: the watch's event of that same write
        changes nothing any more, and wakes nobody."""
        self._client, self._store = client, store
        self._namespace, self._instance, self._clock = namespace, instance, clock
        self._remembered = remembered

    async def add_finalizer(self, model: SovereignModel | ModelRemnant) -> None:
        """Add ours. Raises kube.Conflict if the model has changed since it was read."""
        finalizers = [*model.metadata.finalizers, FINALIZER]
        await self._write_finalizers(model, finalizers)

    async def release_finalizer(self, model: SovereignModel | ModelRemnant) -> None:
        """Take ours away. A model that is gone already is fine."""
        finalizers = [name for name in model.metadata.finalizers if name != FINALIZER]
        try:
            await self._write_finalizers(model, finalizers)
        except kube.NotFound:
            meta = model.metadata
            gone = {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid}
            if self._store.models.remove({"metadata": gone}):
                self._remembered(SovereignModel.info.plural)

    async def write_status(self, model: SovereignModel | ModelRemnant, status: SovereignModelStatus) -> None:
        """Replace the status. Raises kube.Conflict if the model has changed since it was read."""
        await self._write_status(model, status.wire())

    async def write_cluster_status(self, cluster: RegionalCluster, status: RegionalClusterStatus) -> None:
        """Replace the status. Raises kube.Conflict if the object has changed since it was read."""
        await self._write_status(cluster, status.wire())

    async def write_policy_status(self, policy: ResidencyPolicy, status: ResidencyPolicyStatus) -> None:
        """Replace the status. Raises kube.Conflict if the object has changed since it was read."""
        await self._write_status(policy, status.wire())

    async def kubeconfig(self, ref: KubeconfigSecretRef) -> str | None:
        """The kubeconfig in a Secret of the operator's namespace; None if there is no such Secret or key."""
        try:
            secret = await self._client.get(kube.SECRETS, ref.name, self._namespace)
        except kube.NotFound:
            return None
        encoded: object = kube.shape.mapping(secret.get("data")).get(ref.key)
        if not isinstance(encoded, str):
            return None
        try:
            return base64.b64decode(encoded).decode()
        except (binascii.Error, UnicodeDecodeError):
            return ""

    async def tell(self, about: Kind, told: Told, decision: str = "") -> None:
        """Write an Event, or count it once more if the same was told before. Events are for people: a failure is logged
        and nothing waits for it. `decision` is the digest of the record that it follows from."""
        manifest = self._event(about, told)
        if decision:
            manifest["metadata"]["annotations"] = {DECISION: decision}
        name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
        try:
            await self._client.create(kube.EVENTS, manifest, namespace, field_manager=MANAGER)
        except kube.Conflict:
            await self._count(name, namespace)
        except kube.KubeError as error:
            log.warning("event %s about %s was not written: %s", told.reason, about.metadata.name, error)

    async def _count(self, name: str, namespace: str) -> None:
        try:
            live = await self._client.get(kube.EVENTS, name, namespace)
            count = int(kube.shape.mapping(live.get("series")).get("count", 1)) + 1
            series = {"count": count, "lastObservedTime": micro_time(self._clock())}
            await self._client.patch(kube.EVENTS, name, {"series": series}, namespace, field_manager=MANAGER)
        except kube.KubeError as error:
            log.warning("event %s/%s was not counted: %s", namespace, name, error)

    async def _write_finalizers(self, model: SovereignModel | ModelRemnant, finalizers: list[str]) -> None:
        meta = model.metadata
        # The resourceVersion makes the API server compare it: Conflict if the model has changed.
        change = {"metadata": {"resourceVersion": meta.resource_version, "finalizers": finalizers}}
        where = resource(SovereignModel)
        self._remember(model, await self._client.patch(where, meta.name, change, meta.namespace, field_manager=MANAGER))

    async def _write_status(self, about: Kind, status: dict[str, Any]) -> None:
        meta = about.metadata
        # A replace, as a whole: server-side apply makes null of a map in a list entry that becomes empty, and then
        # refuses it.
        operations = [
            kube.only_as(meta.resource_version),
            {"op": "add", "path": "/status", "value": status},
        ]
        where, namespace = resource(type(about)), meta.namespace or None
        answer = await self._client.json_patch(
            where, meta.name, operations, namespace, field_manager=MANAGER, subresource="status"
        )
        self._remember(about, answer)

    def _remember(self, about: Kind, answer: kube.Object) -> None:
        """Read our own writes: the watch may tell of them later, or never."""
        shelf = next(shelf for shelf in self._store.shelves() if shelf.kind.info is about.info)
        meta = kube.shape.metadata(answer)
        # With its last finalizer it went, and the answer is the last that is heard of it.
        gone = "deletionTimestamp" in meta and not meta.get("finalizers")
        if shelf.remove(answer) if gone else shelf.put(answer):
            self._remembered(about.info.plural)

    def _event(self, about: Kind, told: Told) -> dict[str, Any]:
        meta, info = about.metadata, about.info
        said = "\0".join((meta.uid, told.type, told.reason, told.action, told.note, told.cluster, told.occasion))
        namespace = meta.namespace or "default"
        event: dict[str, Any] = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            # The name is made of what is said: saying it again, even after a crash, is no second event.
            "metadata": {
                "name": f"{meta.name}.{hashlib.sha256(said.encode()).hexdigest()[:16]}",
                "namespace": namespace,
            },
            "eventTime": micro_time(self._clock()),
            "reportingController": "domicile.dev/controller",
            "reportingInstance": self._instance,
            "type": told.type,
            "reason": told.reason,
            "action": told.action,
            "note": told.note,
            "regarding": {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": info.kind,
                "name": meta.name,
                "namespace": meta.namespace,
                "uid": meta.uid,
                "resourceVersion": meta.resource_version,
            },
        }
        if told.cluster:
            event["related"] = {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": RegionalCluster.info.kind,
                "name": told.cluster,
            }
        return event
