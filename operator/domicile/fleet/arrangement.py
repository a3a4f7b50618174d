"""What people arranged for a member, in its RegionalCluster."""

from dataclasses import dataclass, field

from domicile.api import GrantedConnection, MemberIdentities, RegionalClusterSpec


@dataclass(frozen=True)
class Arrangement:
    """Who may do what there. Without one: the usual writers, and nobody else for anything."""

    identities: MemberIdentities = field(default_factory=MemberIdentities)
    """The lawful writers."""
    connections: tuple[GrantedConnection, ...] = ()
    """Who may connect to running models, and until when."""
    confirmed: int = -1
    """The epoch up to which a person confirmed terms of the hub that it does not know; -1 for none."""


def arranged(spec: RegionalClusterSpec) -> Arrangement:
    """As the RegionalCluster has it."""
    confirmed = spec.confirmed_epoch.epoch if spec.confirmed_epoch else -1
    return Arrangement(spec.identities, spec.connections, confirmed)
