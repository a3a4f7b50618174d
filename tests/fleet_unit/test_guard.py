"""The guard of a member's fence: what it puts right, what it says meanwhile, and what counts as shown. The API server is a fake one
in memory that acts on policies at once; tests/fleet has real ones."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Any

import pytest

import builders
from domicile import fence, fleet, kube
from domicile.api import CLAIM_MARK, GrantedConnection
from domicile.fleet import Arrangement, Term, guard, kinds, proofs, sweep
from domicile.fleet.claiming import Claimant, Standing
from domicile.kube import errors
from domicile.placement import FenceDown, FenceInForce
from fake_api import FENCE, HUB, FakeApi, FakeOffice, claimed
from waiting import eventually

WRITERS = "writers.fence.domicile.dev"
POLICIES, BINDINGS = kube.VALIDATING_ADMISSION_POLICIES, kube.VALIDATING_ADMISSION_POLICY_BINDINGS


class Cache:
    """What the watches saw: everything, at once."""

    def __init__(self, api: FakeApi) -> None:
        self._api = api

    def get(self, kind: kube.Resource, name: str, namespace: str) -> kube.Object | None:
        return self._api.objects.get((kind, namespace, name))

    def all_of(self, kind: kube.Resource) -> tuple[kube.Object, ...]:
        return tuple(each for (of, _, _), each in self._api.objects.items() if of == kind)


class Guarded:
    """A guard, and the states that it told of."""

    def __init__(self, api: FakeApi, may_act: Callable[[], bool] = lambda: True) -> None:
        self.api, self.now = api, builders.NOW
        self.told: list[FenceInForce | FenceDown] = []
        self.office = FakeOffice()
        self.claimant = Claimant(Standing(self.office), "sg", lambda: self.now)
        self.guard = guard.Guard(
            builders.member(),
            FENCE,
            self.claimant,
            Cache(api),
            Random(1),
            may_act,
            lambda: self.told.append(self.guard.state),
        )

    async def look(self) -> FenceInForce | FenceDown:
        await self.guard.begin(self.api, lambda: self.api)
        return self.guard.state

    def change(self, kind: kube.Resource, name: str, **spec: Any) -> None:
        """As a cluster-admin may."""
        live = self.api.objects[(kind, "", name)]
        self.api.put(kind, {**live, "spec": {**live["spec"], **spec}})
        self.guard.touched()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "STEADY_SECONDS", 0.05)
    monkeypatch.setattr(proofs, "_BETWEEN", 0.005)
    monkeypatch.setattr(proofs, "_GIVE_UP_AFTER", 0.1)
    monkeypatch.setattr(proofs, "_HEARD_WITHIN", 0.1)


@asynccontextmanager
async def kept(guarded: Guarded) -> AsyncIterator[None]:
    await guarded.look()
    task = asyncio.create_task(guarded.guard.keep(guarded.api, lambda: guarded.api))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_member_without_it_gets_it_whole() -> None:
    api = FakeApi(fenced=False)
    assert await Guarded(api).look() == FenceInForce(FENCE.digest)
    wanted = [f"apply {m['kind']}/{m['metadata']['name']}" for m in FENCE.manifests()]
    of_kinds = [f"apply CustomResourceDefinition/{name}.domicile.dev" for name in ("admissiongrants", "hubclaims")]
    claim = "create HubClaim/domicile"
    probed = ["create Namespace/domicile-fence", "create AdmissionGrant/grants"]
    isolated = ["create NetworkPolicy/domicile", "create ResourceQuota/domicile"]
    assert api.writes == [*of_kinds, claim, *wanted, *probed, *isolated]
    for manifest in FENCE.manifests():
        assert (
            api.objects[(kinds.FENCE[manifest["kind"]], "", manifest["metadata"]["name"])]["spec"] == manifest["spec"]
        )


async def test_a_fence_that_is_whole_costs_no_write_four_reads_and_one_dry_run_a_policy() -> None:
    api, asked = FakeApi(), list[str]()
    api.before = lambda verb, path: asked.append(f"{verb} {path}")
    assert await Guarded(api).look() == FenceInForce(FENCE.digest)
    assert not api.writes
    dry_run = "POST /api/v1/namespaces/domicile-fence/serviceaccounts"
    assert asked == [
        "GET /apis/apiextensions.k8s.io/v1/customresourcedefinitions/admissiongrants.domicile.dev",
        "GET /apis/apiextensions.k8s.io/v1/customresourcedefinitions/hubclaims.domicile.dev",
        "GET /apis/domicile.dev/v1alpha1/hubclaims/domicile",
        "GET /apis/domicile.dev/v1alpha1/namespaces/domicile-fence/admissiongrants/grants",
        *[dry_run] * len(FENCE.policies),
    ]


async def test_a_kind_that_somebody_changed_is_put_back() -> None:
    api = FakeApi()
    crd = fence.member_kinds()[0]
    api.put(kube.CUSTOM_RESOURCE_DEFINITIONS, {**crd, "spec": {**crd["spec"], "conversion": {"strategy": "Webhook"}}})
    assert await Guarded(api).look() == FenceInForce(FENCE.digest)
    assert api.writes == ["apply CustomResourceDefinition/admissiongrants.domicile.dev"]


def claim(api: FakeApi) -> dict[str, Any]:
    return api.objects[(kinds.CLAIMS, "", "domicile")]["spec"]


HOUR = timedelta(hours=1)
IN_TIME: Mapping[str, tuple[timedelta, bool]] = {
    "more than half of it is left": (13 * HOUR, False),
    "half of it is left": (12 * HOUR, True),
    "it has ended": (-HOUR, True),
    "all of it is left, by a clock that is a little ahead": (24 * HOUR + timedelta(minutes=1), False),
    "it ends later than a hub would say": (48 * HOUR, True),
}


@pytest.mark.parametrize(("left", "moved"), IN_TIME.values(), ids=IN_TIME)
async def test_the_claim_is_moved_on_in_time_and_not_before(left: timedelta, moved: bool) -> None:
    api = FakeApi()
    api.put(kinds.CLAIMS, claimed(until=builders.NOW + left))
    assert await Guarded(api).look() == FenceInForce(FENCE.digest)
    assert api.writes == (["json_patch HubClaim/domicile"] if moved else [])
    if moved:
        assert claim(api) == {
            "hub": HUB,
            "epoch": 4,
            "token": "a4",
            "notAfter": "2026-11-24T09:00:00Z",
            "connections": [],
        }


ANA = {"user": "ana", "namespaces": ["retail-banking"], "ways": ["proxy"]}
GRANTED: Mapping[str, tuple[timedelta, bool]] = {
    "before its end": (HOUR, True),
    "from its end on": (timedelta(), False),
}


@pytest.mark.parametrize(("left", "granted"), GRANTED.values(), ids=GRANTED)
async def test_who_may_connect_is_in_the_claim_until_it_ends(left: timedelta, granted: bool) -> None:
    guarded = Guarded(api := FakeApi())
    why = {"notAfter": builders.NOW + left, "reason": "the model gives odd answers"}
    guarded.guard.arrange(Arrangement(connections=(GrantedConnection.model_validate({**ANA, **why}),)))
    await guarded.look()
    assert claim(api)["connections"] == ([ANA] if granted else [])
    assert api.writes == (["json_patch HubClaim/domicile"] if granted else [])
    guarded.now += HOUR
    await guarded.look()
    assert claim(api)["connections"] == []


async def test_an_exception_is_granted_and_revoked_at_once() -> None:
    guarded = Guarded(api := FakeApi())
    why = {"notAfter": builders.NOW + HOUR, "reason": "the model gives odd answers"}
    async with kept(guarded):
        guarded.guard.arrange(Arrangement(connections=(GrantedConnection.model_validate({**ANA, **why}),)))
        await eventually(lambda: claim(api)["connections"] == [ANA])
        guarded.guard.arrange(Arrangement())
        await eventually(lambda: claim(api)["connections"] == [])


async def test_it_is_shown_anew_however_often_it_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SHOWN_EVERY", 0.2)
    guarded, looks = Guarded(api := FakeApi()), list[str]()
    async with kept(guarded):
        api.before = lambda verb, path: looks.append(path) if "hubclaims/domicile" in path else None
        for _ in range(60):
            guarded.guard.touched()
            await asyncio.sleep(0.01)
    assert looks


async def test_a_member_of_another_hub_is_left_alone() -> None:
    api = FakeApi()
    other = builders.uid("another hub")
    api.put(kinds.CLAIMS, claimed(by=other))
    state = await Guarded(api).look()
    assert isinstance(state, FenceDown)
    assert (state.reason, other in state.message, HUB in state.message) == ("ClaimedByAnother", True, True)
    assert "kubectl delete hubclaims.domicile.dev domicile" in state.message
    assert api.writes == []


async def test_a_claim_that_another_process_moves_on_at_this_moment_is_left_to_it() -> None:
    api = FakeApi()
    api.put(kinds.CLAIMS, claimed(until=builders.NOW))

    def meanwhile(verb: str, path: str) -> None:
        if verb == "PATCH" and "hubclaims" in path:
            api.put(kinds.CLAIMS, claimed(until=builders.TOMORROW), resourceVersion="3")

    api.before = meanwhile
    guarded = Guarded(api)
    with pytest.raises(kube.Conflict):
        await guarded.claimant.claim(api)
    assert claim(api)["notAfter"] == builders.TOMORROW.isoformat().replace("+00:00", "Z")


async def test_a_new_leader_claims_each_member_in_its_term() -> None:
    guarded = Guarded(api := FakeApi())
    guarded.office.terms = guarded.office.terms.begin("a5")
    assert await guarded.look() == FenceInForce(FENCE.digest)
    assert (claim(api)["epoch"], claim(api)["token"]) == (5, "a5")
    assert api.writes == ["json_patch HubClaim/domicile"]


UNKNOWN: Mapping[str, tuple[int, str]] = {
    "a later one: this process leads no more, or the hub was restored": (7, "a7"),
    "one of the same epoch: a copy of the hub counted there too": (4, "b4"),
    "an earlier one that a copy counted to": (3, "b3"),
}


@pytest.mark.parametrize("term", UNKNOWN.values(), ids=UNKNOWN)
async def test_a_hub_that_finds_a_term_that_it_does_not_know_writes_nothing(term: tuple[int, str]) -> None:
    api = FakeApi()
    api.put(kinds.CLAIMS, claimed(epoch=term[0], token=term[1]))
    crd = fence.member_kinds()[0]
    api.put(kube.CUSTOM_RESOURCE_DEFINITIONS, {**crd, "spec": {**crd["spec"], "names": "of a later version"}})
    guarded = Guarded(api)
    state = await guarded.look()
    assert isinstance(state, FenceDown)
    assert (state.reason, "spec.confirmedEpoch of RegionalCluster sg" in state.message) == ("HubBehind", True)
    assert f"to epoch {term[0]}," in state.message
    assert api.writes == []
    with pytest.raises(fleet.HubBehind):
        guarded.claimant.standing.confirm()


async def test_what_one_member_remembers_holds_the_writes_to_all() -> None:
    first, second = Guarded(FakeApi()), Guarded(FakeApi(fenced=False))
    first.api.put(kinds.CLAIMS, claimed(epoch=7, token="a7"))
    second.claimant.standing, second.claimant.member = first.claimant.standing, "ph"
    await first.look()
    state = await second.look()
    assert isinstance(state, FenceDown)
    assert (state.reason, second.api.writes) == ("HubBehind", [])


async def test_a_member_in_a_term_that_is_known_is_not_claimed_either_by_a_hub_that_is_behind() -> None:
    """It may be a copy: the hub that it was copied from would not know the term that it began there."""
    first, second = Guarded(FakeApi()), Guarded(FakeApi())
    first.api.put(kinds.CLAIMS, claimed(epoch=7, token="a7"))
    second.api.put(kinds.CLAIMS, claimed(epoch=3, token="a3"))
    second.claimant.standing, second.claimant.member = first.claimant.standing, "ph"
    await first.look()
    await second.look()
    assert second.api.writes == []


async def test_a_claim_that_is_deleted_on_the_member_holds_nothing_any_more() -> None:
    api = FakeApi()
    api.put(kinds.CLAIMS, claimed(epoch=7, token="a7"))
    guarded = Guarded(api)
    await guarded.look()
    api.remove(kinds.CLAIMS, "domicile")
    assert await guarded.look() == FenceInForce(FENCE.digest)
    guarded.claimant.standing.confirm()


async def test_a_person_s_word_counts_for_every_member_whichever_it_was_said_of() -> None:
    """The one that remembers the later term may be lost for good."""
    lost, there = Guarded(FakeApi()), Guarded(FakeApi())
    lost.api.put(kinds.CLAIMS, claimed(epoch=7, token="a7"))
    there.claimant.standing, there.claimant.member = lost.claimant.standing, "ph"
    await lost.look()
    assert isinstance(await there.look(), FenceDown)
    there.guard.arrange(Arrangement(confirmed=7))
    assert await there.look() == FenceInForce(FENCE.digest)
    assert claim(there.api)["epoch"] == 8


async def test_a_claim_from_before_there_were_terms_is_moved_on() -> None:
    api = FakeApi()
    old = claimed()
    api.put(kinds.CLAIMS, {**old, "spec": {"hub": HUB, "notAfter": old["spec"]["notAfter"]}})
    assert await Guarded(api).look() == FenceInForce(FENCE.digest)
    assert (claim(api)["epoch"], claim(api)["token"]) == (4, "a4")


async def test_every_member_is_looked_at_when_a_new_term_begins() -> None:
    told = list[str]()
    guarded = Guarded(FakeApi())
    guarded.claimant.standing.on_term = lambda: told.append("begun")
    guarded.api.put(kinds.CLAIMS, claimed(epoch=7, token="a7"))
    guarded.guard.arrange(Arrangement(confirmed=7))
    await guarded.look()
    assert told == ["begun"]


async def test_a_person_s_word_lets_it_go_on_in_a_later_term() -> None:
    api = FakeApi()
    api.put(kinds.CLAIMS, claimed(epoch=7, token="a7"))
    guarded = Guarded(api)
    async with kept(guarded):
        guarded.guard.arrange(Arrangement(confirmed=6))
        await asyncio.sleep(0.3)
        assert isinstance(guarded.guard.state, FenceDown), "that word was about an earlier one"
        guarded.guard.arrange(Arrangement(confirmed=7))
        await eventually(lambda: isinstance(guarded.guard.state, FenceInForce), within=5)
    assert (claim(api)["epoch"], claim(api)["token"]) == (8, "b")
    guarded.claimant.standing.confirm()


async def test_a_word_that_is_not_needed_begins_no_term() -> None:
    guarded = Guarded(FakeApi())
    guarded.claimant.arrangement = Arrangement(confirmed=7)
    assert await guarded.look() == FenceInForce(FENCE.digest)
    assert guarded.office.terms.current == Term(4, "a4")


async def test_a_member_that_is_let_go_holds_nothing_any_more() -> None:
    api = FakeApi()
    api.put(kinds.CLAIMS, claimed(epoch=7, token="a7"))
    guarded = Guarded(api)
    await guarded.look()
    guarded.claimant.standing.forget("sg")
    guarded.claimant.standing.confirm()


async def test_an_api_server_that_does_not_know_yet_what_to_hold_it_against_has_not_shown_it() -> None:
    api = FakeApi()
    no_params = "no params found for policy binding with `Deny` parameterNotFoundAction"

    def answer(probe: kube.Object) -> kube.Object:
        if probe["metadata"]["name"] == "fence-probe-grants":
            raise errors.from_status(422, {"reason": "Invalid", "message": no_params}, "fake")
        return known(probe)

    known, api.probed = api.probed, answer
    state = await Guarded(api).look()
    assert isinstance(state, FenceDown)
    assert (state.reason, no_params in state.message) == ("FenceNotShown", True)


async def test_a_namespace_is_waited_for_until_api_servers_have_heard_of_it() -> None:
    guarded = Guarded(api := FakeApi())
    await guarded.look()
    api.put(kube.NAMESPACES, bank := {"metadata": {"name": "bank", "uid": "u"}})
    asked = 0

    def answer(probe: kube.Object) -> kube.Object:
        nonlocal asked
        asked += 1
        return probe if asked < 5 else known(probe)

    known, api.probed = api.probed, answer
    await guarded.guard.holds_in(api, bank)
    assert asked > 5


TAMPERING: Mapping[str, Callable[[Guarded], None]] = {
    "a policy is removed": lambda g: (g.api.remove(POLICIES, WRITERS), g.guard.touched())[0],
    "a binding is removed": lambda g: (g.api.remove(BINDINGS, WRITERS), g.guard.touched())[0],
    "a condition is added that is never true": lambda g: g.change(
        POLICIES, WRITERS, matchConditions=[{"name": "never", "expression": "false"}]
    ),
    "a policy fails open": lambda g: g.change(POLICIES, WRITERS, failurePolicy="Ignore"),
    "a binding only warns": lambda g: g.change(BINDINGS, WRITERS, validationActions=["Warn"]),
    "its namespace is removed": lambda g: (g.api.remove(kube.NAMESPACES, "domicile-fence"), g.guard.touched())[0],
}


@pytest.mark.parametrize("tamper", TAMPERING.values(), ids=TAMPERING.keys())
async def test_what_is_tampered_with_is_said_at_once_and_put_back(tamper: Callable[[Guarded], None]) -> None:
    guarded = Guarded(FakeApi())
    async with kept(guarded):
        guarded.told.clear()
        before = {where: m.get("spec") for where, m in guarded.api.objects.items()}
        tamper(guarded)
        assert isinstance(guarded.guard.state, FenceDown)
        assert guarded.guard.state.reason == "FenceTampered"
        await eventually(lambda: isinstance(guarded.guard.state, FenceInForce), show=lambda: guarded.told)
        assert {where: m.get("spec") for where, m in guarded.api.objects.items()} == before
    assert [type(state) for state in guarded.told] == [FenceDown, FenceInForce]


async def test_what_is_written_there_and_not_acted_on_is_not_in_force() -> None:
    api = FakeApi()
    api.probed = lambda probe: probe  # An API server that lets everything pass.
    state = await Guarded(api).look()
    assert isinstance(state, FenceDown)
    assert (state.reason, "let pass what it must refuse" in state.message) == ("FenceNotShown", True)


async def test_another_one_s_refusal_shows_nothing() -> None:
    """RBAC refuses it, or a fence that was rendered for others."""
    api = FakeApi()

    def refuse(probe: kube.Object) -> kube.Object:
        raise errors.from_status(403, {"reason": "Forbidden", "message": f"denied: {WRITERS}"}, "fake")

    api.probed = refuse
    state = await Guarded(api).look()
    assert isinstance(state, FenceDown)
    assert (state.reason, "something else did" in state.message) == ("FenceNotShown", True)


async def test_a_fence_just_written_must_refuse_for_a_while_without_a_break() -> None:
    """Behind the address are two API servers, of which one has not looked at its policies yet."""
    api = FakeApi(fenced=False)
    turns: list[str] = []
    refused = api.probed

    def sometimes(probe: kube.Object) -> kube.Object:
        turns.append(probe["metadata"]["name"])
        return probe if len(turns) == 5 else refused(probe)

    api.probed = sometimes
    assert isinstance(await Guarded(api).look(), FenceInForce)
    began = turns[8:]
    assert len(began) >= 2 * len(FENCE.policies)


async def test_what_is_touched_while_it_is_being_shown_is_put_right_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The binding that goes in the middle would make the showing fail for as long as it is tried."""
    monkeypatch.setattr(proofs, "_GIVE_UP_AFTER", 60.0)
    api = FakeApi(fenced=False)
    guarded, refused = Guarded(api), api.probed
    probes: list[str] = []

    def meanwhile(probe: kube.Object) -> kube.Object:
        probes.append(probe["metadata"]["name"])
        if len(probes) == 2 * len(FENCE.policies):
            api.remove(POLICIES, WRITERS)
            guarded.guard.touched()
        return refused(probe)

    api.probed = meanwhile
    async with kept(guarded):
        await eventually(lambda: isinstance(guarded.guard.state, FenceInForce), within=5, show=lambda: guarded.told)
    assert api.writes.count(f"apply ValidatingAdmissionPolicy/{WRITERS}") == 2
    # What was written is shown for as long as any, also where a second look finds nothing to write.
    assert len(probes) > 4 * len(FENCE.policies)


async def test_rights_that_are_missing_are_said() -> None:
    api = FakeApi(fenced=False)

    def forbid(verb: str, path: str) -> None:
        if verb == "PATCH":
            raise errors.from_status(403, {"reason": "Forbidden", "message": "no"}, "fake")

    api.before = forbid
    state = await Guarded(api).look()
    assert isinstance(state, FenceDown)
    assert (state.reason, "domicile cluster join" in state.message) == ("FenceNotPermitted", True)


async def test_a_namespace_of_that_name_that_is_somebody_else_s_is_left_alone() -> None:
    api = FakeApi(fenced=False)
    api.put(kube.NAMESPACES, {"metadata": {"name": "domicile-fence"}})
    state = await Guarded(api).look()
    assert isinstance(state, FenceDown)
    assert state.reason == "NamespaceNotOwned"


async def test_who_does_not_lead_writes_nothing() -> None:
    api = FakeApi(fenced=False)
    state = await Guarded(api, may_act=lambda: False).look()
    assert isinstance(state, FenceDown)
    assert not api.writes


async def test_it_is_tried_again_while_it_is_down() -> None:
    api = FakeApi()
    refused, api.probed = api.probed, lambda probe: probe
    guarded = Guarded(api)
    async with kept(guarded):
        assert isinstance(guarded.guard.state, FenceDown)
        api.probed = refused
        await eventually(lambda: isinstance(guarded.guard.state, FenceInForce))


async def test_it_is_shown_anew_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """The member's API server was started again, without its policies."""
    monkeypatch.setattr(guard, "SHOWN_EVERY", 0.02)
    api = FakeApi()
    guarded = Guarded(api)
    async with kept(guarded):
        assert isinstance(guarded.guard.state, FenceInForce)
        api.probed = lambda probe: probe
        await eventually(lambda: isinstance(guarded.guard.state, FenceDown), show=lambda: guarded.told)


async def test_no_answer_says_nothing_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sheds load must not look as if it had been tampered with."""
    monkeypatch.setattr(guard, "SHOWN_EVERY", 0.02)
    api, asked = FakeApi(), list[str]()

    def busy(probe: kube.Object) -> kube.Object:
        asked.append(probe["metadata"]["name"])
        raise errors.from_status(503, {"reason": "ServiceUnavailable", "message": "busy"}, "fake")

    guarded = Guarded(api)
    async with kept(guarded):
        guarded.told.clear()
        api.probed = busy
        await eventually(lambda: len(asked) > len(FENCE.policies))
        assert isinstance(guarded.guard.state, FenceInForce)
    assert not guarded.told


async def test_without_an_answer_it_does_not_come_up_either() -> None:
    api = FakeApi()

    def busy(probe: kube.Object) -> kube.Object:
        raise errors.from_status(503, {"reason": "ServiceUnavailable", "message": "busy"}, "fake")

    api.probed = busy
    assert isinstance(await Guarded(api).look(), FenceDown)


def namespace(**metadata: Any) -> dict[str, Any]:
    labels = dict((fence.MANAGED_NAMESPACE,))
    return {"metadata": {"name": "retail-banking", "uid": builders.uid("retail-banking"), "labels": labels, **metadata}}


def isolate(api: FakeApi, **more: Any) -> None:
    for manifest in fence.isolation("retail-banking"):
        added = more if manifest["kind"] == "NetworkPolicy" else {}
        api.put(kinds.ISOLATION[manifest["kind"]], {**manifest, "spec": {**manifest["spec"], **added}})


def isolation_of(api: FakeApi) -> list[Any]:
    """Specs, by kind."""
    there = [api.objects.get((kind, "retail-banking", "domicile")) for kind in kinds.ISOLATION.values()]
    return [each["spec"] if each else None for each in there]


ISOLATED: list[Any] = [each["spec"] for each in fence.isolation("retail-banking")]


async def test_a_namespace_is_kept_to_itself_before_anything_is_placed_there() -> None:
    guarded = Guarded(api := FakeApi())
    await guarded.look()
    await guarded.guard.holds_in(api, namespace())
    assert isolation_of(api) == ISOLATED
    assert api.writes == ["create NetworkPolicy/domicile", "create ResourceQuota/domicile"]


async def test_of_two_models_that_come_to_a_namespace_at_once_neither_is_in_the_other_s_way() -> None:
    guarded = Guarded(api := FakeApi())
    await guarded.look()

    def meanwhile(verb: str, path: str) -> None:
        if verb == "POST" and "networkpolicies" in path:
            isolate(api)

    api.before = meanwhile
    await guarded.guard.holds_in(api, namespace())
    assert isolation_of(api) == ISOLATED


OPENED: Mapping[str, Callable[[FakeApi], object]] = {
    "its NetworkPolicy went": lambda api: api.remove(kube.NETWORK_POLICIES, "domicile", "retail-banking"),
    "its ResourceQuota went": lambda api: api.remove(kube.RESOURCE_QUOTAS, "domicile", "retail-banking"),
    "somebody added a rule": lambda api: isolate(api, ingress=[{}]),
    "a namespace was made before there was any of it": lambda api: [
        api.remove(kind, "domicile", "retail-banking") for kind in kinds.ISOLATION.values()
    ],
}


@pytest.mark.parametrize("opened", OPENED.values(), ids=OPENED)
async def test_a_namespace_that_was_opened_is_closed_again(opened: Callable[[FakeApi], object]) -> None:
    guarded = Guarded(api := FakeApi())
    api.put(kube.NAMESPACES, namespace())
    isolate(api)
    async with kept(guarded):
        api.writes.clear()
        guarded.told.clear()
        opened(api)
        guarded.guard.touched()
        await eventually(lambda: isolation_of(api) == ISOLATED, show=lambda: isolation_of(api))
    assert guarded.told == []


async def test_what_keeps_it_to_itself_bears_the_mark_of_the_term_whether_it_is_made_or_put_right() -> None:
    guarded = Guarded(api := FakeApi())
    await guarded.look()
    for opened in (False, True):
        if opened:
            isolate(api, egress=[{}])
        await guarded.guard.holds_in(api, namespace())
        live = api.objects[(kube.NETWORK_POLICIES, "retail-banking", "domicile")]
        assert live["metadata"]["annotations"][CLAIM_MARK] == guarded.guard.mark


@pytest.mark.parametrize("going", [True, False], ids=["is on its way out", "is gone"])
async def test_a_namespace_that_goes_takes_its_isolation_with_it(going: bool) -> None:
    guarded = Guarded(api := FakeApi())
    api.put(kube.NAMESPACES, namespace())
    isolate(api)
    async with kept(guarded):
        api.remove(kube.NETWORK_POLICIES, "domicile", "retail-banking")

        def refused(verb: str, path: str) -> None:
            if verb == "POST" and "networkpolicies" in path:
                api.remove(kube.NAMESPACES, "retail-banking")
                if going:
                    api.put(kube.NAMESPACES, namespace(deletionTimestamp="2026-11-23T09:00:00Z"))
                raise errors.from_status(403, {"reason": "Forbidden", "message": "being terminated"}, "fake")

        api.before = refused
        guarded.guard.touched()
        await asyncio.sleep(0.5)
        assert isinstance(guarded.guard.state, FenceInForce)
    assert not guarded.told[1:]


async def test_rights_that_are_missing_for_isolation_are_said() -> None:
    guarded = Guarded(api := FakeApi())
    api.put(kube.NAMESPACES, namespace())

    def forbid(verb: str, path: str) -> None:
        if "networkpolicies" in path and verb == "POST":
            raise errors.from_status(403, {"reason": "Forbidden", "message": "no"}, "fake")

    api.before = forbid
    state = await guarded.look()
    assert isinstance(state, FenceDown)
    assert state.reason == "FenceNotPermitted"


async def test_a_network_policy_of_somebody_else_keeps_a_namespace_from_being_used() -> None:
    guarded = Guarded(api := FakeApi())
    await guarded.look()
    opens = {"metadata": {"name": "allow-all", "namespace": "retail-banking"}, "spec": {"podSelector": {}}}
    api.put(kube.NETWORK_POLICIES, opens)
    with pytest.raises(
        fleet.NamespaceNotOwned, match="NetworkPolicy allow-all in namespace retail-banking was not made"
    ):
        await guarded.guard.holds_in(api, namespace())


async def test_in_a_namespace_it_is_shown_each_time_and_the_namespace_swept_once() -> None:
    guarded, asked = Guarded(FakeApi()), list[str]()
    await guarded.look()
    isolate(guarded.api)
    guarded.api.before = lambda verb, path: asked.append(f"{verb} {path.rpartition('/')[2]}")
    await guarded.guard.holds_in(guarded.api, namespace())
    bound = [policy for policy in FENCE.policies if policy.in_managed_namespaces]
    probes = ["POST serviceaccounts"] * len(bound)
    lists = [f"LIST {kind}" for kind in ("inferenceservices", "deployments", "replicasets", "pods", "networkpolicies")]
    assert asked == [*probes, *lists]
    await guarded.guard.holds_in(guarded.api, namespace())
    assert asked == [*probes, *lists, *probes]
    await guarded.guard.holds_in(guarded.api, namespace(uid=builders.uid("made anew")))
    assert asked == [*probes, *lists, *probes, *probes, *lists]


SINCE: Mapping[str, Callable[[Guarded], None]] = {
    "it was tampered with": lambda g: g.change(POLICIES, WRITERS, failurePolicy="Ignore"),
    "the member was out of sight": lambda g: None,
}


@pytest.mark.parametrize("happened", SINCE.values(), ids=SINCE.keys())
async def test_a_namespace_is_swept_again_where_something_may_have_come(happened: Callable[[Guarded], None]) -> None:
    guarded, asked = Guarded(FakeApi()), list[str]()
    await guarded.look()
    await guarded.guard.holds_in(guarded.api, namespace())
    happened(guarded)
    await guarded.look()
    guarded.api.before = lambda verb, path: asked.append(verb)
    await guarded.guard.holds_in(guarded.api, namespace())
    assert "LIST" in asked


async def test_nothing_holds_while_it_is_down() -> None:
    guarded = Guarded(FakeApi())
    await guarded.look()
    guarded.guard.confirm()
    guarded.change(POLICIES, WRITERS, failurePolicy="Ignore")
    with pytest.raises(fleet.FenceNotInForce, match="FenceTampered"):
        guarded.guard.confirm()
    with pytest.raises(fleet.FenceNotInForce, match="FenceTampered"):
        await guarded.guard.holds_in(guarded.api, namespace())


async def test_a_fence_that_falls_during_the_sweep_does_not_hold() -> None:
    guarded = Guarded(FakeApi())
    await guarded.look()

    def meanwhile(verb: str, path: str) -> None:
        if path.endswith("/pods"):
            guarded.api.before = lambda verb, path: None
            guarded.change(POLICIES, WRITERS, failurePolicy="Ignore")

    guarded.api.before = meanwhile
    with pytest.raises(fleet.FenceNotInForce, match="fell"):
        await guarded.guard.holds_in(guarded.api, namespace())


def made(kind: str, name: str, owner: tuple[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    owners = [{"kind": owner[0], "uid": builders.uid(owner[1]), "controller": True}] if owner else []
    meta = {"name": name, "namespace": "retail-banking", "uid": builders.uid(name), "ownerReferences": owners}
    return {"kind": kind, "metadata": {**meta, **metadata}}


SERVICE = made("InferenceService", "isvc", labels={"domicile.dev/model": "fraud-scorer"})
DEPLOYMENT = made("Deployment", "deployment", ("InferenceService", "isvc"))
REPLICA_SET = made("ReplicaSet", "rs", ("Deployment", "deployment"))
POD = made("Pod", "pod", ("ReplicaSet", "rs"))


def network(name: str, selects: Mapping[str, str] | None = None, of: str = "fraud-scorer") -> dict[str, Any]:
    labels = {"domicile.dev/model": of, "domicile.dev/model-uid": "1"} if of else {}
    selector = {"matchLabels": labels if selects is None else selects}
    return {**made("NetworkPolicy", name, labels=labels), "spec": {"podSelector": selector}}


GOING: dict[str, Any] = {"deletionTimestamp": "2026-11-23T09:00:00Z"}
STRANGERS: Mapping[str, tuple[list[dict[str, Any]], tuple[str, ...]]] = {
    "a model's workload": ([SERVICE, DEPLOYMENT, REPLICA_SET, POD], ()),
    "a pod of nobody's": ([SERVICE, made("Pod", "p")], ("Pod p",)),
    "a pod that names a ReplicaSet that is not there": (
        [SERVICE, DEPLOYMENT, made("Pod", "p", ("ReplicaSet", "rs"))],
        ("Pod p",),
    ),
    "a pod of a Job": ([made("Pod", "p", ("Job", "rs")), REPLICA_SET, DEPLOYMENT, SERVICE], ("Pod p",)),
    "a Deployment of nobody's, with all that comes of it": (
        [made("Deployment", "deployment"), REPLICA_SET, POD],
        ("Deployment deployment", "ReplicaSet rs", "Pod pod"),
    ),
    "one of an InferenceService of others": (
        [made("InferenceService", "isvc"), DEPLOYMENT],
        ("Deployment deployment",),
    ),
    "what is on its way out": ([made("Pod", "p", **GOING)], ()),
    "the NetworkPolicies of the namespace and of a model": ([network("domicile"), network("fraud-scorer")], ()),
    "a NetworkPolicy of nobody's": ([network("theirs", of="")], ("NetworkPolicy theirs",)),
    "one that bears the labels of a model and another name": ([network("theirs")], ("NetworkPolicy theirs",)),
    "one that is named as a model, for pods of another one": (
        [network("fraud-scorer", {"domicile.dev/model": "other", "domicile.dev/model-uid": "1"})],
        ("NetworkPolicy fraud-scorer",),
    ),
    "one that is named as a model, for all pods": ([network("fraud-scorer", {})], ("NetworkPolicy fraud-scorer",)),
}


@pytest.mark.parametrize(("found", "expected"), STRANGERS.values(), ids=STRANGERS.keys())
def test_what_was_not_made_for_a_model(found: list[dict[str, Any]], expected: tuple[str, ...]) -> None:
    chain = ("InferenceService", "Deployment", "ReplicaSet", "Pod", "NetworkPolicy")
    assert sweep.strangers(*([each for each in found if each["kind"] == kind] for kind in chain)) == expected


async def test_a_namespace_with_workloads_of_others_is_not_used() -> None:
    guarded = Guarded(FakeApi())
    await guarded.look()
    guarded.api.put(kube.PODS, made("Pod", "theirs"))
    with pytest.raises(
        fleet.NamespaceNotOwned, match="Pod theirs in namespace retail-banking was not made for a model"
    ):
        await guarded.guard.holds_in(guarded.api, namespace())


async def test_what_is_let_through_for_a_model_is_put_right_by_placing_it_and_keeps_others_away_until_then() -> None:
    guarded = Guarded(FakeApi())
    await guarded.look()
    guarded.api.put(kube.NETWORK_POLICIES, network("fraud-scorer", {}))
    await guarded.guard.holds_in(guarded.api, namespace(), "fraud-scorer")
    for _ in range(2):  # Nobody put it right, and it is looked at again.
        with pytest.raises(fleet.NamespaceNotOwned, match="NetworkPolicy fraud-scorer"):
            await guarded.guard.holds_in(guarded.api, namespace(), "other")
    guarded.api.put(kube.NETWORK_POLICIES, network("fraud-scorer"))
    await guarded.guard.holds_in(guarded.api, namespace(), "other")


async def test_without_kserve_there_is_nothing_of_it_to_sweep() -> None:
    guarded = Guarded(FakeApi())
    await guarded.look()
    guarded.api.served = {kube.DEPLOYMENTS, kube.REPLICA_SETS, kube.PODS}
    await guarded.guard.holds_in(guarded.api, namespace())
