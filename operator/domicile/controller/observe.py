"""Observe: from the hub's store and the fleet's watches to one immutable Snapshot."""

from domicile.api import ModelRemnant, SovereignModel
from domicile.controller.members import Members
from domicile.controller.memory import Memories
from domicile.controller.store import Store
from domicile.decision import Snapshot
from domicile.placement.view import OutOfSight
from domicile.residency import ModelRef


def observe(
    model: SovereignModel | ModelRemnant, store: Store, members: Members, memories: Memories, unrecordable: str = ""
) -> Snapshot:
    """What is known now of a model and of the world around it. `unrecordable`: why nothing can be recorded, if so."""
    meta = model.metadata
    ref = ModelRef(meta.namespace, meta.name, meta.uid)
    views = members.views()
    memory = memories.of(meta.uid)
    seen = {
        name: members.seen(name, ref) for name, view in views.items() if not isinstance(view.connection, OutOfSight)
    }
    # What came back since, by a write that was late or from a backup, ends the proof.
    memory.proven_absent -= {views[name].member for name, there in seen.items() if not there.absent}
    return Snapshot(
        model=model,
        namespace_labels=store.namespaces.of(meta.namespace),
        engine=store.engine(),
        hub=store.hub,
        members=views,
        seen=seen,
        refusals=dict(memory.refusals),
        stuck=dict(memory.stuck),
        proven_absent=frozenset(memory.proven_absent),
        unreadable=store.unreadable_rules(),
        unrecordable=unrecordable,
    )
