"""One term of the hub at a time: what was begun in an earlier one can neither grant nor delete any more."""

from typing import Final

from domicile.api import CLAIM, CLAIM_MARK, GRANTS, GROUP, AdmissionGrant, HubClaim, MemberIdentities
from domicile.fence import cel
from domicile.fence.pods import MODEL_UID
from domicile.fence.policy import SUFFIX, Params, Policy, Rule, Validation
from domicile.fence.writers import KSERVE_GROUP

TERMS: Final = f"terms.{SUFFIX}"
REMOVALS: Final = f"removals.{SUFFIX}"
_NETWORK: Final = "networking.k8s.io"
_WRITTEN: Final = ("CREATE", "UPDATE")
_OF_A_MODEL: Final = (
    Rule((KSERVE_GROUP,), ("inferenceservices", "servingruntimes"), ("DELETE",), "Namespaced"),
    Rule(("",), ("serviceaccounts",), ("DELETE",), "Namespaced"),
    Rule((_NETWORK,), ("networkpolicies",), ("DELETE",), "Namespaced"),
)


def terms_policy(who: MemberIdentities) -> Policy:
    """Holds each grant, and each way that is let through, against the claim: the hub that claims the cluster writes it, in the term of
    the claim."""
    marked = f"object.metadata.?annotations[?{cel.string(CLAIM_MARK)}].orValue('')"
    claimed = "params.spec.hub + '/' + string(params.spec.epoch) + '/' + params.spec.token"
    return Policy(
        short="terms",
        about="In managed namespaces, refuses grants and NetworkPolicies of another hub than the one that claims the cluster,"
        " and of its earlier terms.",
        rules=(
            Rule((GROUP,), (AdmissionGrant.info.plural,), _WRITTEN, "Namespaced"),
            Rule((_NETWORK,), ("networkpolicies",), _WRITTEN, "Namespaced"),
        ),
        variables={},
        validations=(
            Validation(
                f"{marked} == {claimed}",
                f"'written as ' + {marked} + ': this cluster is looked after by ' + {claimed}",
            ),
        ),
        in_managed_namespaces=True,
        conditions={"hub": cel.by(who.hub)},
        params=Params(HubClaim.info.kind, CLAIM),
    )


def removals_policy(who: MemberIdentities) -> Policy:
    """A request to delete cannot bear the mark of a term. What comes before it can: taking back what the model is granted."""
    uid = f"oldObject.metadata.?labels[?{cel.string(MODEL_UID)}].orValue('')"
    return Policy(
        short="removals",
        about="In managed namespaces, refuses that the hub deletes what is of a model that is still granted something.",
        rules=_OF_A_MODEL,
        variables={},
        validations=(
            Validation(
                f"!params.spec.?models.orValue([]).exists(m, m.name == oldObject.metadata.name && m.uid == {uid})",
                "'model ' + oldObject.metadata.name + ' is granted: what it is granted is taken back first'",
            ),
        ),
        in_managed_namespaces=True,
        conditions={"hub": cel.by(who.hub)},
        # Where there are no grants nothing is granted: so it is in a namespace that is on its way out.
        params=Params(AdmissionGrant.info.kind, GRANTS, where_missing="Allow"),
    )
