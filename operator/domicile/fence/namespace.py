"""The namespaces of a member that are Domicile's."""

from collections.abc import Mapping
from typing import Any, Final

from domicile.fence.labels import MANAGED_BY, MANAGED_NAMESPACE

PROBED_NAMESPACE: Final = "domicile-fence"
"""A managed namespace in which nothing ever runs. Whether the fence is in force is asked there."""
_LEVEL: Final = "restricted"


def namespace(name: str) -> Mapping[str, Any]:
    """A managed namespace. Its labels bind the fence and Pod Security to it."""
    pod_security = {f"pod-security.kubernetes.io/{mode}": _LEVEL for mode in ("enforce", "audit", "warn")}
    labels = dict((MANAGED_BY, MANAGED_NAMESPACE)) | pod_security
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
