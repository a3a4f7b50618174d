"""What an autoscaler at work and a rolling update make of the status: the one costs nothing, the other is told."""

from dataclasses import replace
from typing import Any

import pytest

import builders as a
from decision import world as w
from domicile import decision, serving
from domicile.decision import Plan

OLD = "sha256:" + "0" * 64
SHORT = {"type": "PredictorReady", "status": "False", "reason": "MinimumReplicasUnavailable"}


def decided(state: w.World, seen: serving.SeenWorkload) -> Plan:
    """The plan where sg has that of the model."""
    plan = decision.decide(replace(w.snapshot(state), seen={"sg": seen}), state.now)
    assert isinstance(plan, Plan)
    return plan


STEPS: dict[str, dict[str, Any]] = {
    "a copy more is asked for": {"generation": 3, "replicas": 2},
    "it is on its way": {"generation": 3, "observed_generation": 3, "replicas": 2, "updated": 2},
    "a copy fewer is asked for": {"generation": 4, "observed_generation": 3, "updated": 2, "available": 2},
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_a_step_of_an_autoscaler_costs_no_write(step: dict[str, Any]) -> None:
    state = w.running("sg", model=w.model(replicas={"min": 1, "max": 4}))
    workload = state.there[a.uid("sg")].workload
    service = a.seen_object(workload.inference_service, status={**a.READY, "conditions": [SHORT]})
    seen = a.seen_workload(workload, inference_service=service, deployments=(a.seen_deployment(workload, **step),))
    plan = decided(state, seen)
    assert (plan.acts, plan.status) == ((), state.status)


def test_a_rolling_update_serves_when_its_own_pod_does_and_not_by_the_old_one() -> None:
    state = w.settled(w.with_model(w.running("sg"), runtime={"image": a.IMAGE, "args": ["new"]}))
    workload = state.there[a.uid("sg")].workload
    rolling = a.seen_deployment(workload, total=2, updated=1, available=1)
    full = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    new = a.seen_pod(workload, ready=False, node="", unschedulable=full)
    plan = decided(
        state, a.seen_workload(workload, deployments=(rolling,), pods=(a.seen_pod(workload, workload=OLD), new))
    )
    ready = next(c for c in plan.status.conditions if c.type == "Ready")
    assert (ready.status, ready.reason) == ("False", "Unschedulable")
    assert w.settled(w.serving_on(state, "sg")).condition() == ("True", "Serving")
