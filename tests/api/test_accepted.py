"""What the API server accepts by a kind's schema, the kind's model accepts: else an object is there that nobody can read.

CEL is read by a table of what each rule means; a new rule needs a line there.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.api import KINDS
from domicile.api.base import Kind
from domicile.api.crd import crd
from domicile.api.jurisdiction import COUNTRIES

Schema = Mapping[str, Any]
Values = st.SearchStrategy[Any]


def _has_values(requirement: Mapping[str, Any]) -> bool:
    return (requirement["operator"] in ("In", "NotIn")) == bool(requirement.get("values"))


def _known(place: str) -> bool:
    return place[:2] in COUNTRIES


def _has_what_it_needs(rule: Mapping[str, Any]) -> bool:
    return ("record" if rule["onUnmet"] == "RequireRecord" else "expression") in rule


def _speaks_of_no_record_in_vain(rule: Mapping[str, Any]) -> bool:
    return rule["onUnmet"] == "RequireRecord" or not ("record" in rule or rule.get("transferBases"))


IN_LIST = f"'{' '.join(sorted(COUNTRIES))}'.contains(self.substring(0, 2))"
MEANING: Mapping[str, Callable[[Any], bool]] = {
    "type(self) == string ? self.matches('[1-9]') : self > 0": lambda v: (
        max(filter(str.isdigit, v)) >= "1" if isinstance(v, str) else v > 0
    ),
    "!has(self.max) || self.max >= self.min": lambda v: "max" not in v or v["max"] >= v.get("min", 1),
    "self.validFrom < self.validUntil": lambda v: v["validFrom"][:19] < v["validUntil"][:19],
    "self.operator in ['In', 'NotIn'] ? has(self.values) && self.values.size() > 0"
    " : !has(self.values) || self.values.size() == 0": _has_values,
    "!self.replace('{{.Name}}', '').contains('{{')": lambda v: "{{" not in v.replace("{{.Name}}", ""),
    IN_LIST: _known,
    f"self.startsWith('group:') || {IN_LIST}": lambda v: v.startswith("group:") or _known(v),
    "self.onUnmet == 'RequireRecord' ? has(self.record) : has(self.expression)": _has_what_it_needs,
    "self.onUnmet == 'RequireRecord' || (!has(self.record) && (!has(self.transferBases)"
    " || self.transferBases.size() == 0))": _speaks_of_no_record_in_vain,
}
"""What each rule means. Zones do not matter to the order of times here."""
MATCHES = re.compile(r"self\.matches\('(\^.*\$)'\)")
KEYS_MATCH = re.compile(r"self\.all\(key, key\.matches\('(\^.*)'\)\)")
CHANGE = re.compile(r"\boldSelf\b")
"""Rules about a change: on creation the API server does not ask them."""


def accepted(schema: Schema) -> Values:
    """Values that the API server accepts by the schema."""
    made = _plain(schema)
    for rule in schema.get("x-kubernetes-validations", ()):
        # What must match is drawn that way.
        if not any(way.search(rule["rule"]) for way in (CHANGE, MATCHES, KEYS_MATCH)):
            made = made.filter(MEANING[rule["rule"]])
    return made


def _plain(schema: Schema) -> Values:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(-2, 3) | st.integers(-(2**63), 2**63 - 1) | _text(schema)
    by_type = {"string": _text, "integer": _integer, "boolean": _boolean, "array": _array, "object": _object}
    return by_type[schema["type"]](schema)


def _boolean(_: Schema) -> Values:
    return st.booleans()


def _integer(schema: Schema) -> Values:
    return st.integers(schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1))


def _array(schema: Schema) -> Values:
    unique = repr if schema["x-kubernetes-list-type"] == "set" else None
    most = min(schema.get("maxItems", 3), 3)
    return st.lists(accepted(schema["items"]), min_size=schema.get("minItems", 0), max_size=most, unique_by=unique)


def _object(schema: Schema) -> Values:
    if "additionalProperties" in schema:
        least, most = schema.get("minProperties", 0), min(schema.get("maxProperties", 3), 3)
        return st.dictionaries(_keys(schema), accepted(schema["additionalProperties"]), min_size=least, max_size=most)
    fields = {name: accepted(sub) for name, sub in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=fields)


def _keys(schema: Schema) -> Values:
    patterns = [
        found[1] for r in schema.get("x-kubernetes-validations", ()) if (found := KEYS_MATCH.fullmatch(r["rule"]))
    ]
    return st.from_regex(patterns[0]) if patterns else st.text(max_size=5)


def _text(schema: Schema) -> Values:
    rules = (MATCHES.fullmatch(rule["rule"]) for rule in schema.get("x-kubernetes-validations", ()))
    patterns = [schema[word] for word in ("pattern",) if word in schema] + [found[1] for found in rules if found]
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10_000)
    if schema.get("format") == "date-time":
        made: Values = TIMES
    elif schema.get("pattern") in PLACES:
        made = PLACES[schema["pattern"]]
    elif patterns:
        made = st.from_regex(_as_re2(patterns[-1]))
    else:
        made = st.text(min_size=least, max_size=min(most, least + 5))
    return made.filter(lambda text: least <= len(text) <= most and all(re.search(_as_re2(p), text) for p in patterns))


def _as_re2(pattern: str) -> str:
    """To Python `$` is also before a last line break, to the API server it is not."""
    return re.sub(r"\$$", r"\\Z", pattern)


_PLACE = st.sampled_from(["SG", "SG-1", "MY-14", "DE", "ZZ"])
PLACES: Mapping[str, Values] = {
    "^[A-Z]{2}(-[A-Z0-9]{1,3})?$": _PLACE,
    "^([A-Z]{2}(-[A-Z0-9]{1,3})?|group:[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?)$": _PLACE
    | st.sampled_from(["group:eea", "group:SG", "group:"]),
}
"""By the pattern. Drawn by that alone, few would be countries."""

# What the format date-time of the API server lets pass (k8s.io/kube-openapi/pkg/validation/strfmt), odd ones and all.
_USUAL = st.integers(1000, 9999).map("{}-11-23T09:00:00Z".format)
_ODD = st.builds(
    "{}-01-01T23:59:00{}{}".format,
    st.sampled_from(["0000", "0001", "0999", "9999"]),
    st.sampled_from(["", ".5", ".123456789", ".1234567890123", ",5", "x5"]),
    st.sampled_from(["Z", "+00:00", "-23:59", "+14:00", "+24:00", "+23:60", "+99:99"]),
)
TIMES = st.integers(0, 9).flatmap(lambda number: _USUAL if number else _ODD)


def root(kind: type[Kind]) -> Values:
    """Objects of a kind; rules about metadata are left to the API server."""
    schema = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    parts = {name: accepted(schema["properties"][name]) for name in ("spec", "status") if name in schema["properties"]}
    spec = parts.pop("spec")
    return st.fixed_dictionaries({"metadata": st.just({"name": "x"}), "spec": spec}, optional=parts)


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.info.kind) for kind in KINDS])
@given(data=st.data())
def test_what_the_schema_accepts_the_model_accepts(kind: type[Kind], data: st.DataObject) -> None:
    accepted_object = data.draw(root(kind))
    read = kind.model_validate(accepted_object)
    assert kind.model_validate(read.wire()) == read
