"""Who is meant: a member cluster and a model, by identity and not by name alone."""

from dataclasses import dataclass
from typing import Final

HUB: Final = "hub"
"""The name by which a ClusterAttestation speaks of the cluster that Domicile itself runs on."""


@dataclass(frozen=True, order=True)
class MemberId:
    """A member cluster: the name that people use, and the UID of its kube-system namespace, which tells it from another
    cluster of the same name."""

    name: str
    uid: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, order=True)
class ModelRef:
    """A SovereignModel: namespace and name, and the UID that tells it from an earlier one of the same name."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
