"""The order of tests on real clusters, and the joined and attested fleet that they share."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from domicile.cli.demo import installation, stamping
from domicile.evidence import keyfile
from domicile.localfleet.fleet import Fleet
from evidence import postgresql
from evidence.postgresql import Server
from fleet import audit, members, recorded
from fleet.world import HUB_STANDS_IN, NAMESPACE, OperatorProcess, World, eventually

# The first needs this machine's one real node for itself, which the session's fleet holds once it runs; the second makes
# pods in managed namespaces, which no fence keeps before the world is there.
FIRST = ("test_localfleet_crash.py", "test_network_policies.py")

PLACES = {"sg": "SG", "ph": "PH", "de": "DE"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST))


@pytest.fixture(scope="session")
def fleet(fleet: Fleet) -> Fleet:
    """The session's fleet, whose hub all tests speak for."""
    members.hub = fleet.hub
    return fleet


@pytest.fixture(scope="session")
def database() -> Iterator[Server | None]:
    """Where the session's operators record, several of them at a time. In CI there must be one."""
    if postgresql.binaries() is None and not os.environ.get("CI"):
        yield None
        return
    server = postgresql.started()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def world(fleet: Fleet, database: Server | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The fleet with Domicile's kinds, roles and admission on the hub, three regions joined and attested; no operator.

    Whatever the tests did, the fence of no member may have got in the way of those who do the work, and what was done is in the evidence:
    both are looked up in the end.
    """
    here = World(fleet, tmp_path_factory.mktemp("operators"), database)
    keyfile.signer_made_once(here.evidence_key)
    for manifest in installation.manifests(admission=True):
        eventually(
            lambda manifest=manifest: _applied(here, dict(manifest)), within=30, what=f"{manifest['kind']} applied"
        )
    for probe in stamping.probes("default").values():
        eventually(lambda probe=probe: _stamps(here, probe), within=60, what=f"{probe['kind']} is admitted and stamped")
    _write_operator_kubeconfig(here)
    for name, place in PLACES.items():
        here.join(name)
        here.attest(name, place)
    here.attest("hub", HUB_STANDS_IN)
    yield here
    assert [
        f"{name}: {each['user']['username']}: {each['verb']} {each['requestURI']}: {each['responseStatus']['message']}"
        for name, region in fleet.regions.items()
        for each in audit.refused_by_the_fence(region.audit_log)
    ] == []
    _all_is_in_evidence(here)


def _all_is_in_evidence(here: World) -> None:
    """The log is in order, members agree with it, no placement came before it was recorded, and every decision comes out the same again."""
    heads = {name: _head_at(here, name) for name in PLACES}
    log = recorded.read(here.evidence, here.evidence_of_singapore, here.evidence_key, here.hub_uid, heads)
    print(f"{log.report.size} records, {len(log.trail.decisions)} decisions; agreeing: {log.report.witnessed}")
    assert (log.report.findings, log.trail.odd) == ((), [])
    hub = here.fleet.hub.audit_log
    assert [
        f"{name}: {each}"
        for name, region in here.fleet.regions.items()
        for each in recorded.without_intent(log.trail, name, hub, region.audit_log)
    ] == []
    assert recorded.not_the_same(log.trail) == []


def _head_at(here: World, name: str) -> str:
    claim = here.member(name).find(members.CLAIM)
    spec = (claim or {}).get("spec", {})
    return spec.get("evidence", "") if spec.get("hub") == here.hub_uid else ""


@pytest.fixture(scope="session")
def _shared_operator(world: World) -> Iterator[OperatorProcess]:
    with world.operator("shared", "--resync", "20") as process:
        yield process


@pytest.fixture
def operator(_shared_operator: OperatorProcess) -> Iterator[OperatorProcess]:
    """The session's operator, running; what it logged is shown where a test fails."""
    _shared_operator.resume()
    before = _shared_operator.log.stat().st_size
    yield _shared_operator
    with _shared_operator.log.open("rb") as log:
        log.seek(before)
        print(log.read().decode(errors="replace")[-6000:])


@pytest.fixture
def no_operator(_shared_operator: OperatorProcess) -> None:
    """The session's operator stands aside, for tests that bring their own."""
    _shared_operator.stop()


def _applied(world: World, manifest: dict[str, object]) -> bool:
    # A kind is served a moment after its CRD was made.
    from domicile.localfleet.errors import RequestRefused

    try:
        world.hub.apply(manifest)
    except RequestRefused as refused:
        if refused.status == 404:
            return False
        raise
    return True


def _stamps(here: World, probe: stamping.Manifest) -> bool:
    """API servers act on new admission policies, and know the schemas that these need, a moment after they were made."""
    path = here.hub.path_of(dict(probe)).rpartition("/")[0]
    status, answer = here.hub.raw("POST", f"{path}?dryRun=All", json.dumps(probe).encode())
    return status == 201 and not stamping.not_stamped(json.loads(answer))


def _write_operator_kubeconfig(world: World) -> None:
    """The operator's own identity, with the rights that the chart gives it."""
    account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{installation.OPERATOR}/token"
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 6 * 3600},
    }
    token = world.hub.request("POST", account, request)["status"]["token"]
    admin = json.loads(_as_json(world.fleet.hub.kubeconfig))
    name = "domicile"
    cluster = admin["clusters"][0]["cluster"]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    path = world.state / "operator.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))


def _as_json(path: Path) -> str:
    import yaml

    return json.dumps(yaml.safe_load(path.read_text()))
