"""What a member says of itself: whether it is the cluster that was joined, its version, and whether KServe is there."""

import json
import re
from typing import Final

from domicile.fleet.errors import IdentityMismatch
from domicile.fleet.kinds import GRANTS, INFERENCE_SERVICES, OF_THE_FENCE, SERVING_RUNTIMES
from domicile.kube import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    Api,
    KubeError,
    MalformedAnswer,
    NotFound,
    Unreachable,
    shape,
)
from domicile.placement.view import ServingAvailable, ServingMissing
from domicile.residency import MemberId

PATIENCE: Final = 5.0
"""Seconds that a small question may take before the member counts as silent."""

_TAG = re.compile(r":(v?\d+\.\d+[-.\w]*)(?:@|$)")


async def confirm_identity(api: Api, member: MemberId, *, any_version: bool = False) -> None:
    """Raise IdentityMismatch unless the server's kube-system namespace has the UID that was pinned."""
    namespace = await api.get(NAMESPACES, "kube-system", any_version=any_version, within=PATIENCE)
    found = shape.text(shape.metadata(namespace).get("uid"))
    if found != member.uid:
        raise IdentityMismatch(member, api.server, found or "unknown")


async def kubernetes_version(api: Api) -> str:
    """Version of the API server, such as v1.36.3."""
    answer = await api.raw("GET", "/version", within=PATIENCE)
    version = shape.text(shape.mapping(answer).get("gitVersion"))
    if not version:
        raise MalformedAnswer(f"GET /version at {api.server} names no gitVersion")
    return version


async def granting(api: Api) -> bool:
    """Whether the kinds are served that the fence holds requests against."""
    try:
        answer = await api.raw("GET", GRANTS.root, within=PATIENCE)
    except NotFound:
        return False
    served = {resource.get("name") for resource in shape.mappings(shape.mapping(answer).get("resources"))}
    return {kind.plural for kind in OF_THE_FENCE} <= served


async def serving(api: Api) -> ServingAvailable | ServingMissing:
    """Whether KServe's kinds are served, and by which version of it."""
    for kind in (INFERENCE_SERVICES, SERVING_RUNTIMES):
        try:
            answer = await api.raw("GET", kind.root, within=PATIENCE)
        except NotFound:
            return ServingMissing(f"KServe is not installed there: {kind.group}/{kind.version} is not served")
        served = {resource.get("name") for resource in shape.mappings(shape.mapping(answer).get("resources"))}
        if kind.plural not in served:
            return ServingMissing(f"KServe is not installed fully there: {kind} of {kind.version} is not served")
    return ServingAvailable(await _kserve_version(api))


async def _kserve_version(api: Api) -> str:
    """KServe writes its version nowhere: the tag of its controller's image, or of its storage initializer's, tells."""
    for image in (_controller_image, _storage_initializer_image):
        try:
            tag = _TAG.search(await image(api))
        except Unreachable:
            raise
        except KubeError:  # Not there, or not ours to read: it is only for display.
            continue
        if tag:
            return tag.group(1)
    return "Unknown"


async def _controller_image(api: Api) -> str:
    deployment = await api.get(DEPLOYMENTS, "kserve-controller-manager", "kserve", within=PATIENCE)
    template = shape.mapping(shape.mapping(deployment.get("spec")).get("template"))
    containers = shape.mappings(shape.mapping(template.get("spec")).get("containers"))
    # There may be a proxy beside it.
    images = {shape.text(c.get("name")): shape.text(c.get("image")) for c in containers}
    return images.get("manager", "")


async def _storage_initializer_image(api: Api) -> str:
    config = await api.get(CONFIG_MAPS, "inferenceservice-config", "kserve", within=PATIENCE)
    section = shape.text(shape.mapping(config.get("data")).get("storageInitializer"))
    try:
        return shape.text(shape.mapping(json.loads(section)).get("image"))
    except ValueError:
        return ""
