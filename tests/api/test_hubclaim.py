"""The head of the evidence in a claim never goes back, by the rules of the kind alone: a member's API server holds to them, whatever a hub
sends. Here CEL's library in C++ evaluates them; tests/fleet/test_heads.py asks a real API server."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from cel_expr_python import cel
from cel_expr_python.ext import ext_strings
from pydantic import ValidationError

from domicile.api import CLAIM, HubClaim
from domicile.api.crd import crd
from domicile.evidence import checkpoint
from domicile.evidence.checkpoint import Checkpoint
from evidence.logs import NEXT, OURS

HUB, OTHER = "0b1f6a52-4c1e-4a0e-9d0c-2f9a6f1f0b7e", "11111111-1111-1111-1111-111111111111"
ROOT, ANEW = bytes(range(32)), bytes(range(1, 33))
_OBJECT = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_CEL = cel.NewEnv(variables={"self": _OBJECT, "oldSelf": _OBJECT}, extensions=[ext_strings.ExtStrings()])


def head(size: int, root: bytes = ROOT, hub: str = HUB) -> str:
    return checkpoint.signed(Checkpoint(f"domicile.dev/evidence/{hub}", size, root), OURS)


def claim(note: str) -> dict[str, Any]:
    spec = {"hub": HUB, "epoch": 4, "token": "a4", "notAfter": "2026-11-28T09:00:00Z"}
    return {"metadata": {"name": CLAIM}, "spec": {**spec, **({"evidence": note} if note else {})}}


def schema() -> Mapping[str, Any]:
    return crd(HubClaim)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def refused(new: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> list[str]:
    """What the API server answers when the claim is made or, where there is an old one, changed."""
    return [
        rule["message"]
        for rule in schema()["x-kubernetes-validations"]
        if old is not None or "oldSelf" not in rule["rule"]
        if not _holds(rule["rule"], {"self": new, "oldSelf": old or {}})
    ]


def _holds(rule: str, data: Mapping[str, Any]) -> bool:
    found = _CEL.compile(rule).eval(data=data)
    assert found.type() == cel.Type.BOOL, found
    return bool(found.value())


CHANGES: Mapping[str, tuple[str, str, str]] = {
    "the first": ("", head(3), ""),
    "the first of an empty log": ("", head(0), ""),
    "a longer one": (head(3), head(4, ANEW), ""),
    "one that is longer by a digit": (head(9), head(10, ANEW), ""),
    "the longest that fits": (head(9), head(10**18 - 1, ANEW), ""),
    "the same": (head(9), head(9), ""),
    "the same, signed by another key": (head(9), checkpoint.signed(checkpoint.parsed(head(9)).checkpoint, NEXT), ""),
    "none, as before": ("", "", ""),
    "a shorter one": (head(9), head(8, ANEW), "never back"),
    "one that is shorter by a digit": (head(10), head(9, ANEW), "never back"),
    "one of the same length, written anew": (head(9), head(9, ANEW), "never back"),
    "none any more": (head(9), "", "not taken away"),
    "that of another hub's log": (head(3), head(4, hub=OTHER), "of no other log"),
    "that of another hub's log, as the first": ("", head(4, hub=OTHER), "of no other log"),
    "that of a log whose name begins like it": ("", head(4, hub=f"{HUB}/2"), "of no other log"),
}


@pytest.mark.parametrize(("old", "new", "says"), CHANGES.values(), ids=CHANGES)
def test_the_head_of_the_evidence_goes_on_and_never_back(old: str, new: str, says: str) -> None:
    found = refused(claim(new), claim(old))
    assert len(found) == bool(says), found
    assert says in "".join(found)


def test_it_may_begin_anywhere_in_the_hub_s_own_log_where_there_was_no_claim() -> None:
    """So that who deletes the claim can have the hub go on."""
    assert refused(claim(head(3))) == []
    assert refused(claim(head(3, hub=OTHER))) != []


BEGINNING, SIGNATURES = head(9).split("\n\n")
WRITTEN: Mapping[str, tuple[str, bool]] = {
    "as a log signs it": (head(9), True),
    "with signatures of others": (head(9) + SIGNATURES * 20, True),
    "too long": (head(9) + SIGNATURES * 40, False),
    "not signed": (f"{BEGINNING}\n\n", False),
    "with no end": (head(9).removesuffix("\n"), False),
    "with something else after it": (f"{head(9)}\n", False),
    "with something else in it": (f"{BEGINNING}\nextension\n\n{SIGNATURES}", False),
    "of no size": (head(9).replace("\n9\n", "\nnine\n"), False),
    "of a size with a nought before it": (head(9).replace("\n9\n", "\n09\n"), False),
    "of a size below nought": (head(9).replace("\n9\n", "\n-9\n"), False),
    "of a size that CEL cannot count to": (head(10**18), False),
    "with half a root": (BEGINNING[:-20] + f"=\n\n{SIGNATURES}", False),
    "empty": ("", False),
}


@pytest.mark.parametrize(("note", "taken"), WRITTEN.values(), ids=WRITTEN)
def test_a_head_is_a_signed_checkpoint(note: str, taken: bool) -> None:
    field = schema()["properties"]["spec"]["properties"]["evidence"]
    pattern = re.sub(r"\$$", r"\\Z", field["pattern"])  # As the API server reads it.
    by_schema = field["minLength"] <= len(note) <= field["maxLength"] and re.search(pattern, note) is not None
    assert (by_schema, _reads(note)) == (taken, taken)
    if taken:
        assert checkpoint.parsed(note).checkpoint == Checkpoint(f"domicile.dev/evidence/{HUB}", 9, ROOT)


def _reads(note: str) -> bool:
    made = claim("")
    try:
        HubClaim.model_validate({**made, "spec": {**made["spec"], "evidence": note}})
    except ValidationError:
        return False
    return True
