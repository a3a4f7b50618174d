"""The API servers' audit policy: whole exchanges where decisions are shown, never the body of a secret.

Of what changes something, the log also says that it was received, before it is carried out. The line of a finished request comes after its
effect can be seen: who counts writes knows by the first line that there is a second one to wait for. Of a watch it says when it begins.
"""

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

_READS = ["get", "list", "watch"]

# The first rule that matches decides. Secrets, ConfigMaps and token requests fall to the last two: metadata only.
POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["Panic"],
    "rules": [
        {"level": "RequestResponse", "resources": _DECISIONS, "verbs": _READS, "omitStages": ["RequestReceived"]},
        {"level": "RequestResponse", "resources": _DECISIONS},
        {"level": "Metadata", "verbs": _READS, "omitStages": ["RequestReceived"]},
        {"level": "Metadata"},
    ],
}
