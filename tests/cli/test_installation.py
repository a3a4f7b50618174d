"""What the demo installs. tests/chart/test_installation.py holds it to the chart."""

import re

import pytest

from domicile.api import KINDS
from domicile.cli.demo import installation, stamping

KIND = {kind.info.plural: kind for kind in KINDS}
WRITTEN = re.compile(
    r'"/metadata/annotations/domicile\.dev~1([a-z-]+)"|"domicile\.dev/([a-z-]+)": request\.userInfo\.username'
)
"""An annotation that an admission policy writes or takes away."""


def test_everything_that_a_hub_needs_is_in_it() -> None:
    kinds = [manifest["kind"] for manifest in installation.manifests(admission=True)]
    assert kinds[0] == "Namespace"
    assert kinds.count("CustomResourceDefinition") == len(KINDS)
    assert {"ServiceAccount", "ClusterRole", "Role", "MutatingAdmissionPolicy", "ValidatingAdmissionPolicy"} <= set(
        kinds
    )
    assert "Deployment" not in kinds


def test_without_admission_the_rest_is_the_same() -> None:
    rest = [
        m for m in installation.manifests(admission=True) if not m["apiVersion"].startswith("admissionregistration")
    ]
    assert installation.manifests(admission=False) == rest


def test_there_is_a_probe_of_all_that_is_stamped() -> None:
    stamped: dict[str, set[str]] = {}
    for policy in installation.manifests(admission=True):
        if policy["kind"] == "MutatingAdmissionPolicy":
            (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
            found = {one or other for one, other in WRITTEN.findall(str(policy["spec"]["mutations"]))}
            for plural in rule["resources"]:
                stamped.setdefault(KIND[plural].info.kind, set()).update(found)
    assert stamped == {kind: set(stamps) for kind, stamps in stamping.STAMPS.items()}


@pytest.mark.parametrize("kind", stamping.STAMPS)
def test_a_probe_is_a_valid_object_and_says_what_is_not_stamped(kind: str) -> None:
    probe = stamping.probes("some-namespace")[kind]
    read = next(each for each in KINDS if each.info.kind == kind).model_validate(probe)
    assert (read.metadata.namespace != "") == (read.info.scope == "Namespaced")
    assert (
        stamping.not_stamped(probe)
        == f"{kind}: {', '.join(f'domicile.dev/{s}' for s in sorted(stamping.STAMPS[kind]))}"
    )
    stamps = dict.fromkeys(probe["metadata"]["annotations"], "gil")
    assert stamping.not_stamped({**probe, "metadata": {**probe["metadata"], "annotations": stamps}}) == ""
