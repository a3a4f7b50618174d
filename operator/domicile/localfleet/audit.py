"""The API servers' audit policy: whole exchanges where decisions are shown, never the body of a secret."""

from __future__ import annotations

from typing import Any

_DECISIONS: list[dict[str, Any]] = [
    {"group": "domicile.dev"},
    {
        "group": "serving.kserve.io",
        "resources": [
            "inferenceservices",
            "inferenceservices/status",
            "servingruntimes",
            "clusterservingruntimes",
        ],
    },
    {
        "group": "admissionregistration.k8s.io",
        "resources": [
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "mutatingadmissionpolicies",
            "mutatingadmissionpolicybindings",
        ],
    },
]

# The first rule that matches decides. Secrets, ConfigMaps and token requests fall to the last: metadata only.
POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted", "Panic"],
    "rules": [{"level": "RequestResponse", "resources": _DECISIONS}, {"level": "Metadata"}],
}
