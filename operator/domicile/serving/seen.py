"""What was seen of one model on one member, as values. The fleet fills them from its watches; health is read from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domicile.serving.workload import ACCELERATOR, Manifest

_NO_ACCELERATOR = f"Insufficient {ACCELERATOR}"
"""What the scheduler says of nodes whose accelerators are all taken."""


@dataclass(frozen=True)
class SeenObject:
    """An object as the member's API server has it."""

    kind: str
    name: str
    manifest: Mapping[str, Any]

    @property
    def deleting(self) -> bool:
        """Whether it is on its way out."""
        return "deletionTimestamp" in self.manifest.get("metadata", {})


@dataclass(frozen=True)
class SeenPod:
    """A pod of the model."""

    name: str
    node: str
    ready: bool
    created: datetime
    waiting: tuple[tuple[str, str], ...] = ()
    """Reason and message of each container that waits, such as ErrImagePull."""
    unschedulable: str = ""
    """The scheduler's message, where no node takes the pod."""
    workload: str = ""
    """Value of the annotation domicile.dev/workload, which KServe copies to the pods."""
    deleting: bool = False
    finished: bool = False
    """It has ended and will not run again, such as an evicted one. The object stays."""
    restarts: int = 0
    """How often its containers were started again, in all: tells one that crashes from one that starts."""

    @property
    def live(self) -> bool:
        """Whether it counts: it has not ended, and is not on its way out."""
        return not (self.finished or self.deleting)


@dataclass(frozen=True)
class SeenDeployment:
    """A Deployment that KServe made for the model."""

    name: str
    generation: int
    observed_generation: int
    replicas: int
    """How many copies are asked for: its spec.replicas."""
    total: int
    """How many pods it has, of any template: its status.replicas."""
    updated: int
    """How many of them are of its template now."""
    available: int
    """How many of them are available, of any template."""
    workload: str = ""
    """Value of the annotation domicile.dev/workload on its pod template."""
    deadline_exceeded: str = ""
    """Message of the condition Progressing where its reason is ProgressDeadlineExceeded."""


@dataclass(frozen=True)
class SeenWorkload:
    """All that is on a member of one model. Empty: nothing of it is there."""

    inference_service: SeenObject | None = None
    companions: Mapping[str, SeenObject] = field(default_factory=dict[str, SeenObject])
    """By kind: ServingRuntime, NetworkPolicy, ServiceAccount."""
    deployments: tuple[SeenDeployment, ...] = ()
    pods: tuple[SeenPod, ...] = ()
    granted: Manifest | None = None
    """The model's entry in the AdmissionGrant of its namespace. Nothing runs by it alone."""
    others: tuple[str, ...] = ()
    """Further things of the model that are still there, as kind/name: ReplicaSets, Services, HorizontalPodAutoscalers."""

    @property
    def absent(self) -> bool:
        """Whether nothing of the model was seen."""
        return not (self.inference_service or self.companions or self.deployments or self.pods or self.others)

    @property
    def starved(self) -> bool:
        """Whether there are pods, none of them has a node, and all of them wait for accelerators."""
        live = [pod for pod in self.pods if pod.live]
        return bool(live) and all(not pod.node and _NO_ACCELERATOR in pod.unschedulable for pod in live)
