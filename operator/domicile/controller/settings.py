"""How an operator process is set up."""

from dataclasses import dataclass, field

from domicile.controller.leader import Timing


@dataclass(frozen=True)
class Settings:
    """Everything that the process is told from outside."""

    namespace: str
    """The operator's own namespace: its lease, and the Secrets with kubeconfigs, are there."""
    identity: str
    """Name of this process among the candidates for the lease."""
    health_port: int = 8080
    """Port of /healthz and /readyz; 0: none."""
    health_host: str = "0.0.0.0"  # noqa: S104 - the kubelet probes the pod's address
    workers: int = 64
    """How many models are reconciled at a time."""
    resync: float = 60.0
    """Seconds between two consistent lists of the hub's objects, which put right what a watch lost."""
    watch_seconds: int = 300
    """Seconds after which a watch, of the hub or of a member, is begun anew."""
    lease: Timing = field(default_factory=Timing)
    evidence_regions: tuple[str, ...] = ()
    """Countries of which details are kept apart from the log of evidence."""
