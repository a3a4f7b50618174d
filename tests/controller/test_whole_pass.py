"""Decision, carrying out and hub together, around a fake fleet: the order of the writes, and what failures leave behind."""

import asyncio
import contextlib
from typing import Any, cast

import pytest

import builders as a
from controller.fake_hub_api import FakeHubApi, unreachable
from controller.fakes import FakeFleet, Later
from controller.recording import Recorder
from domicile import kube
from domicile.api import SovereignModel
from domicile.api.sovereignmodel import FINALIZER
from domicile.controller.carry_out import CarryOut
from domicile.controller.hub import Hub, resource
from domicile.controller.models import Models
from domicile.controller.store import Store
from domicile.fleet import ForeignObject

MODELS = resource(SovereignModel)
NAME = ("retail-banking", "fraud-scorer")


class Shell:
    """An operator around one model: its loop is real, its hub and its fleet are not."""

    def __init__(
        self, api: FakeHubApi | None = None, fleet: FakeFleet | None = None, recorder: Recorder | None = None
    ) -> None:
        self.fleet = fleet or FakeFleet({"sg": a.view("sg"), "ph": a.view("ph")})
        self.leads, self.later, self.store = True, Later(), Store()
        self.woken: list[tuple[str, str]] = []
        self._version = 0
        self.api = api or FakeHubApi()
        if api is None:
            meta = {
                "name": NAME[1],
                "namespace": NAME[0],
                "uid": a.uid("it"),
                "generation": 1,
                "finalizers": [FINALIZER],
            }
            self.api.storage.put(MODELS, {**a.model().wire(), "metadata": meta})
        hub = Hub(self.api.client, self.store, "domicile", "instance", lambda: a.NOW, lambda _: None)
        self.recorder = recorder or Recorder()
        evidence = self.recorder.next_process()
        asyncio.run(self.recorder.opened())
        carry_out = CarryOut(hub, cast(Any, self.fleet), evidence, lambda: a.NOW, lambda: self.leads, self.woken.append)
        self.models = Models(
            self.store, cast(Any, self.fleet), carry_out, evidence, lambda: a.NOW, cast(Any, self.later)
        )
        self.store.namespaces.put({"metadata": {"name": NAME[0], "resourceVersion": "1"}})
        self.govern("SG")
        self.look()

    def govern(self, country: str) -> None:
        self._version += 1
        rules = (a.policy(everywhere=(country,)), a.attestation(), a.attestation("ph-2026", of="ph", everything="PH"))
        self.store.hub = a.member("hub")
        for rule in (*rules, a.HUB):
            shelf = self.store.policies if rule.info.kind == "ResidencyPolicy" else self.store.attestations
            meta = {"name": rule.metadata.name, "uid": rule.metadata.uid, "resourceVersion": str(self._version)}
            shelf.put({**rule.wire(), "metadata": meta})

    def look(self) -> None:
        """The watch tells what the hub has."""
        for (kind, _, _), raw in self.api.storage.objects.items():
            if kind == MODELS:
                self.store.models.put(raw)

    def restarted(self) -> "Shell":
        """Another process, which knows what the hub and the members tell it."""
        return Shell(self.api, self.fleet, self.recorder)

    def edit(self, **spec: Any) -> None:
        """By hand, past the schema."""
        live = self.live
        self.api.storage.put(MODELS, {**live, "spec": {**live["spec"], **spec}})
        self.look()

    def delete(self) -> None:
        live = self.live
        meta = {**live["metadata"], "deletionTimestamp": "2026-11-23T09:00:00Z"}
        self.api.storage.put(MODELS, {**live, "metadata": meta})
        self.look()

    def reconcile(self, *, times: int = 1) -> "Shell":
        for _ in range(times):
            asyncio.run(self.models.reconcile(NAME))
        return self

    @property
    def live(self) -> dict[str, Any]:
        return self.api.storage.objects[MODELS, *NAME]

    @property
    def gone(self) -> bool:
        return (MODELS, *NAME) not in self.api.storage.objects

    @property
    def hub_writes(self) -> int:
        """Writes of the model on the hub, events apart."""
        return sum(request == f"PATCH sovereignmodels/{NAME[1]}" for request in self.api.requests)

    @property
    def events(self) -> list[str]:
        return [e["reason"] for (kind, _, _), e in self.api.storage.objects.items() if kind == kube.EVENTS]


def placed_shell() -> Shell:
    shell = Shell().reconcile()
    shell.fleet.serves.add("sg")
    shell.reconcile()
    shell.fleet.calls.clear()
    shell.api.requests.clear()
    return shell


def test_a_placement_costs_two_writes_on_the_hub_and_one_on_the_member() -> None:
    shell = Shell().reconcile()
    shell.fleet.serves.add("sg")
    shell.reconcile(times=3)
    assert shell.hub_writes == 2
    assert shell.fleet.calls == ["place sg+"]
    assert shell.events == ["Placed", "Serving"]


def test_the_decision_is_on_record_before_the_member_is_written_to() -> None:
    shell, on_record = Shell(), []
    shell.fleet.before = lambda call: on_record.append([p["cluster"] for p in shell.live["status"]["placements"]])
    shell.reconcile()
    assert on_record == [["sg"]]


def test_without_the_record_nothing_is_placed() -> None:
    shell = Shell()

    async def fail(verb: str) -> None:
        raise unreachable()

    shell.api.on_way = fail
    shell.reconcile()
    assert shell.fleet.calls == []
    assert shell.later.seconds == [1.0]


def test_what_is_unlawful_is_withdrawn_although_the_hub_cannot_be_written() -> None:
    shell = placed_shell()
    shell.govern("DE")

    async def fail(verb: str) -> None:
        raise unreachable()

    shell.api.on_way = fail
    shell.reconcile()
    assert shell.fleet.calls == ["withdraw sg+"]


def test_who_does_not_lead_writes_nothing() -> None:
    shell = Shell()
    shell.leads = False
    shell.reconcile()
    assert (shell.hub_writes, shell.fleet.calls) == (0, [])
    assert min(shell.later.seconds) == 1.0


def test_moving_ends_with_one_copy_and_says_so() -> None:
    shell = placed_shell()
    shell.govern("PH")
    shell.reconcile(times=2)
    shell.fleet.serves.add("ph")
    shell.reconcile()
    assert shell.fleet.calls == ["withdraw sg+", "place ph+", "withdraw sg"]
    assert [(p["cluster"], p["state"]) for p in shell.live["status"]["placements"]] == [("ph", "Serving")]
    assert set(shell.events) == {"Placed", "Serving", "Withdrawing", "Withdrawn"}


def test_a_deleted_model_goes_when_its_absence_was_seen() -> None:
    shell = placed_shell()
    shell.delete()
    shell.reconcile()
    assert not shell.gone
    shell.reconcile()
    assert shell.gone
    assert shell.fleet.calls == ["withdraw sg+", "withdraw sg"]
    assert shell.store.models.get(NAME) is None
    before = len(shell.api.requests)
    assert len(shell.reconcile(times=2).api.requests) == before


def test_a_model_that_was_made_unreadable_is_still_judged_told_about_and_let_go() -> None:
    shell = placed_shell()
    shell.edit(resources={"requests": {"cpu": "0"}})
    shell.reconcile(times=2)
    ready = shell.live["status"]["conditions"][0]
    assert (ready["status"], ready["reason"]) == ("False", "SpecUnreadable")
    assert ready["message"].startswith("spec.resources.requests.cpu: '0' must be more than zero")
    assert (shell.hub_writes, shell.fleet.calls, shell.events[-1]) == (1, [], "SpecUnreadable")
    shell.govern("DE")
    shell.reconcile(times=2)
    assert shell.fleet.there == {}
    shell.delete()
    assert shell.reconcile().gone


def test_a_refusal_is_told_and_tried_again_and_its_end_is_told_too() -> None:
    shell = Shell()

    def refuse(call: str) -> None:
        raise kube.Forbidden(403, "Forbidden", "no quota", {}, call)

    shell.fleet.before = refuse
    shell.reconcile()
    ready = shell.live["status"]["conditions"][0]
    assert (ready["reason"], "no quota" in ready["message"]) == ("Forbidden", True)
    assert shell.later.seconds == [1.0, 2.0, shell.later.seconds[-1]]
    writes = shell.hub_writes
    assert shell.reconcile(times=3).hub_writes == writes
    shell.fleet.before = lambda call: None
    shell.reconcile(times=2)
    assert shell.live["status"]["conditions"][0]["reason"] == "Progressing"


class Killed(BaseException):
    """kill -9: nothing of the process goes on."""


@pytest.mark.parametrize("where", range(8))
@pytest.mark.parametrize("story", ["placing", "moving", "deleting"])
@pytest.mark.parametrize("after", [False, True], ids=["before it is served", "after"])
def test_a_process_that_is_killed_at_any_request_is_taken_over(story: str, where: int, after: bool) -> None:
    straight, killed = (_story(story) for _ in range(2))
    straight.reconcile(times=4)
    left = [where]

    async def kill(verb: str) -> None:
        left[0] -= 1
        if left[0] == -1:
            raise Killed

    if after:
        killed.api.on_return = kill
    else:
        killed.api.on_way = kill
    with contextlib.suppress(Killed):
        killed.reconcile(times=4)
    killed.api.on_way = killed.api.on_return = FakeHubApi().on_way
    resumed = killed.restarted()
    resumed.govern(_COUNTRY[story])
    resumed.reconcile(times=4)
    assert resumed.gone == straight.gone
    assert resumed.fleet.there == straight.fleet.there
    if not straight.gone:
        assert resumed.live["status"] == straight.live["status"]
    written = [call for call in killed.fleet.calls if call.endswith("+")]
    assert written == [call for call in straight.fleet.calls if call.endswith("+")]


_COUNTRY = {"placing": "SG", "moving": "PH", "deleting": "SG"}


def _story(story: str) -> Shell:
    shell = Shell() if story == "placing" else placed_shell()
    shell.govern(_COUNTRY[story])
    if story == "deleting":
        shell.delete()
    return shell


def test_what_came_back_after_it_was_proven_absent_holds_the_model() -> None:
    """A write that was late, or a backup: the cluster has it again, and then goes out of sight."""
    shell = Shell().reconcile(times=2)
    placed = dict(shell.fleet.there)
    shell.govern("PH")
    shell.reconcile(times=4)
    assert "sg" not in shell.fleet.there
    shell.fleet.there["sg"] = placed["sg"]

    def refuse(call: str) -> None:
        if call == "withdraw sg":
            raise unreachable()

    shell.fleet.before = refuse
    shell.reconcile(times=2)
    shell.fleet.members["sg"] = a.view("sg", connection=a.out_of_sight())
    shell.delete()
    shell.reconcile(times=4)
    assert FINALIZER in shell.live["metadata"]["finalizers"]


def test_a_refusal_whose_words_change_is_told_once_and_waits_longer_each_time() -> None:
    """As an API server words it: with the port of the connection to the webhook that failed."""
    shell, ports = Shell(), iter(range(40000, 50000))

    def refuse(call: str) -> None:
        if call.startswith("place"):
            raise kube.ApiError(
                500, "InternalError", f"read tcp 10.0.0.1:{next(ports)}: connection reset", {}, "the write"
            )

    shell.fleet.before = refuse
    writes = []
    for _ in range(4):
        before = len(shell.api.requests)
        shell.reconcile()
        writes.append(len(shell.api.requests) - before)
    assert writes[1:] == [0, 0, 0], writes
    waited = [seconds for seconds in shell.later.seconds if seconds < 100]
    assert waited[-3:] == [4.0, 8.0, 16.0]


def test_another_refusal_of_the_same_sort_is_told_in_its_own_words() -> None:
    """Somebody takes away what was in the way, and something else is; or corrects the model, and it is refused anew."""
    shell = Shell()
    errors: list[Exception] = [
        ForeignObject("ServiceAccount is there already"),
        ForeignObject("InferenceService is there already"),
        kube.Invalid(422, "Invalid", "the image is not allowed", {}, "the write"),
    ]

    def refuse(call: str) -> None:
        if call.startswith("place"):
            raise errors[0]

    shell.fleet.before = refuse
    while len(errors) > 1:
        shell.reconcile()
        assert str(errors.pop(0)) in message(shell)
    shell.reconcile()
    assert "the image is not allowed" in message(shell)
    errors[0] = kube.Invalid(422, "Invalid", "the port is not allowed", {}, "the write")
    spec = {**shell.live["spec"], "runtime": {**shell.live["spec"]["runtime"], "port": 9090}}
    shell.api.storage.put(MODELS, {**shell.live, "spec": spec})
    shell.look()
    shell.reconcile()
    assert "the port is not allowed" in message(shell)


def message(shell: Shell) -> str:
    return next(c["message"] for c in shell.live["status"]["conditions"] if c["type"] == "Ready")
