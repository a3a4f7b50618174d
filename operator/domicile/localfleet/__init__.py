"""A real hub and regional clusters on this machine, for `domicile demo` and the tests."""

from domicile.localfleet.apiclient import ApiClient
from domicile.localfleet.build import ensure_built
from domicile.localfleet.components import EVERYTHING, FLEET, HELM_CLI, REAL_NODE
from domicile.localfleet.fleet import Cluster, Fleet, Region
from domicile.localfleet.realnode.possible import NotPossible, Possible, real_node_possible
from domicile.localfleet.spec import H100, HUB, L4, FleetSpec, Gpu, NodeSpec, RegionSpec, default_regions
from domicile.localfleet.starting import down, running, start
from domicile.localfleet.stopping import Leftover, leftovers

__all__ = [
    "EVERYTHING",
    "FLEET",
    "H100",
    "HELM_CLI",
    "HUB",
    "L4",
    "REAL_NODE",
    "ApiClient",
    "Cluster",
    "Fleet",
    "FleetSpec",
    "Gpu",
    "Leftover",
    "NodeSpec",
    "NotPossible",
    "Possible",
    "Region",
    "RegionSpec",
    "default_regions",
    "down",
    "ensure_built",
    "leftovers",
    "real_node_possible",
    "running",
    "start",
]
