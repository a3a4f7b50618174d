"""Kinds of objects by where the API server serves them, and the built-in ones that Domicile speaks to."""

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Resource:
    """One kind of object, as the API server's paths name it."""

    group: str
    """Empty for the core group."""
    version: str
    plural: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """Value of apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """Path of the group and version."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def collection(self, namespace: str | None = None) -> str:
        """Path of the list: of one namespace, or of the whole cluster."""
        if namespace is None:
            return f"{self.root}/{self.plural}"
        if not self.namespaced:
            raise ValueError(f"{self.plural} have no namespace")
        return f"{self.root}/namespaces/{_segment(namespace)}/{self.plural}"

    def path(self, name: str, namespace: str | None = None, subresource: str | None = None) -> str:
        """Path of one object."""
        if self.namespaced and namespace is None:
            raise ValueError(f"{self.plural} need a namespace")
        tail = f"/{subresource}" if subresource else ""
        return f"{self.collection(namespace)}/{_segment(name)}{tail}"

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _segment(text: str) -> str:
    # A name such as "../secrets" must not become another path.
    if text in ("", ".", ".."):
        raise ValueError(f"{text!r} cannot be a name")
    return quote(text, safe=":")


NAMESPACES = Resource("", "v1", "namespaces", namespaced=False)
NODES = Resource("", "v1", "nodes", namespaced=False)
PODS = Resource("", "v1", "pods", namespaced=True)
SERVICES = Resource("", "v1", "services", namespaced=True)
RESOURCE_QUOTAS = Resource("", "v1", "resourcequotas", namespaced=True)
NETWORK_POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies", namespaced=True)
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", namespaced=True)
SECRETS = Resource("", "v1", "secrets", namespaced=True)
CONFIG_MAPS = Resource("", "v1", "configmaps", namespaced=True)
DEPLOYMENTS = Resource("apps", "v1", "deployments", namespaced=True)
REPLICA_SETS = Resource("apps", "v1", "replicasets", namespaced=True)
HORIZONTAL_POD_AUTOSCALERS = Resource("autoscaling", "v2", "horizontalpodautoscalers", namespaced=True)
EVENTS = Resource("events.k8s.io", "v1", "events", namespaced=True)
LEASES = Resource("coordination.k8s.io", "v1", "leases", namespaced=True)
CLUSTER_ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings", namespaced=False)
CUSTOM_RESOURCE_DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)
VALIDATING_ADMISSION_POLICIES = Resource(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", namespaced=False
)
VALIDATING_ADMISSION_POLICY_BINDINGS = Resource(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings", namespaced=False
)
