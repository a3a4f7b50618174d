"""The fence of one member as a whole: its policies, their digest, and what is to be found on the member."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domicile.api import MemberIdentities
from domicile.fence import policies
from domicile.fence.lease import claims_policy, lease_policy
from domicile.fence.namespace import PROBED_NAMESPACE, namespace
from domicile.fence.pods import grants_policy
from domicile.fence.policy import Manifest, Policy
from domicile.fence.terms import removals_policy, terms_policy
from domicile.residency.canonical import digest_of


@dataclass(frozen=True)
class Fence:
    """What a member must have."""

    who: MemberIdentities
    """The lawful writers, of which all the rest follows."""
    policies: tuple[Policy, ...]
    digest: str
    """Of all of it. Refused probes say it, so that they show which fence it is that refuses them."""

    def manifests(self) -> tuple[Manifest, ...]:
        """ValidatingAdmissionPolicies, each with its binding."""
        return tuple(manifest for policy in self.policies for manifest in policy.manifests(self.digest))

    def namespace(self) -> Mapping[str, Any]:
        """The namespace in which it is probed."""
        return namespace(PROBED_NAMESPACE)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the policies, which are those of the bindings too."""
        return tuple(policy.name for policy in self.policies)


def fence_of(who: MemberIdentities) -> Fence:
    """The fence of a member where these are the lawful writers."""
    made = (
        policies.writers_policy(who),
        policies.connect_policy(),
        policies.namespaces_policy(who),
        policies.hub_policy(who),
        grants_policy(),
        lease_policy(),
        claims_policy(who),
        terms_policy(who),
        removals_policy(who),
    )
    blank = [manifest for policy in made for manifest in policy.manifests("")]
    return Fence(who, made, digest_of(blank).removeprefix("sha256:")[:16])
