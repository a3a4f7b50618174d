"""What an auditor asks of a model's history: which versions of it were where and on which nodes, by which permits, and what replaced them. Pure.

Of a log that is not whole as much is told as can be."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from domicile.audit import questions
from domicile.audit.questions import Kept, Permitted, Placing, Stay
from domicile.audit.running import nodes_of
from domicile.audit.trail import Record, Trail
from domicile.audit.values import Values


@dataclass(frozen=True)
class Revision:
    """What is placed of a model."""

    workload: str
    """Its digest."""
    generations: tuple[int, ...] = ()
    """Of the model, in which it was asked for; none where that is missing from the log."""


@dataclass(frozen=True)
class Ran:
    """A node on which there were pods of a version."""

    node: str
    since: datetime
    """When some were seen there first."""
    until: datetime | None
    """When none was seen there any more; None: that was not recorded yet."""


@dataclass(frozen=True)
class Version:
    """A revision of a model on a cluster, from when it was decided until another one was written there or nothing was left."""

    model: str
    """As namespace/name."""
    uid: str
    cluster: str
    cluster_uid: str
    revision: Revision
    since: datetime
    """When it was decided that it goes there, or its pods were seen there without that."""
    until: datetime | None
    """None: that was not recorded yet."""
    stay: Stay | None
    """Of which it is a part; None where no decision of the log knows of one."""
    placings: tuple[Placing, ...] = ()
    """By which it was placed. None of what was found there without that."""
    asked_by: tuple[str, ...] = ()
    """Who made the model, as the API server stamped it."""
    replaced_by: Revision | None = None
    nodes: tuple[Ran, ...] = ()

    @property
    def gone(self) -> datetime | None:
        """When nothing of the model was found on the cluster any more; None: that was not recorded yet."""
        return None if self.stay is None else self.stay.until

    @property
    def written(self) -> datetime | None:
        """When all of it was written there; None: that is not recorded."""
        return next((each.written for each in self.placings if each.written is not None), None)

    @property
    def permits(self) -> tuple[Permitted | Kept, ...]:
        """One after the other: those by which it was written, and those under which it stayed."""
        found = [each for placing in self.placings for each in (placing.permitted, *placing.kept)]
        ordered = sorted(found, key=lambda each: each.decision.sequence)
        return tuple(next(same) for _, same in groupby(ordered, lambda each: each.permit))

    @property
    def artifacts(self) -> tuple[str, ...]:
        """The images and model artifacts that its permits let run, by digest."""
        found = {each for placing in self.placings for each in placing.permitted.grounds.get("artifacts", ())}
        return tuple(sorted(found))


def lineage(trail: Trail) -> tuple[Version, ...]:
    """Every version that was ever anywhere, in the order in which it came."""
    stays, spans = questions.stays(trail), _spans(trail.running, trail.values)
    placed: dict[_Key, list[Version]] = {}
    for stay in stays:
        for version in _versions(stay, trail.values):
            placed.setdefault((stay.uid, stay.cluster_uid, version.revision.workload), []).append(version)
    found: list[Version] = []
    for key in {**placed, **spans}:
        versions, left = placed.get(key, []), spans.get(key, [])
        for version, before, after in zip(versions, [None, *versions], [*versions[1:], None], strict=False):
            own = [span for span in spans.get(key, ()) if _of(span, version, after)]
            left = [span for span in left if span not in own]
            nodes = _nodes(own, before and version.since, _first(version.gone, after and after.since))
            found.append(replace(version, nodes=nodes))
        if left:
            found.append(_found(key, left, stays))
    return tuple(sorted(found, key=lambda each: (each.since, each.model, each.cluster, each.revision.workload)))


_Key = tuple[str, str, str]
"""UID of a model, UID of a cluster, and digest of a workload."""


@dataclass(frozen=True, eq=False)
class _Span:
    """Pods of one workload on a node."""

    node: str
    begun: Record
    """The first of which they are."""
    ended: Record | None = None
    """The first of which they are not any more."""


def _spans(running: Iterable[Record], values: Values) -> dict[_Key, list[_Span]]:
    there: dict[tuple[str, str], dict[tuple[str, str], Record]] = {}
    found: dict[_Key, list[_Span]] = {}
    for record in running:
        place = (record.body["uid"], record.body["cluster"][1])
        before = there.get(place, {})
        now = {(each["workload"], each["node"]): record for each in nodes_of(record.body, values)}
        for (workload, node), begun in before.items():
            if (workload, node) not in now:
                found.setdefault((*place, workload), []).append(_Span(node, begun, record))
        there[place] = {each: before.get(each, record) for each in now}
    for place, left in there.items():
        for (workload, node), begun in left.items():
            found.setdefault((*place, workload), []).append(_Span(node, begun))
    return found


def _versions(stay: Stay, values: Values) -> Sequence[Version]:
    """Those of a stay, one after the other. Each ends when the next one that was written was, or when it was given up without that."""
    found: list[Version] = []
    until, after = stay.until, None
    for placings in reversed([tuple(same) for _, same in groupby(stay.placings, lambda each: each.workload)]):
        decisions = [each.permitted.decision for each in placings]
        decisions += [kept.decision for each in placings for kept in each.kept]
        generations = [number for each in decisions if (number := questions.generation(each, values)) is not None]
        version = Version(
            stay.model,
            stay.uid,
            stay.cluster,
            stay.cluster_uid,
            Revision(placings[0].workload, tuple(sorted(set(generations)))),
            decisions[0].time,
            until,
            stay,
            placings,
            tuple(dict.fromkeys(who for each in decisions if (who := questions.asked_by(each, values)))),
            after,
        )
        if version.written is not None:
            until, after = version.written, version.revision
        elif (undone := placings[-1].undone) is not None:
            version = replace(version, until=undone)
        found.append(version)
    return found[::-1]


def _of(span: _Span, version: Version, after: Version | None) -> bool:
    """Whether pods are of that version, and not of an earlier or later one of the same workload: `after` is the next. What was seen on a
    cluster from which the version had gone is of none."""
    return (
        (span.ended is None or _begin(version) < span.ended.sequence)
        and (after is None or span.begun.sequence < _begin(after))
        and (version.gone is None or span.begun.time <= version.gone)
    )


def _begin(version: Version) -> int:
    return version.placings[0].permitted.decision.sequence


def _found(key: _Key, spans: Sequence[_Span], stays: Iterable[Stay]) -> Version:
    """Pods of what was never placed there, as far as the log has it."""
    uid, cluster_uid, workload = key
    first = min((span.begun for span in spans), key=lambda each: each.sequence)
    here = (each for each in stays if (each.uid, each.cluster_uid) == (uid, cluster_uid))
    stay = next((each for each in here if each.until is None or first.time <= each.until), None)
    found = Version(first.model, uid, first.body["cluster"][0], cluster_uid, Revision(workload), first.time, None, stay)
    nodes = _nodes(spans, None, found.gone)
    return replace(found, nodes=nodes, until=_last([each.until for each in nodes]))


def _nodes(spans: Sequence[_Span], since: datetime | None, until: datetime | None) -> tuple[Ran, ...]:
    """By name of the node, from the first to the last of its pods. What was there before or after is another version's, or had gone with
    all of the model."""
    found: list[Ran] = []
    for node in sorted({span.node for span in spans}):
        own = [span for span in spans if span.node == node]
        first = min(span.begun.time for span in own)
        ends = [_first(until, span.ended and span.ended.time) for span in own]
        found.append(Ran(node, first if since is None else max(first, since), _last(ends)))
    return tuple(found)


def _first(*ends: datetime | None) -> datetime | None:
    return min((end for end in ends if end is not None), default=None)


def _last(ends: Sequence[datetime | None]) -> datetime | None:
    """None where one has not come yet."""
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None
