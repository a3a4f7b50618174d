"""Objects for the hub. A builder's defaults are accepted as they are."""

import itertools
import time
from typing import Any

SHARED_NAMESPACE = "chart-test"
OTHER_NAMESPACE = "chart-test-other"

Manifest = dict[str, Any]


def model(name: str = "", **metadata: Any) -> Manifest:
    digest = "sha256:" + "0" * 64
    return {
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "SovereignModel",
        "metadata": {**({"name": name} if name else {}), "namespace": SHARED_NAMESPACE, **metadata},
        "spec": {
            "dataClasses": ["customer.pii"],
            "modelFormat": {"name": "sklearn"},
            "storageUri": f"oci://registry.example/models/fraud@{digest}",
            "runtime": {"image": f"registry.example/serving/sklearn@{digest}"},
        },
    }


def own_annotations(of: Manifest) -> dict[str, str]:
    """Annotations of ours, without their prefix."""
    prefix = "domicile.dev/"
    found = of["metadata"].get("annotations", {})
    return {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}


def annotated(**annotations: str | None) -> Manifest:
    """A merge patch of annotations of ours."""
    named = {f"domicile.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {"metadata": {"annotations": named}}


_numbers = itertools.count()


def fresh(kind: str, spec: Manifest, **annotations: str) -> Manifest:
    """A cluster-wide object of a name that no other test has."""
    metadata = {"name": f"{kind.lower()}-{time.time_ns():x}-{next(_numbers)}", **annotated(**annotations)["metadata"]}
    return {"apiVersion": "domicile.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


VALID = {"validFrom": "2026-01-01T00:00:00Z", "validUntil": "2027-01-01T00:00:00Z"}
CLUSTER = {"name": "sg", "uid": "0" * 8 + "-0000-0000-0000-" + "0" * 12}


def attestation(**annotations: str) -> Manifest:
    facts = {"workers": {"jurisdiction": "SG"}}
    spec = {"clusterRef": CLUSTER, "facts": facts, "evidence": {"reference": "file 12"}, **VALID}
    return fresh("ClusterAttestation", spec, **annotations)


def record(**annotations: str) -> Manifest:
    scope = {"namespaces": [SHARED_NAMESPACE]}
    spec = {"record": "outsourcing", "scope": scope, "countries": ["SG"], "reference": "register 7", **VALID}
    return fresh("ResidencyRecord", spec, **annotations)


def exception(**annotations: str) -> Manifest:
    spec = {
        "model": {"namespace": SHARED_NAMESPACE, "name": "fraud"},
        "policy": "customer-data",
        "rule": "allow.telemetry",
        "cluster": CLUSTER,
        "reason": "until the collector has moved",
        "reference": "board minute 4",
        **VALID,
    }
    return fresh("ResidencyException", spec, **annotations)


def policy(**annotations: str) -> Manifest:
    return fresh("ResidencyPolicy", {"allow": {"workers": ["SG", "MY"]}}, **annotations)


def group(*members: str, **annotations: str) -> Manifest:
    return fresh("JurisdictionGroup", {"members": list(members) or ["SG", "MY"], "source": "a charter"}, **annotations)


def classification(**annotations: str) -> Manifest:
    spec = {
        "orders": [{"name": "customers", "classes": ["public", "customer.pii"]}],
        "floors": [{"namespace": SHARED_NAMESPACE, "dataClasses": ["customer.pii", "card.pan"]}],
    }
    return fresh("DataClassification", spec, **annotations)


def of_several_classes(**annotations: str) -> Manifest:
    """A model that has a class to drop."""
    wanted = model(f"m-{time.time_ns():x}-{next(_numbers)}", **annotated(**annotations)["metadata"])
    wanted["spec"]["dataClasses"] = ["customer.pii", "card.pan"]
    return wanted
