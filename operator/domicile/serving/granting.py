"""What a model is granted on a member: what its own manifests run there, until its permit ends. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from domicile.serving.workload import Manifest, Workload

_SCHEMES: Final = ("oci://", "oci+native://")
_OF_A_CONTAINER: Final = ("name", "image", "command", "args")


def granted(workload: Workload, until: datetime) -> Manifest:
    """The model's entry in the AdmissionGrant of its namespace, as the API server keeps it."""
    predictor, model = workload.inference_service["spec"]["predictor"], workload.model
    runtimes: tuple[Manifest, ...] = tuple(
        each["spec"] for each in workload.companions if each["kind"] == "ServingRuntime"
    )
    started: tuple[Manifest, ...] = tuple(container for runtime in runtimes for container in runtime["containers"])
    containers: list[dict[str, Any]] = [
        {"command": [], "args": [], **{key: each[key] for key in _OF_A_CONTAINER if key in each}} for each in started
    ]
    return {
        "name": model.name,
        "uid": model.uid,
        "notAfter": until.isoformat().replace("+00:00", "Z"),
        "serviceAccountName": predictor["serviceAccountName"],
        "containers": containers,
        "imageVolumes": [without_scheme(predictor["model"]["storageUri"])],
        "secrets": [],
        "nodeSelector": dict(predictor.get("nodeSelector") or {}),
    }


def entry_in(grant: Mapping[str, Any], model: str) -> Manifest | None:
    """A model's entry in an AdmissionGrant, None if there is none."""
    spec: Manifest = grant.get("spec") or {}
    entries: Sequence[Manifest] = spec.get("models") or ()
    return next((each for each in entries if each.get("name") == model), None)


def without_scheme(uri: str) -> str:
    """registry/repository@digest of an artifact that KServe loads; what is of another scheme as it is."""
    for scheme in _SCHEMES:
        if uri.startswith(scheme):
            return uri.removeprefix(scheme)
    return uri
