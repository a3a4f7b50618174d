"""What is written to a member for a model, in the spelling in which its API server keeps it."""

import sys
from typing import Any

import pytest

from builders import ARTIFACT, DIGEST, IMAGE, model, model_ref
from domicile import serving
from domicile.api import Peer
from domicile.fence import MANAGED_BY, MANAGED_NAMESPACE, let_through
from domicile.serving import MODEL_LABEL, MODEL_UID, WORKLOAD

L4 = {"nvidia.com/gpu.product": "NVIDIA-L4"}
GPU = {"count": 2, "minMemory": "20Gi"}


def predictor(workload: serving.Workload) -> dict[str, Any]:
    return workload.inference_service["spec"]["predictor"]


def runtime(workload: serving.Workload) -> dict[str, Any]:
    (found,) = (m for m in workload.companions if m["kind"] == "ServingRuntime")
    return found["spec"]


def test_a_model_on_accelerators_in_full() -> None:
    built = serving.workload(model(accelerators=GPU, replicas={"min": 1, "max": 4}), L4)
    resources = {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "2"}
    labels = {
        "app.kubernetes.io/managed-by": "domicile",
        "domicile.dev/model": "fraud-scorer",
        "domicile.dev/model-uid": model_ref().uid,
    }
    assert built.inference_service == {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": "fraud-scorer",
            "namespace": "retail-banking",
            "labels": labels,
            "annotations": {
                "serving.kserve.io/deploymentMode": "Standard",
                "serving.kserve.io/autoscalerClass": "hpa",
                "domicile.dev/workload": built.digest,
            },
        },
        "spec": {
            "predictor": {
                "serviceAccountName": "fraud-scorer",
                "automountServiceAccountToken": False,
                "minReplicas": 1,
                "maxReplicas": 4,
                "nodeSelector": L4,
                "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
                "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                "model": {
                    "modelFormat": {"name": "sklearn"},
                    "runtime": "fraud-scorer",
                    "protocolVersion": "v2",
                    "storageUri": f"oci+native://{ARTIFACT}",
                    "resources": {"requests": resources, "limits": resources},
                },
            }
        },
    }
    assert built.model == model_ref()


def test_the_companions_in_full() -> None:
    account, network, server = serving.workload(model(modelFormat={"name": "sklearn", "version": "1"}), {}).companions
    assert (account["kind"], account["automountServiceAccountToken"]) == ("ServiceAccount", False)
    pods = {"domicile.dev/model": "fraud-scorer", "domicile.dev/model-uid": model_ref().uid}
    assert network["kind"] == "NetworkPolicy"
    assert network["spec"] == {"podSelector": {"matchLabels": pods}, "policyTypes": ["Ingress", "Egress"]}
    assert server["spec"] == {
        "supportedModelFormats": [{"name": "sklearn", "version": "1", "autoSelect": False}],
        "protocolVersions": ["v2"],
        "multiModel": False,
        "containers": [
            {
                "name": "kserve-container",
                "image": IMAGE,
                "args": ["--model_name=fraud-scorer", "--model_dir=/mnt/models", "--http_port=8080"],
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                "readinessProbe": {
                    "httpGet": {"path": "/v2/health/ready", "port": 8080, "scheme": "HTTP"},
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
        ],
    }


def test_of_the_member_s_peers_those_are_let_through_that_the_model_names() -> None:
    gateway, dns, other = (Peer(name=name, namespaces=(f"in-{name}",)) for name in ("gateway", "dns", "other"))
    wanted = model(
        network={"callers": ["gateway", "absent"], "egress": ["dns"]}, runtime={"image": IMAGE, "port": 9000}
    )
    built = serving.workload(wanted, {}, (), (other, gateway, dns))
    _, network, _ = built.companions
    pods = {"domicile.dev/model": "fraud-scorer", "domicile.dev/model-uid": model_ref().uid}
    assert network["spec"] == let_through(pods, 9000, [gateway], [dns])
    # Who may ask is no reason to start a model anew.
    assert built.digest == serving.workload(wanted, {}).digest
    assert built.network != serving.workload(wanted, {}).network


def test_the_namespace_says_whose_it_is_and_what_pods_may_do() -> None:
    namespace = serving.workload(model(), {}).namespace
    assert namespace["metadata"] == {
        "name": "retail-banking",
        "labels": {
            **dict([MANAGED_BY, MANAGED_NAMESPACE]),
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/audit": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
        },
    }


def test_everything_of_the_model_carries_its_name_and_uid() -> None:
    built = serving.workload(model(), {})
    for manifest in (*built.companions, built.inference_service):
        labels = manifest["metadata"]["labels"]
        assert (labels[MODEL_LABEL], labels[MODEL_UID]) == ("fraud-scorer", model_ref().uid)
        assert (manifest["metadata"]["name"], manifest["metadata"]["namespace"]) == ("fraud-scorer", "retail-banking")


def test_a_model_without_accelerators_asks_for_none_and_tolerates_nothing() -> None:
    found = predictor(serving.workload(model(), {}))
    assert "nodeSelector" not in found
    assert "tolerations" not in found
    assert found["model"]["resources"]["limits"] == {"cpu": "2", "memory": "4Gi"}


REPLICAS = {
    "fixed, max left out": ({"min": 2}, (2, 2, "none")),
    "fixed, max said": ({"min": 2, "max": 2}, (2, 2, "none")),
    "between two": ({"min": 2, "max": 5}, (2, 5, "hpa")),
}


@pytest.mark.parametrize(("replicas", "expected"), REPLICAS.values(), ids=REPLICAS.keys())
def test_who_decides_on_replicas(replicas: dict[str, int], expected: tuple[int, int, str]) -> None:
    built = serving.workload(model(replicas=replicas), {})
    found = predictor(built)
    scaler = built.inference_service["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"]
    assert (found["minReplicas"], found["maxReplicas"], scaler) == expected


def test_quantities_are_spelled_as_the_api_server_spells_them() -> None:
    built = serving.workload(model(resources={"requests": {"cpu": "1000m", "memory": "1024Mi"}}), {})
    assert predictor(built)["model"]["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}
    again = serving.workload(model(resources={"requests": {"cpu": "1", "memory": "1Gi"}}), {})
    assert again.digest == built.digest


def test_a_model_is_mounted_as_an_image_volume_whatever_the_scheme() -> None:
    """The modelcar is refused by Pod Security `restricted`."""
    built, native = (
        serving.workload(model(storageUri=f"{scheme}://{ARTIFACT}"), {}) for scheme in ("oci", "oci+native")
    )
    assert predictor(built)["model"]["storageUri"] == f"oci+native://{ARTIFACT}"
    assert built.digest == native.digest


OTHER_DIGEST: dict[str, serving.Workload] = {
    "another image": serving.workload(model(runtime={"image": IMAGE.replace("1d67", "2d67")}), {}),
    "another model": serving.workload(model(storageUri=f"oci://{ARTIFACT.replace('1d67', '2d67')}"), {}),
    "other nodes": serving.workload(model(), L4),
    "other arguments": serving.workload(model(runtime={"image": IMAGE, "args": ["--x"]}), {}),
    "more memory": serving.workload(model(resources={"requests": {"cpu": "2", "memory": "8Gi"}}), {}),
    "a later life of the name": serving.workload(model(metadata={"uid": "another"}), {}),
}


@pytest.mark.parametrize("other", OTHER_DIGEST.values(), ids=OTHER_DIGEST.keys())
def test_the_digest_tells_workloads_apart(other: serving.Workload) -> None:
    usual = serving.workload(model(), {})
    assert other.digest != usual.digest
    assert other.inference_service["metadata"]["annotations"][WORKLOAD] == other.digest


def test_scaling_changes_no_digest_so_it_restarts_no_pod() -> None:
    few, many = (serving.workload(model(replicas={"min": n, "max": 2 * n}), {}) for n in (1, 3))
    assert few.digest == many.digest
    assert few.inference_service != many.inference_service


def test_the_same_model_gives_the_same_workload() -> None:
    assert serving.workload(model(accelerators=GPU), L4) == serving.workload(model(accelerators=GPU), dict(L4))


@pytest.mark.parametrize("scheme", ["oci", "oci+native"])
def test_artifacts_are_what_would_be_pulled(scheme: str) -> None:
    spec = model(storageUri=f"{scheme}://{ARTIFACT}").spec
    assert serving.artifacts(spec) == tuple(sorted([ARTIFACT, IMAGE])) == serving.workload(model(), {}).artifacts


def test_kserve_s_models_can_be_loaded_ahead() -> None:
    serving.load()
    assert "kserve.models" in sys.modules


MIRRORS = {
    "none": ((), "registry.sg.example/serving/sklearn", "registry.sg.example/models/fraud"),
    "of another registry": (
        (("registry.ph.example", "mirror.ph.example"),),
        "registry.sg.example/serving/sklearn",
        "registry.sg.example/models/fraud",
    ),
    "a host": (
        (("registry.sg.example", "mirror.ph.example:5000"),),
        "mirror.ph.example:5000/serving/sklearn",
        "mirror.ph.example:5000/models/fraud",
    ),
    "a host with a path": (
        (("registry.sg.example", "mirror.ph.example/sg"),),
        "mirror.ph.example/sg/serving/sklearn",
        "mirror.ph.example/sg/models/fraud",
    ),
}


@pytest.mark.parametrize(("mirrors", "image", "artifact"), MIRRORS.values(), ids=MIRRORS.keys())
def test_a_member_pulls_from_its_mirror_the_same_digest(
    mirrors: tuple[tuple[str, str], ...], image: str, artifact: str
) -> None:
    asked = model(storageUri=f"oci+native://{ARTIFACT}")
    built = serving.workload(asked, {}, mirrors)
    (container,) = runtime(built)["containers"]
    assert container["image"] == f"{image}@{DIGEST}"
    assert predictor(built)["model"]["storageUri"] == f"oci+native://{artifact}@{DIGEST}"
    assert built.artifacts == tuple(sorted([f"{image}@{DIGEST}", f"{artifact}@{DIGEST}"]))
    assert asked.spec.storage_uri == f"oci+native://{ARTIFACT}"


def test_another_mirror_is_another_workload() -> None:
    mirrored = serving.workload(model(), {}, (("registry.sg.example", "mirror.ph.example"),))
    assert mirrored.digest != serving.workload(model(), {}).digest
