"""Verdicts, whole: what each says it rests on, until when, what ends soon, and when to look again; and which of them are one and the same."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from builders import (
    LONG_AHEAD,
    NOW,
    TOMORROW,
    Case,
    attestation,
    case,
    exception,
    member,
    model_ref,
    policy,
    record,
    rule,
)
from domicile import residency
from domicile.residency import Lawful, Unlawful
from domicile.residency.verdict import Finding

DAY = timedelta(days=1)
WARNS = {"warnBefore": "12h"}
WARN_AT = TOMORROW - timedelta(hours=12)
HUB = attestation("hub-2026", of="hub")


def verdicts(asked: Case) -> dict[str, residency.Lawful | residency.Unlawful]:
    return {verdict.member.name: verdict for verdict in asked.judge().verdicts}


def attested(*said: Any, hub: Any = HUB, **changed: Any) -> Case:
    return case(attestations=[*said, hub], hub=member("hub"), **changed)


TELEMETRY = Finding(
    "TelemetryOutsideJurisdiction",
    "logs and metrics go to SG, sg-customer-data allows none (spec.allow.telemetry is empty)",
    "sg-customer-data",
    "allow.telemetry",
)


def test_what_is_lawful_says_what_it_rests_on() -> None:
    asked = attested(
        attestation("a", until=LONG_AHEAD + DAY),
        attestation("b"),
        policies=[
            policy(telemetry=[], rules=[rule("reg", None, onUnmet="RequireRecord", record="outsourcing")], spec=WARNS),
            policy("second", rules=[rule("wish", "false", onUnmet="Advise", message="mind it")]),
            policy("trial", telemetry=[], spec={"mode": "Audit"}),
        ],
        records=[record(validUntil=NOW + 5 * DAY)],
        exceptions=[exception(validUntil=NOW + 3 * DAY)],
    )
    house = "house rule: Data standard, 7.2"
    assert verdicts(asked)["sg"] == Lawful(
        member=member(),
        policies=("second", "sg-customer-data"),
        attestations=("a", "b", "hub-2026"),
        until=NOW + 3 * DAY,
        pools=((),),
        records=("register-17",),
        exceptions=("ticket-4711",),
        advice=(Finding("RuleNotMet", f"mind it ({house})", "second", "wish"),),
        audited=(
            Finding(
                TELEMETRY.reason,
                "logs and metrics go to SG, trial allows none (spec.allow.telemetry is empty)",
                "trial",
                "allow.telemetry",
            ),
        ),
        warnings=("ResidencyException/ticket-4711 ends at 2026-11-26T09:00:00Z",),
        look_again=NOW + 3 * DAY,
    )


def test_what_is_not_lawful_says_why_and_what_is_only_audited() -> None:
    asked = attested(
        attestation(until=TOMORROW),
        policies=[policy(telemetry=[]), policy("trial", data_classes=[], spec={"mode": "Audit"})],
    )
    assert verdicts(asked)["sg"] == Unlawful(member(), (TELEMETRY,), TOMORROW)


def test_without_a_policy_nothing_is_lawful_and_nothing_is_looked_at_again() -> None:
    uncovered = Finding("NoMatchingPolicy", "no ResidencyPolicy covers data class health in this namespace")
    assert verdicts(attested(attestation(until=TOMORROW), data_classes=["health"]))["sg"] == Unlawful(
        member(), (uncovered,), None
    )


def test_without_a_policy_what_is_audited_is_looked_at_again() -> None:
    audit = policy("trial", data_classes=["health"], workers=["PH"], spec={"mode": "Audit"})
    found = verdicts(attested(attestation(until=TOMORROW), policies=[audit], data_classes=["health"]))["sg"]
    assert isinstance(found, Unlawful)
    assert (found.member, found.look_again) == (member(), TOMORROW)
    assert [f.reason for f in found.audited] == ["WorkersOutsideJurisdiction"]


SAYS = "what sg-2026 says of sg (UID 3946ec09-878b-e001-1dbb-3f1426a00540) ends at 2026-11-24T09:00:00Z"


@pytest.mark.parametrize(
    ("now", "warned", "again"),
    [
        (WARN_AT - timedelta(seconds=1), False, WARN_AT),
        (WARN_AT, True, TOMORROW),
        (WARN_AT + timedelta(seconds=1), True, TOMORROW),
    ],
    ids=["a second before", "at the moment", "a second after"],
)
def test_what_ends_soon_is_told_from_its_moment_on(now: datetime, warned: bool, again: datetime) -> None:
    asked = attested(attestation(until=TOMORROW), policies=[policy(spec=WARNS)], now=now)
    found = verdicts(asked)["sg"]
    assert isinstance(found, Lawful)
    assert (len(found.warnings), found.look_again, found.until) == (warned, again, TOMORROW)


def test_a_change_before_the_warning_is_looked_at_first() -> None:
    soon = NOW + timedelta(hours=1)
    asked = attested(attestation(until=TOMORROW), attestation("later", since=soon), policies=[policy(spec=WARNS)])
    found = verdicts(asked)["sg"]
    assert isinstance(found, Lawful)
    assert (found.look_again, found.until) == (soon, soon)


def test_a_warning_names_all_that_say_it_and_whom_it_is_about() -> None:
    asked = attested(
        attestation("b", until=TOMORROW),
        attestation("a", until=NOW + timedelta(hours=20)),
        policies=[policy(spec=WARNS)],
    ).but(now=WARN_AT)
    found = verdicts(asked)["sg"]
    assert isinstance(found, Lawful)
    assert found.warnings == (f"what a and b says of {member()} ends at 2026-11-24T09:00:00Z",)


def test_a_warning_about_the_hub_says_so() -> None:
    asked = attested(
        attestation(), hub=attestation("hub-2026", of="hub", until=TOMORROW), policies=[policy(spec=WARNS)], now=WARN_AT
    )
    found = verdicts(asked)["sg"]
    assert isinstance(found, Lawful)
    assert found.warnings == ("what hub-2026 says of the hub ends at 2026-11-24T09:00:00Z",)


def test_what_ends_on_one_cluster_is_nothing_to_another() -> None:
    asked = attested(
        attestation("a"),
        attestation("b", of="de", until=TOMORROW),
        policies=[policy(spec=WARNS)],
        members=[member("sg"), member("de")],
        now=WARN_AT,
    )
    found = verdicts(asked)
    sg, de = found["sg"], found["de"]
    assert isinstance(sg, Lawful)
    assert isinstance(de, Lawful)
    assert (sg.attestations, sg.warnings, sg.look_again) == (("a", "hub-2026"), (), LONG_AHEAD - timedelta(hours=12))
    assert (de.attestations, len(de.warnings), de.look_again) == (("b", "hub-2026"), 1, TOMORROW)


def test_a_hub_that_is_attested_from_tomorrow_is_looked_at_tomorrow() -> None:
    found = verdicts(attested(attestation(), hub=attestation("hub-2026", of="hub", since=TOMORROW)))["sg"]
    assert isinstance(found, Unlawful)
    assert found.look_again == TOMORROW


def test_an_engine_that_lives_warns_when_it_is_time() -> None:
    asked = attested(attestation(until=TOMORROW), policies=[policy(spec=WARNS)])
    engine = residency.Engine(asked.law)
    for now in (NOW, WARN_AT - timedelta(seconds=1), WARN_AT):
        assert engine.judge(asked.but(now=now).question) == asked.but(now=now).judge()


def test_an_engine_keeps_policies_and_their_warnings_apart() -> None:
    asked = attested(
        attestation(until=TOMORROW),
        policies=[policy("a", spec=WARNS), policy("b", data_classes=["health"], spec={"warnBefore": "0h"})],
        now=WARN_AT,
    )
    engine = residency.Engine(asked.law)
    for classes in (("customer.pii",), ("health",), ("customer.pii", "health"), ("unheard.of",)):
        question = asked.but(data_classes=classes)
        assert engine.judge(question.question) == question.judge()


def test_models_that_fare_alike_have_the_same_verdict() -> None:
    """The very same one: what is worked out for each model costs much where there are thousands."""
    asked = attested(attestation(), policies=[policy(rules=[rule("not-x", "model.name != 'x'")])])
    engine = residency.Engine(asked.law)
    (first,), (second,), (other,) = (
        engine.judge(asked.but(ref=model_ref(n)).question).verdicts for n in ("a", "b", "x")
    )
    assert first is second
    assert first != other


# What is kept, and must not be mistaken for another.

SOON = NOW + timedelta(hours=1)
TRIAL = policy("trial", rules=[rule("later", f"now < timestamp('{SOON.isoformat()}')")], spec={"mode": "Audit"})
REGISTERED = policy(rules=[rule("reg", None, onUnmet="RequireRecord", record="outsourcing")])
BEFORE_ITS_END: dict[str, dict[str, Any]] = {
    "what a policy in Audit mode reports changes": {"policies": [policy(), TRIAL]},
    "a further record begins, and may be the one that settles": {
        "policies": [REGISTERED],
        "records": [record("a", validUntil=LONG_AHEAD), record("b", validFrom=SOON, validUntil=LONG_AHEAD)],
    },
}


@pytest.mark.parametrize("changed", BEFORE_ITS_END.values(), ids=BEFORE_ITS_END)
def test_a_lawful_verdict_is_looked_at_again_before_it_ends_where(changed: dict[str, Any]) -> None:
    (found,) = verdicts(attested(attestation("a"), **changed)).values()
    assert isinstance(found, Lawful)
    assert found.look_again == SOON < found.until


def test_two_rules_that_want_the_same_record_are_told_each_by_its_own_name() -> None:
    twice = [rule(name, None, onUnmet="RequireRecord", record="outsourcing") for name in ("one", "two")]
    (found,) = verdicts(attested(attestation("a"), policies=[policy(rules=twice)])).values()
    assert isinstance(found, Unlawful)
    assert [each.rule for each in found.findings] == ["one", "two"]
    assert len({each.message for each in found.findings}) == 1


def test_what_is_said_of_a_pool_names_that_pool_and_what_is_wrong_there() -> None:
    def pooled(name: str, of: str, workers: str) -> Any:
        pool = {"name": name, "nodeSelector": {"node-restriction.kubernetes.io/site": name}}
        return attestation(of, of=of, workers=None, has={"nodePools": [{**pool, "workers": {"jurisdiction": workers}}]})

    found = verdicts(
        attested(pooled("east", "sg", "DE"), pooled("west", "de", "PH"), members=[member("sg"), member("de")])
    )
    told = {
        name: [(f.pool, f.message.partition(",")[0]) for f in verdict.findings]
        for name, verdict in found.items()
        if isinstance(verdict, Unlawful)
    }
    assert told == {
        "sg": [("east", "pool east: worker nodes are in DE")],
        "de": [("west", "pool west: worker nodes are in PH")],
    }
