"""The kinds of domicile.dev/v1alpha1 as pydantic models: the one source of the CRDs in crds/."""

from domicile.api.admissiongrant import GRANTS, AdmissionGrant, GrantedContainer, GrantedModel
from domicile.api.base import GROUP, VERSION, Condition, Kind, ObjectMeta
from domicile.api.clusterattestation import ClusterAttestation, Facts
from domicile.api.dataclassification import DataClassification
from domicile.api.hubclaim import CLAIM, CLAIM_MARK, WAYS, HubClaim
from domicile.api.jurisdictiongroup import JurisdictionGroup
from domicile.api.regionalcluster import (
    Accelerator,
    GrantedConnection,
    MemberIdentities,
    Peer,
    PeerPort,
    RegionalCluster,
    RegionalClusterSpec,
    RegionalClusterStatus,
)
from domicile.api.remnant import ModelRemnant, remnant
from domicile.api.residencyexception import ResidencyException
from domicile.api.residencypolicy import Allow, Basis, ResidencyPolicy, ResidencyPolicyStatus, Rule
from domicile.api.residencyrecord import ResidencyRecord
from domicile.api.sovereignmodel import (
    ClusterCounts,
    Exclusion,
    Placement,
    ReasonCount,
    SovereignModel,
    SovereignModelSpec,
    SovereignModelStatus,
)

KINDS: tuple[type[Kind], ...] = (
    SovereignModel,
    ResidencyPolicy,
    ClusterAttestation,
    RegionalCluster,
    JurisdictionGroup,
    DataClassification,
    ResidencyRecord,
    ResidencyException,
)
"""Those of the hub."""
MEMBER_KINDS: tuple[type[Kind], ...] = (AdmissionGrant, HubClaim)
"""Those of members, where the operator puts their CRDs by itself."""

__all__ = [
    "CLAIM",
    "CLAIM_MARK",
    "GRANTS",
    "GROUP",
    "KINDS",
    "MEMBER_KINDS",
    "VERSION",
    "WAYS",
    "Accelerator",
    "AdmissionGrant",
    "Allow",
    "Basis",
    "ClusterAttestation",
    "ClusterCounts",
    "Condition",
    "DataClassification",
    "Exclusion",
    "Facts",
    "GrantedConnection",
    "GrantedContainer",
    "GrantedModel",
    "HubClaim",
    "JurisdictionGroup",
    "Kind",
    "MemberIdentities",
    "ModelRemnant",
    "ObjectMeta",
    "Peer",
    "PeerPort",
    "Placement",
    "ReasonCount",
    "RegionalCluster",
    "RegionalClusterSpec",
    "RegionalClusterStatus",
    "ResidencyException",
    "ResidencyPolicy",
    "ResidencyPolicyStatus",
    "ResidencyRecord",
    "Rule",
    "SovereignModel",
    "SovereignModelSpec",
    "SovereignModelStatus",
    "remnant",
]
