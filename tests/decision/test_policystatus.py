"""The status of a ResidencyPolicy, in words, and what is not written again."""

from datetime import timedelta

import pytest

import builders as a
from domicile.api import ResidencyPolicy, ResidencyPolicyStatus
from domicile.decision.policystatus import policy_status

LATER = a.NOW + timedelta(hours=1)


def status(
    *faults: str, in_use: bool = False, before: ResidencyPolicyStatus | None = None, at: timedelta = timedelta()
) -> ResidencyPolicyStatus:
    written = a.policy()
    meta = written.metadata.model_copy(update={"generation": 2})
    policy = ResidencyPolicy(metadata=meta, spec=written.spec, status=before)
    return policy_status(policy, faults, in_use=in_use, now=a.NOW + at)


CASES: dict[str, tuple[ResidencyPolicyStatus, list[tuple[str, str, str]]]] = {
    "valid and unused": (status(), [("Accepted", "True", "Valid"), ("InUse", "False", "NoModels")]),
    "in use": (status(in_use=True), [("Accepted", "True", "Valid"), ("InUse", "True", "ModelsPlaced")]),
    "invalid, and in use": (
        status("x", in_use=True),
        [("Accepted", "False", "Invalid"), ("InUse", "True", "ModelsPlaced")],
    ),
}


@pytest.mark.parametrize(("told", "conditions"), CASES.values(), ids=CASES.keys())
def test_it_says(told: ResidencyPolicyStatus, conditions: list[tuple[str, str, str]]) -> None:
    assert [(c.type, c.status, c.reason) for c in told.conditions] == conditions
    assert {told.observed_generation, *(c.observed_generation for c in told.conditions)} == {2}


def test_each_fault_is_told() -> None:
    message = status("first", "second").conditions[0].message
    assert message == "first; second. What cannot be read denies"


@pytest.mark.parametrize("told", [told for told, _ in CASES.values()], ids=CASES.keys())
def test_what_stays_as_it_is_costs_no_write(told: ResidencyPolicyStatus) -> None:
    faults = ("x",) if told.conditions[0].status == "False" else ()
    read = ResidencyPolicyStatus.model_validate(told.wire())
    again = status(*faults, in_use=told.conditions[1].status == "True", before=read, at=timedelta(hours=1))
    assert again == read


def test_what_changed_says_since_when() -> None:
    after = status(in_use=True, before=status(), at=timedelta(hours=1))
    assert [c.last_transition_time for c in after.conditions] == [a.NOW, LATER]


def test_of_many_faults_the_api_server_gets_what_it_takes() -> None:
    told = status(*(f"spec.rules[{n}].expression: {'x' * 2000}" for n in range(32)))
    assert len(told.conditions[0].message) == 32768
