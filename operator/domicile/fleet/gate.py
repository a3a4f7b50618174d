"""The gate: the one function that writes workloads to a member. It asks for a permit, and checks it again at the write."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from domicile import fence, serving
from domicile.api import GRANTS
from domicile.fence import is_managed
from domicile.fleet import checks, discovery, kinds
from domicile.fleet.errors import (
    BeingDeleted,
    ForeignObject,
    IdentityMismatch,
    MemberOutOfSight,
    NamespaceNotOwned,
    NotLeading,
)
from domicile.fleet.granting import Granting
from domicile.fleet.heard import heard
from domicile.fleet.lookup import find
from domicile.fleet.marking import MARKED, marked, marking
from domicile.kube import NAMESPACES, Api, Conflict, Object, Resource, only_as, shape
from domicile.placement.view import Connected, OutOfSight
from domicile.residency import MemberId, ModelRef, Permit
from domicile.serving.workload import Workload


class Defence(Protocol):
    """What the gate needs of a member's fence."""

    def confirm(self) -> None:
        """Raise FenceNotInForce unless it is in force as far as is known."""
        ...

    async def holds_in(self, api: Api, namespace: Object, model: str = "") -> None:
        """Raise a GateError unless it is in force in that namespace, in which that model is about to be put right."""
        ...


class Site(Protocol):
    """What the gate needs of a member."""

    @property
    def id(self) -> MemberId:
        """Who it must be."""
        ...

    @property
    def api(self) -> Api | None:
        """The client, while there is one."""
        ...

    @property
    def sight(self) -> Connected | OutOfSight:
        """Whether it is in sight."""
        ...

    def cached(self, kind: Resource, name: str, namespace: str) -> Object | None:
        """One object as last seen."""
        ...

    @property
    def guard(self) -> Defence:
        """Its fence."""
        ...

    @property
    def mark(self) -> str:
        """Of the term in which it is written to: see fleet.claiming."""
        ...

    def distrust(self) -> None:
        """Another cluster answered: look at who it is before anything else."""
        ...


@dataclass(frozen=True)
class Applied:
    """The workload is on the member as the permit permits it."""

    written: tuple[str, ...]
    """What had to be written for that, as kind/name; empty if it was all there."""


MayAct = Callable[[], bool]
"""Whether this process still leads. A process that hung wakes up in the middle of an act."""


def always() -> bool:
    """For who has no lease."""
    return True


def leading(may_act: MayAct, site: Site) -> None:
    """Raise NotLeading unless this process may act."""
    if not may_act():
        raise NotLeading(f"nothing more is written to {site.id}: another process may lead now")


async def place(site: Site, permit: Permit, workload: Workload, now: datetime, may_act: MayAct = always) -> Applied:
    """Make the member have the workload. Writes only what is missing or drifted; may be called again at any time.

    Raises a GateError, with nothing written, where the permit does not cover it, the member is not in sight or not who
    it must be, or something foreign is in the way; a kube.KubeError where the member fails, with what was written before
    that left in place for the next call.
    """
    checks.covered(permit, site.id, workload, now)
    api = await open_site(site)
    still_valid = _deadline(site, permit, now, may_act)
    manifests = (*workload.companions, workload.inference_service)
    due = [manifest for manifest in manifests if not _in_step(site, manifest)]
    entry = serving.granted(workload, permit.until)
    cached = site.cached(kinds.GRANTS, GRANTS, workload.model.namespace)
    if not due and serving.entry_in(cached or {}, workload.model.name) == entry:
        return Applied(())
    written: list[str] = []
    namespace, changed = await _ensure_namespace(api, site, workload.namespace, still_valid)
    if changed:
        written.append(f"Namespace/{workload.model.namespace}")
    still_valid()
    granting = Granting(api, workload.model.namespace, site.mark)
    grants = await granting.found_or_made()
    await site.guard.holds_in(api, namespace, workload.model.name)
    if await _ensure_granted(granting, site, workload.model, entry, grants, still_valid):
        written.append(f"AdmissionGrant/{GRANTS}")
    for manifest in due:
        if await _ensure(api, site, workload.model, manifest, still_valid):
            written.append(f"{manifest['kind']}/{manifest['metadata']['name']}")
    return Applied(tuple(written))


async def open_site(site: Site) -> Api:
    """The client of a member that is in sight and is who it must be, asked just now: an address may lead to another
    cluster since the connection was made."""
    api = site.api
    if isinstance(site.sight, OutOfSight):
        raise MemberOutOfSight(site.id, site.sight.reason, site.sight.message)
    if api is None:
        raise MemberOutOfSight(site.id, "Connecting", "it is being connected to anew")
    try:
        await discovery.confirm_identity(api, site.id)
    except IdentityMismatch:
        site.distrust()
        raise
    return api


def _deadline(site: Site, permit: Permit, now: datetime, may_act: MayAct) -> Callable[[], None]:
    """A check, for each write, that the permit still holds, the lease and the fence: reading took time since `now`."""
    begun = asyncio.get_running_loop().time()

    def check() -> None:
        leading(may_act, site)
        site.guard.confirm()
        checks.in_time(permit, now + timedelta(seconds=asyncio.get_running_loop().time() - begun))

    return check


def _in_step(site: Site, manifest: Object) -> bool:
    """Whether the cache has it as it is wanted; among what has not drifted is the label with the model's UID."""
    metadata = manifest["metadata"]
    cached = site.cached(checks.resource_of(manifest), metadata["name"], metadata["namespace"])
    return cached is not None and not kinds.deleting(cached) and not serving.drift(manifest, cached)


async def _ensure_namespace(
    api: Api, site: Site, manifest: Object, still_valid: Callable[[], None]
) -> tuple[Object, bool]:
    """The namespace, and whether it had to be written."""
    name: str = manifest["metadata"]["name"]
    live = await find(api, NAMESPACES, name)  # Not from the cache: it may have changed hands since.
    if live is None:
        still_valid()
        try:
            # Created and not applied: applying would take over one that somebody else makes at this moment.
            return await api.create(NAMESPACES, manifest, field_manager=kinds.FIELD_MANAGER), True
        except Conflict:
            live = await api.get(NAMESPACES, name)
    if not is_managed(shape.labels(live)):
        raise NamespaceNotOwned(
            f"namespace {name} of {site.id} is there already and is not Domicile's, which takes none over. Give the model"
            " another namespace, or remove that one"
        )
    if kinds.deleting(live):
        raise BeingDeleted(f"namespace {name} of {site.id} is being deleted; it is made anew once it is gone")
    if not serving.drift(manifest, live):
        return live, False
    still_valid()
    wanted = {**manifest, "metadata": {**manifest["metadata"], "uid": live["metadata"]["uid"]}}
    return await api.apply(NAMESPACES, wanted, field_manager=kinds.FIELD_MANAGER, force=True), True


async def _ensure_granted(
    granting: Granting,
    site: Site,
    model: ModelRef,
    entry: Mapping[str, Any],
    grants: Object,
    still_valid: Callable[[], None],
) -> bool:
    """Whether the entry had to be written."""
    there = serving.entry_in(grants, model.name)
    if there == entry:
        return False
    if there is not None and there.get("uid") != model.uid:
        raise ForeignObject(
            f"what {model} may run on {site.id} is granted to another model of that name (UID {there.get('uid')}), which is not"
            " withdrawn yet"
        )
    still_valid()
    await granting.grant(entry)
    return True


async def _ensure(api: Api, site: Site, model: ModelRef, manifest: Object, still_valid: Callable[[], None]) -> bool:
    """Whether the manifest had to be written."""
    kind = checks.resource_of(manifest)
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    # The cache may lag behind our own last write: before writing, look.
    live = await find(api, kind, name, namespace)
    if live is None:
        precondition = {}
    else:
        _accept(live, model, site, manifest["kind"])
        if not serving.drift(manifest, live):
            return False
        live = await _as_ours_alone(api, site, kind, manifest, live, still_valid)
        if not serving.drift(manifest, live):
            return True
        # If it is deleted and made anew by somebody else meanwhile, the server refuses this.
        precondition = {"uid": live["metadata"]["uid"]}
    still_valid()
    wanted = {**manifest, "metadata": {**manifest["metadata"], **precondition}}
    if kind in MARKED:
        wanted = marked(wanted, site.mark)
    await heard(fence.TERMS, lambda: api.apply(kind, wanted, field_manager=kinds.FIELD_MANAGER, force=True))
    return True


async def _as_ours_alone(
    api: Api, site: Site, kind: Resource, manifest: Object, live: Object, still_valid: Callable[[], None]
) -> Object:
    """The object without what others added to run, load or let through. Applying would not take it away: the fields are theirs."""
    changes = [{"op": "remove", "path": stray.pointer} for stray in serving.strays(manifest, live)]
    if serving.word_by_word(manifest) and live.get("spec") != manifest["spec"]:
        changes = [{"op": "replace", "path": "/spec", "value": manifest["spec"]}]
    if not changes:
        return live
    still_valid()
    metadata = live["metadata"]
    steps = [only_as(metadata["resourceVersion"]), *changes, *([marking(live, site.mark)] if kind in MARKED else [])]
    name, namespace = metadata["name"], metadata["namespace"]
    return await heard(
        fence.TERMS, lambda: api.json_patch(kind, name, steps, namespace, field_manager=kinds.FIELD_MANAGER)
    )


def _accept(live: Object, model: ModelRef, site: Site, kind: str) -> None:
    where = f"{kind} {model} of {site.id}"
    if not kinds.may_write(live, model):
        uid = shape.labels(live).get(kinds.MODEL_UID)
        whose = f"belongs to another model of that name (UID {uid})" if uid else "was not made by Domicile"
        raise ForeignObject(
            f"{where} is there already and {whose}: it is left as it is. Remove it, or rename the model"
        )
    if kinds.deleting(live):
        raise BeingDeleted(f"{where} is being deleted; it is made anew once it is gone")
