"""The programs of a local fleet as data: where they come from, how they are built, how a present one is recognised."""

from __future__ import annotations

from dataclasses import dataclass

KUBERNETES = "1.36.3"
ETCD = "3.6.8"
KSERVE = "0.20.0"
KWOK = "0.8.0"
CONTAINERD = "2.4.2"
CNI = "1.9.1"
HELM = "3.19.0"
REGISTRY = "0.20.6"
NETWORK_POLICIES = "0.8.0"
MODELSERVER = "1"
CALLER = "1"


@dataclass(frozen=True)
class Target:
    """One binary: the Go package it is built from and the name it gets."""

    package: str
    binary: str


@dataclass(frozen=True)
class SourceFiles:
    """Files taken from a Go module's source at build time, so that a start needs no module cache."""

    module: str
    paths: tuple[str, ...]
    into: str


@dataclass(frozen=True)
class PatchedMain:
    """A main.go copied from a module with one replacement; the build fails if `old` is not there exactly once."""

    module: str
    path: str
    old: str
    new: str


@dataclass(frozen=True)
class PatchedPackage:
    """A Go package copied from a module with one replacement in one file; the build fails if `old` is not there exactly once."""

    module: str
    pinned_in: str
    """Directory of the go.mod that says which version; not the component's own, which would have to meet its needs."""
    path: str
    file: str
    old: str
    new: str
    into: str


@dataclass(frozen=True)
class Component:
    name: str
    version: str
    module_dir: str
    targets: tuple[Target, ...]
    expected_seconds: float
    """A cold build on two cores; replaced by what was measured on this machine."""
    ldflags: tuple[str, ...] = ("-s", "-w")
    tags: tuple[str, ...] = ()
    sources: tuple[SourceFiles, ...] = ()
    patched_main: PatchedMain | None = None
    patched_package: PatchedPackage | None = None
    version_arguments: tuple[str, ...] = ()
    """How to ask an installed one for its version; empty when an installed one is never used."""

    @property
    def binaries(self) -> tuple[str, ...]:
        return tuple(target.binary for target in self.targets)


def _kubernetes(binary: str, expected_seconds: float) -> Component:
    stamp = "k8s.io/component-base/version"
    major, minor, _ = KUBERNETES.split(".")
    return Component(
        name=binary,
        version=KUBERNETES,
        module_dir="kubernetes",
        targets=(Target(f"k8s.io/kubernetes/cmd/{binary}", binary),),
        expected_seconds=expected_seconds,
        # Without these a server says v0.0.0-master, and clients compare versions.
        ldflags=(
            "-s",
            "-w",
            f"-X {stamp}.gitVersion=v{KUBERNETES}",
            f"-X {stamp}.gitMajor={major}",
            f"-X {stamp}.gitMinor={minor}",
        ),
        version_arguments=("--version",),
    )


KUBE_APISERVER = _kubernetes("kube-apiserver", 170)
KUBE_CONTROLLER_MANAGER = _kubernetes("kube-controller-manager", 45)
KUBE_SCHEDULER = _kubernetes("kube-scheduler", 15)
KUBELET = _kubernetes("kubelet", 120)

ETCD_SERVER = Component(
    name="etcd",
    version=ETCD,
    module_dir="etcd",
    targets=(Target(".", "etcd"),),
    expected_seconds=20,
    version_arguments=("--version",),
)

KSERVE_CONTROLLER = Component(
    name="kserve",
    version=KSERVE,
    module_dir="kserve",
    targets=(Target(".", "kserve-manager"),),
    expected_seconds=112,
    # KServe has no flag for its webhooks' address, and would listen on every interface of this machine.
    patched_main=PatchedMain(
        module="github.com/kserve/kserve",
        path="cmd/manager/main.go",
        old="\t\t\tPort: options.webhookPort,\n",
        new='\t\t\tPort: options.webhookPort,\n\t\t\tHost: "127.0.0.1",\n',
    ),
    sources=(
        SourceFiles(
            module="github.com/kserve/kserve",
            paths=(
                "config/crd/full/serving.kserve.io_*.yaml",
                "config/crd/full/clusterstoragecontainer/serving.kserve.io_*.yaml",
                "config/webhook/manifests.yaml",
                "config/rbac/service_account.yaml",
                "config/rbac/role.yaml",
                "config/rbac/role_binding.yaml",
                "config/rbac/leader_election_role.yaml",
                "config/rbac/leader_election_role_binding.yaml",
            ),
            into="kserve",
        ),
    ),
)

KWOK_CONTROLLER = Component(
    name="kwok",
    version=KWOK,
    module_dir="kwok",
    targets=(Target("sigs.k8s.io/kwok/cmd/kwok", "kwok"),),
    expected_seconds=84,
    sources=(
        SourceFiles(
            module="sigs.k8s.io/kwok",
            paths=(
                "kustomize/stage/node/fast/node-initialize.yaml",
                "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
                "kustomize/stage/pod/fast/pod-ready.yaml",
                "kustomize/stage/pod/fast/pod-complete.yaml",
                "kustomize/stage/pod/fast/pod-delete.yaml",
                "kustomize/rbac/role.yaml",
            ),
            into="kwok",
        ),
    ),
)

OCI_REGISTRY = Component(
    name="registry", version=REGISTRY, module_dir="registry", targets=(Target(".", "registry"),), expected_seconds=8
)

MODEL_SERVER = Component(
    name="modelserver",
    version=MODELSERVER,
    module_dir="modelserver",
    targets=(Target(".", "modelserver"), Target("./cmd/pause", "pause")),
    expected_seconds=5,
)

CONTAINERD_RUNTIME = Component(
    name="containerd",
    version=CONTAINERD,
    module_dir="containerd",
    targets=(
        Target("github.com/containerd/containerd/v2/cmd/containerd", "containerd"),
        Target("github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2", "containerd-shim-runc-v2"),
    ),
    expected_seconds=60,
    ldflags=("-s", "-w", f"-X github.com/containerd/containerd/v2/version.Version={CONTAINERD}"),
    tags=("no_btrfs", "no_devmapper", "no_zfs"),
)

CNI_PLUGINS = Component(
    name="cni-plugins",
    version=CNI,
    module_dir="cni",
    targets=(
        Target("github.com/containernetworking/plugins/plugins/main/bridge", "bridge"),
        Target("github.com/containernetworking/plugins/plugins/main/loopback", "loopback"),
        Target("github.com/containernetworking/plugins/plugins/ipam/host-local", "host-local"),
    ),
    expected_seconds=20,
)

POLICY_ENFORCER = Component(
    name="kube-network-policies",
    version=NETWORK_POLICIES,
    module_dir="netpol",
    targets=(Target(".", "kube-network-policies"),),
    expected_seconds=20,
    # Its table would be one for the whole machine, let pods out until the API server knows their addresses, and need
    # the kernel's nft_queue. The rules are ours (rules.go); what they ask about each connection is answered by it.
    patched_package=PatchedPackage(
        module="sigs.k8s.io/kube-network-policies",
        pinned_in="netpol/upstream",
        path="pkg/networkpolicy",
        file="controller.go",
        old='\tklog.FromContext(ctx).Info("Syncing nftables rules")\n',
        new="\treturn nil\n",
        into="networkpolicy",
    ),
)

TEST_CALLER = Component(
    name="caller", version=CALLER, module_dir="caller", targets=(Target(".", "caller"),), expected_seconds=5
)

HELM_CLI = Component(
    name="helm",
    version=HELM,
    module_dir="helm",
    targets=(Target("helm.sh/helm/v3/cmd/helm", "helm"),),
    expected_seconds=75,
    ldflags=("-s", "-w", f"-X helm.sh/helm/v3/internal/version.version=v{HELM}"),
    version_arguments=("version", "--short"),
)

CONTROL_PLANE = (ETCD_SERVER, KUBE_APISERVER, KUBE_CONTROLLER_MANAGER, KUBE_SCHEDULER)
FLEET = (OCI_REGISTRY, MODEL_SERVER, *CONTROL_PLANE, KWOK_CONTROLLER, KSERVE_CONTROLLER)
REAL_NODE = (CNI_PLUGINS, CONTAINERD_RUNTIME, KUBELET, POLICY_ENFORCER)
EVERYTHING = (*FLEET, *REAL_NODE, TEST_CALLER, HELM_CLI)
