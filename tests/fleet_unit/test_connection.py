"""A member comes into sight only as who it must be, and when it goes out of sight it says since when and why. The API server is
a fake one in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

import builders
from domicile import fleet, kube, residency, serving
from domicile.fleet import connection, inventory, kinds, member
from domicile.kube import errors
from domicile.placement import Connected, FenceDown, FenceInForce, OutOfSight, ServingAvailable, ServingMissing
from fake_api import FakeApi, FakeOffice, claimed
from waiting import eventually

ENDED = datetime(2026, 10, 1, tzinfo=UTC)
Seen = list[tuple[str, tuple[str, str] | None]]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = builders.NOW

    def __call__(self) -> datetime:
        return self.time


class Registered:
    """A fleet of one member, and what it told."""

    def __init__(self, members: fleet.Fleet, changes: Seen, clock: Clock) -> None:
        self.fleet, self.changes, self.clock = members, changes, clock

    @property
    def sight(self) -> Connected | OutOfSight:
        view = self.fleet.view("sg")
        assert view is not None
        return view.connection

    async def connected(self) -> None:
        await eventually(lambda: isinstance(self.sight, Connected), show=lambda: self.sight)
        await asyncio.sleep(0.06)

    async def out_of_sight(self, reason: str) -> OutOfSight:
        def look() -> OutOfSight | None:
            return self.sight if isinstance(self.sight, OutOfSight) and self.sight.reason == reason else None

        return await eventually(look, show=lambda: self.sight)


@asynccontextmanager
async def registered(connect: Callable[[str], kube.Api]) -> AsyncIterator[Registered]:
    changes: Seen = []
    clock = Clock()
    members = fleet.Fleet(
        lambda name, model: changes.append((name, model)), clock, Random(1), connect, office=FakeOffice()
    )
    members.set_member("sg", builders.member().uid, "kubeconfig")
    try:
        yield Registered(members, changes, clock)
    finally:
        await members.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes every 50 ms, so that a test need not wait 8 s."""
    monkeypatch.setattr(connection, "_PROBE_SECONDS", 0.05)
    monkeypatch.setattr(connection, "_TOLERATED_SECONDS", 0.6)


def failing(error: Callable[[], Exception], when: Callable[[str, str], bool] = lambda verb, path: True) -> Any:
    def fail(verb: str, path: str) -> None:
        if when(verb, path):
            raise error()

    return fail


def status(code: int) -> Callable[[], Exception]:
    return lambda: errors.from_status(code, {"message": "planted"}, "GET /x at https://sg.example")


async def test_it_comes_into_sight_with_all_that_is_there() -> None:
    api = FakeApi()
    gpu = {"nvidia.com/gpu.product": "NVIDIA-L4", "nvidia.com/gpu.memory": "23034"}
    node = {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"nvidia.com/gpu": "2"}}
    api.put(kube.NODES, {"metadata": {"name": "gpu-0", "labels": gpu}, "status": node})
    api.put(kube.NAMESPACES, {"metadata": {"name": "ours", "labels": {"domicile.dev/managed": "true"}}})
    api.put(kinds.INFERENCE_SERVICES, {"metadata": {"name": "theirs", "namespace": "ours"}})
    async with registered(lambda _: api) as r:
        await r.connected()
        view = r.fleet.view("sg")
        assert view is not None
        assert view.connection == Connected("v1.36.3")
        assert view.serving == ServingAvailable("Unknown")
        assert view.accelerators == (builders.node("gpu-0", "NVIDIA-L4", of=2),)
        assert view.foreign_namespaces == {"kube-system"}
        assert view.foreign_services == {"ours": frozenset({"theirs"})}
        assert set(r.changes) == {("sg", None)}
    assert api.closed
    assert api.watching == 0


async def test_what_was_placed_counts_before_it_has_a_pod() -> None:
    api = FakeApi()
    gpu = {"nvidia.com/gpu.product": "NVIDIA-L4", "nvidia.com/gpu.memory": "23034"}
    node = {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"nvidia.com/gpu": "2"}}
    api.put(kube.NODES, {"metadata": {"name": "gpu-0", "labels": gpu}, "status": node})
    workload = serving.workload(builders.model(accelerators={"count": 2}), {"nvidia.com/gpu.product": "NVIDIA-L4"})
    async with registered(lambda _: api) as r:
        await r.connected()
        r.changes.clear()
        api.put(kinds.INFERENCE_SERVICES, dict(workload.inference_service))
        given_out = (builders.node("gpu-0", "NVIDIA-L4", of=2, own=2),)
        await eventually(
            lambda: (v := r.fleet.view("sg")) and v.accelerators == given_out and ("sg", None) in r.changes,
            within=5,
            show=lambda: (r.fleet.view("sg"), r.changes),
        )


async def test_of_another_cluster_nothing_but_its_uid_is_asked() -> None:
    api, asked = FakeApi(builders.member(at="another")), list[str]()
    api.before = lambda verb, path: asked.append(f"{verb} {path}")
    async with registered(lambda _: api) as r:
        lost = await r.out_of_sight("IdentityMismatch")
        assert builders.member(at="another").uid in lost.message
        await eventually(lambda: len(asked) >= 2)
        assert set(asked) == {"GET /api/v1/namespaces/kube-system"}


async def test_a_member_that_becomes_another_cluster_is_left_at_once() -> None:
    api = FakeApi()
    async with registered(lambda _: api) as r:
        await r.connected()
        api.put(kube.NAMESPACES, {"metadata": {"name": "kube-system", "uid": "another"}})
        await r.out_of_sight("IdentityMismatch")
        assert api.watching == 0


async def test_no_watch_begins_at_another_cluster_though_the_connection_was_made() -> None:
    """The address changes hands after the first look, and before the watches."""
    api, watched = FakeApi(), list[str]()

    def swap(verb: str, path: str) -> None:
        if path == "/version":
            api.objects[(kube.NAMESPACES, "", "kube-system")]["metadata"]["uid"] = "another"
        if verb in ("LIST", "WATCH"):
            watched.append(path)

    api.before = swap
    async with registered(lambda _: api) as r:
        await r.out_of_sight("IdentityMismatch")
        assert not watched


async def test_no_watch_goes_on_at_another_cluster_however_short_ago_it_was_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A look from before the connection was cut says nothing about who answers after it."""
    api, watched = FakeApi(), list[str]()
    async with registered(lambda _: api) as r:
        await r.connected()
        monkeypatch.setattr(connection, "_PROBE_SECONDS", 60)
        await asyncio.sleep(0.1)
        api.before = lambda verb, path: watched.append(path) if verb in ("LIST", "WATCH") else None
        api.objects[(kube.NAMESPACES, "", "kube-system")]["metadata"]["uid"] = "another"
        for kind in list(api.watchers):
            spoil(api, kind)
        await r.out_of_sight("IdentityMismatch")
        assert not watched


async def test_what_the_gate_notices_the_view_shows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_PROBE_SECONDS", 60)
    api = FakeApi()
    async with registered(lambda _: api) as r:
        await r.connected()
        await asyncio.sleep(0.1)
        api.objects[(kube.NAMESPACES, "", "kube-system")]["metadata"]["uid"] = "another"
        with pytest.raises(fleet.IdentityMismatch):
            await r.fleet.withdraw(builders.member(), builders.model_ref())
        await r.out_of_sight("IdentityMismatch")


async def test_all_watches_share_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_PROBE_SECONDS", 60)
    api, asked = FakeApi(), list[str]()
    api.before = lambda verb, path: asked.append(path)
    async with registered(lambda _: api) as r:
        await r.connected()
        await eventually(lambda: api.watching == len({*kinds.KIND, *kinds.FENCE.values(), *kinds.ISOLATION.values()}))
        # Before anything, for the lists, and for the watches.
        assert asked.count("/api/v1/namespaces/kube-system") == 3


REASONS: dict[str, tuple[Callable[[], Exception], str]] = {
    "401": (status(401), "CredentialsRejected"),
    "403": (status(403), "Forbidden"),
    "503": (status(503), "Unreachable"),
    "no answer": (lambda: kube.Unreachable("https://sg.example", "GET", "refused"), "Unreachable"),
    "TLS": (lambda: kube.CertificateInvalid("TLS does not vouch"), "CertificateInvalid"),
    "an ended certificate": (lambda: kube.CertificateExpired("client", ENDED, "ended"), "CertificateExpired"),
    "a kubeconfig of no use": (lambda: kube.KubeconfigInvalid("it is not YAML"), "KubeconfigInvalid"),
    "an answer without end": (lambda: kube.AnswerTooLarge("GET /x lists more than 9"), "AnswerTooLarge"),
    "a bug of ours": (lambda: ZeroDivisionError("planted"), "Unreachable"),
}


@pytest.mark.parametrize(("error", "reason"), REASONS.values(), ids=REASONS.keys())
@pytest.mark.parametrize("when", ["at first", "later"])
async def test_each_failure_has_its_reason(error: Callable[[], Exception], reason: str, when: str) -> None:
    api = FakeApi()
    async with registered(lambda _: api) as r:
        if when == "later":
            await r.connected()
        api.before = failing(error)
        lost = await r.out_of_sight(reason)
        assert str(error()) in lost.message
        assert api.watching == 0


async def test_a_kubeconfig_that_cannot_be_used_says_so() -> None:
    async with registered(_by_http) as r:
        lost = await r.out_of_sight("KubeconfigInvalid")
        assert "not a mapping" in lost.message


def _by_http(kubeconfig: str) -> kube.Api:
    return kube.KubeClient(kube.from_secret(kubeconfig))


async def test_since_is_the_first_failure_of_a_row_and_the_message_does_not_flicker() -> None:
    api = FakeApi()
    async with registered(lambda _: api) as r:
        await r.connected()
        r.clock.time += timedelta(hours=1)
        first = r.clock.time
        tries: list[str] = []

        def fail(verb: str, path: str) -> None:
            tries.append(path)
            raise kube.Unreachable("sg", verb, f"try {len(tries)}")

        api.before = fail
        lost = await r.out_of_sight("Unreachable")
        assert lost.since == first
        await eventually(lambda: r.changes)  # What is out of sight is seen at once, and told a moment later.
        r.changes.clear()
        r.clock.time += timedelta(hours=1)
        before = len(tries)
        await eventually(lambda: len(tries) >= before + 2)
        assert r.sight == lost
        assert not r.changes
        api.before = lambda verb, path: None
        await r.connected()
        assert set(r.changes) == {("sg", None)}


async def test_what_changed_while_it_was_out_of_sight_is_seen_afterwards() -> None:
    api = FakeApi()
    model = builders.model_ref()
    labels = {"domicile.dev/model": model.name, "domicile.dev/model-uid": model.uid}
    api.put(kube.SERVICES, {"metadata": {"name": "old", "namespace": model.namespace, "labels": labels}})
    async with registered(lambda _: api) as r:
        await r.connected()
        api.before = failing(lambda: kube.Unreachable("sg", "GET", "refused"))
        await r.out_of_sight("Unreachable")
        assert r.fleet.seen("sg", model).others == ("Service/old",)
        api.remove(kube.SERVICES, "old", model.namespace)
        api.put(kube.SERVICES, {"metadata": {"name": "new", "namespace": model.namespace, "labels": labels}})
        api.before = lambda verb, path: None
        await r.connected()
        assert r.fleet.seen("sg", model).others == ("Service/new",)
        assert r.fleet.known_models("sg") == {model}


async def test_a_right_that_is_missing_for_one_watch_is_named() -> None:
    api = FakeApi()
    api.before = failing(status(403), lambda verb, path: verb == "LIST" and path.endswith("/nodes"))
    async with registered(lambda _: api) as r:
        await r.out_of_sight("Forbidden")


async def test_one_watch_that_fails_is_given_time_while_the_server_answers() -> None:
    api = FakeApi()
    async with registered(lambda _: api) as r:
        await r.connected()
        began = asyncio.get_running_loop().time()
        api.before = failing(status(500), lambda verb, path: verb in ("LIST", "WATCH") and path.endswith("/pods"))
        spoil(api, kube.PODS)
        await r.out_of_sight("Unreachable")
        assert asyncio.get_running_loop().time() - began > 0.6


async def test_kserve_that_is_missing_is_said_and_found_when_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_LOOK_FOR_SERVING_SECONDS", 0.1)
    api = FakeApi()
    api.served = {*kinds.KIND, *kinds.FENCE.values(), *kinds.ISOLATION.values()} - set(kinds.SERVING_KINDS)
    api.put(kinds.INFERENCE_SERVICES, {"metadata": {"name": "theirs", "namespace": "x"}})
    async with registered(lambda _: api) as r:
        await r.connected()
        view = r.fleet.view("sg")
        assert view is not None
        assert isinstance(view.serving, ServingMissing)
        assert not view.foreign_services
        api.served = None
        await eventually(
            lambda: (v := r.fleet.view("sg")) and v.foreign_services and isinstance(v.serving, ServingAvailable),
            show=lambda: r.fleet.view("sg"),
        )
        assert isinstance(r.sight, Connected)


def spoil(api: FakeApi, kind: kube.Resource) -> None:
    """An event that cannot be: it makes the reflector list again."""
    for queue in api.watchers[kind]:
        queue.put_nowait(kube.WatchEvent("ADDED", {"metadata": {"labels": {"domicile.dev/model": "x"}}}))


async def test_kserve_that_goes_is_missed() -> None:
    api = FakeApi()
    api.put(kinds.INFERENCE_SERVICES, {"metadata": {"name": "theirs", "namespace": "x"}})
    async with registered(lambda _: api) as r:
        await r.connected()
        api.served = set(kinds.KIND) - set(kinds.SERVING_KINDS)
        for kind in kinds.SERVING_KINDS:
            spoil(api, kind)
        await eventually(lambda: isinstance((v := r.fleet.view("sg")) and v.serving, ServingMissing), within=8)
        await r.connected()
        await eventually(lambda: (v := r.fleet.view("sg")) and not v.foreign_services)


async def test_a_node_that_says_it_lives_wakes_nobody() -> None:
    def node(heartbeat: str, ready: str = "True") -> dict[str, Any]:
        conditions = [{"type": "Ready", "status": ready, "lastHeartbeatTime": heartbeat}]
        return {
            "metadata": {"name": "gpu-0"},
            "status": {"conditions": conditions, "allocatable": {"nvidia.com/gpu": "2"}},
        }

    api = FakeApi()
    api.put(kube.NODES, node("09:00"))
    async with registered(lambda _: api) as r:
        await r.connected()
        r.changes.clear()
        api.put(kube.NODES, node("09:05"))
        api.put(kube.NODES, node("09:10"))
        await asyncio.sleep(0.2)
        assert not r.changes
        api.put(kube.NODES, node("09:15", ready="Unknown"))
        await eventually(lambda: r.changes == [("sg", None)], show=lambda: r.changes)


async def test_what_was_seen_for_a_moment_only_is_told_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model was decided on it, and would wait for ever for what is there already."""
    monkeypatch.setattr(member, "_SETTLE_SECONDS", 0.5)
    api = FakeApi()
    async with registered(lambda _: api) as r:
        await r.connected()
        r.changes.clear()
        before = r.fleet.view("sg")
        api.put(kube.NAMESPACES, {"metadata": {"name": "given-over"}})
        await eventually(lambda: r.fleet.view("sg") != before, show=lambda: r.fleet.view("sg"))
        api.put(kube.NAMESPACES, {"metadata": {"name": "given-over", "labels": {"domicile.dev/managed": "true"}}})
        await eventually(lambda: r.changes == [("sg", None)], show=lambda: r.changes)
        assert r.fleet.view("sg") == before


async def test_a_change_of_a_models_object_tells_which_model() -> None:
    api = FakeApi()
    workload = serving.workload(builders.model(), {})
    async with registered(lambda _: api) as r:
        await r.connected()
        r.changes.clear()
        api.put(kinds.INFERENCE_SERVICES, workload.inference_service)
        await eventually(lambda: r.changes == [("sg", ("retail-banking", "fraud-scorer"))], show=lambda: r.changes)
        await asyncio.sleep(0.2)
        assert ("sg", None) not in r.changes  # The cluster as a whole looks as before.
        r.changes.clear()
        unlabelled = {**workload.inference_service, "metadata": {"name": "fraud-scorer", "namespace": "retail-banking"}}
        api.put(kinds.INFERENCE_SERVICES, unlabelled)
        await eventually(lambda: ("sg", ("retail-banking", "fraud-scorer")) in r.changes, show=lambda: r.changes)
        await eventually(lambda: ("sg", None) in r.changes, show=lambda: r.changes)


async def test_a_change_of_what_is_granted_tells_of_which_models() -> None:
    api = FakeApi()
    ours = serving.granted(serving.workload(builders.model(), {}), builders.TOMORROW)
    other, gone = {**ours, "name": "other"}, {**ours, "name": "gone"}
    grants = {"metadata": {"name": "grants", "namespace": "retail-banking"}, "spec": {"models": [ours, gone]}}
    api.put(kinds.GRANTS, grants)
    async with registered(lambda _: api) as r:
        await r.connected()
        model = residency.ModelRef("retail-banking", "fraud-scorer", ours["uid"])
        assert r.fleet.seen("sg", model).granted == ours
        assert model in r.fleet.known_models("sg")
        r.changes.clear()
        api.put(kinds.GRANTS, {**grants, "spec": {"models": [ours, other]}})
        named = {("sg", ("retail-banking", name)) for name in ("fraud-scorer", "gone", "other")}
        await eventually(lambda: set(r.changes) == named, show=lambda: r.changes)


async def test_what_the_fence_is_made_of_is_put_there_before_it_is_watched() -> None:
    api = FakeApi(fenced=False)
    api.served = {*kinds.KIND, *kinds.FENCE.values(), *kinds.ISOLATION.values()} - set(kinds.OF_THE_FENCE) | {
        kube.CUSTOM_RESOURCE_DEFINITIONS
    }

    def established(verb: str, path: str) -> None:
        if api.served is not None and verb == "GET" and path == kinds.GRANTS.root and api.writes:
            api.served = None

    api.before = established
    async with registered(lambda _: api) as r:
        await r.connected()
        assert api.writes[0] == "apply CustomResourceDefinition/admissiongrants.domicile.dev"
        assert api.watchers[kinds.GRANTS]


async def test_without_the_right_to_put_it_there_the_member_is_in_sight_and_its_fence_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "_LOOK_FOR_SERVING_SECONDS", 0.1)
    api = FakeApi(fenced=False)
    api.served = {*kinds.KIND, *kinds.FENCE.values(), *kinds.ISOLATION.values()} - set(kinds.OF_THE_FENCE)
    api.before = failing(status(403), lambda verb, path: "customresourcedefinitions" in path)
    async with registered(lambda _: api) as r:
        await r.connected()
        view = r.fleet.view("sg")
        assert view is not None
        assert isinstance(view.fence, FenceDown)
        assert view.fence.reason == "FenceNotPermitted"
        assert not api.watchers.get(kinds.GRANTS)
        api.served, api.before = None, lambda verb, path: None
        await eventually(lambda: api.watchers.get(kinds.GRANTS), within=5)


async def test_a_member_that_was_joined_before_there_was_isolation_is_in_sight_and_its_fence_is_not() -> None:
    """So that what is there can be withdrawn."""
    api = FakeApi()
    isolation = tuple(kind.plural for kind in kinds.ISOLATION.values())
    api.before = failing(
        status(403),
        lambda verb, path: path.endswith(isolation) or ("/domicile" in path and any(k in path for k in isolation)),
    )
    async with registered(lambda _: api) as r:
        await r.connected()
        view = r.fleet.view("sg")
        assert view is not None
        assert isinstance(view.fence, FenceDown)
        assert view.fence.reason == "FenceNotPermitted"
        api.before = lambda verb, path: None
        await eventually(lambda: isinstance((v := r.fleet.view("sg")) and v.fence, FenceInForce), within=20)


async def test_a_hub_that_is_behind_places_nowhere_and_withdraws_where_it_is_not() -> None:
    apis = {"kubeconfig": FakeApi(), "ph": FakeApi(builders.member("ph"))}
    apis["ph"].put(kinds.CLAIMS, claimed(epoch=7, token="a7"))
    workload = serving.workload(builders.model(), {})
    permit = residency.permit(
        workload.model, builders.lawful(), builders.grounds(artifacts=workload.artifacts, network=workload.network)
    )
    async with registered(lambda text: apis[text]) as r:
        await r.connected()
        await r.fleet.place(permit, workload, builders.NOW)
        r.fleet.set_member("ph", builders.member("ph").uid, "ph")
        await eventually(
            lambda: (v := r.fleet.view("ph")) and isinstance(v.fence, FenceDown) and v.fence.reason == "HubBehind"
        )
        with pytest.raises(fleet.HubBehind):
            await r.fleet.place(permit, workload, builders.NOW)
        with pytest.raises(fleet.HubBehind):
            await r.fleet.withdraw(builders.member("ph"), workload.model)
        assert isinstance(await r.fleet.withdraw(builders.member(), workload.model), fleet.Withdrawing)
        r.fleet.drop_member("ph")
        with pytest.raises(fleet.HubBehind):
            await r.fleet.place(permit, workload, builders.NOW)
        r.fleet.forget_member("ph")
        await r.fleet.place(permit, serving.workload(builders.model(), {}), builders.NOW)


async def test_a_new_kubeconfig_is_used_and_what_was_seen_stays_meanwhile() -> None:
    apis = {"kubeconfig": FakeApi(), "rotated": FakeApi()}
    async with registered(lambda text: apis[text]) as r:
        await r.connected()
        r.changes.clear()
        r.fleet.set_member("sg", builders.member().uid, "rotated")
        await eventually(lambda: apis["rotated"].watching, show=lambda: r.sight)
        await asyncio.sleep(0.1)
        assert apis["kubeconfig"].closed
        assert isinstance(r.sight, Connected)
        assert not r.changes


async def test_the_same_kubeconfig_again_changes_nothing() -> None:
    api, opened = FakeApi(), list[str]()

    def connect(text: str) -> kube.Api:
        opened.append(text)
        return api

    async with registered(connect) as r:
        await r.connected()
        r.fleet.set_member("sg", builders.member().uid, "kubeconfig")
        await asyncio.sleep(0.1)
        assert opened == ["kubeconfig"]


async def test_with_another_uid_nothing_that_was_seen_counts() -> None:
    api = FakeApi()
    model = builders.model_ref()
    labels = {"domicile.dev/model": model.name, "domicile.dev/model-uid": model.uid}
    api.put(kube.SERVICES, {"metadata": {"name": "x", "namespace": model.namespace, "labels": labels}})
    async with registered(lambda _: api) as r:
        await r.connected()
        r.fleet.set_member("sg", builders.member(at="another").uid, "kubeconfig")
        assert r.fleet.seen("sg", model).absent
        await r.out_of_sight("IdentityMismatch")


async def test_a_member_that_hangs_delays_no_other() -> None:
    class Hanging(FakeApi):
        async def get(self, *_: Any, **__: Any) -> kube.Object:
            await asyncio.sleep(3600)
            raise AssertionError

    apis: dict[str, FakeApi] = {"kubeconfig": FakeApi(), "hanging": Hanging()}
    async with registered(lambda text: apis[text]) as r:
        r.fleet.set_member("ph", builders.member("ph").uid, "hanging")
        await r.connected()
        view = r.fleet.view("ph")
        assert view is not None
        assert isinstance(view.connection, OutOfSight)
        assert view.connection.reason == "Connecting"


async def test_a_member_that_is_not_registered_is_not_written_to() -> None:
    workload = serving.workload(builders.model(), {})
    permit = residency.permit(
        workload.model, builders.lawful("de"), builders.grounds(artifacts=workload.artifacts, network=workload.network)
    )
    async with registered(lambda _: FakeApi()) as r:
        with pytest.raises(fleet.UnknownMember):
            await r.fleet.place(permit, workload, builders.NOW)
        with pytest.raises(fleet.UnknownMember):
            await r.fleet.withdraw(builders.member("de"), workload.model)
        with pytest.raises(fleet.PermitMismatch, match="was the cluster with UID"):
            await r.fleet.withdraw(builders.member(at="before"), workload.model)
        assert r.fleet.view("de") is None
        assert r.fleet.seen("de", workload.model).absent


async def test_a_member_that_cannot_be_read_is_out_of_sight_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An odd object there must not stop the decisions about all others."""
    apis = {name: FakeApi(builders.member(name)) for name in ("sg", "ph")}
    apis["ph"].put(kube.NODES, {"metadata": {"name": "odd"}})
    read = inventory.accelerators

    def stumbles(nodes: Any, *more: Any) -> Any:
        nodes = tuple(nodes)
        if any(node["metadata"]["name"] == "odd" for node in nodes):
            raise LookupError("planted")
        return read(nodes, *more)

    monkeypatch.setattr(inventory, "accelerators", stumbles)
    clock = Clock()
    members = fleet.Fleet(lambda name, model: None, clock, Random(1), lambda config: apis[config], office=FakeOffice())
    for name in apis:
        members.set_member(name, builders.member(name).uid, name)
    try:
        await eventually(lambda: isinstance(members.views()["sg"].connection, Connected), show=members.views)
        lost = await eventually(lambda: unreadable(members), show=members.views)
        assert lost.since == builders.NOW
        assert "LookupError" in lost.message
        assert "planted" in caplog.text
        apis["ph"].remove(kube.NODES, "odd")
        await eventually(lambda: isinstance(members.views()["ph"].connection, Connected), show=members.views)
    finally:
        await members.close()


def unreadable(members: fleet.Fleet) -> OutOfSight | None:
    sight = members.views()["ph"].connection
    return sight if isinstance(sight, OutOfSight) and sight.reason == "Unreadable" else None
