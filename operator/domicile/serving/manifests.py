"""From a model and the nodes it was given to the manifests that a member's API server is to have, in the spelling it keeps.

How KServe 0.20 loads the model: `oci://` becomes the modelcar, a container of the model image whose files the server
reads through a shared process namespace; `oci+native://` becomes a Kubernetes image volume (Kubernetes 1.33 or later for
its subPath). Both mount the image's /models at /mnt/models, and both keep the reference as it is, digest and all. Pod Security
`restricted`, which managed namespaces have, refuses the modelcar, so the volume it is. The webhook that makes it is registered only
where the member's ConfigMap inferenceservice-config enables one mode or the other.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from domicile import fence
from domicile.api import Peer, SovereignModel, SovereignModelSpec
from domicile.api.quantity import canonical
from domicile.api.sovereignmodel import MODEL_NAME
from domicile.residency import mirrored
from domicile.residency.canonical import digest_of
from domicile.residency.identity import ModelRef
from domicile.serving import kserve_models
from domicile.serving.workload import (
    ACCELERATOR,
    MODEL_LABEL,
    MODEL_UID,
    WORKLOAD,
    Manifest,
    Workload,
)

CONTAINER = "kserve-container"
"""The name by which KServe knows the server's container."""


Mirrors = Iterable[tuple[str, str]]
"""Registry host, and where the member pulls from instead."""


def workload(
    model: SovereignModel, node_selector: Mapping[str, str], mirrors: Mirrors = (), peers: Iterable[Peer] = ()
) -> Workload:
    """All manifests of the model on a member, on the nodes that the selector names, pulled from the member's mirrors, and having to
    do with those of its peers that the model names."""
    model = _as_pulled(model, tuple(mirrors))
    meta = model.metadata
    namespace = fence.namespace(meta.namespace)
    account, runtime, network = _service_account(model), _serving_runtime(model), _network_policy(model, tuple(peers))
    service = _inference_service(model, node_selector)
    digest = digest_of([dict(manifest) for manifest in (namespace, account, runtime, _without_replicas(service))])
    annotated = {**service["metadata"], "annotations": {**service["metadata"]["annotations"], WORKLOAD: digest}}
    return Workload(
        model=ModelRef(meta.namespace, meta.name, meta.uid),
        namespace=namespace,
        companions=(account, network, runtime),
        inference_service={**service, "metadata": annotated},
        artifacts=artifacts(model.spec),
        network=digest_of(network["spec"]),
        digest=digest,
    )


def _as_pulled(model: SovereignModel, mirrors: tuple[tuple[str, str], ...]) -> SovereignModel:
    if not mirrors:
        return model
    spec = model.spec
    scheme = spec.storage_uri.partition("://")[0]
    runtime = spec.runtime.model_copy(update={"image": mirrored(spec.runtime.image, mirrors)})
    changed = {"runtime": runtime, "storage_uri": f"{scheme}://{mirrored(_model_artifact(spec), mirrors)}"}
    return model.model_copy(update={"spec": spec.model_copy(update=changed)})


def artifacts(spec: SovereignModelSpec) -> tuple[str, ...]:
    """Every image and model artifact that the model would run or load, as registry/repository@digest."""
    return tuple(sorted({spec.runtime.image, _model_artifact(spec)}))


def _model_artifact(spec: SovereignModelSpec) -> str:
    return spec.storage_uri.partition("://")[2]


def _service_account(model: SovereignModel) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(model),
        "automountServiceAccountToken": False,
    }


def _network_policy(model: SovereignModel, peers: tuple[Peer, ...]) -> Manifest:
    """Also where it lets nobody through: what somebody adds to it is then seen, and taken away."""
    asked = model.spec.network
    spec = fence.let_through(
        dict(_names(model)),
        model.spec.runtime.port,
        [peer for peer in peers if peer.name in asked.callers],
        [peer for peer in peers if peer.name in asked.egress],
    )
    metadata = _metadata(model)
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _serving_runtime(model: SovereignModel) -> Manifest:
    runtime = model.spec.runtime
    container = {
        "name": CONTAINER,
        "image": runtime.image,
        "args": [argument.replace(MODEL_NAME, model.metadata.name) for argument in runtime.args],
        "ports": [{"name": "http", "containerPort": runtime.port, "protocol": "TCP"}],
        "readinessProbe": {
            "httpGet": {"path": runtime.readiness_path, "port": runtime.port, "scheme": "HTTP"},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
            "successThreshold": 1,
            "failureThreshold": 3,
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": _metadata(model),
        "spec": {
            # Never chosen for another model by itself: only what names it gets it.
            "supportedModelFormats": [{**_model_format(model.spec), "autoSelect": False}],
            "protocolVersions": [runtime.protocol_version],
            "multiModel": False,
            "containers": [container],
        },
    }


def _inference_service(model: SovereignModel, node_selector: Mapping[str, str]) -> Manifest:
    spec, name = model.spec, model.metadata.name
    most = spec.replicas.max or spec.replicas.min
    server = kserve_models.model_spec(
        model_format=_model_format(spec),
        runtime=name,
        protocol_version=spec.runtime.protocol_version,
        # As an image volume, whatever the scheme: the modelcar shares a process namespace, which `restricted` does not let it.
        storage_uri=f"oci+native://{_model_artifact(spec)}",
        resources=_resources(spec),
    )
    predictor = kserve_models.predictor_spec(
        service_account_name=name,
        automount_service_account_token=False,
        min_replicas=spec.replicas.min,
        max_replicas=most,
        node_selector=dict(node_selector) or None,
        security_context={"seccompProfile": {"type": "RuntimeDefault"}},
        tolerations=_tolerations(spec),
        model=server,
    )
    annotations = {
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/autoscalerClass": "none" if most == spec.replicas.min else "hpa",
    }
    return kserve_models.inference_service({**_metadata(model), "annotations": annotations}, predictor)


def _metadata(model: SovereignModel) -> dict[str, Any]:
    meta = model.metadata
    labels = dict((fence.MANAGED_BY, *_names(model)))
    return {"name": meta.name, "namespace": meta.namespace, "labels": labels}


def _names(model: SovereignModel) -> tuple[tuple[str, str], ...]:
    """Labels that name it, which its pods have too."""
    return (MODEL_LABEL, model.metadata.name), (MODEL_UID, model.metadata.uid)


def _model_format(spec: SovereignModelSpec) -> dict[str, str]:
    return spec.model_format.wire()


def _resources(spec: SovereignModelSpec) -> dict[str, dict[str, str]]:
    wanted = {"cpu": canonical(spec.resources.requests.cpu), "memory": canonical(spec.resources.requests.memory)}
    if spec.resources.accelerators is not None:
        wanted[ACCELERATOR] = str(spec.resources.accelerators.count)
    return {"requests": wanted, "limits": dict(wanted)}


def _tolerations(spec: SovereignModelSpec) -> list[dict[str, str]] | None:
    if spec.resources.accelerators is None:
        return None
    return [{"key": ACCELERATOR, "operator": "Exists", "effect": "NoSchedule"}]


def _without_replicas(service: Manifest) -> dict[str, Any]:
    """What the digest is of: KServe copies it to the pod template, so what is in it restarts pods, and scaling must not."""
    predictor = {key: v for key, v in service["spec"]["predictor"].items() if key not in ("minReplicas", "maxReplicas")}
    return {**service, "spec": {"predictor": predictor}}
