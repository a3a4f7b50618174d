"""Withdrawing a model from a member: needs no permit, deletes only what is the model's, and proves that nothing is left."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from domicile import fence
from domicile.fleet import gate, kinds, sight
from domicile.fleet.gate import Site
from domicile.fleet.granting import Granting, granted_to
from domicile.fleet.heard import heard
from domicile.fleet.lookup import find, listed
from domicile.kube import (
    NAMESPACES,
    NETWORK_POLICIES,
    NODES,
    PODS,
    Api,
    Conflict,
    NotFound,
    Object,
    Propagation,
    Resource,
    shape,
)
from domicile.residency import ModelRef
from domicile.serving.workload import MODEL_LABEL

Found = Mapping[Resource, tuple[Object, ...]]


@dataclass(frozen=True)
class Withdrawn:
    """Nothing of the model is on the member: its API server was asked, after everything was deleted."""


@dataclass(frozen=True)
class Withdrawing:
    """Something is still there."""

    left: tuple[str, ...]
    """As kind/name."""
    unknown: tuple[str, ...] = ()
    """What is to be said of pods whose nodes tell nothing. They stay until the node says that they ended, or is removed itself."""


async def withdraw(site: Site, model: ModelRef, may_act: gate.MayAct = gate.always) -> Withdrawn | Withdrawing:
    """Delete what is there of the model, and say what is left. Call again until Withdrawn.

    What it was granted goes first, so that no pod of it begins any more; the member refuses the rest before that, so that only who may
    write grants may delete. Then the InferenceService, and with it what KServe made of it; the ServingRuntime, the NetworkPolicy and
    the ServiceAccount go once no pod is left that uses them. The namespace stays: there may be things in it that are not ours. What is told as left is
    more than what is deleted: a label can be changed by whoever may edit there, and must not hide what runs. Raises MemberOutOfSight,
    IdentityMismatch or a kube.KubeError.
    """
    api = await gate.open_site(site)
    found = await _find(api, model, (kinds.INFERENCE_SERVICES, *kinds.MADE_BY_KSERVE))
    found = await _with_named(api, kinds.INFERENCE_SERVICES, model, found)
    companions = await _companions(api, model)
    gate.leading(may_act, site)
    granting = Granting(api, model.namespace, site.mark)
    grant = await granting.find()
    if granted_to(grant, model) or any(found.values()):
        await _have_namespace(site, api, model.namespace)
    if granted_to(grant, model):
        await granting.take_back(model.name)
    await _delete(api, model, {kinds.INFERENCE_SERVICES: found[kinds.INFERENCE_SERVICES]})
    workload_left = _names(found)
    if not workload_left and any(companions.values()):
        gate.leading(may_act, site)
        await _delete(api, model, companions)
        companions = await _companions(api, model)
    left = (*workload_left, *_names(companions))
    return Withdrawing(left, tuple(_unknown(site, found[PODS]))) if left else Withdrawn()


async def _find(api: Api, model: ModelRef, of: Iterable[Resource]) -> Found:
    """What says that it is of a model of that name, of whatever UID, as it is now: asked of the server, because a cache may
    lag."""
    asked = tuple(of)
    selector = f"{MODEL_LABEL}={model.name}"
    found = await asyncio.gather(*(listed(api, kind, model.namespace, selector) for kind in asked))
    return dict(zip(asked, found, strict=True))


async def _companions(api: Api, model: ModelRef) -> Found:
    return await _with_named(api, NETWORK_POLICIES, model, await _find(api, model, kinds.COMPANIONS))


async def _with_named(api: Api, kind: Resource, model: ModelRef, found: Found) -> Found:
    """Also the object of the model's name that bears any mark of Domicile, whatever became of its labels: it runs, or lets through."""
    if any(sight.name_of(manifest) == model.name for manifest in found[kind]):
        return found
    named = await find(api, kind, model.name, model.namespace)
    ours = named is not None and kinds.bears_our_mark(named)
    return {**found, kind: (*found[kind], named)} if named is not None and ours else found


async def _delete(api: Api, model: ModelRef, found: Found) -> None:
    for kind, objects in found.items():
        for manifest in objects:
            metadata = shape.metadata(manifest)
            if "deletionTimestamp" in metadata or not kinds.may_write(manifest, model):
                continue
            try:
                await heard(fence.REMOVALS, partial(_deleted, api, kind, metadata))
            except (NotFound, Conflict):  # Gone already, or another object of that name by now: the next look tells.
                continue


async def _have_namespace(site: Site, api: Api, name: str) -> None:
    """Make the namespace of something that outlived it, an AdmissionGrant too: of what is in no namespace the API server cannot
    tell whether a policy is for it, and lets it neither be changed nor deleted. What is written while its namespace is being
    deleted may be left so."""
    if site.cached(NAMESPACES, name, "") is None and await find(api, NAMESPACES, name) is None:
        with contextlib.suppress(Conflict):  # Somebody else made it.
            await api.create(NAMESPACES, fence.namespace(name), field_manager=kinds.FIELD_MANAGER)


async def _deleted(api: Api, kind: Resource, metadata: Mapping[str, Any]) -> None:
    name, namespace = metadata["name"], metadata["namespace"]
    await api.delete(kind, name, namespace, uid=metadata["uid"], propagation=_propagation(kind))


def _propagation(kind: Resource) -> Propagation:
    # Foreground: the InferenceService stays in sight until the garbage collector has removed what KServe made of it.
    # Nothing depends on the companions; in the background they are gone at once.
    return "Foreground" if kind == kinds.INFERENCE_SERVICES else "Background"


def _names(found: Found) -> tuple[str, ...]:
    return tuple(f"{kinds.KIND[kind]}/{sight.name_of(manifest)}" for kind in found for manifest in found[kind])


def _unknown(site: Site, pods: Iterable[Object]) -> Iterator[str]:
    for pod in pods:
        node = shape.text(shape.mapping(pod.get("spec")).get("nodeName"))
        there = site.cached(NODES, node, "") if node else {"ready": True}
        if there is None or there.get("ready") is not True:
            how = "is gone" if there is None else "is not Ready"
            yield f"whether pod {sight.name_of(pod)} still runs is unknown: its node {node} {how}"
