"""One cluster's control plane as data: API server, controller manager, scheduler, each with its own identity."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domicile.localfleet import audit, build, certs, etcds, kubeconfigs, ports, processes

# The hub runs no workloads: it needs namespaces to end, owners' objects to follow them, and identities to be made.
HUB_CONTROLLERS = (
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "garbage-collector-controller",
    "clusterrole-aggregation-controller",
    "validatingadmissionpolicy-status-controller",
)
# Everything but what belongs to a cloud or to kubeadm.
REGION_CONTROLLERS = (
    "*",
    "-node-ipam-controller",
    "-node-route-controller",
    "-service-lb-controller",
    "-cloud-node-lifecycle-controller",
    "-certificatesigningrequest-signing-controller",
    "-bootstrap-signer-controller",
    "-token-cleaner-controller",
)

KUBELET_CLIENT = "kube-apiserver-kubelet-client"


@dataclass(frozen=True)
class Identities:
    """Who is who in one cluster. Only `admin` is in system:masters, and only set-up uses it."""

    authority: certs.Authority
    server: certs.KeyPair
    admin: certs.KeyPair
    kubelet_client: certs.KeyPair
    controller_manager: certs.KeyPair
    scheduler: certs.KeyPair
    token_key: Path


@dataclass(frozen=True)
class ControlPlane:
    """Where one cluster's control plane is, before and after it runs."""

    name: str
    fleet: str
    directory: Path
    port: int
    identities: Identities

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def audit_log(self) -> Path:
        return self.directory / "audit.log"

    @property
    def context(self) -> str:
        return f"{self.fleet}-{self.name}"

    @property
    def server(self) -> kubeconfigs.Server:
        return kubeconfigs.Server(self.url, self.identities.authority.certificate, self.context)

    @property
    def admin_kubeconfig(self) -> Path:
        return self.directory / "admin.kubeconfig"

    def program_name(self, program: str) -> str:
        return f"{self.name}/{program}"


def prepare(name: str, fleet: str, directory: Path, free: ports.Ports) -> ControlPlane:
    """Makes the identities and the admin's kubeconfig; starts nothing."""
    plane = ControlPlane(name, fleet, directory, free.take(), identities(f"{fleet}-{name}", directory / "pki"))
    kubeconfigs.with_certificate(plane.admin_kubeconfig, plane.server, "admin", plane.identities.admin)
    return plane


def identities(cluster: str, directory: Path) -> Identities:
    authority = certs.Authority(directory, f"{cluster} authority")
    hosts = ["127.0.0.1", "localhost", "10.0.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    return Identities(
        authority=authority,
        server=authority.server("apiserver", "kube-apiserver", hosts),
        admin=authority.client("admin", "admin", ["system:masters"]),
        kubelet_client=authority.client("apiserver-kubelet-client", KUBELET_CLIENT),
        controller_manager=authority.client("controller-manager", "system:kube-controller-manager"),
        scheduler=authority.client("scheduler", "system:kube-scheduler"),
        token_key=certs.signing_key(directory / "tokens.key"),
    )


def api_server(plane: ControlPlane, etcd: etcds.Etcd, programs: build.Programs) -> processes.Program:
    who = plane.identities
    policy = plane.directory / "audit-policy.json"
    policy.write_text(json.dumps(audit.POLICY))
    argv = [
        programs.binary("kube-apiserver"),
        f"--etcd-servers={etcd.url}",
        f"--etcd-prefix=/{plane.name}",
        f"--etcd-cafile={etcd.authority}",
        f"--etcd-certfile={etcd.client.certificate}",
        f"--etcd-keyfile={etcd.client.key}",
        "--bind-address=127.0.0.1",
        f"--secure-port={plane.port}",
        f"--cert-dir={plane.directory / 'generated'}",
        f"--tls-cert-file={who.server.certificate}",
        f"--tls-private-key-file={who.server.key}",
        f"--client-ca-file={who.authority.certificate}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",  # as real clusters have it: refusing privileged pods is for policies to prove
        # The issuer is a place that really answers, so that a Vault can verify tokens by discovery.
        f"--service-account-issuer={plane.url}",
        f"--service-account-key-file={who.token_key}",
        f"--service-account-signing-key-file={who.token_key}",
        "--service-cluster-ip-range=10.0.0.0/16",
        "--endpoint-reconciler-type=none",
        f"--kubelet-client-certificate={who.kubelet_client.certificate}",
        f"--kubelet-client-key={who.kubelet_client.key}",
        f"--kubelet-certificate-authority={who.authority.certificate}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={plane.audit_log}",
        "--audit-log-maxsize=10240",  # MiB: one file for the life of a fleet
        "--profiling=false",
        "--v=1",
    ]
    probe = processes.Probe(f"{plane.url}/readyz", who.authority.certificate, (who.admin.certificate, who.admin.key))
    return processes.Program(plane.program_name("kube-apiserver"), [str(word) for word in argv], probe)


def controller_manager(
    plane: ControlPlane, controllers: tuple[str, ...], programs: build.Programs, free: ports.Ports
) -> processes.Program:
    who = plane.identities
    kubeconfig = kubeconfigs.with_certificate(
        plane.directory / "controller-manager.kubeconfig",
        plane.server,
        "system:kube-controller-manager",
        who.controller_manager,
    )
    return _controller(
        plane,
        "kube-controller-manager",
        kubeconfig,
        programs,
        free,
        [
            f"--controllers={','.join(controllers)}",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={who.token_key}",
            f"--root-ca-file={who.authority.certificate}",
            "--kube-api-qps=100",
            "--kube-api-burst=200",
        ],
    )


def scheduler(plane: ControlPlane, programs: build.Programs, free: ports.Ports) -> processes.Program:
    kubeconfig = kubeconfigs.with_certificate(
        plane.directory / "scheduler.kubeconfig", plane.server, "system:kube-scheduler", plane.identities.scheduler
    )
    return _controller(plane, "kube-scheduler", kubeconfig, programs, free, [])


def set_up_rbac() -> list[dict[str, Any]]:
    """What a fresh API server does not bind by itself: the API server's own identity towards kubelets."""
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": KUBELET_CLIENT},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:kubelet-api-admin",
            },
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": KUBELET_CLIENT}],
        }
    ]


def _controller(
    plane: ControlPlane,
    binary: str,
    kubeconfig: Path,
    programs: build.Programs,
    free: ports.Ports,
    more: list[str],
) -> processes.Program:
    port = free.take()
    serving = plane.identities.authority.server(f"{binary}-serving", binary, ["127.0.0.1", "localhost"])
    argv = [
        str(programs.binary(binary)),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        "--leader-elect=false",
        "--profiling=false",
        *more,
    ]
    probe = processes.Probe(f"https://127.0.0.1:{port}/healthz", plane.identities.authority.certificate)
    return processes.Program(plane.program_name(binary), argv, probe)
