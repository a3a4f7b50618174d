"""What a status says of what is not so yet: evidence that ends soon, and what policies in Audit mode would forbid."""

from dataclasses import replace
from datetime import timedelta

import pytest

import builders as a
from decision import world as w

HOUR = timedelta(hours=1)
AUDIT = {"mode": "Audit"}


def ending(name: str = "sg", **changed: object) -> w.World:
    """A model that serves on a cluster whose attestation ends in a hundred hours; a warning is due a day before."""
    state = w.running(
        "sg",
        "ph",
        policies=(a.policy(spec={"warnBefore": "24h"}),),
        attestations=(w.attested("sg", until=a.NOW + 100 * HOUR), w.attested("ph")),
    )
    return w.forgotten(replace(state, **changed))


# EvidenceCurrent.


def test_it_warns_as_long_ahead_as_the_policy_says_and_is_looked_at_then() -> None:
    before = ending()
    assert before.condition("EvidenceCurrent") == ("True", "Current")
    assert w.plan(before).look_again == a.NOW + 76 * HOUR
    assert w.settled(w.later(before, 76 * HOUR - timedelta(seconds=1))).done == ()
    warned = w.settled(w.later(before, 76 * HOUR))
    assert (warned.done, warned.condition("EvidenceCurrent")) == (("status",), ("False", "EndsSoon"))
    assert warned.message("EvidenceCurrent") == (
        "renew it in time, or the model may have to leave: what sg-2026 says of sg ends at 2026-11-27T13:00:00Z"
    )
    assert warned.condition() == ("True", "Serving")


def test_a_warning_is_written_once() -> None:
    warned = w.forgotten(w.settled(w.later(ending(), 80 * HOUR)))
    assert w.settled(w.later(warned, 10 * HOUR)).done == ()


def test_what_was_renewed_is_current() -> None:
    warned = w.settled(w.later(ending(), 80 * HOUR))
    renewed = w.settled(replace(warned, attestations=(*warned.attestations, a.attestation("sg-2027"))))
    assert renewed.condition("EvidenceCurrent") == ("True", "Current")


def test_a_warning_goes_on_while_not_all_that_decides_is_known() -> None:
    held = w.settled(w.later(ending(unreadable=("JurisdictionGroup/next",)), 80 * HOUR))
    assert held.condition() == ("Unknown", "PolicyUnreadable")
    assert held.condition("EvidenceCurrent") == ("False", "EndsSoon")


def test_what_several_clusters_rest_on_is_told_once() -> None:
    both = w.world(
        model=w.model(placement={"clusterCount": 2}),
        policies=(a.policy(everywhere=("SG", "PH")),),
        attestations=(w.attested("sg"), w.attested("ph"), a.attestation("a-hub", of="hub", until=a.NOW + HOUR)),
    )
    message = w.settled(both).message("EvidenceCurrent")
    assert message.endswith("to leave: what a-hub says of the hub ends at 2026-11-23T10:00:00Z")


def test_a_model_that_is_nowhere_rests_on_nothing() -> None:
    assert "EvidenceCurrent" not in [c.type for c in w.settled(w.world("ph")).status.conditions]


# AuditPassed.

ENFORCED = a.policy(everywhere=("SG", "PH"))
NOT_SG = a.policy("trial", everywhere=("PH", "DE"), workers=("PH",), spec=AUDIT)
NOT_HERE = a.policy("trial", everywhere=("SG", "PH"), workers=("DE",), spec=AUDIT)
NONE_ALLOWED = (
    "trial would not allow ph: worker nodes are in PH, trial allows DE; sg: worker nodes are in SG, trial allows DE"
)

AUDITS = {
    "it forbids where the model is": (
        w.running("sg", policies=(ENFORCED, NOT_SG)),
        ("False", "WouldBeDenied"),
        "trial would not allow sg: worker nodes are in SG, trial allows PH",
    ),
    "it would leave it there": (
        w.running("sg", policies=(ENFORCED, a.policy("trial", spec=AUDIT))),
        ("True", "WouldBeAllowed"),
        "trial would leave the model where it is",
    ),
    "no policy is enforced, and it forbids all": (
        w.settled(w.world(policies=(NOT_HERE,))),
        ("False", "WouldBeDenied"),
        NONE_ALLOWED,
    ),
    "no policy is enforced, and it allows some": (
        w.settled(w.world(policies=(a.policy("trial", spec=AUDIT),))),
        ("True", "WouldBeAllowed"),
        "trial would allow sg",
    ),
    "what is lawful has no room, and it forbids that": (
        w.settled(w.world("sg", "ph", "de", model=w.model(accelerators={"count": 1}), policies=(ENFORCED, NOT_HERE))),
        ("False", "WouldBeDenied"),
        NONE_ALLOWED,
    ),
    "there is no cluster": (
        w.settled(w.world(views={}, policies=(NOT_SG,))),
        ("True", "WouldBeAllowed"),
        "trial has no cluster to judge",
    ),
}


@pytest.mark.parametrize(("state", "condition", "message"), AUDITS.values(), ids=AUDITS.keys())
def test_what_a_policy_in_audit_mode_would_do(state: w.World, condition: tuple[str, str], message: str) -> None:
    assert (state.condition("AuditPassed"), state.message("AuditPassed")) == (condition, message)


def test_it_moves_nothing() -> None:
    assert AUDITS["it forbids where the model is"][0].states == {"sg": "Serving"}


def test_of_many_clusters_three_are_told() -> None:
    state = w.settled(w.world(*(f"ph{n:02}" for n in range(25)), policies=(NOT_HERE,)))
    assert state.message("AuditPassed").endswith("; and 22 more")


def test_without_such_a_policy_nothing_is_said() -> None:
    assert "AuditPassed" not in [c.type for c in w.running().status.conditions]
