"""The kinds of domicile.dev/v1alpha1 as pydantic models: the one source of the CRDs in crds/."""

from domicile.api.base import GROUP, VERSION, Condition, Kind, ObjectMeta
from domicile.api.clusterattestation import ClusterAttestation, Facts
from domicile.api.regionalcluster import Accelerator, RegionalCluster, RegionalClusterStatus
from domicile.api.remnant import ModelRemnant, remnant
from domicile.api.residencypolicy import Allow, ResidencyPolicy
from domicile.api.sovereignmodel import (
    ClusterCounts,
    Exclusion,
    Placement,
    SovereignModel,
    SovereignModelSpec,
    SovereignModelStatus,
)

KINDS: tuple[type[Kind], ...] = (SovereignModel, ResidencyPolicy, ClusterAttestation, RegionalCluster)

__all__ = [
    "GROUP",
    "KINDS",
    "VERSION",
    "Accelerator",
    "Allow",
    "ClusterAttestation",
    "ClusterCounts",
    "Condition",
    "Exclusion",
    "Facts",
    "Kind",
    "ModelRemnant",
    "ObjectMeta",
    "Placement",
    "RegionalCluster",
    "RegionalClusterStatus",
    "ResidencyPolicy",
    "SovereignModel",
    "SovereignModelSpec",
    "SovereignModelStatus",
    "remnant",
]
