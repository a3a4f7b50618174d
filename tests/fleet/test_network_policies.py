"""NetworkPolicies on the real node: what they forbid does not pass, what they allow does, and from a pod's first moment."""

import contextlib
import dataclasses
import http.client
import json
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest

from domicile import fence
from domicile.api import Peer, PeerPort
from domicile.localfleet import apiclient, certs, images, waiting
from domicile.localfleet.fleet import Fleet, Region
from domicile.localfleet.realnode import policies

pytestmark = pytest.mark.real_node

Object = dict[str, Any]
PORT = 8080
MANAGED = {"domicile.dev/managed": "true"}
DENY_ALL: Object = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@dataclasses.dataclass(frozen=True)
class Pod:
    """A caller (modules/caller). The node may always speak to it, and so has it call others."""

    namespace: str
    name: str
    address: str

    @property
    def target(self) -> str:
        return f"{self.address}:{PORT}"

    def asked(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.address, PORT, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def reaches(self, target: str, within: str = "1s") -> bool:
        status, said = self.asked(f"/call?{urlencode({'to': target, 'within': within})}")
        assert status == 200 or "timeout" in said, said  # dropped, and nothing else
        return status == 200


@dataclasses.dataclass(frozen=True)
class Net:
    """Pods on the real node: two in a managed namespace, one in each of two others; and a server on the node itself."""

    region: Region
    node: str
    image: str
    guarded: Pod
    neighbour: Pod
    friend: Pod
    stranger: Pod
    host: str

    @property
    def api(self) -> apiclient.ApiClient:
        return self.region.api()

    def allow(
        self, ingress: list[Object] | None = None, egress: list[Object] | None = None, name: str = "rule"
    ) -> None:
        rules = {key: value for key, value in (("ingress", ingress), ("egress", egress)) if value is not None}
        self.write({**only(self.guarded), **rules, "policyTypes": [key.capitalize() for key in rules]}, name)

    def write(self, spec: Object, name: str) -> None:
        metadata = {"name": name, "namespace": self.guarded.namespace}
        self.api.apply(
            {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
        )

    def free(self) -> None:
        self.api.delete(f"/apis/networking.k8s.io/v1/namespaces/{self.guarded.namespace}/networkpolicies")

    def pod(self, namespace: str, name: str, *arguments: str) -> Pod:
        """Ready, which a caller is once the kubelet's own probe got an answer."""
        return _pod(self.api, self.node, self.image, namespace, name, *arguments)


@pytest.fixture(scope="module")
def net(fleet: Fleet) -> Iterator[Net]:
    region = fleet.regions["sg"]
    if region.real_node is None:
        pytest.skip(region.no_real_node or "the session was started without a real node")
    if region.no_network_policies:
        pytest.skip(region.no_network_policies)
    node, api = region.real_node, region.api()
    caller = images.File(fleet.binary("caller").read_bytes(), 0o755)
    image = fleet.registry.push(images.pack(images.Contents({"/caller": caller}, entrypoint=["/caller"])), "caller")
    mark = secrets.token_hex(3)
    guarded, friend, stranger = (f"net-{name}-{mark}" for name in ("guarded", "friend", "stranger"))
    for name, labels in ((guarded, MANAGED), (friend, {"team": "friend"}), (stranger, {"team": "stranger"})):
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    try:
        with _server(node_address(api, node)) as host:
            yield Net(
                region,
                node,
                image,
                _pod(api, node, image, guarded, "guarded"),
                _pod(api, node, image, guarded, "neighbour"),
                _pod(api, node, image, friend, "friend"),
                _pod(api, node, image, stranger, "stranger"),
                host,
            )
    finally:
        for namespace in (guarded, friend, stranger):
            api.delete(f"/api/v1/namespaces/{namespace}/pods?gracePeriodSeconds=0")
            api.delete(f"/api/v1/namespaces/{namespace}")


@pytest.fixture(autouse=True)
def every_test_begins_with_all_connections_passing(net: Net) -> Iterator[None]:
    for caller, target in connections(net):
        assert caller.reaches(target)
    yield
    net.free()
    eventually("the pods are free again", lambda: all(caller.reaches(target) for caller, target in connections(net)))


@pytest.fixture
def denied(net: Net) -> Net:
    """The managed namespace denies all, and that is in force."""
    net.write(DENY_ALL, "deny-all")
    eventually("deny-all is in force", lambda: not net.stranger.reaches(net.guarded.target))
    return net


def connections(net: Net) -> list[tuple[Pod, str]]:
    """Those that deny-all is to forbid."""
    out = [(net.guarded, target) for target in (net.stranger.target, net.neighbour.target, net.host)]
    return out + [(caller, net.guarded.target) for caller in (net.stranger, net.friend, net.neighbour)]


def eventually(what: str, look: Callable[[], bool], within: float = 10) -> None:
    waiting.until(what, lambda: None if look() else "not yet", within=within)


def node_address(api: apiclient.ApiClient, node: str) -> str:
    addresses = api.get(f"/api/v1/nodes/{node}")["status"]["addresses"]
    return next(each["address"] for each in addresses if each["type"] == "InternalIP")


@contextlib.contextmanager
def _server(address: str) -> Iterator[str]:
    """Connections are taken by the kernel, and that is all a caller wants to know."""
    with socket.create_server((address, 0), backlog=1024) as listening:
        yield f"{address}:{listening.getsockname()[1]}"


def only(pod: Pod) -> Object:
    return {"podSelector": {"matchLabels": {"app": pod.name}}}


def _pod(api: apiclient.ApiClient, node: str, image: str, namespace: str, name: str, *arguments: str) -> Pod:
    container: Object = {
        "name": "caller",
        "image": image,
        "args": list(arguments),
        "ports": [{"name": "calls", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1},
    }
    api.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
            # By name: the node is cordoned but for tests that ask for it one by one.
            "spec": {"nodeName": node, "containers": [container], "automountServiceAccountToken": False},
        }
    )
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"

    def look() -> str | None:
        status = api.get(path)["status"]
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", []))
        return None if ready else json.dumps(status)

    waiting.until(f"pod {name} Ready", look, within=30)
    return Pod(namespace, name, api.get(path)["status"]["podIP"])


def test_a_pod_under_deny_all_reaches_nobody_and_is_reached_by_nobody(denied: Net) -> None:
    assert [reached for reached in in_parallel(connections(denied)) if reached] == []
    assert denied.stranger.reaches(denied.friend.target)  # whom no policy selects


def test_the_kubelets_probes_pass_also_under_deny_all(denied: Net) -> None:
    assert denied.pod(denied.guarded.namespace, f"probed-{secrets.token_hex(3)}")


def test_a_pod_is_under_deny_all_from_its_first_moment(denied: Net) -> None:
    """It calls before the API server has heard of its address."""
    free = denied.pod(denied.stranger.namespace, f"early-{secrets.token_hex(3)}", f"-first={denied.host}")
    assert 0 <= int(free.asked("/first")[1]) < 1000
    # Several: the API server hears of one in six in time, also where the container runtime tells nothing.
    names = [f"early-{secrets.token_hex(3)}" for _ in range(4)]
    bound = [denied.pod(denied.guarded.namespace, name, f"-first={denied.host}") for name in names]
    time.sleep(1.5)  # longer than the last waits for an answer
    assert [each.asked("/first") for each in bound] == [(200, "-1")] * len(bound)


def test_a_namespace_that_is_allowed_in_comes_in_and_no_other(denied: Net) -> None:
    denied.allow(ingress=[{"from": [in_namespaces(team="friend")]}])
    eventually("the friend comes in", lambda: denied.friend.reaches(denied.guarded.target))
    assert not denied.stranger.reaches(denied.guarded.target)
    assert not denied.guarded.reaches(denied.friend.target)  # to be called is not to call


@pytest.fixture
def isolated(net: Net) -> Net:
    """The managed namespace has the NetworkPolicy that the guard of the fence keeps there."""
    policy, _ = fence.isolation(net.guarded.namespace)
    net.write(policy["spec"], "domicile")
    eventually("the policy is in force", lambda: not net.stranger.reaches(net.guarded.target))
    return net


def let_through(net: Net, port: int, *, callers: Iterable[Peer] = (), egress: Iterable[Peer] = ()) -> None:
    """For the guarded pod, as the gate writes it for a model. Its neighbour in the namespace gets the like later, to tell when that is in
    force."""
    net.write(dict(fence.let_through({"app": net.guarded.name}, port, callers, egress)), net.guarded.name)
    free_neighbour(net)


def peer(pod: Pod, port: int | None = None) -> Peer:
    return Peer(name="peer", namespaces=(pod.namespace,), ports=(PeerPort(port=port),) if port else ())


def all_calls(net: Net) -> set[str]:
    """Which ways are open, in to the guarded pod and out of it."""
    return reached(
        {
            "the friend in": (net.friend, net.guarded.target),
            "the stranger in": (net.stranger, net.guarded.target),
            "the neighbour in": (net.neighbour, net.guarded.target),
            "out to the friend": (net.guarded, net.friend.target),
            "out to the stranger": (net.guarded, net.stranger.target),
            "out to the host": (net.guarded, net.host),
        }
    )


def test_a_managed_namespace_lets_nobody_in_and_nobody_out(isolated: Net) -> None:
    assert all_calls(isolated) == set()


REACH: dict[str, tuple[Callable[[Net], dict[str, Any]], set[str]]] = {
    "a caller": (lambda net: {"port": PORT, "callers": [peer(net.friend)]}, {"the friend in"}),
    "a caller, at another port than the model's": (
        lambda net: {"port": PORT + 1, "callers": [peer(net.friend)]},
        set(),
    ),
    "whom the model may ask": (lambda net: {"port": PORT, "egress": [peer(net.stranger)]}, {"out to the stranger"}),
    "whom it may ask, at its port": (
        lambda net: {"port": PORT + 1, "egress": [peer(net.stranger, PORT)]},
        {"out to the stranger"},
    ),
    "whom it may ask, at another port": (lambda net: {"port": PORT, "egress": [peer(net.stranger, PORT + 1)]}, set()),
    "both": (
        lambda net: {"port": PORT, "callers": [peer(net.friend)], "egress": [peer(net.stranger)]},
        {"the friend in", "out to the stranger"},
    ),
}


@pytest.mark.parametrize("case", REACH)
def test_what_is_let_through_for_a_model(case: str, isolated: Net) -> None:
    wanted, expected = REACH[case]
    let_through(isolated, **wanted(isolated))
    eventually("it is in force", lambda: isolated.neighbour.reaches(isolated.stranger.target))
    assert all_calls(isolated) - {"the neighbour in"} == expected


def in_parallel(calls: list[tuple[Pod, str]]) -> list[bool]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda each: each[0].reaches(each[1]), calls))


def in_namespaces(**labels: str) -> Object:
    return {"namespaceSelector": {"matchLabels": labels}}


def pods(**labels: str) -> Object:
    return {"podSelector": {"matchLabels": labels}}


def block(*addresses: str, without: Iterable[str] = ()) -> list[Object]:
    return [{"ipBlock": {"cidr": each, "except": list(without)}} for each in addresses]


def ports(port: int | str, protocol: str = "TCP", **more: int) -> list[Object]:
    return [{"ports": [{"port": port, "protocol": protocol, **more}]}]


BOTH = {"friend", "stranger"}
INGRESS: dict[str, tuple[Callable[[Net], list[Object]], set[str]]] = {
    "pods of any namespace by label": (
        lambda net: [{"from": [{"namespaceSelector": {}, **pods(app="stranger")}]}],
        {"stranger"},
    ),
    "pods of one namespace by label": (
        lambda net: [{"from": [{**in_namespaces(team="friend"), **pods(app="stranger")}]}],
        set(),
    ),
    "a podSelector alone, which means the own namespace": (lambda net: [{"from": [pods(app="stranger")]}], set()),
    "an address": (lambda net: [{"from": block(f"{net.friend.address}/32")}], {"friend"}),
    "a block without one address": (
        lambda net: [{"from": block("10.0.0.0/8", without=[f"{net.friend.address}/32"])}],
        {"stranger"},
    ),
    "everybody": (lambda net: [{}], BOTH),
    "everybody, on its port": (lambda net: ports(PORT), BOTH),
    "everybody, on another port": (lambda net: ports(PORT + 1), set()),
    "everybody, on its port by name": (lambda net: ports("calls"), BOTH),
    "everybody, on another port by name": (lambda net: ports("other"), set()),
    "everybody, in a range of ports": (lambda net: ports(PORT - 1, endPort=PORT + 1), BOTH),
    "everybody, in another range of ports": (lambda net: ports(PORT + 1, endPort=PORT + 2), set()),
    "everybody, over another protocol": (lambda net: ports(PORT, "UDP"), set()),
    "a namespace, on another port": (
        lambda net: [{"from": [in_namespaces(team="friend")], **ports(PORT + 1)[0]}],
        set(),
    ),
}


@pytest.mark.parametrize("case", INGRESS)
def test_what_a_rule_lets_in(case: str, denied: Net) -> None:
    rules, expected = INGRESS[case]
    denied.allow(ingress=rules(denied))
    free_neighbour(denied)
    denied.allow(ingress=[{"from": [pods(app="neighbour")]}], name="written-after")
    eventually("all are in force", lambda: denied.neighbour.reaches(denied.guarded.target))
    callers = {pod.name: (pod, denied.guarded.target) for pod in (denied.friend, denied.stranger)}
    assert reached(callers) == expected


EGRESS: dict[str, tuple[Callable[[Net], list[Object]], set[str]]] = {
    "a namespace": (lambda net: [{"to": [in_namespaces(team="friend")]}], {"friend"}),
    "an address of the node": (lambda net: [{"to": block(f"{net.host.partition(':')[0]}/32")}], {"host"}),
    "all addresses without a pod's": (
        lambda net: [{"to": block("0.0.0.0/0", without=[f"{net.friend.address}/32"])}],
        {"stranger", "host"},
    ),
    "a port by its number": (lambda net: ports(PORT), BOTH),
    "a port by its name, which only pods have": (lambda net: ports("calls"), BOTH),
    "everybody": (lambda net: [{}], {*BOTH, "host"}),
}


@pytest.mark.parametrize("case", EGRESS)
def test_what_a_rule_lets_out(case: str, denied: Net) -> None:
    rules, expected = EGRESS[case]
    denied.allow(egress=rules(denied))
    denied.allow(egress=[{"to": [pods(app="neighbour")]}], name="written-after")
    free_neighbour(denied)
    eventually("all are in force", lambda: denied.guarded.reaches(denied.neighbour.target))
    calls = {pod.name: (denied.guarded, pod.target) for pod in (denied.friend, denied.stranger)}
    assert reached({**calls, "host": (denied.guarded, denied.host)}) == expected


def free_neighbour(net: Net) -> None:
    """So that what it reaches and is reached by shows when the policies of the other are in force."""
    net.write({**DENY_ALL, **only(net.neighbour), "ingress": [{}], "egress": [{}]}, "neighbour")


def reached(calls: dict[str, tuple[Pod, str]]) -> set[str]:
    return {name for name, passed in zip(calls, in_parallel(list(calls.values())), strict=True) if passed}


def test_a_policy_is_in_force_within_a_second_of_its_writing(net: Net) -> None:
    lags: list[float] = []
    for _ in range(10):
        written = time.monotonic()
        net.write(DENY_ALL, "deny-all")
        while True:
            called = time.monotonic()
            if not net.stranger.reaches(net.guarded.target, within="200ms"):
                break
        lags.append(called - written)
        net.free()
        eventually("it is free again", lambda: net.stranger.reaches(net.guarded.target))
    print(
        f"from writing a policy to the first connection that did not pass: {[f'{lag * 1000:.0f} ms' for lag in lags]}"
    )
    assert max(lags) < 1


def test_a_connection_that_was_open_before_a_policy_stays_open(net: Net) -> None:
    """A limit of what is enforced, to be known by whoever relies on it."""
    assert net.stranger.asked(f"/hold?to={net.guarded.target}") == (200, "")
    net.write(DENY_ALL, "deny-all")
    eventually("deny-all is in force", lambda: not net.stranger.reaches(net.guarded.target))
    assert net.stranger.asked("/held") == (200, "")


def test_pods_do_not_go_round_policies_by_the_links_own_addresses(net: Net) -> None:
    """Each has one of IPv6, of which no policy can know; nobody needs them."""
    (own,) = (line.partition("/")[0] for line in net.friend.asked("/addresses")[1].split() if line.startswith("fe80:"))
    assert not net.stranger.reaches(f"[{own}%eth0]:{PORT}")


def test_while_nobody_decides_nothing_passes_but_what_the_node_begins(net: Net) -> None:
    supervisor, name = net.region.supervisor, net.region.plane.program_name(policies.NAME)
    supervisor.kill(name)
    try:
        assert not net.stranger.reaches(net.friend.target)
    finally:
        supervisor.restart(name)
    eventually("the pods speak again", lambda: net.stranger.reaches(net.friend.target), within=30)


def test_who_enforces_policies_may_read_what_it_needs_and_no_more(net: Net) -> None:
    pki = net.region.authority.parent
    pair = certs.KeyPair(pki / f"{policies.NAME}.crt", pki / f"{policies.NAME}.key")
    enforcer = apiclient.ApiClient(net.region.url, net.region.authority, pair)
    for needed in ("/api/v1/pods", "/api/v1/namespaces", "/apis/networking.k8s.io/v1/networkpolicies"):
        assert enforcer.get(needed)["items"] is not None
    assert enforcer.raw("GET", "/api/v1/secrets")[0] == 403
    assert enforcer.raw("DELETE", f"/api/v1/namespaces/{net.guarded.namespace}/pods/guarded")[0] == 403
