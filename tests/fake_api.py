"""A fake kube.Api in memory, for what has to be seen without a cluster. tests/fleet asks real API servers the same."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import builders
from domicile import fence, kube
from domicile.api import CLAIM_MARK, MemberIdentities
from domicile.fleet import Term, Terms, kinds
from domicile.kube import errors
from domicile.placement import Connected, OutOfSight
from domicile.residency import MemberId

HUB = builders.member("hub").uid
TERMS = Terms(Term(4, "a4"), (Term(2, "a2"), Term(3, "a3")))
MARK = f"{HUB}/{TERMS.current}"
FENCE = fence.fence_of(MemberIdentities())
Where = tuple[kube.Resource, str, str]


class FakeApi:
    """Objects by kind, namespace and name. Records every write; `before` is called with each request's verb and path. It has the
    fence already, unless a test says otherwise."""

    server = "https://sg.example"

    def __init__(self, member: MemberId | None = None, *, fenced: bool = True) -> None:
        self.objects: dict[Where, dict[str, Any]] = {}
        self.writes: list[str] = []
        self.deletes: list[tuple[str, str | None, str]] = []
        self.before: Callable[[str, str], None] = lambda verb, path: None
        self.watchers: dict[kube.Resource, list[asyncio.Queue[kube.WatchEvent]]] = {}
        self.closed = False
        self.served: set[kube.Resource] | None = None
        """Kinds that are served; None for all."""
        self.probed: Callable[[kube.Object], kube.Object] = self._as_the_fence_says
        self.put(kube.NAMESPACES, {"metadata": {"name": "kube-system", "uid": (member or builders.member()).uid}})
        if fenced:
            self.put(kube.NAMESPACES, FENCE.namespace())
            for kind in fence.member_kinds():
                self.put(kube.CUSTOM_RESOURCE_DEFINITIONS, kind)
            self.put(kinds.CLAIMS, claimed())
            self.put(kinds.GRANTS, _no_grants(fence.PROBED_NAMESPACE))
            for manifest in FENCE.manifests():
                self.put(kinds.FENCE[manifest["kind"]], manifest)
            for manifest in fence.isolation(fence.PROBED_NAMESPACE):
                self.put(kinds.ISOLATION[manifest["kind"]], manifest)

    def put(self, kind: kube.Resource, manifest: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
        given = {"uid": builders.uid(f"{kind}/{manifest['metadata']['name']}"), "resourceVersion": "2"}
        meta = {**given, **manifest["metadata"], **metadata}
        made = copy.deepcopy({**manifest, "metadata": meta})
        where = (kind, meta.get("namespace", ""), meta["name"])
        self._tell("MODIFIED" if where in self.objects else "ADDED", kind, made)
        self.objects[where] = made
        return made

    def remove(self, kind: kube.Resource, name: str, namespace: str = "") -> None:
        self._tell("DELETED", kind, self.objects.pop((kind, namespace, name)))

    @property
    def watching(self) -> int:
        """How many watches are open."""
        return sum(len(queues) for queues in self.watchers.values())

    async def get(self, resource: kube.Resource, name: str, namespace: str | None = None, **_: Any) -> kube.Object:
        self._asked("GET", resource.path(name, namespace))
        await asyncio.sleep(0)
        found = self.objects.get((resource, namespace or "", name))
        if found is None or not self._serves(resource):
            raise self._error(404, "NotFound")
        return found

    async def list(
        self, resource: kube.Resource, namespace: str | None = None, *, label_selector: str | None = None, **_: Any
    ) -> kube.Page:
        self._asked("LIST", resource.collection(namespace))
        if not self._serves(resource):
            raise self._error(404, "NotFound")
        found = [
            manifest
            for (kind, where, _name), manifest in self.objects.items()
            if kind == resource and namespace in (None, where) and _selected(manifest, label_selector)
        ]
        return kube.Page(tuple(found), "1")

    async def create(
        self, resource: kube.Resource, manifest: kube.Object, namespace: str | None = None, *, field_manager: str
    ) -> kube.Object:
        name = manifest["metadata"]["name"]
        self._asked("POST", resource.path(name, manifest["metadata"].get("namespace", namespace)))
        self._as_terms_say(resource, manifest)
        if (resource, manifest["metadata"].get("namespace", ""), name) in self.objects:
            raise self._error(409, "AlreadyExists")
        self.writes.append(f"create {manifest['kind']}/{name}")
        return self.put(resource, manifest)

    async def apply(
        self, resource: kube.Resource, manifest: kube.Object, *, field_manager: str, force: bool = False, **_: Any
    ) -> kube.Object:
        meta = manifest["metadata"]
        self._asked("PATCH", resource.path(meta["name"], meta.get("namespace")))
        live = self.objects.get((resource, meta.get("namespace", ""), meta["name"]))
        if "uid" in meta and (live is None or live["metadata"]["uid"] != meta["uid"]):
            raise self._error(409, "Conflict")
        self.writes.append(f"apply {manifest['kind']}/{meta['name']}")
        entry_of = field_manager.removeprefix("domicile:") if resource == kinds.GRANTS else ""
        assert (field_manager, force) == (f"domicile:{entry_of}" if entry_of else "domicile", True)
        self._as_terms_say(resource, manifest)
        if entry_of:
            manifest = _with_others(manifest, live, entry_of)
        made = self.put(resource, _merged(live or {}, manifest))
        owned = {f"f:{label}": {} for label in meta.get("labels", {})}
        entry = {"manager": field_manager, "operation": "Apply", "fieldsV1": {"f:metadata": {"f:labels": owned}}}
        made["metadata"]["managedFields"] = [entry]
        return made

    def relabel(self, kind: kube.Resource, name: str, namespace: str, **labels: str) -> None:
        """As somebody else does it: the labels that change are no longer those of the manager who applied them."""
        meta = self.objects[(kind, namespace, name)]["metadata"]
        meta["labels"] = {**meta["labels"], **labels}
        for entry in meta["managedFields"]:
            for label in labels:
                entry["fieldsV1"]["f:metadata"]["f:labels"].pop(f"f:{label}", None)

    async def delete(
        self,
        resource: kube.Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        propagation: kube.Propagation = "Background",
    ) -> None:
        self._asked("DELETE", resource.path(name, namespace))
        live = self.objects.get((resource, namespace or "", name))
        if live is None:
            raise self._error(404, "NotFound")
        if uid is not None and live["metadata"]["uid"] != uid:
            raise self._error(409, "Conflict")
        self._as_removals_say(live)
        self.deletes.append((f"{resource.plural}/{name}", uid, propagation))
        if propagation == "Foreground":
            live["metadata"]["deletionTimestamp"] = "2026-11-23T09:00:00Z"
        else:
            del self.objects[(resource, namespace or "", name)]

    async def raw(self, method: str, path: str, *, body: kube.Object | None = None, **_: Any) -> Any:
        self._asked(method, path)
        if method == "POST" and body is not None:
            return self.probed(body)
        if path == "/version":
            return {"gitVersion": "v1.36.3"}
        known = (*kinds.SERVING_KINDS, *kinds.OF_THE_FENCE)
        found = [kind.plural for kind in known if kind.root == path and self._serves(kind)]
        if not found:
            raise self._error(404, "NotFound")
        return {"resources": [{"name": plural} for plural in found]}

    def _as_the_fence_says(self, probe: kube.Object) -> kube.Object:
        """As a member does whose API server acts at once on the fence that was written there."""
        for policy in FENCE.policies:
            there = (kube.VALIDATING_ADMISSION_POLICIES, "", policy.name) in self.objects
            if there and policy.probe.object_name == probe["metadata"]["name"]:
                refusal = f"ValidatingAdmissionPolicy '{policy.name}' denied request: {policy.probe.says(FENCE.digest)}"
                raise errors.from_status(403, {"reason": "Forbidden", "message": refusal}, "fake")
        return probe

    def _as_terms_say(self, resource: kube.Resource, manifest: kube.Object) -> None:
        """A grant is written in the term of the claim."""
        live = self.objects.get((kinds.CLAIMS, "", "domicile"))
        if resource == kinds.GRANTS and live is not None:
            mark = manifest["metadata"]["annotations"][CLAIM_MARK]
            if mark != (claim := "{hub}/{epoch}/{token}".format(**live["spec"])):
                raise self._refused(fence.TERMS, f"{mark} is not {claim}")

    def _as_removals_say(self, live: kube.Object) -> None:
        """What is granted is not deleted."""
        if (kube.VALIDATING_ADMISSION_POLICIES, "", fence.REMOVALS) not in self.objects:
            return
        meta = live["metadata"]
        grant = self.objects.get((kinds.GRANTS, meta.get("namespace", ""), "grants"))
        granted = {(each["name"], each["uid"]) for each in (grant or {"spec": {}})["spec"].get("models", [])}
        if (meta["name"], meta.get("labels", {}).get("domicile.dev/model-uid")) in granted:
            raise self._refused(fence.REMOVALS, "it is granted")

    @staticmethod
    def _refused(policy: str, why: str) -> kube.ApiError:
        message = f"ValidatingAdmissionPolicy '{policy}' with binding '{policy}' denied request: {why}"
        return errors.from_status(403, {"reason": "Forbidden", "message": message}, "fake")

    async def apply_status(self, *_: Any, **__: Any) -> kube.Object:
        raise NotImplementedError

    async def patch(self, *_: Any, **__: Any) -> kube.Object:
        raise NotImplementedError

    async def patch_status(self, *_: Any, **__: Any) -> kube.Object:
        raise NotImplementedError

    async def json_patch(
        self,
        resource: kube.Resource,
        name: str,
        operations: Sequence[kube.Object],
        namespace: str | None = None,
        *,
        field_manager: str,
        **_: Any,
    ) -> kube.Object:
        """Knows the guard by resourceVersion, and to add, replace or remove a field."""
        self._asked("PATCH", resource.path(name, namespace))
        made = copy.deepcopy(self.objects[(resource, namespace or "", name)])
        self.writes.append(f"json_patch {made['kind']}/{name}")
        wanted = [each for each in operations if each["path"].endswith(CLAIM_MARK.replace("/", "~1"))]
        assert wanted or resource != kinds.GRANTS, "a grant is written in a term"
        for operation in operations:
            *way, last = operation["path"].split("/")[1:]
            at: Any = made
            for step in way:
                at = at[int(step) if isinstance(at, list) else step]
            last = last.replace("~1", "/")
            if operation["op"] == "add":
                at[last] = operation["value"]
            if operation["op"] == "replace":
                if last == "resourceVersion" and operation["value"] != at[last]:
                    raise self._error(409, "Conflict")
                at[last] = operation["value"]
            if operation["op"] == "remove":
                del at[int(last) if isinstance(at, list) else last]
        return self.put(resource, made)

    async def pages(
        self, resource: kube.Resource, namespace: str | None = None, *, label_selector: str | None = None, **_: Any
    ) -> AsyncIterator[kube.Page]:
        yield await self.list(resource, namespace, label_selector=label_selector)

    @asynccontextmanager
    async def watch(
        self, resource: kube.Resource, namespace: str | None = None, *, label_selector: str | None = None, **_: Any
    ) -> AsyncIterator[AsyncIterator[kube.WatchEvent]]:
        self._asked("WATCH", resource.collection(namespace))
        events: asyncio.Queue[kube.WatchEvent] = asyncio.Queue()

        async def told() -> AsyncIterator[kube.WatchEvent]:
            while True:
                event = await events.get()
                if _selected(event.object, label_selector):
                    yield event

        self.watchers.setdefault(resource, []).append(events)
        try:
            yield told()
        finally:
            self.watchers[resource].remove(events)

    async def close(self) -> None:
        self.closed = True

    def _tell(self, what: Any, kind: kube.Resource, manifest: dict[str, Any]) -> None:
        told = {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": "2"}}
        for queue in self.watchers.get(kind, []):
            queue.put_nowait(kube.WatchEvent(what, told))

    def _serves(self, resource: kube.Resource) -> bool:
        return self.served is None or resource in self.served

    def _asked(self, verb: str, path: str) -> None:
        self.before(verb, path)

    @staticmethod
    def _error(status: int, reason: str) -> kube.ApiError:
        return errors.from_status(status, {"reason": reason, "message": "fake"}, "fake")


class FakeOffice:
    """A process that leads. A term that it is told to begin is begun, and costs nothing."""

    def __init__(self) -> None:
        self.hub, self.terms = HUB, TERMS
        self.head = ""
        """Of its evidence."""
        self.kept: list[tuple[str, str]] = []
        """What members keep of it, as it was told."""
        self.refuses: Exception | None = None
        """Raised when it is told the next time."""

    def evidence_head(self) -> str:
        return self.head

    def evidence_kept(self, member: str, note: str) -> None:
        self.kept.append((member, note))
        if self.refuses is not None:
            raise self.refuses

    async def begin_after(self, epoch: int) -> None:
        self.terms = self.terms.begin_after(epoch, "b")


def claimed(by: str = HUB, until: datetime = builders.TOMORROW, epoch: int = 4, token: str = "a4") -> dict[str, Any]:
    """The claim of a hub."""
    spec = {
        "hub": by,
        "epoch": epoch,
        "token": token,
        "notAfter": until.isoformat().replace("+00:00", "Z"),
        "connections": [],
    }
    return {"apiVersion": kinds.CLAIMS.api_version, "kind": "HubClaim", "metadata": {"name": "domicile"}, "spec": spec}


def _no_grants(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": kinds.GRANTS.api_version,
        "kind": "AdmissionGrant",
        "metadata": {"name": "grants", "namespace": namespace, "annotations": {CLAIM_MARK: MARK}},
        "spec": {},
    }


def _with_others(manifest: kube.Object, live: kube.Object | None, name: str) -> kube.Object:
    """As the API server does it with a list by name: a manager's own entry is replaced, or goes, and the others stay."""
    others = [each for each in (live or {"spec": {}})["spec"].get("models", []) if each["name"] != name]
    return {**manifest, "spec": {"models": [*others, *manifest["spec"]["models"]]}}


def _merged(live: Any, applied: Any) -> Any:
    """As server-side apply does it with maps: what others added stays. Lists are replaced."""
    if not isinstance(live, Mapping) or not isinstance(applied, Mapping):
        return applied
    return {**live, **{key: _merged(live.get(key), value) for key, value in applied.items()}}


def _selected(manifest: kube.Object, selector: str | None) -> bool:
    key, equals, value = (selector or "").partition("=")
    labels = manifest["metadata"].get("labels", {})
    return not key or (labels.get(key) == value if equals else key in labels)


class FakeDefence:
    """A fence that is in force, or not, as a test says."""

    def __init__(self) -> None:
        self.problem: Exception | None = None
        self.asked: list[str] = []

    def confirm(self) -> None:
        if self.problem is not None:
            raise self.problem

    async def holds_in(self, api: kube.Api, namespace: kube.Object, model: str = "") -> None:
        self.asked.append(namespace["metadata"]["name"])
        self.confirm()


class FakeSite:
    """What the gate needs of a member, over a FakeApi. Its cache holds what a test puts there, stale or not. Its fence is in
    force unless a test says otherwise."""

    def __init__(self, api: FakeApi, member: MemberId | None = None) -> None:
        self.id = member or builders.member()
        self.api: kube.Api | None = api
        self.sight: Connected | OutOfSight = Connected("v1.36.3")
        self.cache: dict[Where, kube.Object] = {}
        self.distrusted = False
        self.guard = FakeDefence()
        self.mark = MARK

    def cached(self, kind: kube.Resource, name: str, namespace: str) -> kube.Object | None:
        return self.cache.get((kind, namespace, name))

    def distrust(self) -> None:
        self.distrusted = True
