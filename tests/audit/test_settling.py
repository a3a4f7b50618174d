"""What became of an act whose process died: what can be seen says, and of what cannot be seen nothing is said."""

from dataclasses import replace

import pytest

import builders as a
from decision import world as w
from domicile import audit, serving
from domicile.audit import Ended, Intent
from domicile.decision import Place, Snapshot

SUBJECT = "SovereignModel/retail-banking/fraud-scorer"
PLANNED = next(act for act in w.plan(w.world()).acts if isinstance(act, Place))
PLACE = Intent(a.DIGEST, 0, SUBJECT, ("Place", a.uid("sg"), PLANNED.permit.digest, PLANNED.workload.digest), "sg")
OTHERWISE = replace(PLACE, key=(*PLACE.key[:3], a.DIGEST))
WITHDRAW = Intent(a.DIGEST, 1, SUBJECT, ("Withdraw", a.uid("sg")), "sg")
RELEASE = Intent(a.DIGEST, 0, SUBJECT, ("Release",), "")


def there(**changed: object) -> w.World:
    return w.on(w.world(), "sg", **changed)


def ungranted() -> Snapshot:
    seen = w.snapshot(there())
    return replace(seen, seen={**seen.seen, "sg": replace(seen.seen["sg"], granted=None)})


def only(**left: object) -> Snapshot:
    seen = w.snapshot(there())
    return replace(seen, seen={**seen.seen, "sg": serving.SeenWorkload(**left)})  # type: ignore[arg-type]


WHOLE = w.snapshot(there()).seen["sg"]
LOOKS: dict[str, tuple[Intent, Snapshot, Ended | None]] = {
    "placed, and there": (PLACE, w.snapshot(there()), "FoundDone"),
    "placed, and serving": (PLACE, w.snapshot(there(serves=True)), "FoundDone"),
    "placed, and not there": (PLACE, w.snapshot(w.world()), "FoundUndone"),
    "placed, and another workload there": (OTHERWISE, w.snapshot(there()), "FoundUndone"),
    "placed, and on its way out": (PLACE, w.snapshot(there(deleting=True)), "FoundUndone"),
    "placed, and granted nothing": (PLACE, ungranted(), "FoundUndone"),
    "placed, and only what goes with it there": (
        PLACE, only(companions=WHOLE.companions, granted=WHOLE.granted), "FoundUndone"
    ),
    "placed, and out of sight": (PLACE, w.snapshot(w.hidden(there(), "sg")), None),
    "placed, on what is registered no more": (PLACE, w.snapshot(w.unregistered(there(), "sg")), None),
    "placed, on a cluster that was rebuilt": (PLACE, w.snapshot(w.registered(there(), "sg", at="sg-2")), None),
    "withdrawn, and gone": (WITHDRAW, w.snapshot(w.world()), "FoundDone"),
    "withdrawn, and there": (WITHDRAW, w.snapshot(there()), "FoundUndone"),
    "withdrawn, and on its way out": (WITHDRAW, w.snapshot(there(deleting=True)), "FoundUndone"),
    "withdrawn, and out of sight": (WITHDRAW, w.snapshot(w.hidden(w.world(), "sg")), None),
    "withdrawn, from a cluster that was rebuilt": (WITHDRAW, w.snapshot(w.registered(w.world(), "sg", at="sg-2")), None),
    "let go, and still there": (RELEASE, w.snapshot(w.deleted(w.world())), "FoundUndone"),
}  # fmt: skip


@pytest.mark.parametrize(("intent", "seen", "end"), LOOKS.values(), ids=LOOKS)
def test_an_act_ended_as_it_looks(intent: Intent, seen: Snapshot, end: Ended | None) -> None:
    assert audit.settle([intent], seen) == (() if end is None else ((intent, end),))


def test_each_act_is_looked_at_by_itself() -> None:
    ph = replace(WITHDRAW, key=("Withdraw", a.uid("ph")), cluster="ph")
    seen = w.snapshot(w.hidden(there(), "ph"))
    assert audit.settle([ph, PLACE], seen) == ((PLACE, "FoundDone"),)


NO_MORE: dict[str, tuple[Snapshot, Ended | None]] = {
    "there": (w.snapshot(there()), "FoundDone"),
    "not there": (w.snapshot(w.world()), "Overtaken"),
    "out of sight": (w.snapshot(w.hidden(w.world(), "sg")), None),
}


@pytest.mark.parametrize(("seen", "end"), NO_MORE.values(), ids=NO_MORE)
def test_an_act_that_is_decided_on_no_longer_was_done_or_given_up(seen: Snapshot, end: Ended | None) -> None:
    assert audit.overtaken([PLACE], seen) == (() if end is None else ((PLACE, end),))


OF_THE_GONE: dict[str, tuple[Intent, Ended]] = {
    "placed": (PLACE, "Overtaken"),
    "withdrawn": (WITHDRAW, "FoundDone"),
    "let go": (RELEASE, "FoundDone"),
}


@pytest.mark.parametrize(("intent", "end"), OF_THE_GONE.values(), ids=OF_THE_GONE)
def test_of_a_model_that_is_no_more_nothing_is_left(intent: Intent, end: Ended) -> None:
    assert audit.of_the_gone([intent]) == ((intent, end),)
