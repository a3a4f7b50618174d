"""KServe's controller in a region: its CRDs, its own ServiceAccount and roles, its configuration and its webhooks."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from domicile.localfleet import (
    apiclient,
    build,
    certs,
    components,
    controlplane,
    extracts,
    kubeconfigs,
    ports,
    processes,
)

Object = dict[str, Any]
NAMESPACE = "kserve"
SERVICE_ACCOUNT = "kserve-controller-manager"
MODELCAR_UID = 1010
TOKEN_SECONDS = 30 * 24 * 3600


def crds(share: Path) -> list[Object]:
    return json.loads((share / "kserve" / extracts.CRDS).read_text())


def unserved(api: apiclient.ApiClient, wanted: list[Object]) -> str | None:
    """None once every CRD is established and its resources show up in discovery, else what is missing."""
    for crd in wanted:
        name = crd["metadata"]["name"]
        seen = api.find(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}") or {}
        told: list[Object] = seen.get("status", {}).get("conditions") or []
        conditions: dict[str, str] = {each["type"]: each["status"] for each in told}
        if conditions.get("Established") != "True":
            return f"{name} is not established: {conditions}"
        version = next(each["name"] for each in crd["spec"]["versions"] if each["served"])
        listed = api.find(f"/apis/{crd['spec']['group']}/{version}") or {"resources": []}
        if crd["spec"]["names"]["plural"] not in {each["name"] for each in listed["resources"]}:
            return f"{name} is established, but not served yet"
    return None


def manifests(share: Path) -> list[Object]:
    """The namespace, KServe's identity with the roles KServe ships, and its configuration."""
    namespace: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    shipped: list[Object] = []
    for file in ("service_account", "role", "leader_election_role", "role_binding", "leader_election_role_binding"):
        for each in extracts.read(share / "kserve" / f"{file}.yaml"):
            if each["kind"] in ("ServiceAccount", "Role", "RoleBinding"):
                each["metadata"]["namespace"] = NAMESPACE
            for subject in each.get("subjects", []):
                subject["namespace"] = NAMESPACE
            shipped.append(each)
    return [namespace, *shipped, configuration()]


def configuration() -> Object:
    """Standard mode, no ingress; oci:// models are mounted as image volumes, so a model image needs no shell."""

    def injected(image: str, **more: object) -> str:
        limits = {"memoryRequest": "100Mi", "memoryLimit": "1Gi", "cpuRequest": "100m", "cpuLimit": "1"}
        return json.dumps({"image": f"kserve/{image}:v{components.KSERVE}", **limits, **more})

    data = {
        "deploy": json.dumps({"defaultDeploymentMode": "Standard"}),
        "ingress": json.dumps(
            {
                "ingressGateway": "knative-serving/knative-ingress-gateway",
                "kserveIngressGateway": "kserve/kserve-ingress-gateway",
                "ingressDomain": "example.com",
                "disableIstioVirtualHost": True,
                "disableIngressCreation": True,
                "enableGatewayApi": False,
            }
        ),
        "storageInitializer": injected(
            "storage-initializer",
            caBundleConfigMapName="",
            caBundleVolumeMountPath="/etc/ssl/custom-certs",
            enableModelcar=True,
            ociModelMode="native",
            cpuModelcar="10m",
            memoryModelcar="15Mi",
            uidModelcar=MODELCAR_UID,
        ),
        "agent": injected("agent"),
        "logger": injected("agent", defaultUrl="http://default-broker"),
        "batcher": injected("agent"),
        "router": injected("router"),
        "inferenceService": "{}",
        "credentials": "{}",
    }
    metadata = {"name": "inferenceservice-config", "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def token_kubeconfig(plane: controlplane.ControlPlane, api: apiclient.ApiClient) -> Path:
    """KServe runs outside the cluster, and yet as its ServiceAccount: with a token the API server issued for it."""
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{SERVICE_ACCOUNT}/token"
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": TOKEN_SECONDS},
    }
    token: str = api.request("POST", path, request)["status"]["token"]
    file = plane.directory / "kserve.token"
    certs.write_secret(file, token.encode())
    return kubeconfigs.with_token_file(plane.directory / "kserve.kubeconfig", plane.server, SERVICE_ACCOUNT, file)


def controller(
    plane: controlplane.ControlPlane, kubeconfig: Path, programs: build.Programs, free: ports.Ports
) -> tuple[processes.Program, int]:
    """The program, and the port of its webhooks."""
    webhooks, health = free.take(), free.take()
    serving = plane.identities.authority.server("kserve-webhooks", "kserve-webhooks", ["127.0.0.1"])
    temporary = plane.directory / "kserve-tmp"
    # controller-runtime looks for the certificate in this place below TMPDIR.
    expected = temporary / "k8s-webhook-server" / "serving-certs"
    expected.mkdir(parents=True, exist_ok=True)
    certs.write_secret(expected / "tls.crt", serving.certificate.read_bytes())
    certs.write_secret(expected / "tls.key", serving.key.read_bytes())
    argv = [
        str(programs.binary("kserve-manager")),
        f"--kubeconfig={kubeconfig}",
        "--metrics-addr=0",
        f"--health-probe-addr=127.0.0.1:{health}",
        f"--webhook-port={webhooks}",
    ]
    program = processes.Program(
        plane.program_name("kserve"),
        argv,
        processes.Probe(f"http://127.0.0.1:{health}/readyz"),
        environment={"TMPDIR": str(temporary), "POD_NAMESPACE": NAMESPACE},
    )
    return program, webhooks


def webhook_configurations(share: Path, port: int, authority: Path) -> list[Object]:
    """KServe's own webhooks, called by URL: the controller is not behind a Service here."""
    bundle = base64.b64encode(authority.read_bytes()).decode()
    configurations = [each for each in extracts.read(share / "kserve" / "manifests.yaml") if each]
    for each in configurations:
        each["metadata"].pop("creationTimestamp", None)
        for webhook in each["webhooks"]:
            path = webhook["clientConfig"]["service"]["path"]
            webhook["clientConfig"] = {"url": f"https://127.0.0.1:{port}{path}", "caBundle": bundle}
    return configurations


def serving_runtime(image: str) -> Object:
    """The runtime for this project's demo models: softmax regressions in JSON, fit for Pod Security `restricted`."""
    container: Object = {
        "name": "kserve-container",
        "image": image,
        "args": ["--model_name={{.Name}}", "--model_dir=/mnt/models", "--http_port=8080"],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": 8080}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}},
    }
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterServingRuntime",
        "metadata": {"name": "softmax-json"},
        "spec": {
            "supportedModelFormats": [{"name": "softmax-json", "version": "1", "autoSelect": True}],
            "protocolVersions": ["v1", "v2"],
            "containers": [container],
        },
    }
