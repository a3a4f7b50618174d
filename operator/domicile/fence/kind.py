"""The kinds that the fence holds requests against, as they are put on members."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from domicile.api import MEMBER_KINDS
from domicile.api.crd import crd
from domicile.fence.labels import MANAGED_BY


@cache
def member_kinds() -> tuple[Mapping[str, Any], ...]:
    """The CustomResourceDefinitions, with what the API server fills in, so that what a member has can be compared whole."""
    return tuple(_spelled_out(crd(kind)) for kind in MEMBER_KINDS)


def _spelled_out(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = {**manifest["metadata"], "labels": dict((MANAGED_BY,))}
    return {**manifest, "metadata": metadata, "spec": {**manifest["spec"], "conversion": {"strategy": "None"}}}
