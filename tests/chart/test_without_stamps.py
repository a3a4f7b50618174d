"""A stamp that is missing is an error, not a gap: with the stamping policies gone, the guards let nothing pass that needs one."""

import contextlib
import functools
from collections.abc import Callable, Iterator

import pytest

from chart import objects
from chart.conftest import Hub, await_policies
from chart.objects import Manifest, annotated, own_annotations
from chart.persons import DRY, People, Reply, in_use, made
from domicile.localfleet import waiting
from domicile.localfleet.errors import WaitedTooLong

pytestmark = pytest.mark.fleet

STAMPS = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings"
GUARDS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
UNSTAMPED = ("ClusterAttestation", "ResidencyException")
REASON = "by order of the court"
KEPT = ("name", "labels", "annotations")


@pytest.fixture(scope="module")
def there(people: People) -> dict[str, Manifest]:
    """What was made while there were stamps."""
    approved = people.ana.patch(made(people.gil, objects.exception()), {"spec": {"approved": True}})
    ending = people.gil.patch(made(people.gil, objects.policy()), annotated(confirmed_deletion=REASON))
    return {
        "attestation": made(people.gil, objects.attestation()),
        "record": made(people.gil, objects.record()),
        "asked": made(people.gil, objects.exception()),
        "approved": approved.body,
        "model": made(people.ali, objects.of_several_classes()),
        "policy": in_use(people.operator, made(people.gil, objects.policy())),
        "ending": ending.body,
        # Made below, when nothing acts.
        "ClusterAttestation": objects.attestation(),
        "ResidencyException": objects.exception(),
    }


@pytest.fixture(scope="module", autouse=True)
def unstamped(hub: Hub, people: People, there: dict[str, Manifest]) -> Iterator[None]:
    """The hub without any stamping policy in force."""
    api = hub.root.api
    stamps = [each for each in api.get(STAMPS)["items"] if each["spec"]["policyName"].startswith("domicile-stamp")]
    assert len(stamps) == 7
    guards = [api.get(f"{GUARDS}/domicile-guard-{each}") for each in ("attestation", "exception")]
    for where, bindings in ((STAMPS, stamps), (GUARDS, guards)):
        for each in bindings:
            api.delete(f"{where}/{each['metadata']['name']}")

    def stamped() -> str | None:
        return ", ".join(what for what, attempt in REFUSED.items() if attempt(people, there).status != 403) or None

    try:
        for each in UNSTAMPED:
            made_unstamped = functools.partial(_made_unstamped, people, there[each])
            waiting.until(f"a {each} is made without a stamp", made_unstamped, within=60)
        _restore(hub, GUARDS, guards)
        # In vain: the tests say which.
        with contextlib.suppress(WaitedTooLong):
            waiting.until("no stamp is made", stamped, within=15)
        yield
    finally:
        _restore(hub, STAMPS, stamps)
        await_policies(hub)


def _made_unstamped(people: People, wanted: Manifest) -> str | None:
    reply = people.gil.create(wanted)
    if reply.status != 201 or not own_annotations(reply.body):
        return reply.said or None
    people.gil.delete(wanted)
    return "it was stamped"


def _restore(hub: Hub, where: str, bindings: list[Manifest]) -> None:
    kind = "MutatingAdmissionPolicyBinding" if where == STAMPS else "ValidatingAdmissionPolicyBinding"
    for each in bindings:
        metadata = {key: each["metadata"][key] for key in KEPT if key in each["metadata"]}
        wanted = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": metadata}
        hub.root.api.request("POST", where, {**wanted, "spec": each["spec"]})


WORKERS = {"spec": {"facts": {"workers": {"jurisdiction": "PH"}}}}
REFUSED: dict[str, Callable[[People, dict[str, Manifest]], Reply]] = {
    "an attestation is made": lambda people, _: people.gus.create(objects.attestation(), **DRY),
    "an attestation is made, forged": lambda people, _: people.gus.create(
        objects.attestation(verified_by="gil"), **DRY
    ),
    "an attestation is changed": lambda people, there: people.gus.patch(there["attestation"], WORKERS, **DRY),
    "a record is made": lambda people, _: people.gus.create(objects.record(), **DRY),
    "a record is changed": lambda people, there: people.gus.patch(
        there["record"], {"spec": {"countries": ["PH"]}}, **DRY
    ),
    "an exception is made": lambda people, _: people.gus.create(objects.exception(), **DRY),
    "an exception is made, forged": lambda people, _: people.gus.create(objects.exception(requested_by="gil"), **DRY),
    "an exception is made with an approver": lambda people, _: people.gus.create(
        objects.exception(requested_by="gus", approved_by="ana"), **DRY
    ),
    "an exception is approved": lambda people, there: people.ana.patch(
        there["asked"], {"spec": {"approved": True}}, **DRY
    ),
    "an exception is approved, forged": lambda people, there: people.ana.patch(
        there["asked"], {**annotated(approved_by="pat"), "spec": {"approved": True}}, **DRY
    ),
    "an approval is taken back": lambda people, there: people.gus.patch(
        there["approved"], {"spec": {"approved": False}}, **DRY
    ),
    "a model is made": lambda people, _: people.ali.create(objects.of_several_classes(), **DRY),
    "a model is made, forged": lambda people, _: people.ali.create(
        {**(forged := objects.of_several_classes(requested_by="bob")), "metadata": {**forged["metadata"], **HELD}},
        **DRY,
    ),
    "a model is made without the finalizer": lambda people, _: people.ali.create(
        objects.of_several_classes(requested_by="ali"), **DRY
    ),
    "a model is made with a class dropped": lambda people, _: people.ali.create(
        {
            **(forged := objects.of_several_classes(requested_by="ali", declassified_by="dora")),
            "metadata": {**forged["metadata"], **HELD},
        },
        **DRY,
    ),
    "a class is dropped": lambda people, there: people.dora.patch(
        there["model"], {**annotated(declassified_because=REASON), "spec": {"dataClasses": ["card.pan"]}}, **DRY
    ),
    "a class is dropped, forged": lambda people, there: people.dora.patch(
        there["model"],
        {
            **annotated(declassified_because=REASON, declassified_by="ali"),
            "spec": {"dataClasses": ["card.pan"]},
        },
        **DRY,
    ),
    "a policy is made with a change confirmed": lambda people, _: people.gus.create(
        objects.policy(confirmed_change=REASON, confirmed_by="gil"), **DRY
    ),
    "a policy is made with its deletion confirmed by": lambda people, _: people.gus.create(
        objects.policy(confirmed_deletion_by="gil"), **DRY
    ),
    "a change is confirmed": lambda people, there: people.gus.patch(
        there["policy"], {**annotated(confirmed_change=REASON), "spec": {"mode": "Audit"}}, **DRY
    ),
    "a change is confirmed, forged": lambda people, there: people.gus.patch(
        there["policy"],
        {**annotated(confirmed_change=REASON, confirmed_by="gil"), "spec": {"mode": "Audit"}},
        **DRY,
    ),
    "a change is confirmed without a reason": lambda people, there: people.gus.patch(
        there["policy"], {**annotated(confirmed_by="gus"), "spec": {"warnBefore": "24h"}}, **DRY
    ),
    "a deletion is confirmed": lambda people, there: people.gus.patch(
        there["policy"], annotated(confirmed_deletion=REASON), **DRY
    ),
    "a deletion is confirmed, forged": lambda people, there: people.gus.patch(
        there["policy"], annotated(confirmed_deletion=REASON, confirmed_deletion_by="gil"), **DRY
    ),
    "a confirmed deletion is taken back": lambda people, there: people.gus.patch(
        there["ending"], annotated(confirmed_deletion=None), **DRY
    ),
}
HELD = {"finalizers": ["domicile.dev/withdraw"]}


@pytest.mark.parametrize("attempt", REFUSED.values(), ids=REFUSED.keys())
def test_nothing_passes_unstamped(
    people: People, there: dict[str, Manifest], attempt: Callable[[People, dict[str, Manifest]], Reply]
) -> None:
    reply = attempt(people, there)
    assert reply.status == 403, reply.said
    assert "did not act" in reply.said


PASSES: dict[str, Callable[[People, dict[str, Manifest]], Reply]] = {
    "a policy is made": lambda people, _: people.gus.create(objects.policy(), **DRY),
    "a policy is made stronger": lambda people, there: people.gus.patch(
        there["policy"], {"spec": {"allow": {"workers": ["SG"]}}}, **DRY
    ),
    "a label of an attestation": lambda people, there: people.gus.patch(
        there["attestation"], {"metadata": {"labels": {"seen": "yes"}}}, **DRY
    ),
    "a model is changed": lambda people, there: people.ali.patch(
        there["model"], {"spec": {"replicas": {"min": 2}}}, **DRY
    ),
    "an approved exception ends earlier": lambda people, there: people.gil.patch(
        there["approved"], {"spec": {"validUntil": "2026-12-01T00:00:00Z"}}, **DRY
    ),
    # The guards ask for the truth, whoever writes it.
    "an attestation by who says so themselves": lambda people, _: people.gus.create(
        objects.attestation(verified_by="gus"), **DRY
    ),
}


@pytest.mark.parametrize("attempt", PASSES.values(), ids=PASSES.keys())
def test_what_needs_no_stamp_passes(
    people: People, there: dict[str, Manifest], attempt: Callable[[People, dict[str, Manifest]], Reply]
) -> None:
    reply = attempt(people, there)
    assert reply.status < 300, reply.said


def test_what_nobody_is_known_to_have_asked_for_is_not_approved(people: People, there: dict[str, Manifest]) -> None:
    """It was made before the policies were there."""
    unstamped = there["ResidencyException"]
    for approver in (people.ana, people.pat, people.root):
        reply = approver.patch(unstamped, {"spec": {"approved": True}}, **DRY)
        assert reply.status == 403
        assert "this exception does not say who asked for it" in reply.said
    forged = {**annotated(requested_by="gil"), "spec": {"approved": True}}
    assert people.ana.patch(unstamped, forged, **DRY).status == 403


def test_what_was_made_before_the_policies_is_not_stamped_by_hand(people: People, there: dict[str, Manifest]) -> None:
    unstamped = there["ClusterAttestation"]
    assert people.gus.patch(unstamped, {"metadata": {"labels": {"seen": "yes"}}}, **DRY).annotations() == {}
    assert people.gus.patch(unstamped, annotated(verified_by="gus"), **DRY).status == 403
