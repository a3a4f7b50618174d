"""The fence, pure: what a member's own API server refuses in managed namespaces, whoever asks and whether or not the hub is there."""

from domicile.fence.isolation import ISOLATION, isolation, let_through
from domicile.fence.kind import member_kinds
from domicile.fence.labels import MANAGED_BY, MANAGED_NAMESPACE, is_managed
from domicile.fence.namespace import PROBED_NAMESPACE, namespace
from domicile.fence.policy import Policy
from domicile.fence.rendering import Fence, fence_of
from domicile.fence.terms import REMOVALS, TERMS

__all__ = [
    "ISOLATION",
    "MANAGED_BY",
    "MANAGED_NAMESPACE",
    "PROBED_NAMESPACE",
    "REMOVALS",
    "TERMS",
    "Fence",
    "Policy",
    "fence_of",
    "is_managed",
    "isolation",
    "let_through",
    "member_kinds",
    "namespace",
]
