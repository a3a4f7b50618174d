"""A world for decisions: immutable state in, decide, carry the plan out on the state, state out. As Canonical's ops tests do.

What carrying out means is said here once more and plainly, so that histories of many decisions can be told in a few lines.
The real one is domicile.controller.carry_out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import builders as a
from domicile import decision, placement, residency, serving
from domicile.api import (
    ClusterAttestation,
    ModelRemnant,
    Placement,
    ResidencyPolicy,
    SovereignModel,
    SovereignModelStatus,
)
from domicile.api.sovereignmodel import FINALIZER
from domicile.decision import AddFinalizer, Place, Plan, Refusal, ReleaseFinalizer, Snapshot, Wait, Withdraw
from domicile.residency import MemberId, Permit


@dataclass(frozen=True)
class Copy:
    """The model on a member."""

    workload: serving.Workload
    serves: bool = False
    deleting: bool = False
    until: datetime = a.LONG_AHEAD
    """Until when it is granted."""
    pod: Mapping[str, Any] | None = None
    """What there is to say of its pod, while it does not serve; None before it has one."""

    def seen(self) -> serving.SeenWorkload:
        """As the member's watches show it."""
        if self.deleting:
            service = a.seen_object(self.workload.inference_service, deleting=True)
            return serving.SeenWorkload(inference_service=service)
        granted = serving.granted(self.workload, self.until)
        if self.serves:
            return a.seen_workload(self.workload, granted=granted)
        return a.seen_workload(
            self.workload,
            granted=granted,
            inference_service=a.seen_object(self.workload.inference_service),
            deployments=(),
            pods=() if self.pod is None else (a.seen_pod(self.workload, ready=False, **self.pod),),
        )


@dataclass(frozen=True)
class World:
    """Everything that a decision sees, and what its writes change."""

    model: SovereignModel | ModelRemnant | None
    views: Mapping[str, placement.ClusterView]
    """Registered members, by name."""
    policies: tuple[ResidencyPolicy, ...] = (a.policy(),)
    attestations: tuple[ClusterAttestation, ...] = ()
    further: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Records, exceptions and so on, by field of the law."""
    labels: Mapping[str, str] | None = field(default_factory=dict[str, str])
    unreadable: tuple[str, ...] = ()
    unrecordable: str = ""
    there: Mapping[str, Copy] = field(default_factory=dict[str, Copy])
    """By UID of the cluster: what is on it, whether or not it is in sight or registered."""
    refusals: Mapping[str, Refusal] = field(default_factory=dict[str, Refusal])
    proven_absent: frozenset[MemberId] = frozenset()
    now: datetime = a.NOW
    done: tuple[str, ...] = ()
    """Every write so far, in order."""

    @property
    def status(self) -> SovereignModelStatus:
        """The model's status; there must be one."""
        assert self.model is not None
        assert self.model.status is not None
        return self.model.status

    @property
    def states(self) -> dict[str, str]:
        """State of each placement on record, by cluster."""
        return {row.cluster: row.state for row in self.status.placements}

    def condition(self, kind: str = "Ready") -> tuple[str, str]:
        """Status and reason of a condition."""
        condition = next(c for c in self.status.conditions if c.type == kind)
        return condition.status, condition.reason

    def message(self, kind: str = "Ready") -> str:
        """Message of a condition."""
        return next(c.message for c in self.status.conditions if c.type == kind)


COUNTRIES = {"sg": "SG", "ph": "PH", "de": "DE"}


def world(*names: str, **changed: Any) -> World:
    """Clusters in sight, each attested to be in its country; the model has its finalizer and may run in Singapore."""
    names = names or ("sg", "ph")
    usual: dict[str, Any] = {
        "model": model(),
        "views": {name: a.view(name) for name in names},
        "attestations": tuple(attested(name) for name in names),
    }
    return World(**{**usual, **changed})


def attested(name: str, **changed: Any) -> ClusterAttestation:
    return a.attestation(f"{name}-2026", **{"of": name, "everything": COUNTRIES[name[:2]], **changed})


def model(*, finalizer: bool = True, **spec: Any) -> SovereignModel:
    metadata = {"finalizers": [FINALIZER] if finalizer else [], "generation": 1, **spec.pop("metadata", {})}
    return a.model(metadata=metadata, **spec)


def snapshot(state: World) -> Snapshot:
    assert state.model is not None
    nothing = serving.SeenWorkload()
    return Snapshot(
        model=state.model,
        namespace_labels=state.labels,
        engine=residency.Engine(residency.Law(state.policies, a.with_hub(state.attestations), **state.further)),
        hub=a.member("hub"),
        members=state.views,
        seen={
            name: state.there[view.member.uid].seen() if view.member.uid in state.there else nothing
            for name, view in state.views.items()
            if not isinstance(view.connection, placement.OutOfSight)
        },
        refusals=state.refusals,
        proven_absent=state.proven_absent,
        unreadable=state.unreadable,
        unrecordable=state.unrecordable,
    )


def plan(state: World) -> Plan:
    """The plan for the state; it must be one."""
    decided = decision.decide(snapshot(state), state.now)
    assert isinstance(decided, Plan), decided
    return decided


def acts(state: World) -> list[str]:
    """The plan's acts, as `Kind cluster`."""
    return [_named(act) for act in plan(state).acts]


def step(state: World, *, at_most: int = 100) -> World:
    """Decide once and carry it out; with `at_most`, only so many of the writes, and then the process dies."""
    if state.model is None:
        return state
    decided = decision.decide(snapshot(state), state.now)
    if isinstance(decided, Wait):
        return state
    writes = _writes(state, decided)
    for write in writes[:at_most]:
        state = write(state)
    return restarted(state) if at_most < len(writes) else state


def settled(state: World, *, within: int = 12) -> World:
    """Decide and carry out until nothing is written any more."""
    for _ in range(within):
        after = step(state)
        if after == state:
            return state
        state = after
    raise AssertionError(f"not settled after {within} decisions: {state.done}")


def restarted(state: World) -> World:
    """The process died: what it only remembered is lost."""
    return replace(state, refusals={}, proven_absent=frozenset())


def later(state: World, by: timedelta) -> World:
    return replace(state, now=state.now + by)


def with_model(state: World, **changed: Any) -> World:
    """Another spec, in a new generation."""
    before = state.model
    assert before is not None
    spec = a.model(**changed).spec
    meta = before.metadata.model_copy(update={"generation": before.metadata.generation + 1})
    return replace(state, model=SovereignModel(metadata=meta, spec=spec, status=before.status))


def damaged(state: World, *data_classes: str) -> World:
    """The spec cannot be read any more, but for these data classes."""
    before = state.model
    assert before is not None
    why = "spec.resources.requests.cpu: '0' must be more than zero"
    meta = before.metadata.model_copy(update={"generation": before.metadata.generation + 1})
    left = ModelRemnant(metadata=meta, why=why, data_classes=data_classes, status=before.status)
    return replace(state, model=left)


def deleted(state: World) -> World:
    """kubectl delete."""
    before = state.model
    assert before is not None
    meta = before.metadata.model_copy(update={"deletion_timestamp": state.now})
    return replace(state, model=before.model_copy(update={"metadata": meta}))


def recorded(state: World, *rows: Placement) -> World:
    """With a status that has these placements on record."""
    before = state.model
    assert before is not None
    status = (before.status or SovereignModelStatus()).model_copy(update={"placements": rows})
    return replace(state, model=before.model_copy(update={"status": status}))


def row(cluster: str, state: str = "Serving", *, at: str | None = None, **more: Any) -> Placement:
    fields = {"cluster": cluster, "clusterUID": a.uid(at or cluster), "permit": "sha256:" + "0" * 64, "state": state}
    return Placement.model_validate({**fields, **more})


def hidden(state: World, *names: str, **changed: Any) -> World:
    """These members are out of sight."""
    gone = {name: replace(state.views[name], connection=a.out_of_sight(**changed)) for name in names}
    return replace(state, views={**state.views, **gone})


def in_sight(state: World, *names: str) -> World:
    back = {name: replace(state.views[name], connection=placement.Connected("v1.36.3")) for name in names}
    return replace(state, views={**state.views, **back})


def unregistered(state: World, name: str) -> World:
    """The RegionalCluster was removed; the cluster goes on."""
    return replace(state, views={n: view for n, view in state.views.items() if n != name})


def registered(state: World, name: str, *, at: str | None = None) -> World:
    """A RegionalCluster of that name; `at` another cluster than usual."""
    return replace(state, views={**state.views, name: replace(a.view(name), member=a.member(name, at=at))})


def serving_on(state: World, *names: str) -> World:
    """What was placed on these members serves."""
    ready = {a.uid(name): replace(state.there[a.uid(name)], serves=True) for name in names}
    return replace(state, there={**state.there, **ready})


def on(state: World, name: str, **changed: Any) -> World:
    """Something of the model is on the member, whatever the record says."""
    assert isinstance(state.model, SovereignModel)
    selector = changed.pop("selector", {})
    copy = Copy(serving.workload(state.model, selector), **changed)
    return replace(state, there={**state.there, a.uid(name): copy})


def running(*names: str, on: str = "sg", **changed: Any) -> World:
    """The model is placed and serves."""
    return settled(serving_on(settled(world(*names, **changed)), on))


def forgotten(state: World) -> World:
    """Without the list of writes, so that only what comes now is told."""
    return replace(state, done=())


Write = Callable[[World], World]


def _writes(state: World, decided: Plan) -> list[Write]:
    if any(isinstance(act, AddFinalizer) for act in decided.acts):
        return [_add_finalizer]
    releasing = any(isinstance(act, ReleaseFinalizer) for act in decided.acts)
    assert state.model is not None
    status: list[Write] = []
    if not releasing and state.model.status != decided.status:
        status = [lambda s: _record(s, decided.status)]
    return [*status, *(_carried_out(act) for act in decided.acts)]


def _carried_out(act: object) -> Write:
    match act:
        case Place(permit, workload):
            return lambda s: _place(s, permit, workload)
        case Withdraw(member):
            return lambda s: _withdraw(s, member)
        case _:
            return lambda s: replace(s, model=None, done=(*s.done, "release"))


def _add_finalizer(state: World) -> World:
    assert state.model is not None
    meta = state.model.metadata.model_copy(update={"finalizers": (*state.model.metadata.finalizers, FINALIZER)})
    return replace(state, model=state.model.model_copy(update={"metadata": meta}), done=(*state.done, "finalizer"))


def _record(state: World, status: SovereignModelStatus) -> World:
    assert state.model is not None
    # What the API server gives back is what was read from JSON.
    read = SovereignModelStatus.model_validate(status.wire())
    assert read == status
    return replace(state, model=state.model.model_copy(update={"status": read}), done=(*state.done, "status"))


def _place(state: World, permit: Permit, workload: serving.Workload) -> World:
    member = permit.member
    before = state.there.get(member.uid)
    absent = state.proven_absent - {member}
    if before is not None and before.workload == workload and not before.deleting:
        again = {**state.there, member.uid: replace(before, until=permit.until)}
        return replace(state, there=again, proven_absent=absent)
    there = {**state.there, member.uid: Copy(workload, until=permit.until)}
    return replace(state, there=there, proven_absent=absent, done=(*state.done, f"place {member}"))


def _withdraw(state: World, member: MemberId) -> World:
    """As foreground deletion: on its way out, then gone, then found to be gone."""
    copy = state.there.get(member.uid)
    if copy is None:
        return replace(state, proven_absent=state.proven_absent | {member})
    if copy.deleting:
        there = {uid: other for uid, other in state.there.items() if uid != member.uid}
        return replace(state, there=there)
    there = {**state.there, member.uid: replace(copy, deleting=True, serves=False)}
    return replace(state, there=there, done=(*state.done, f"withdraw {member}"))


def _named(act: object) -> str:
    match act:
        case Place(permit, _):
            return f"Place {permit.member}"
        case Withdraw(member):
            return f"Withdraw {member}"
        case _:
            return type(act).__name__
