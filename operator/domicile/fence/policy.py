"""A ValidatingAdmissionPolicy and its binding, spelled out with every default, so that what a member has can be compared whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from domicile.api import GROUP, VERSION
from domicile.fence import cel
from domicile.fence.labels import MANAGED_BY, MANAGED_NAMESPACE
from domicile.fence.probes import Probe

Manifest = dict[str, Any]

API_VERSION: Final = "admissionregistration.k8s.io/v1"
SUFFIX: Final = "fence.domicile.dev"
_LABELS: Final = dict((MANAGED_BY,))
_GROUP_VERSION: Final = f"{GROUP}/{VERSION}"


@dataclass(frozen=True)
class Rule:
    """Requests that a policy looks at."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    operations: tuple[str, ...]
    scope: str = "*"
    names: tuple[str, ...] = ()

    def manifest(self) -> Manifest:
        """As a policy has it."""
        named = {"resourceNames": list(self.names)} if self.names else {}
        return {
            "apiGroups": list(self.groups),
            "apiVersions": ["*"],
            "operations": list(self.operations),
            "resources": list(self.resources),
            "scope": self.scope,
            **named,
        }


@dataclass(frozen=True)
class Validation:
    """What must hold, as CEL, and what is said where it does not."""

    expression: str
    message: str
    """An expression too."""


@dataclass(frozen=True)
class Params:
    """An object that a policy reads: in the namespace of the request if its kind has namespaces."""

    kind: str
    name: str
    where_missing: Literal["Deny", "Allow"] = "Deny"


@dataclass(frozen=True)
class Policy:
    """One policy of the fence. It also looks at, and refuses, its own probe."""

    short: str
    """Its name before the dot."""
    about: str
    """What it refuses, in a sentence."""
    rules: tuple[Rule, ...]
    validations: tuple[Validation, ...]
    variables: Mapping[str, str]
    in_managed_namespaces: bool
    """Whether it is bound to managed namespaces. Otherwise it looks at requests everywhere, and `conditions` say at which."""
    conditions: Mapping[str, str]
    """Of what is no probe. All must hold for the policy to look at it."""
    params: Params | None = None
    """What it holds requests against."""

    @property
    def name(self) -> str:
        """Name of the policy and of its binding."""
        return f"{self.short}.{SUFFIX}"

    @property
    def probe(self) -> Probe:
        """What shows that it is in force."""
        return Probe(self.short, self.name)

    def manifests(self, digest: str) -> tuple[Manifest, Manifest]:
        """The policy and its binding. `digest` is of the whole fence: a refused probe says it."""
        return self._policy(digest), self._binding()

    def _policy(self, digest: str) -> Manifest:
        probed = Rule(("",), ("serviceaccounts",), ("CREATE",), "Namespaced", (self.probe.object_name,))
        validations = (
            Validation(f"!({self.probe.expression})", cel.string(self.probe.says(digest))),
            *(self._of_what_is_no_probe(each) for each in self.validations),
        )
        spec: Manifest = {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": {},
                "resourceRules": [rule.manifest() for rule in (*self.rules, probed)],
            },
            "validations": [
                {"expression": each.expression, "messageExpression": each.message, "reason": "Forbidden"}
                for each in validations
            ],
            **_named("variables", self.variables),
            **_named("matchConditions", self._conditions()),
            **({"paramKind": {"apiVersion": _GROUP_VERSION, "kind": self.params.kind}} if self.params else {}),
        }
        about = {"domicile.dev/about": self.about}
        metadata = {"name": self.name, "labels": _LABELS, "annotations": about}
        return {"apiVersion": API_VERSION, "kind": "ValidatingAdmissionPolicy", "metadata": metadata, "spec": spec}

    def _of_what_is_no_probe(self, each: Validation) -> Validation:
        # The others look at no field that the probe lacks.
        return Validation(f"({self.probe.expression}) || ({each.expression})", each.message) if self.params else each

    def _conditions(self) -> Mapping[str, str]:
        return {name: f"({self.probe.expression}) || ({condition})" for name, condition in self.conditions.items()}

    def _binding(self) -> Manifest:
        selector = {"matchLabels": dict((MANAGED_NAMESPACE,))} if self.in_managed_namespaces else {}
        spec = {
            "policyName": self.name,
            "matchResources": {"matchPolicy": "Equivalent", "namespaceSelector": selector, "objectSelector": {}},
            "validationActions": ["Deny", "Audit"],
            **(
                {"paramRef": {"name": self.params.name, "parameterNotFoundAction": self.params.where_missing}}
                if self.params
                else {}
            ),
        }
        metadata = {"name": self.name, "labels": _LABELS}
        return {
            "apiVersion": API_VERSION,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": metadata,
            "spec": spec,
        }


def _named(key: str, expressions: Mapping[str, str]) -> Manifest:
    """The list under that key, which is left out where it would be empty."""
    listed = [{"name": name, "expression": expression} for name, expression in expressions.items()]
    return {key: listed} if listed else {}
