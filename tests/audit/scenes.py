"""Snapshots of every sort that there is, by name: what a decision record must be able to hold."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import builders as a
from audit.views import rich_view
from decision import world as w
from domicile import placement
from domicile.decision import Refusal, Snapshot

PULLING = {"node": "gpu-0", "waiting": (("ErrImagePull", "no such image"),), "restarts": 2}
CLASSIFIED = a.classification(floors={"retail-banking": ["customer.pii"]}, orders=[["public", "customer.pii"]])
POOLS = [
    {
        "name": "a",
        "nodeSelector": {"node-restriction.kubernetes.io/site": "a"},
        "workers": {"jurisdiction": "SG"},
    }
]
OUTSOURCING = a.rule(name="outsourcing", expression=None, onUnmet="RequireRecord", record="outsourcing")
ELSEWHERE = w.attested("sg", telemetry="DE")
AUDITED = a.policy("trial", everywhere=("DE",), spec={"mode": "Audit"})


def moving() -> w.World:
    return w.step(replace(w.running(), policies=(a.policy(everywhere=("PH",)),)))


def connecting(since: datetime = a.NOW) -> w.World:
    """The only lawful cluster is being connected to."""
    state = w.world()
    view = replace(state.views["sg"], connection=placement.OutOfSight("Connecting", "first attempt", since))
    return replace(state, views={**state.views, "sg": view})


WORLDS: Mapping[str, w.World] = {
    "nothing done yet": w.world(),
    "without its finalizer": w.world(model=w.model(finalizer=False)),
    "decided, and nothing there": w.step(w.world(), at_most=1),
    "starting": w.settled(w.world()),
    "serving": w.running(),
    "failing to start": w.on(w.settled(w.world()), "sg", pod=PULLING),
    "a pod that waits for accelerators": w.on(
        w.settled(w.world(model=w.model(accelerators={"count": 1}), views={"sg": a.view("sg", a.node())})),
        "sg",
        pod={"node": "", "unschedulable": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."},
    ),
    "hidden": w.hidden(w.running(), "sg"),
    "being connected to": connecting(),
    "moving away from what became unlawful": moving(),
    "moved": w.settled(moving()),
    "on its way out": w.on(w.running(), "ph", deleting=True),
    "deleted, and running": w.deleted(w.running()),
    "deleted, and hidden": w.hidden(w.deleted(w.running()), "sg"),
    "deleted, and nothing left": w.step(w.step(w.step(w.deleted(w.running())))),
    "deleted before anything was placed": w.deleted(w.world()),
    "a spec that cannot be read": w.damaged(w.running(), "customer.pii"),
    "a spec that cannot be read, nor its data classes": w.damaged(w.running()),
    "unlawful, and a spec that cannot be read": w.damaged(
        replace(w.running(), policies=(a.policy(everywhere=("PH",)),)), "customer.pii"
    ),
    "a policy that cannot be read": replace(w.running(), unreadable=("ResidencyPolicy/next",)),
    "a namespace that is not known": replace(w.running(), labels=None),
    "a namespace with labels": w.world(
        labels={"unit": "retail-banking"}, policies=(a.policy(namespaces={"matchLabels": {"unit": "retail-banking"}}),)
    ),
    "a refusal": replace(w.settled(w.world()), refusals={"sg": Refusal("Forbidden", "no quota", a.DIGEST)}, there={}),
    "proven absent": replace(w.world(), proven_absent=frozenset({a.member("ph"), a.member("sg", at="sg-rebuilt")})),
    "no policy": w.world(policies=()),
    "no cluster": w.world(views={}, attestations=()),
    "nowhere lawful": w.world(policies=(a.policy(everywhere=("FR",)),)),
    "accelerators that others have": w.world(
        model=w.model(accelerators={"count": 2}), views={"sg": rich_view(), "ph": a.view("ph")}
    ),
    "all that a view can say": w.settled(w.world(views={"sg": rich_view(), "ph": a.view("ph")})),
    "a stack that is missing, and a fence that is down": w.world(
        views={"sg": a.view("sg", serving=placement.ServingMissing("none"), fence=placement.FenceDown("No", "none"))}
    ),
    "a rebuilt cluster": w.registered(w.running(), "sg", at="sg-rebuilt"),
    "a cluster that is registered no more": w.unregistered(w.running(), "sg"),
    "attested by pool": w.world("sg", attestations=(w.attested("sg", workers=None, has={"nodePools": POOLS}),)),
    "by record": w.world(policies=(a.policy(rules=[OUTSOURCING]),), further={"records": (a.record(),)}),
    "for want of a record": w.world(policies=(a.policy(rules=[OUTSOURCING]),)),
    "by exception": w.world("sg", attestations=(ELSEWHERE,), further={"exceptions": (a.exception(),)}),
    "by an exception that ends": w.running(
        "sg",
        attestations=(ELSEWHERE,),
        further={"exceptions": (a.exception(validUntil=a.NOW + timedelta(days=3)),)},
    ),
    "by a group of jurisdictions": w.world(
        policies=(a.policy(everywhere=("group:asean",)),), further={"groups": (a.group(),)}
    ),
    "by a classification": w.world(model=w.model(data_classes=["public"]), further={"classifications": (CLASSIFIED,)}),
    "audited": w.world(policies=(a.policy(), AUDITED)),
    "audited alone": w.world(policies=(AUDITED,)),
    "a rule that cannot be evaluated": w.world(policies=(a.policy(rules=[a.rule(expression="nothing.like.it")]),)),
    "policies that allow no place together": w.world(policies=(a.policy(), a.policy("other", everywhere=("DE",)))),
    "two clusters wanted, and one lawful": w.world(model=w.model(placement={"clusterCount": 2})),
    "nothing can be recorded": w.world(unrecordable="the disk is full"),
    "evidence that ends": w.running("sg", attestations=(w.attested("sg", until=a.NOW + timedelta(hours=1)),)),
}

SNAPSHOTS: Mapping[str, tuple[Snapshot, datetime]] = {
    **{name: (w.snapshot(state), state.now) for name, state in WORLDS.items()},
    "a hub that is not known": (replace(w.snapshot(w.running()), hub=None), a.NOW),
    "stuck": (replace(w.snapshot(moving()), stuck={"sg": "whether pod x still runs is unknown"}), a.NOW),
}
