"""The workload: all manifests that one model needs on one member, and what it would run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domicile.residency.identity import ModelRef

Manifest = Mapping[str, Any]

ACCELERATOR = "nvidia.com/gpu"
"""The resource that a model's accelerators are."""
MODEL_LABEL = "domicile.dev/model"
"""Label with the model's name, on everything of the model; KServe copies it to Deployments and pods."""
MODEL_UID = "domicile.dev/model-uid"
"""Label with the UID of the SovereignModel on the hub: what has another one is not this model's."""
WORKLOAD = "domicile.dev/workload"
"""Annotation with the digest of the workload; KServe copies it to the pods, which tells an old pod from a new one."""


@dataclass(frozen=True)
class Workload:
    """What is written to the member for one model, in the order in which it is written."""

    model: ModelRef
    namespace: Manifest
    companions: tuple[Manifest, ...]
    """ServiceAccount, NetworkPolicy and ServingRuntime: they come before the workload and go after it."""
    inference_service: Manifest
    artifacts: tuple[str, ...]
    """Every image and model artifact that it would run or load, pinned by digest."""
    network: str
    """Digest of the NetworkPolicy's spec."""
    digest: str
    """Digest of the manifests, before it was written into them as an annotation. The numbers of replicas and the NetworkPolicy
    are left out: KServe copies the annotation to the pod template, and neither of them must restart pods."""
