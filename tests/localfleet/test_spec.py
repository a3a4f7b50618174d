"""What a fleet may look like, and the small decisions that are pure."""

import ipaddress
from pathlib import Path

import pytest

from domicile.localfleet import audit, errors, extracts, kwok, paths, ports, spec
from domicile.localfleet.realnode import bridge

SMALL = spec.RegionSpec("sg", (spec.NodeSpec("sg-0", spec.H100),))


def test_the_demos_regions_have_the_gpus_of_the_story() -> None:
    gpus = {region.name: [node.gpu.product for node in region.nodes if node.gpu] for region in spec.FleetSpec().regions}
    h100, l4 = spec.H100.product, spec.L4.product
    assert gpus == {"sg": [h100, h100, l4], "ph": [h100, l4, l4], "de": [h100, h100, l4]}


WRONG = {
    "a name with capitals": {"name": "Demo"},
    "a name that leads out of the directory": {"name": "../x"},
    "a name too long for hosts and sockets": {"name": "x" * 21},
    "a region twice": {"regions": (SMALL, SMALL)},
    "a region called hub": {"regions": (spec.RegionSpec("hub", ()),)},
    "a real node in no region": {"real_node_in": "fr"},
    "a real node where no node may be one": {"regions": (SMALL,), "real_node_in": "sg"},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_spec_that_contradicts_itself_is_refused(case: str) -> None:
    with pytest.raises(errors.InvalidSpec):
        spec.FleetSpec(**WRONG[case])


def test_a_node_says_what_gpu_feature_discovery_would() -> None:
    labels = kwok.labels(SMALL, SMALL.nodes[0])
    assert labels["nvidia.com/gpu.product"] == "NVIDIA-H100-80GB-HBM3"
    assert labels["nvidia.com/gpu.memory"] == "81559"
    assert labels["nvidia.com/gpu.count"] == "8"
    assert labels["nvidia.com/gpu.present"] == "true"
    assert kwok.node(SMALL, SMALL.nodes[0])["status"]["allocatable"]["nvidia.com/gpu"] == "8"


def test_audit_never_holds_the_body_of_a_secret() -> None:
    whole = [rule for rule in audit.POLICY["rules"] if rule["level"] != "Metadata"]
    named = {(each["group"]) for rule in whole for each in rule["resources"]}
    assert named == {"domicile.dev", "serving.kserve.io", "admissionregistration.k8s.io"}
    assert audit.POLICY["rules"][-1] == {"level": "Metadata"}


def test_a_pod_network_avoids_every_route() -> None:
    routes = [ipaddress.IPv4Network("10.244.0.0/23"), ipaddress.IPv4Network("192.0.2.0/24")]
    assert bridge.free_network(routes) == ipaddress.IPv4Network("10.244.2.0/24")


def test_a_machine_that_routes_everything_is_told_so() -> None:
    with pytest.raises(errors.RealNodeUnavailable):
        bridge.free_network([ipaddress.IPv4Network("10.0.0.0/8")])


def test_a_socket_too_deep_gets_a_short_directory() -> None:
    shallow, deep = Path("/var/lib/x"), Path("/") / ("very-long-name/" * 8)
    assert paths.socket_dir(shallow, "a.sock") == shallow
    short = paths.socket_dir(deep, "a.sock")
    assert short == paths.socket_dir(deep, "a.sock")
    assert len(str(short / "a.sock")) < paths.LONGEST_SOCKET


def test_a_port_is_given_once_and_given_back(tmp_path: Path) -> None:
    first, second = ports.Ports(tmp_path, "a"), ports.Ports(tmp_path, "b")
    taken = [first.take(), first.take(), second.take()]
    assert len(set(taken)) == 3
    first.release_all()
    assert [path.name for path in tmp_path.iterdir()] == [str(taken[2])]


def test_crds_lose_their_descriptions_and_nothing_else() -> None:
    properties = {"description": {"type": "string", "description": "a field that is called description"}}
    crd = {"spec": {"versions": [{"schema": {"openAPIV3Schema": {"description": "x", "properties": properties}}}]}}
    schema = extracts.without_descriptions(crd)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert schema == {"properties": {"description": {"type": "string"}}}
