"""The kind of AdmissionGrants, as it is put on members."""

from typing import Any

from domicile.api import AdmissionGrant
from domicile.api.crd import crd
from domicile.fence.labels import MANAGED_BY


def grants_kind() -> dict[str, Any]:
    """The CustomResourceDefinition, with what the API server fills in, so that what a member has can be compared whole."""
    manifest = crd(AdmissionGrant)
    metadata = {**manifest["metadata"], "labels": dict((MANAGED_BY,))}
    return {**manifest, "metadata": metadata, "spec": {**manifest["spec"], "conversion": {"strategy": "None"}}}
