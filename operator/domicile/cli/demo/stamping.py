"""Whether all that stamps on a hub acts yet: API servers read an admission policy, each in its own time, after it was made.

A probe is an object that nobody makes, sent in a dry run with its stamps forged. While a forgery comes back, something does not
act; where the guard acts and the stamp does not, the API server refuses the probe."""

from collections.abc import Mapping
from typing import Any, Final

from domicile.api import GROUP, VERSION

Manifest = Mapping[str, Any]

STAMPS: Final[Mapping[str, tuple[str, ...]]] = {
    "SovereignModel": ("requested-by", "declassified-by"),
    "ClusterAttestation": ("verified-by",),
    "ResidencyRecord": ("approved-by",),
    "ResidencyException": ("requested-by", "approved-by"),
    "ResidencyPolicy": ("confirmed-by", "confirmed-deletion-by"),
    "JurisdictionGroup": ("confirmed-by",),
    "DataClassification": ("confirmed-by",),
}
"""Annotations of ours that the chart's admission policies write or take away when an object is made, by kind."""
_FORGED: Final = "forged by a probe"
_NAME: Final = "probe"
_CLUSTER: Final = {"name": _NAME, "uid": "00000000-0000-0000-0000-000000000000"}
_VALID: Final = {"validFrom": "2026-01-01T00:00:00Z", "validUntil": "2027-01-01T00:00:00Z"}
_IMAGE: Final = f"registry.example/none@sha256:{'0' * 64}"


def probes(namespace: str) -> Mapping[str, Manifest]:
    """One of each kind, by kind; the SovereignModel in that namespace."""
    model = {"namespace": namespace, "name": _NAME}
    specs: Mapping[str, Manifest] = {
        "SovereignModel": {
            "dataClasses": [_NAME],
            "modelFormat": {"name": _NAME},
            "storageUri": f"oci://{_IMAGE}",
            "runtime": {"image": _IMAGE},
        },
        "ClusterAttestation": {"clusterRef": _CLUSTER, "facts": {}, "evidence": {"reference": _NAME}, **_VALID},
        "ResidencyRecord": {
            "record": _NAME,
            "scope": {"namespaces": [namespace]},
            "countries": ["SG"],
            "reference": _NAME,
            **_VALID,
        },
        "ResidencyException": {
            "model": model,
            "policy": _NAME,
            "rule": "allow.telemetry",
            "cluster": _CLUSTER,
            "reason": "it is never made",
            "reference": _NAME,
            **_VALID,
        },
        "ResidencyPolicy": {"allow": {}},
        "JurisdictionGroup": {"members": ["SG"], "source": _NAME},
        "DataClassification": {},
    }
    return {kind: _probe(kind, spec, namespace) for kind, spec in specs.items()}


def not_stamped(answer: Manifest) -> str:
    """What of an object, as a dry run answers it, nothing has stamped; empty if all is."""
    annotations: Mapping[str, str] = answer["metadata"].get("annotations") or {}
    forged = [key for key, value in annotations.items() if value == _FORGED]
    return f"{answer['kind']}: {', '.join(sorted(forged))}" if forged else ""


def _probe(kind: str, spec: Manifest, namespace: str) -> Manifest:
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": kind,
        "metadata": {
            "name": _NAME,
            **({"namespace": namespace} if kind == "SovereignModel" else {}),
            "annotations": {f"{GROUP}/{stamp}": _FORGED for stamp in STAMPS[kind]},
        },
        "spec": spec,
    }
