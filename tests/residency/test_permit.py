"""A permit comes from the engine, binds what it was made from, and shows when it was made or changed elsewhere."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from datetime import timedelta

import pytest

from builders import DIGEST, IMAGE, LONG_AHEAD, grounds, lawful, member, model_ref
from domicile import residency
from domicile.residency.permit import Permit


def a_permit() -> Permit:
    return residency.permit(model_ref(), lawful(), grounds())


def test_a_permit_is_of_the_model_and_the_member_that_were_judged_and_ends_with_the_verdict() -> None:
    given = a_permit()
    assert (given.model, given.member, given.until) == (model_ref(), member("sg"), LONG_AHEAD)


CHANGED = {
    "another model": {"model": model_ref("other")},
    "the model of an earlier life": {"model": replace(model_ref(), uid=model_ref("other").uid)},
    "another member": {"member": member("ph")},
    "a rebuilt member": {"member": member("sg", at="sg-rebuilt")},
    "a longer life": {"until": LONG_AHEAD + timedelta(days=1)},
    "another spec": {"grounds": grounds(model=DIGEST.replace("1d67", "2d67"))},
    "a policy less": {"grounds": grounds(policies=())},
    "other facts": {"grounds": grounds(attestations=(("ph-2026", DIGEST),))},
    "a record": {"grounds": grounds(records=(("register-17", DIGEST),))},
    "an exception": {"grounds": grounds(exceptions=(("ticket-4711", DIGEST),))},
    "a definition": {"grounds": grounds(definitions=(("asean", DIGEST),))},
    "an image more": {"grounds": grounds(artifacts=("a", "b"))},
    "another way in or out": {"grounds": grounds(network=DIGEST)},
    "a seal of its own": {"seal": DIGEST},
}


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED.keys())
def test_a_permit_cannot_be_changed(changed: dict[str, object]) -> None:
    with pytest.raises(residency.ForgedPermit, match=r"retail-banking/.* was not made by the residency engine"):
        replace(a_permit(), **changed)


FULL = grounds(
    records=(("register-17", DIGEST),), exceptions=(("ticket-4711", DIGEST),), definitions=(("asean", DIGEST),)
)
OTHERS = {
    "another record": {"records": (("register-18", DIGEST),)},
    "a record of another spec": {"records": (("register-17", IMAGE),)},
    "another exception": {"exceptions": (("ticket-4712", DIGEST),)},
    "another definition": {"definitions": (("eea", DIGEST),)},
}


@pytest.mark.parametrize("changed", OTHERS.values(), ids=OTHERS.keys())
def test_a_permit_binds_records_exceptions_and_definitions(changed: dict[str, object]) -> None:
    given = residency.permit(model_ref(), lawful(), FULL)
    with pytest.raises(residency.ForgedPermit):
        replace(given, grounds=replace(FULL, **changed))


def test_a_permit_s_digest_stays_what_it_is_over_releases() -> None:
    """Status and evidence name it: where this changes, the version in the seal has to."""
    given = residency.permit(model_ref(), lawful(), FULL)
    assert given.digest == "sha256:3d156b3f3056a4027904d9cf3cb6d7c8f670a97f86e33c48e4b639f2a4b4b95a"


def test_a_permit_cannot_be_made_by_hand() -> None:
    with pytest.raises(residency.ForgedPermit):
        Permit(model_ref(), member(), grounds(), LONG_AHEAD, "")


def test_a_permit_is_frozen_and_what_goes_round_that_is_found_by_verify() -> None:
    given = a_permit()
    with pytest.raises(FrozenInstanceError):
        given.until = LONG_AHEAD  # type: ignore[misc]
    given.verify()
    object.__setattr__(given, "member", member("ph"))
    with pytest.raises(residency.ForgedPermit):
        given.verify()


@pytest.mark.parametrize("again", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))], ids=["copy", "pickle"])
def test_a_permit_that_was_carried_is_the_same(again: object) -> None:
    carried = again(a_permit())  # type: ignore[operator]
    carried.verify()
    assert carried == a_permit()


def test_the_digest_names_one_permit_and_no_other() -> None:
    assert a_permit().digest == a_permit().digest
    others = [
        residency.permit(model_ref("other"), lawful(), grounds()),
        residency.permit(model_ref(), lawful("de"), grounds()),
        residency.permit(model_ref(), lawful(until=LONG_AHEAD + timedelta(seconds=1)), grounds()),
        residency.permit(model_ref(), lawful(), grounds(artifacts=())),
    ]
    assert len({permit.digest for permit in (a_permit(), *others)}) == 5
    assert a_permit().digest.startswith("sha256:")


def test_names_that_run_together_are_told_apart() -> None:
    one = residency.permit(model_ref("c", namespace="a-b"), lawful(), grounds())
    two = residency.permit(residency.ModelRef("a", "b-c", one.model.uid), lawful(), grounds())
    assert one.digest != two.digest


def test_identities_read_as_people_write_them() -> None:
    assert (str(member("sg")), str(model_ref())) == ("sg", "retail-banking/fraud-scorer")
