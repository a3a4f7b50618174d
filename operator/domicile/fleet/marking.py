"""The mark of the hub's term on what a member takes in that term alone: see fleet.claiming."""

from typing import Any, Final

from domicile.api import CLAIM_MARK
from domicile.fleet.kinds import GRANTS
from domicile.kube import NETWORK_POLICIES, Object, shape

MARKED: Final = (GRANTS, NETWORK_POLICIES)
"""Kinds that the policy `terms` of the fence is for."""


def marked(manifest: Object, mark: str) -> dict[str, Any]:
    """The manifest with the mark."""
    metadata = shape.metadata(manifest)
    annotations = {**shape.mapping(metadata.get("annotations")), CLAIM_MARK: mark}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def marking(live: Object, mark: str) -> Object:
    """The step of a JSON patch that puts the mark on what is there."""
    if shape.mapping(shape.metadata(live).get("annotations")):
        return {"op": "add", "path": f"/metadata/annotations/{CLAIM_MARK.replace('/', '~1')}", "value": mark}
    return {"op": "add", "path": "/metadata/annotations", "value": {CLAIM_MARK: mark}}
