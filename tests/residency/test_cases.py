"""The cases of tests/residency/cases/*.yaml, and that there are enough of each kind."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from domicile import residency
from domicile.api import ResidencyPolicy, Rule
from residency import casebook, oracle
from residency.casebook import LISTS, LONG_AHEAD, PLACES, Entry, moment
from residency.generated import KNOWN
from residency.test_oracle import REASONS

EVERY = casebook.every()
TURNS_ON = {
    "a pool that a second name puts elsewhere": "a pool that a second name contradicts",
    "two pools that the same node could be in": "pools that one node could match both",
    "the hub spans sites": "a hub that is attested by pool",
    "what is known of the hub ends": "a warning that the hub's facts end",
    "an exception for a registry, and another that nobody vouches for": (
        "an unknown registry beside one elsewhere, and an exception"
    ),
}
"""Cases in which the engine was found wrong, and the feature that KNOWN in generated.py names."""


def cases() -> Iterator[object]:
    for entry in EVERY:
        known = KNOWN.get(TURNS_ON.get(entry.told.name, ""))
        marks = [pytest.mark.xfail(reason=known, strict=True)] if known else []
        yield pytest.param(entry, id=f"{entry.file}: {entry.told.name}", marks=marks)


@pytest.mark.parametrize("entry", list(cases()))
def test_case(entry: Entry) -> None:
    told, case = entry.told, entry.case
    judged = case.judge()
    (verdict,) = judged.verdicts
    assert ("lawful" if isinstance(verdict, residency.Lawful) else "unlawful") == told.expect, verdict
    if isinstance(verdict, residency.Lawful):
        assert told.reasons == ()
        assert list(told.advice) == [finding.rule for finding in verdict.advice]
        assert sorted(told.pools) == sorted(",".join(value for _, value in pool) for pool in verdict.pools if pool)
        kinds = {record.metadata.name: record.spec.record for record in case.law.records}
        assert sorted(told.by_records) == sorted(kinds[name] for name in verdict.records)
        rules = {exception.metadata.name: exception.spec.rule for exception in case.law.exceptions}
        assert sorted(told.by_exceptions) == sorted(rules[name] for name in verdict.exceptions)
        assert bool(verdict.warnings) == told.warns
        assert told.until is None or verdict.until == moment(told.until, LONG_AHEAD)
    else:
        assert told.reasons
        assert spelled(told.reasons, verdict.findings) == list(told.reasons)
        assert (told.advice, told.pools, told.by_records, told.by_exceptions, told.warns) == ((), (), (), (), False)
    assert spelled(told.audited, verdict.audited) == list(told.audited)
    assert told.look_again is None or judged.look_again == moment(told.look_again, LONG_AHEAD)
    assert [conflict.partition(":")[0].rpartition(" ")[2] for conflict in judged.conflicts] == list(told.conflicts)


def spelled(wanted: tuple[str, ...], findings: tuple[residency.Finding, ...]) -> list[str]:
    """The findings as the case spells them: the reason alone, or with the rule."""
    with_rules = [f"{finding.reason} {finding.rule}" for finding in findings]
    padded = [*wanted, *[""] * len(findings)]
    return [full if " " in want else full.partition(" ")[0] for want, full in zip(padded, with_rules, strict=False)]


@pytest.mark.parametrize(
    "entry", [pytest.param(entry, id=f"{entry.file}: {entry.told.name}") for entry in EVERY if not entry.told.pack]
)
def test_the_oracle_says_the_same(entry: Entry) -> None:
    """It knows no expression but its own; those of the packs it does not know."""
    case = entry.case
    written = {r.expression for p in case.law.policies for r in p.spec.rules} - {None}
    if written <= {*oracle.MEANINGS, *oracle.UNREADABLE}:
        question = case.question
        found = oracle.lawful(case.law, question.asked, question.members[0], question.hub, question.now)
        assert found == (entry.told.expect == "lawful")


@pytest.mark.parametrize(
    "entry", [pytest.param(entry, id=f"{entry.file}: {entry.told.name}") for entry in EVERY if entry.told.cites]
)
def test_what_a_case_cites_is_what_it_turns_on(entry: Entry) -> None:
    """The clause is that of a rule of the pack which speaks of the model, and which denies where the case is unlawful."""
    told, case = entry.told, entry.case
    cited = told.cites
    assert cited is not None
    assert told.pack is not None
    cited_rules = {
        (policy.metadata.name, rule.name)
        for policy in casebook.packed(told.pack)
        if isinstance(policy, ResidencyPolicy)
        for rule in (*policy.spec.rules, *lists(policy))
        if rule.basis is not None and (rule.basis.source, rule.basis.clause) == (cited.source, cited.clause)
    }
    assert cited_rules, f"{told.pack} has no rule that rests on {cited}"
    (row,) = residency.Engine(case.law).explain(case.question)
    results = [r for r in row.results if (r.policy, r.rule) in cited_rules]
    assert results, f"no rule that rests on {cited} speaks of the model"
    if told.expect == "unlawful":
        assert any(result.denies for result in results)
    else:
        assert not any(result.denies for result in results)


def lists(policy: ResidencyPolicy) -> Iterable[Rule]:
    """The lists of spec.allow as rules with the basis of the policy."""
    if policy.spec.basis is not None:
        for field in (*LISTS, "hub"):
            yield Rule.model_construct(name=f"allow.{field}", basis=policy.spec.basis)


def of_packs() -> Iterator[tuple[str, Rule]]:
    """The rules of all packs, each with the name of its policy."""
    for file in sorted(casebook.PACKS.glob("*/*.yaml")):
        for found in casebook.packed(f"{file.parent.name}/{file.stem}"):
            if isinstance(found, ResidencyPolicy):
                yield from ((found.metadata.name, rule) for rule in found.spec.rules)


def test_each_rule_of_a_pack_is_settled_in_a_lawful_case() -> None:
    """One that nothing can settle would shut everybody out, whatever it says."""
    lawful = [entry.case for entry in EVERY if entry.told.pack and entry.told.expect == "lawful"]
    rows = (row for case in lawful for row in residency.Engine(case.law).explain(case.question))
    settled = {(result.policy, result.rule) for row in rows for result in row.results if not result.denies}
    assert {(policy, rule.name) for policy, rule in of_packs()} - settled == set()


def test_each_clause_from_outside_that_a_pack_rests_on_has_a_case() -> None:
    told = {(cited.source, cited.clause) for entry in EVERY if (cited := entry.told.cites)}
    wanted = {(rule.basis.source, rule.basis.clause) for _, rule in of_packs() if rule.basis.type != "OrgPolicy"}
    assert wanted - told == set()


# Quotas.


def count() -> Counter[str]:
    found: Counter[str] = Counter()
    for entry in EVERY:
        told = entry.told
        found["cases"] += 1
        found[told.expect] += 1
        found["cites a clause of a pack"] += told.cites is not None
        found.update({f"reason {reason.partition(' ')[0]}" for reason in (*told.reasons, *told.audited)})
        found.update(f"fact {fact}, {told.expect}" for fact in facts_of(entry))
        case = entry.case
        rows = residency.Engine(case.law).explain(case.question)
        results = {result for row in rows for result in row.results if not result.rule.startswith("allow.")}
        for effect in {result.effect for result in results if result.rule != "onContradiction"}:
            outcomes = {r.outcome.value for r in results if r.effect == effect and r.rule != "onContradiction"}
            found.update(f"effect {effect}, {outcome}" for outcome in outcomes)
        covered = case.judge().coverage
        applying = [*(covered.policies if isinstance(covered, residency.Covered) else ()), *covered.audits]
        found.update({f"mode {policy.spec.mode}" for policy in applying})
        found.update({f"exceptions {policy.spec.exceptions}" for policy in applying})
        found.update({f"onContradiction {p.spec.on_contradiction}" for p in applying if told.reported.regions})
        found.update({f"transfer basis {record.transfer_basis}" for record in told.records})
        bases = {result.basis.type for result in results if result.basis is not None}
        found.update(f"basis {basis}" for basis in bases)
    return found


def facts_of(entry: Entry) -> set[str]:
    """Facts that a case speaks of by name, in its facts or in its policies."""
    told = entry.told
    written = told.facts if isinstance(told.facts, tuple) else (told.facts,)
    found: set[str] = set()
    for facts in written:
        by_name = facts.model_dump(by_alias=True)
        found |= {place for place in PLACES if by_name[place] != ""}
        found |= {"registry"} if facts.registries is not None else set()
        found |= {name for name in ("pools", "certificates", "contracts", "nodes") if by_name[name]}
        found |= {"confidentialComputing"} if facts.confidential_computing is not None else set()
        found |= {"validity"} if facts.since is not None or facts.until is not None else set()
    for policy in told.policies.values():
        found |= {field for field in (*LISTS, "hub") if policy.model_dump(by_alias=True)[field] is not None}
        found |= {field for field in ("hosts", "callers", "egress") if getattr(policy, field)}
    found |= {field for field in ("callers", "egress") if getattr(told.model, field)}
    return found | ({"hosts"} if told.model.arguments else set()) | ({"mirrors"} if told.mirrors else set())


ALL_FACTS = (
    *LISTS,
    "hub",
    "pools",
    "certificates",
    "contracts",
    "confidentialComputing",
    "nodes",
    "hosts",
    "callers",
    "egress",
    "mirrors",
    "validity",
)
QUOTAS = {
    "cases": 250,
    "cites a clause of a pack": 50,
    "lawful": 100,
    "unlawful": 120,
    **{f"reason {reason}": 4 for reason in sorted(REASONS)},
    **{f"fact {fact}, {answer}": 2 for fact in ALL_FACTS for answer in ("lawful", "unlawful")},
    **{f"effect {effect}, {o}": 4 for effect in ("Deny", "RequireRecord", "Advise") for o in ("Met", "Unmet")},
    "effect Deny, Unknown": 4,
    "effect RequireRecord, Unknown": 1,
    "effect Advise, Unknown": 2,
    "mode Enforce": 100,
    "mode Audit": 8,
    "exceptions Allow": 100,
    "exceptions Forbid": 2,
    "onContradiction Deny": 3,
    "onContradiction Report": 2,
    **{f"transfer basis {basis}": 2 for basis in ("Contract", "BindingCorporateRules", "Certification", "Consent")},
    "transfer basis Adequacy": 1,
    **{f"basis {basis}": 10 for basis in ("Law", "Regulation", "Guideline", "OrgPolicy")},
}


def test_there_are_enough_of_each_kind() -> None:
    found = count()
    print("\n" + "\n".join(f"{found[kind]:>6} of {wanted:>4}  {kind}" for kind, wanted in QUOTAS.items()))
    assert {kind: found[kind] for kind, wanted in QUOTAS.items() if found[kind] < wanted} == {}


def test_names_tell_cases_apart_and_each_tells_a_story() -> None:
    names = Counter(entry.told.name for entry in EVERY)
    assert [name for name, number in names.items() if number > 1] == []
    assert [e.told.name for e in EVERY if not e.told.story.endswith(".") or len(e.told.story) < 20] == []
    assert TURNS_ON.keys() <= names.keys()


# Reading is strict.

WRONG = {
    "an unknown key": "- {name: a, story: b, expect: lawful, polices: {}}",
    "an unknown key of a policy": "- {name: a, story: b, expect: lawful, policies: {p: {allow: {workers: [SG]}}}}",
    "an unknown key of facts": "- {name: a, story: b, expect: lawful, facts: {worker: SG}}",
    "an unknown answer": "- {name: a, story: b, expect: maybe}",
    "no story": "- {name: a, expect: lawful}",
    "a key that comes twice": "- {name: a, story: b, expect: lawful, expect: unlawful}",
    "a key that comes twice inside": "- {name: a, story: b, expect: lawful, facts: {workers: SG, workers: PH}}",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_what_is_misspelled_is_an_error(text: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises((ValidationError, yaml.YAMLError)):
        list(casebook.read(file))
