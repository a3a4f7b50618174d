"""What holds for every state of the law: who can make something lawful, when time can, and that order and memory cannot.

The cases are those of generated.py, by seed: a failing example names one.
"""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import LONG_AHEAD, NOW, TOMORROW, attestation, case, exception, member, policy, rule
from domicile import residency
from domicile.api import ClusterAttestation
from residency import oracle
from residency.generated import KNOWN, SOUND, TICK, Generated, generated, one_policy

T = TypeVar("T")
HOUR = timedelta(hours=1)
MORE = settings(max_examples=max(200, settings.default.max_examples if settings.default else 0))

LASTING = {e: oracle.MEANINGS[e] for e in oracle.MEANINGS if e not in oracle.OF_POOLS}
"""Expressions that do not ask which pool it is, or for a country and not for a part of it."""
ANY = st.integers(0, 2**40).map(lambda seed: generated(seed, SOUND))
ANY_LASTING = st.integers(0, 2**40).map(lambda seed: generated(seed, SOUND, LASTING))
CHANCE = st.integers(0, 2**40).map(Random)


def allowed(law: residency.Law, question: residency.Question) -> set[residency.MemberId]:
    return {v.member for v in residency.judge(law, question).verdicts if isinstance(v, residency.Lawful)}


def but(law: residency.Law, **changed: Any) -> residency.Law:
    return dataclasses.replace(law, **changed)


def without(every: Sequence[T], one: T) -> tuple[T, ...]:
    return tuple(each for each in every if each is not one)


# Who can make something lawful.


@MORE
@given(ANY, st.integers(0, 2**40))
def test_a_policy_more_never_makes_lawful_for_a_model_that_is_covered(made: Generated, seed: int) -> None:
    more = but(made.law, policies=(*made.law.policies, one_policy(seed)))
    for question in made.questions:
        if isinstance(residency.judge(made.law, question).coverage, residency.Covered):
            assert allowed(more, question) <= allowed(made.law, question)


@MORE
@given(ANY, CHANCE)
def test_a_record_or_an_exception_less_never_makes_lawful(made: Generated, chance: Random) -> None:
    for kind in ("records", "exceptions"):
        every = getattr(made.law, kind)
        if every:
            less = but(made.law, **{kind: without(every, chance.choice(every))})
            for question in made.questions:
                assert allowed(less, question) <= allowed(made.law, question)


def statements(attestation: ClusterAttestation) -> Iterator[tuple[str, Any]]:
    """What it says: the topic, and what of it."""
    facts = attestation.spec.facts
    for dimension in oracle.DIMENSIONS:
        if (fact := getattr(facts, dimension)) is not None:
            yield dimension, fact.jurisdiction
    for registry in facts.registries:
        yield f"registry {registry.host}", registry.jurisdiction
    for pool in facts.node_pools:
        yield "workers", pool
    for certificate in facts.certifications:
        yield f"certificate {certificate.name} {certificate.number}", certificate.level
    for contract in facts.contracts:
        yield "contract", contract
    if facts.confidential_computing is not None:
        yield "confidential computing", facts.confidential_computing
    if facts.nodes is not None:
        yield "nodes", facts.nodes


def disputed(law: residency.Law, uid: str, now: datetime) -> set[str]:
    """Topics on which the attestations of a UID that are in force differ. What the nodes must say is always one: they may
    say something else."""
    said: dict[str, list[Any]] = {}
    for each in law.attestations:
        if each.spec.cluster_ref.uid == uid and each.spec.valid_from <= now < each.spec.valid_until:
            for topic, what in statements(each):
                said.setdefault(topic, []).append(what)
    return {
        topic for topic, every in said.items() if topic != "contract" and any(each != every[0] for each in every)
    } | {"nodes"}


def less_one_fact(attestation: ClusterAttestation, chance: Random) -> tuple[str, ClusterAttestation]:
    """The topic of one fact, and the attestation without it."""
    facts = attestation.spec.facts
    lists = ("registries", "node_pools", "certifications", "contracts")
    held = [f for f in (*oracle.DIMENSIONS, "confidential_computing") if getattr(facts, f) is not None]
    field = chance.choice([*held, *(f for f in lists if getattr(facts, f))])
    value = getattr(facts, field)
    gone: Any = chance.choice(value) if field in lists else None
    if field == "registries":
        topic = f"registry {gone.host}"
    elif field == "certifications":
        topic = f"certificate {gone.name} {gone.number}"
    else:
        topic = {"node_pools": "workers", "confidential_computing": "confidential computing"}.get(field, field)
    left = without(value, gone) if field in lists else None
    spec = attestation.spec.model_copy(update={"facts": facts.model_copy(update={field: left})})
    return topic, attestation.model_copy(update={"spec": spec})


@MORE
@given(ANY_LASTING, CHANCE)
def test_a_fact_less_never_makes_lawful_unless_it_was_disputed(made: Generated, chance: Random) -> None:
    less_is_less(made, chance, disputed)


@MORE
@given(ANY, CHANCE)
def test_a_fact_of_no_pool_less_never_makes_lawful_whatever_is_asked(made: Generated, chance: Random) -> None:
    """Without what is said of a pool the cluster may stand as a whole, with a place that is coarser."""
    pools = any(a.spec.facts.node_pools for a in made.law.attestations)
    less_is_less(made, chance, lambda *of: disputed(*of) | ({"workers"} if pools else set()))


def less_is_less(made: Generated, chance: Random, disputed: Callable[..., set[str]]) -> None:
    """Neither without one fact, nor without one attestation, is more lawful; but for topics that are disputed."""
    rich = [a for a in made.law.attestations if any(topic != "nodes" for topic, _ in statements(a))]
    if not rich:
        return
    one = chance.choice(rich)
    topic, poorer = less_one_fact(one, chance)
    less = but(made.law, attestations=(*without(made.law.attestations, one), poorer))
    gone = but(made.law, attestations=without(made.law.attestations, one))
    for question in made.questions:
        disputes = disputed(made.law, one.spec.cluster_ref.uid, question.now)
        if topic not in disputes:
            assert allowed(less, question) <= allowed(made.law, question)
        if not disputes & {about for about, _ in statements(one)}:
            assert allowed(gone, question) <= allowed(made.law, question)


# Order and memory.


def shuffled(every: Sequence[T], chance: Random) -> tuple[T, ...]:
    return tuple(chance.sample(list(every), len(every)))


@MORE
@given(ANY, CHANCE)
def test_order_never_matters(made: Generated, chance: Random) -> None:
    def mixed(policy: Any) -> Any:
        lists = {f: shuffled(v, chance) for f, v in policy.spec.allow if isinstance(v, tuple)}
        spec = policy.spec.model_copy(update={"allow": policy.spec.allow.model_copy(update=lists)})
        return policy.model_copy(update={"spec": spec})

    law = residency.Law(
        *(shuffled(getattr(made.law, field.name), chance) for field in dataclasses.fields(residency.Law))
    )
    mixed_law = but(law, policies=tuple(mixed(p) for p in law.policies))
    for question in made.questions:
        asked = dataclasses.replace(
            question.asked,
            data_classes=shuffled(question.asked.data_classes, chance),
            artifacts=shuffled(question.asked.artifacts, chance),
            arguments=shuffled(question.asked.arguments, chance),
            callers=shuffled(question.asked.callers, chance),
            egress=shuffled(question.asked.egress, chance),
        )
        other = dataclasses.replace(question, asked=asked, members=shuffled(question.members, chance))
        assert canonical(residency.judge(law, other)) == canonical(residency.judge(made.law, question))
        assert residency.judge(mixed_law, other).verdicts == residency.judge(made.law, question).verdicts


def canonical(judgement: residency.Judgement) -> bytes:
    """All of a judgement, as bytes."""

    def plain(value: Any) -> Any:
        if hasattr(value, "wire"):
            return value.wire()
        if isinstance(value, datetime):
            return value.isoformat()
        assert not isinstance(value, set | frozenset), "a set has no order of its own"
        if dataclasses.is_dataclass(value):
            return [type(value).__name__, *(plain(getattr(value, f.name)) for f in dataclasses.fields(value))]
        return [plain(each) for each in value] if isinstance(value, tuple) else value

    return json.dumps(plain(judgement)).encode()


@MORE
@given(ANY, CHANCE)
def test_what_an_engine_was_asked_before_never_changes_an_answer(made: Generated, chance: Random) -> None:
    engine = residency.Engine(made.law)
    for question in chance.choices(made.questions, k=6):
        lived, fresh = engine.judge(question), residency.judge(made.law, question)
        assert list(map(told, lived.verdicts)) == list(map(told, fresh.verdicts))
        assert (lived.coverage, lived.conflicts) == (fresh.coverage, fresh.conflicts)
        assert engine.explain(question) == residency.Engine(made.law).explain(question)


def told(verdict: residency.Verdict) -> residency.Verdict:
    """All that a verdict says, but for when to look again: an engine that lived may name an earlier moment."""
    return dataclasses.replace(verdict, look_again=None)


SEEDS = range(60)


def digest_of_many() -> str:
    """Of the judgements on all questions of some cases."""
    told = [canonical(residency.judge(made.law, q)) for made in map(generated, SEEDS) for q in made.questions]
    return sha256(b"\n".join(told)).hexdigest()


def test_the_same_inputs_give_the_same_bytes_in_every_process() -> None:
    """Sets of strings are in another order under another PYTHONHASHSEED."""
    here = Path(__file__).parents[1]
    program = "from residency.test_properties import digest_of_many; print(digest_of_many())"

    def elsewhere(seed: str) -> str:
        path = os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
        done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert {elsewhere("1"), elsewhere("2"), digest_of_many()} == {digest_of_many()}


# An exception.


@MORE
@given(ANY, CHANCE)
def test_an_exception_changes_only_what_it_names(made: Generated, chance: Random) -> None:
    if not made.law.exceptions:
        return
    one = chance.choice(made.law.exceptions)
    less = but(made.law, exceptions=without(made.law.exceptions, one))
    spec = one.spec
    for question in made.questions:
        named = (spec.model.namespace, spec.model.name) == (question.asked.ref.namespace, question.asked.ref.name)
        with_it, without_it = (residency.Engine(law).explain(question) for law in (made.law, less))
        for row, other in zip(with_it, without_it, strict=True):
            here = named and (spec.cluster.name, spec.cluster.uid) == (row.member.name, row.member.uid)
            pairs = zip((*row.results, *row.audited), (*other.results, *other.audited), strict=True)
            for result, before in pairs:
                if result != before:
                    assert here
                    assert (result.policy, result.rule) == (spec.policy, spec.rule)
                    assert before.outcome is residency.Outcome.UNMET
                    assert dataclasses.replace(result, settled_by=before.settled_by, ends=before.ends) == before
        first, second = (residency.judge(law, question).verdicts for law in (made.law, less))
        for verdict, before in zip(first, second, strict=True):
            if verdict != before:
                assert named
                assert (spec.cluster.name, spec.cluster.uid) == (verdict.member.name, verdict.member.uid)


# Time.


def written(law: residency.Law) -> set[datetime]:
    """Every moment that is written down."""
    found = {
        m for o in (*law.attestations, *law.records, *law.exceptions) for m in (o.spec.valid_from, o.spec.valid_until)
    }
    for each in law.attestations:
        found |= {end.valid_until for end in (*each.spec.facts.certifications, *each.spec.facts.contracts)}
    return found


SPAN = timedelta(seconds=3570)
"""Of the expressions that ask whether something lasts, which is written in them."""


def written_in_rules(law: residency.Law) -> set[datetime]:
    """Moments that a rule names, or has an end of a certificate or contract for."""
    if not any(rule.expression in oracle.OF_NOW for policy in law.policies for rule in policy.spec.rules):
        return set()
    found = {NOW + 30 * timedelta(seconds=1), NOW + HOUR / 2, NOW + HOUR + 30 * timedelta(seconds=1) + TICK}
    for each in law.attestations:
        for end in (*each.spec.facts.certifications, *each.spec.facts.contracts):
            found |= {end.valid_until - SPAN, end.valid_until - SPAN + TICK}
    return found


def begins(law: residency.Law, moment: datetime) -> bool:
    return any(o.spec.valid_from == moment for o in (*law.attestations, *law.records, *law.exceptions))


def a_dispute_ends(law: residency.Law, moment: datetime) -> bool:
    """Whether an attestation or a certificate ends that took part in a dispute until then."""
    for each in law.attestations:
        disputes = disputed(law, each.spec.cluster_ref.uid, moment - TICK)
        if each.spec.valid_until == moment and disputes & {topic for topic, _ in statements(each)}:
            return True
        for certificate in each.spec.facts.certifications:
            if certificate.valid_until == moment and f"certificate {certificate.name} {certificate.number}" in disputes:
                return True
    return False


@MORE
@given(ANY_LASTING)
def test_time_makes_lawful_only_at_a_beginning_that_was_written_down_or_where_a_dispute_ends(made: Generated) -> None:
    in_rules = written_in_rules(made.law)
    for question in made.questions[:1]:
        since: set[residency.MemberId] | None = None
        for moment in sorted(written(made.law) | in_rules):
            before, after = (allowed(made.law, dataclasses.replace(question, now=at)) for at in (moment - TICK, moment))
            assert since is None or before == since, "it changed at a moment that is not written down"
            since = after
            if not after <= before:
                assert begins(made.law, moment) or moment in in_rules or a_dispute_ends(made.law, moment)


@MORE
@given(ANY)
def test_nothing_changes_before_look_again(made: Generated) -> None:
    for question in made.questions:
        judged = residency.judge(made.law, question)
        known = "a trial that asks for a hub whose facts end" in KNOWN
        never = LONG_AHEAD - TICK if known else LONG_AHEAD + 100 * HOUR
        last = judged.look_again - TICK if judged.look_again is not None else never
        assert judged.look_again is None or judged.look_again > question.now
        later = residency.judge(made.law, dataclasses.replace(question, now=last))
        assert canonical(later) == canonical(judged)


@MORE
@given(ANY)
def test_what_is_lawful_stays_so_until_the_end_that_it_names(made: Generated) -> None:
    for question in made.questions:
        for verdict in residency.judge(made.law, question).verdicts:
            if isinstance(verdict, residency.Lawful):
                assert question.now < verdict.until
                assert verdict.member in allowed(made.law, dataclasses.replace(question, now=verdict.until - TICK))


def test_a_rule_that_asks_for_now_ends_what_is_lawful() -> None:
    """A permit is no longer than its grounds."""
    asked = case(policies=[policy(rules=[rule(expression="now < timestamp('2026-11-23T09:30:00Z')")])])
    (verdict,) = asked.judge().verdicts
    assert isinstance(verdict, residency.Lawful)
    assert (verdict.until, verdict.look_again) == (NOW + HOUR / 2, NOW + HOUR / 2)


def test_a_rule_of_a_policy_in_audit_mode_ends_nothing_and_is_looked_at_again() -> None:
    trial = policy("t", rules=[rule(expression="now <= timestamp('2026-11-23T09:30:00Z')")], spec={"mode": "Audit"})
    (verdict,) = case(policies=[policy(), trial]).judge().verdicts
    assert isinstance(verdict, residency.Lawful)
    assert verdict.until > NOW + HOUR
    assert verdict.look_again == NOW + HOUR / 2 + TICK


def hub_that_ends() -> None:
    about_hub = attestation("of-the-hub", of="hub", until=TOMORROW)
    asked = case(policies=[policy(hub=["SG"])], attestations=[attestation(), about_hub], hub=member("hub"))
    (verdict,) = asked.judge().verdicts
    assert isinstance(verdict, residency.Lawful)
    assert (verdict.until, asked.judge().look_again) == (TOMORROW, TOMORROW)


def warning_that_the_hub_ends() -> None:
    about_hub = attestation("of-the-hub", of="hub", until=TOMORROW)
    asked = case(policies=[policy(hub=["SG"])], attestations=[attestation(), about_hub], hub=member("hub"))
    (verdict,) = asked.judge().verdicts
    assert isinstance(verdict, residency.Lawful)
    assert [warning.rpartition(" ")[2] for warning in verdict.warnings] == ["2026-11-24T09:00:00Z"]
    assert "of-the-hub" in verdict.attestations  # A permit binds what the facts come from.


def warning_of_an_engine_that_lived() -> None:
    policies = [
        policy("a", data_classes=["public"], spec={"warnBefore": "0h"}),
        policy("b", data_classes=["health"], spec={"warnBefore": "24h"}),
    ]
    first = case(policies=policies, attestations=[attestation(until=NOW + 30 * HOUR)], data_classes=["public"])
    second = first.but(data_classes=("health",), now=NOW + 20 * HOUR)
    engine = residency.Engine(first.law)
    engine.judge(first.question)
    assert engine.judge(second.question).verdicts == second.judge().verdicts


def trial_of_a_hub_that_ends() -> None:
    asked = case(
        policies=[policy("bank"), policy("trial", hub=["SG"], spec={"mode": "Audit"})],
        attestations=[attestation(), attestation("of-the-hub", of="hub", until=TOMORROW)],
        hub=member("hub"),
    )
    assert asked.judge().look_again == TOMORROW


OF_TIME: dict[str, Callable[[], None]] = {
    "a hub whose facts end": hub_that_ends,
    "a warning that the hub's facts end": warning_that_the_hub_ends,
    "a trial that asks for a hub whose facts end": trial_of_a_hub_that_ends,
    "a long life and a warning": warning_of_an_engine_that_lived,
}


@pytest.mark.parametrize(
    "feature",
    [pytest.param(f, marks=pytest.mark.xfail(reason=KNOWN[f], strict=True)) if f in KNOWN else f for f in OF_TIME],
)
def test_where_time_is_not_plain(feature: str) -> None:
    OF_TIME[feature]()


def test_a_second_name_does_not_put_off_the_warning() -> None:
    asked = case(
        policies=[policy(spec={"warnBefore": "20h"})],
        attestations=[attestation(until=NOW + 10 * HOUR), attestation("former", of="sg-old", at="sg")],
    )
    (verdict,) = asked.judge().verdicts
    assert isinstance(verdict, residency.Lawful)
    assert [warning.rpartition(" ")[2] for warning in verdict.warnings] == ["2026-11-23T19:00:00Z"]


def test_an_exception_that_begins_and_ends_is_looked_at_again() -> None:
    closed = case(
        policies=[policy(telemetry=[])], exceptions=[exception(validFrom=NOW + HOUR, validUntil=NOW + 2 * HOUR)]
    )
    assert closed.judge().look_again == NOW + HOUR
    assert closed.but(now=NOW + HOUR).judge().look_again == NOW + 2 * HOUR
