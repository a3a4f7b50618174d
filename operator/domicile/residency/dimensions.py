"""The rule of each dimension: where a part of the cluster's operation is must be known, and must be allowed."""

from domicile.api import ResidencyPolicy
from domicile.api.jurisdiction import within
from domicile.residency.facts import DIMENSIONS, FactsInForce, Unknown
from domicile.residency.verdict import Finding

_WHAT: dict[str, tuple[str, str]] = {
    # dimension: (prefix of the reason, how a sentence begins)
    "workers": ("Workers", "worker nodes are in"),
    "control_plane": ("ControlPlane", "the control plane is in"),
    "operator": ("Operator", "the operating company is under the law of"),
    "key_store": ("KeyStore", "the key store is in"),
    "registry": ("Registry", "the registry is in"),
    "telemetry": ("Telemetry", "logs and metrics go to"),
}
_FIELD = {"control_plane": "controlPlane", "key_store": "keyStore"}


def unmet_dimensions(policy: ResidencyPolicy, facts: FactsInForce) -> tuple[Finding, ...]:
    """What of `policy.spec.allow` the cluster does not meet, in the order of the dimensions."""
    findings = (_unmet(dimension, policy, facts) for dimension in DIMENSIONS)
    return tuple(finding for finding in findings if finding is not None)


def _unmet(dimension: str, policy: ResidencyPolicy, facts: FactsInForce) -> Finding | None:
    prefix, sentence = _WHAT[dimension]
    name, field = policy.metadata.name, _FIELD.get(dimension, dimension)
    allowed: tuple[str, ...] = getattr(policy.spec.allow, dimension)
    fact = facts.of(dimension)
    if isinstance(fact, Unknown):
        return Finding(f"{prefix}JurisdictionUnknown", f"{sentence} an unknown place: {fact.why}", name)
    if not allowed:
        message = f"{sentence} {fact.jurisdiction}, {name} allows none (spec.allow.{field} is empty)"
        return Finding(f"{prefix}OutsideJurisdiction", message, name)
    if not any(within(fact.jurisdiction, place) for place in allowed):
        message = f"{sentence} {fact.jurisdiction}, {name} allows {', '.join(sorted(allowed))}"
        return Finding(f"{prefix}OutsideJurisdiction", message, name)
    return None
