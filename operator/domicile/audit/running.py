"""On which nodes of a member a model's pods are, as it is recorded: where that is not what was recorded last. Pure.

Whether they are ready is not recorded: that comes and goes, and would fill the log."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from domicile.audit.values import Bag, Json, Value, Values, digest_of
from domicile.decision import Snapshot
from domicile.evidence.records import Content
from domicile.serving import SeenWorkload

RUNNING: Final = "Running"
"""Kind of a record: on which nodes of one member pods of a model are."""

Nodes = Mapping[str, Sequence[Value] | str]
"""By UID of the member: the nodes that its last record has, or their digest where they are kept elsewhere. Of a member without any there is
no entry."""
_NODES: Final = "nodes"
_FIELDS: Final = ("node", "workload", "pods")


def changed(known: Nodes, seen: Snapshot) -> Iterator[Value]:
    """What is to be recorded: each member on which the model is not as its last record has it. What is on one that is out of sight is
    unknown, and so nothing of it has changed."""
    for name, view in sorted(seen.members.items()):
        if seen.in_sight(view.member):
            nodes = _nodes(seen.seen.get(name, SeenWorkload()))
            if not _same(known.get(view.member.uid, []), nodes):
                yield {"uid": seen.ref.uid, "cluster": [view.member.name, view.member.uid], "nodes": nodes}


def apart(body: Value, bag: Bag) -> Value:
    """The same, with the nodes where details of the member are kept."""
    home = bag.home(body["cluster"][1])
    return {**body, _NODES: bag.put({_NODES: body[_NODES]}, home)} if home and body[_NODES] else body


def nodes_of(body: Mapping[str, Json], values: Values) -> Sequence[Value]:
    """The nodes of a record; none where they are kept elsewhere and were not given."""
    found = body[_NODES]
    return values.kept(found).get(_NODES, []) if isinstance(found, str) else found


def ran(subject: str, body: Value) -> Content:
    """The record of that. Raises ValueError for text that has no UTF-8."""
    return Content(RUNNING, subject, digest_of(body), body)


def nodes_after(known: Nodes, body: Mapping[str, Json]) -> Nodes:
    """What is known of a model after a record."""
    _, cluster = body["cluster"]
    said = body[_NODES]
    nodes = said if isinstance(said, str) else [{field: each[field] for field in _FIELDS} for each in said]
    others = {uid: there for uid, there in known.items() if uid != cluster}
    return {**others, cluster: nodes} if nodes else others


def _same(known: Sequence[Value] | str, nodes: Sequence[Value]) -> bool:
    if not isinstance(known, str):
        return known == nodes
    try:
        return known == digest_of({_NODES: nodes})
    except ValueError:
        return False  # Text that has no UTF-8 was never recorded.


def _nodes(there: SeenWorkload) -> list[Value]:
    """The nodes of the pods that count, with how many there are of which workload. A pod without a node is nowhere yet."""
    counted = Counter((pod.node, pod.workload) for pod in there.pods if pod.live and pod.node)
    return [{"node": node, "workload": workload, "pods": pods} for (node, workload), pods in sorted(counted.items())]
