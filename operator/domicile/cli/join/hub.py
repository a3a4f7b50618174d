"""What joining makes on the hub, the kubeconfig's Secret and the RegionalCluster, and the attestation that is left to write."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from domicile.api import MemberIdentities, RegionalCluster
from domicile.cli.join.member import OURS, user_of
from domicile.kube import Resource

Manifest = Mapping[str, Any]

CLUSTERS: Final = Resource("domicile.dev", "v1alpha1", RegionalCluster.info.plural, namespaced=False)
KEY: Final = "kubeconfig"


def secret_name(cluster: str) -> str:
    """Name of the Secret with the cluster's kubeconfig."""
    return f"{cluster}-kubeconfig"


def secret(cluster: str, namespace: str, kubeconfig: str) -> Manifest:
    """The kubeconfig, where the operator alone is to read it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": secret_name(cluster), "namespace": namespace, "labels": dict([OURS])},
        "data": {KEY: base64.b64encode(kubeconfig.encode()).decode()},
    }


def regional_cluster(cluster: str, uid: str, namespace: str) -> Manifest:
    """The RegionalCluster, pinned to the member's identity, and with the user that the hub is there if it is not the usual one."""
    user = user_of(namespace)
    identities = {} if user == MemberIdentities().hub else {"identities": {"hub": user}}
    return {
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "RegionalCluster",
        "metadata": {"name": cluster},
        "spec": {
            "clusterUID": uid,
            "kubeconfigSecretRef": {"name": secret_name(cluster), "key": KEY},
            **identities,
        },
    }


def attestation_to_write(cluster: str, uid: str) -> str:
    """YAML of a ClusterAttestation with the identity filled in and every fact left to who vouches for it."""
    return f"""\
apiVersion: domicile.dev/v1alpha1
kind: ClusterAttestation
metadata:
  name: {cluster}
spec:
  clusterRef: {{name: {cluster}, uid: {uid}}}
  facts:                            # ISO 3166 codes such as SG or MY-14; what is left out is unknown, and unknown denies
    workers: {{jurisdiction: }}       # where the worker nodes stand
    controlPlane: {{jurisdiction: }}  # where the control plane runs
    operator: {{jurisdiction: }}      # under whose law the operating company stands
    operatorParent: {{jurisdiction: }} # and its ultimate parent; its own where it has none
    keyStore: {{jurisdiction: }}      # where the key store runs
    telemetry: {{jurisdiction: }}     # where logs and metrics go
    registries:                     # where images and models are pulled from, by host
      - {{host: , jurisdiction: }}
  evidence: {{reference: }}           # where a person finds the document that this rests on
  validFrom:                        # such as 2026-11-23T00:00:00Z
  validUntil:
"""
