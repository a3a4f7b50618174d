"""Fixtures for tests on real clusters: one fleet a session, a fresh namespace on the hub a test, members left clean."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Iterator, Mapping

import pytest

from domicile.localfleet import apiclient, progress, spec, starting, waiting
from domicile.localfleet import fleet as fleets

REAL_NODE_MARK = "real_node"
CLEAN_SECONDS = 60.0
KEPT = frozenset({"domicile-fence"})
"""Namespaces that outlive the test in which they happen to be made: whatever made one needs it in the next."""
# Owners first, so that nothing makes again what is being deleted.
WORKLOADS = (
    "/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices",
    "/apis/apps/v1/namespaces/{namespace}/deployments",
    "/apis/apps/v1/namespaces/{namespace}/replicasets",
    "/api/v1/namespaces/{namespace}/pods",
)


def pytest_configure() -> None:
    """What runs in the background of a shell ignores Ctrl-C, and so would all that tests start and then send it to."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def fleet(request: pytest.FixtureRequest) -> Iterator[fleets.Fleet]:
    """The fleet of this session; with a real node when a collected test is marked `real_node` and this machine can.

    The real node is cordoned but for the tests that ask for it: kwok starts an image that no registry has, a kubelet
    does not.
    """
    asked_for = any(item.get_closest_marker(REAL_NODE_MARK) for item in request.session.items)
    wanted = spec.FleetSpec(name=f"pytest-{os.getpid()}", real_node_in="sg" if asked_for else None)
    with starting.running(wanted, progress.PlainProgress(sys.__stderr__)) as up:
        for region in up.regions.values():
            if region.real_node is not None:
                _take_pods(region, region.real_node, yes=False)
        yield up


@pytest.fixture
def real_node(fleet: fleets.Fleet) -> Iterator[str]:
    """Name of the real node in region sg, which takes pods during the test; skips with the reason when there is none.
    Mark such tests `real_node`."""
    region = fleet.regions["sg"]
    if region.real_node is None:
        pytest.skip(region.no_real_node or "the session was started without a real node: mark the test real_node")
    _take_pods(region, region.real_node, yes=True)
    yield region.real_node
    _take_pods(region, region.real_node, yes=False)


@pytest.fixture
def hub_namespace(fleet: fleets.Fleet) -> Iterator[str]:
    """A namespace of its own on the hub. Pods that a test makes in members are gone before the next test."""
    name = f"test-{secrets.token_hex(4)}"
    before = {region.name: _namespaces(region.api()) for region in fleet.regions.values()}
    hub = fleet.hub.api()
    hub.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    # Not waited for: objects in it may hold finalizers of an operator that no longer runs.
    hub.delete(f"/api/v1/namespaces/{name}")
    _clean_members(fleet.regions, before)


def _take_pods(region: fleets.Region, node: str, *, yes: bool) -> None:
    region.api().merge(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": None if yes else True}})


def _clean_members(regions: Mapping[str, fleets.Region], before: Mapping[str, frozenset[str]]) -> None:
    made = {
        name: (api, _namespaces(api) - before[name] - KEPT)
        for name, api in ((name, r.api()) for name, r in regions.items())
    }
    for api, namespaces in made.values():
        for namespace in namespaces:
            for collection in WORKLOADS:
                api.delete(collection.format(namespace=namespace))
    for region, (api, namespaces) in made.items():
        for namespace in namespaces:
            # A namespace that still has pods is looked at again only after their whole grace period.
            waiting.until(
                f"no pods in {namespace} of region {region}", _pods_left(api, namespace), within=CLEAN_SECONDS
            )
            # Not waited for either: names are not used twice, and what is in it holds no node any more.
            api.delete(f"/api/v1/namespaces/{namespace}")


def _pods_left(api: apiclient.ApiClient, namespace: str) -> waiting.Look:
    def look() -> str | None:
        names = [each["metadata"]["name"] for each in api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]]
        return f"there are {names}" if names else None

    return look


def _namespaces(api: apiclient.ApiClient) -> frozenset[str]:
    return frozenset(each["metadata"]["name"] for each in api.get("/api/v1/namespaces")["items"])
