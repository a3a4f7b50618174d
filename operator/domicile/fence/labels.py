"""The labels by which a member's API server knows what is Domicile's."""

from collections.abc import Mapping
from typing import Final

MANAGED_BY: Final = ("app.kubernetes.io/managed-by", "domicile")
"""Label on everything that Domicile makes on a member."""
MANAGED_NAMESPACE: Final = ("domicile.dev/managed", "true")
"""Label on the namespaces of a member that belong to Domicile. The fence is bound to it."""


def is_managed(labels: Mapping[str, str]) -> bool:
    """Whether a namespace with these labels is Domicile's."""
    key, value = MANAGED_NAMESPACE
    return labels.get(key) == value
