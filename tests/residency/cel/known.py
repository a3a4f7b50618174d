"""What is known in the tests of expressions: a cluster with lists of any length, the largest that there can be, and answers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from builders import NOW
from domicile.residency.cel import expression, schema
from domicile.residency.cel.expression import Expression, Failed, Invalid


def facts(size: int = 3, text: str = "hush-hush/42") -> dict[str, Any]:
    """Variables of a cluster with lists of this length."""
    return {
        "cluster": {
            "name": "sg",
            "uid": "u",
            "pool": "",
            "workers": {"jurisdiction": "SG"},
            "operator": {"jurisdiction": "Hushhush"},
            "registries": [{"host": f"r{i}.example", "jurisdiction": "SG"} for i in range(size)],
            "certifications": [
                {"name": "SS584", "level": 3, "number": str(i), "scope": text, "validUntil": "2027-01-01T00:00:00Z"}
                for i in range(size)
            ],
            "contracts": [
                {"kind": "Outsourcing", "reference": text, "party": "Hushhush", "validUntil": "2027-01-01T00:00:00Z"}
                for _ in range(size)
            ],
        },
        "hub": {},
        "model": {
            "name": "fraud-scorer",
            "namespace": "retail-banking",
            "namespaceLabels": {"unit": "topsecret"},
            "dataClasses": ["customer.pii"],
            "artifacts": ["registry.sg.example/a@sha256:1"],
            "accelerators": 1,
        },
        "policy": {"name": "p"},
        "now": NOW,
    }


def answer(source: str, variables: Mapping[str, Any] | None = None) -> bool | Failed:
    compiled = expression.compiled(source)
    assert isinstance(compiled, Expression), compiled
    return compiled.evaluate(variables or facts())


def refused(source: str) -> str:
    """Why it cannot be read."""
    found = expression.compiled(source)
    assert isinstance(found, Invalid), f"{source} can be read"
    assert "\n" not in found.why
    assert "<input>" not in found.why
    return found.why


def readable(source: str) -> Expression:
    found = expression.compiled(source)
    assert isinstance(found, Expression), found
    return found


def largest(letter: str = "a") -> dict[str, Any]:
    """Variables of which all texts are as long and all lists as large as they can be, and which differ at the end alone."""

    def value(kind: str, characters: int, number: int, count: int = schema.LISTED) -> Any:
        if kind.endswith("[]"):
            return [value(kind[:-2], characters, each) for each in range(count)]
        if kind.endswith("{}"):
            return {f"{letter * (schema.LABEL - 3)}{k:03}": letter * characters for k in range(schema.LISTED)}
        if kind in schema.MESSAGES:
            fields = schema.MESSAGES[kind].items()
            caps = {
                f: (schema.CHARACTERS.get(f"{kind}.{f}", 0), schema.COUNTS.get(f"{kind}.{f}", 64)) for f, _ in fields
            }
            made = {f: value(of, caps[f][0], number, caps[f][1]) for f, of in fields}
            return {**made, **({"validUntil": "2027-01-01T00:00:00+08:00"} if "validUntil" in made else {})}
        return number if kind == "int" else f"{letter * (characters - 3)}{number:03}"

    now = datetime(2026, 11, 23, 9, tzinfo=UTC)
    return {**{name: value(message, 0, 1) for name, message in schema.VARIABLES.items()}, "now": now}
