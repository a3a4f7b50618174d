"""A member of which there is something to say in every field."""

from dataclasses import replace

import builders as a
from domicile import placement
from domicile.api import Peer
from domicile.residency import Reported

PEER = Peer.model_validate({"name": "gateway", "namespaces": ["istio-system"], "ports": [{"port": 8443}]})


def rich_view() -> placement.ClusterView:
    node = replace(a.node("gpu-1", of=8, granted=3, own=1), restricted={"node-restriction.kubernetes.io/pool": "a"})
    return a.view(
        "sg",
        a.node("gpu-0", memory_mib=None),
        node,
        foreign_namespaces=frozenset({"kube-system", "istio-system"}),
        foreign_services={"treasury": frozenset({"chat", "forecast"})},
        reported=Reported(frozenset({"asia-southeast1", "asia-southeast1-a"}), frozenset({"gce"})),
        mirrors=((a.REGISTRY, "mirror.sg.example:5000"), ("docker.io", "mirror.sg.example:5001")),
        peers=(PEER,),
    )
