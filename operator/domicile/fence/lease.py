"""The lease of a whole member: a hub that is not heard of for long leaves a member that admits nothing new."""

from typing import Final

from domicile.api import CLAIM, GROUP, HubClaim, MemberIdentities
from domicile.fence import cel
from domicile.fence.policy import Params, Policy, Rule, Validation

_CLAIMS: Final = HubClaim.info.plural


def lease_policy() -> Policy:
    """Holds each new pod against the claim of the hub."""
    return Policy(
        short="lease",
        about="In managed namespaces, refuses pods once the claim of the hub has ended.",
        rules=(Rule(("",), ("pods",), ("CREATE",), "Namespaced"),),
        variables={},
        validations=(
            Validation(
                "timestamp(object.metadata.creationTimestamp) < timestamp(params.spec.notAfter)",
                "'the hub ' + params.spec.hub + ' looked after this cluster until ' + string(params.spec.notAfter)"
                " + ', and has not been heard of since'",
            ),
        ),
        in_managed_namespaces=True,
        conditions={},
        params=Params(HubClaim.info.kind, CLAIM),
    )


def claims_policy(who: MemberIdentities) -> Policy:
    """Who looks after the cluster is for a hub to say. Who may delete the claim is left to RBAC, so that a hub that is gone for good
    can be replaced."""
    return Policy(
        short="claims",
        about="Refuses that anybody but a hub claims the cluster.",
        rules=(Rule((GROUP,), (_CLAIMS,), ("CREATE", "UPDATE"), "Cluster"),),
        variables={},
        validations=(
            Validation(
                cel.by(who.hub), f"request.userInfo.username + ' may not claim this cluster: only {who.hub} may'"
            ),
        ),
        in_managed_namespaces=False,
        conditions={},
    )
