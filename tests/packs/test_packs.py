"""The policy packs: that they are what they say they are, that none invents a law, and that the page about them does not drift."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import combinations, pairwise
from pathlib import Path
from typing import TypeVar

import pytest
import yaml

from domicile.api import (
    GROUP,
    KINDS,
    VERSION,
    Allow,
    Basis,
    DataClassification,
    JurisdictionGroup,
    ResidencyPolicy,
    Rule,
)
from domicile.api.base import Kind
from domicile.api.jurisdiction import GROUP_PREFIX

ROOT = Path(__file__).parents[2]
PACKS = ROOT / "packs"
PAGE = (ROOT / "docs" / "policy-packs.md").read_text()
FILES = tuple(sorted(PACKS.rglob("*.yaml")))
KIND = {kind.info.kind: kind for kind in KINDS}
DIMENSIONS = ("workers", "controlPlane", "operator", "operatorParent", "keyStore", "registry", "telemetry", "hub")
K = TypeVar("K", bound=Kind)


def documents(path: Path) -> list[dict[str, object]]:
    return list(yaml.safe_load_all(path.read_text()))


def objects(path: Path) -> list[Kind]:
    return [KIND[str(found["kind"])].model_validate(found) for found in documents(path)]


def every(kind: type[K]) -> list[K]:
    return [found for path in FILES for found in objects(path) if isinstance(found, kind)]


@dataclass(frozen=True)
class Cited:
    """A basis, and where it is given."""

    country: str
    """Of the pack, in lower case."""
    policy: str
    rule: Rule | None
    """None: it is the basis of the allow lists."""
    basis: Basis | None

    def __str__(self) -> str:
        return f"{self.policy}.{self.rule.name if self.rule else 'allow'}"


def citations() -> Iterator[Cited]:
    for path in FILES:
        for found in objects(path):
            if isinstance(found, ResidencyPolicy):
                yield Cited(path.parent.name, found.metadata.name, None, found.spec.basis)
                for rule in found.spec.rules:
                    yield Cited(path.parent.name, found.metadata.name, rule, rule.basis)


CITED = tuple(citations())
RULES = tuple((cited, cited.rule) for cited in CITED if cited.rule)
POLICIES = tuple(every(ResidencyPolicy))
by_citation = pytest.mark.parametrize("cited", CITED, ids=str)
by_rule = pytest.mark.parametrize(("cited", "rule"), RULES, ids=[str(cited) for cited, _ in RULES])


def test_there_is_a_pack_for_each_country_and_sector() -> None:
    named = {str(path.relative_to(PACKS)) for path in FILES}
    packs = {f"{country}/{sector}.yaml" for country in ("sg", "ph") for sector in ("bank", "hospital", "agency")}
    assert named == packs | {"groups.yaml"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKS)))
class TestFile:
    def test_every_document_is_a_valid_object(self, path: Path) -> None:
        assert objects(path)
        assert {found["apiVersion"] for found in documents(path)} == {f"{GROUP}/{VERSION}"}

    def test_its_head_says_what_it_is_not_and_what_to_change(self, path: Path) -> None:
        head = "".join(line for line in path.read_text().splitlines(True) if line.startswith("#"))
        assert path.read_text().startswith("#")
        if path.name != "groups.yaml":
            assert "Not legal advice" in head
            assert "Change:" in head
            assert "Audit mode" in head

    def test_its_names_tell_the_pack(self, path: Path) -> None:
        if path.name != "groups.yaml":
            pack = f"{path.parent.name}-{path.stem}"
            assert all(re.match(rf"{pack}(-|$)", found.metadata.name) for found in objects(path))

    def test_its_policies_are_for_namespaces_of_the_pack_only(self, path: Path) -> None:
        wanted = {"policy-pack": f"{path.parent.name}-{path.stem}"}
        for found in objects(path):
            if isinstance(found, ResidencyPolicy):
                assert found.spec.applies_to.namespace_selector.match_labels == wanted
                assert found.spec.mode == "Enforce"
                assert all("/" in data_class for data_class in found.spec.applies_to.data_classes)
                assert found.spec.applies_to.data_classes

    def test_each_class_of_its_orders_and_floors_has_a_policy(self, path: Path) -> None:
        found = objects(path)
        spoken = {c for p in found if isinstance(p, ResidencyPolicy) for c in p.spec.applies_to.data_classes}
        for named in found:
            if isinstance(named, DataClassification):
                assert {c for order in named.spec.orders for c in order.classes} <= spoken
                assert {c for floor in named.spec.floors for c in floor.data_classes} <= spoken


class TestBasis:
    @by_citation
    def test_says_source_clause_date_and_confidence(self, cited: Cited) -> None:
        assert cited.basis is not None
        assert cited.basis.clause
        assert date.fromisoformat(cited.basis.as_of)
        assert {"source", "as_of", "confidence", "type"} <= cited.basis.model_fields_set

    @by_citation
    def test_a_house_rule_is_called_one_and_nothing_else_is(self, cited: Cited) -> None:
        assert cited.basis is not None
        house = cited.basis.type == "OrgPolicy"
        assert cited.basis.source.startswith("House rule: ") == house
        if cited.rule is not None:
            assert cited.rule.message.startswith("House rule") == house
            assert cited.rule.name.startswith("house-") == house

    def test_no_clause_is_cited_with_two_dates(self) -> None:
        said: dict[tuple[str, str], set[tuple[str, str, str]]] = defaultdict(set)
        for cited in CITED:
            assert cited.basis is not None
            basis = cited.basis
            said[basis.source, basis.clause].add((basis.as_of, basis.type, basis.confidence))
        assert {clause: how for clause, how in said.items() if len(how) > 1} == {}

    def test_a_rule_of_a_name_is_the_same_all_over_a_country(self) -> None:
        said: dict[tuple[str, str], set[str]] = defaultdict(set)
        for cited, rule in RULES:
            said[cited.country, rule.name].add(f"{rule.basis} {rule.on_unmet} {rule.record} {rule.transfer_bases}")
        assert {name: how for name, how in said.items() if len(how) > 1} == {}


def keeps_in(country: str, rule: Rule) -> bool:
    """Whether the rule denies by a comparison of a jurisdiction with the country."""
    compared = re.search(rf"['\"]{country.upper()}(-[A-Z0-9]+)?['\"]", rule.expression or "")
    return rule.on_unmet == "Deny" and "jurisdiction" in (rule.expression or "") and compared is not None


class TestNoInventedLaw:
    """No private-sector law of either country was found that keeps data inside it: what does is a house rule."""

    @by_rule
    def test_no_rule_of_law_says_must_stay_in_the_country(self, cited: Cited, rule: Rule) -> None:
        if rule.basis.type in ("Law", "Regulation"):
            assert not keeps_in(cited.country, rule)

    @by_rule
    def test_what_comes_from_outside_asks_for_a_record_or_advises(self, cited: Cited, rule: Rule) -> None:
        assert rule.basis.type == "OrgPolicy" or rule.on_unmet in ("RequireRecord", "Advise")

    @pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.metadata.name)
    def test_what_the_lists_rest_on_is_a_house_rule(self, policy: ResidencyPolicy) -> None:
        assert policy.spec.basis is not None
        assert policy.spec.basis.type == "OrgPolicy"

    @pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.metadata.name)
    def test_every_dimension_is_said_and_none_is_left_closed_by_oversight(self, policy: ResidencyPolicy) -> None:
        lists = policy.spec.allow.wire()
        assert {field for field, places in lists.items() if places} == set(DIMENSIONS)

    @pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.metadata.name)
    def test_the_hub_may_be_where_a_control_plane_may_be(self, policy: ResidencyPolicy) -> None:
        assert policy.spec.allow.hub == policy.spec.allow.control_plane

    def test_there_are_house_rules_that_the_check_finds(self) -> None:
        assert {cited.country for cited, rule in RULES if keeps_in(cited.country, rule)} == {"sg", "ph"}

    @pytest.mark.parametrize(
        "expression",
        [
            "cluster.workers.jurisdiction == 'SG'",
            'cluster.keyStore.jurisdiction in ["SG", "MY"]',
            "has(cluster.workers) && cluster.workers.jurisdiction.startsWith('SG')",
            "cluster.workers.jurisdiction == 'SG-01'",
        ],
    )
    def test_the_check_would_find_it(self, expression: str) -> None:
        basis = {"type": "Law", "source": "an Act that nobody passed", "asOf": "2026-11-24"}
        rule = Rule.model_validate({"name": "x", "onUnmet": "Deny", "expression": expression, "basis": basis})
        assert keeps_in("sg", rule)
        assert not keeps_in("ph", rule)


def repeated(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


class TestTogether:
    """All packs can be applied to one hub."""

    def test_no_name_is_taken_twice(self) -> None:
        assert repeated(f"{o.info.kind}/{o.metadata.name}" for path in FILES for o in objects(path)) == []

    def test_no_order_or_floor_is_given_twice(self) -> None:
        specs = [classification.spec for classification in every(DataClassification)]
        assert repeated(order.name for spec in specs for order in spec.orders) == []
        assert repeated(floor.namespace for spec in specs for floor in spec.floors) == []

    def test_no_two_orders_contradict(self) -> None:
        orders = [order.classes for found in every(DataClassification) for order in found.spec.orders]
        for one, other in combinations(orders, 2):
            shared = [c for c in one if c in other]
            assert shared == [c for c in other if c in one]

    def test_a_higher_class_is_allowed_in_no_more_places(self) -> None:
        groups = {f"{GROUP_PREFIX}{g.metadata.name}": set(g.spec.members) for g in every(JurisdictionGroup)}
        for found in every(DataClassification):
            pack = [p for p in POLICIES if p.metadata.name.startswith(found.metadata.name)]
            for lower, higher in ((a, b) for order in found.spec.orders for a, b in pairwise(order.classes)):
                for dimension in sorted(Allow.model_fields.keys() - {"hosts", "callers", "egress"}):
                    where = [
                        {
                            code
                            for p in pack
                            if data_class in p.spec.applies_to.data_classes
                            for place in getattr(p.spec.allow, dimension)
                            for code in groups.get(place, {place})
                        }
                        for data_class in (lower, higher)
                    ]
                    assert where[1]
                    assert where[1] <= where[0], (higher, dimension)

    def test_the_groups_that_are_named_are_there_with_source_and_date(self) -> None:
        named = {
            place
            for policy in POLICIES
            for places in policy.spec.allow.wire().values()
            for place in places
            if place.startswith(GROUP_PREFIX)
        }
        groups = every(JurisdictionGroup)
        assert named == {f"{GROUP_PREFIX}{group.metadata.name}" for group in groups}
        assert all(re.search(r"\d{4}-\d{2}-\d{2}", group.spec.source) for group in groups)
        assert {g.metadata.name: len(g.spec.members) for g in groups} == {"asean": 11, "eea": 30}


def rows() -> dict[tuple[str, str], list[str]]:
    """The page's tables of rules: country and rule, and the other cells."""
    found: dict[tuple[str, str], list[str]] = {}
    country = ""
    for line in PAGE.splitlines():
        if heading := re.match(r"#+ Rules: .*\((sg|ph)\)", line):
            country = heading[1]
        elif line.startswith("#"):
            country = ""
        elif country and (row := re.match(r"\| `([a-z0-9-]+)` \|(.*)\|$", line)):
            assert (country, row[1]) not in found
            found[country, row[1]] = [cell.strip() for cell in row[2].split("|")]
    return found


class TestPage:
    def test_says_of_every_rule_what_the_packs_say(self) -> None:
        used: dict[tuple[str, str], list[str]] = defaultdict(list)
        wanted: dict[tuple[str, str], list[str]] = {}
        for cited, rule in RULES:
            key, basis = (cited.country, rule.name), rule.basis
            used[key].append(f"`{cited.policy.removeprefix(f'{cited.country}-')}`")
            follows = f"`{rule.record}` record" if rule.record else rule.on_unmet
            source = f"{basis.source}, {basis.clause}"
            wanted[key] = [", ".join(used[key]), basis.type, source, basis.as_of, basis.confidence, follows]
        assert rows() == wanted

    def test_names_every_policy_record_and_contract(self) -> None:
        records = {rule.record for _, rule in RULES if rule.record}
        contracts = {kind for _, rule in RULES for kind in re.findall(r"c\.kind == '(\w+)'", rule.expression or "")}
        names = {policy.metadata.name for policy in POLICIES} | records | contracts
        assert {name for name in names if f"`{name}`" not in PAGE} == set()

    def test_says_what_it_is_not(self) -> None:
        assert "not legal advice" in PAGE.lower()
