"""What a whole session recorded, held against what its API servers were asked: read at its end, with nothing but the log and its key."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from domicile.audit import Record, Same, Trail, replay
from domicile.cli.audit import source
from domicile.controller.opening import ORIGIN
from domicile.evidence import keyfile, keys
from domicile.evidence.findings import Report, Segment, Witnessed
from domicile.evidence.homes import Files
from domicile.evidence.postgres import Postgres, Table, batches
from domicile.evidence.segments import NAME
from domicile.evidence.verifying import verify
from domicile.serving import WORKLOAD
from fleet import audit

_LAST_TERM = 2_000_000_000
_SKEW = timedelta(milliseconds=5)
"""Of two clocks' readings on one machine, in two formats."""


@dataclass(frozen=True)
class Log:
    """Of a session."""

    report: Report
    trail: Trail


def read(address: str, singapore: str, key: Path, hub: str, heads: dict[str, str]) -> Log:
    """The log that is kept there, with what is kept in Singapore. `heads` are the checkpoints that members keep."""
    trail, apart = Trail(), {"SG": _kept(singapore)}
    kept = [Witnessed(member, note) for member, note in heads.items() if note]
    report = verify(f"{ORIGIN}{hub}", _segments(address), keys.by_id([keyfile.public(key)]), kept, trail.take, apart)
    return Log(report, trail)


def so_far(address: str, singapore: str, key: Path, folder: Path, *, whole: bool = True) -> Trail:
    """The log while operators write it, as `domicile audit` reads it, with what is kept in Singapore where it is to be whole. `folder` is for
    what is fetched from a database."""
    log = Path(address)
    if address.startswith("postgresql://"):
        log = folder / "log.jsonl"
        log.write_bytes(b"".join(batch.content for batch in batches(address)))
    # First the log: what it says of Singapore is kept there already.
    (apart := folder / "sg.jsonl").write_bytes(b"".join(b"%b\n" % line for line in _kept(singapore)))
    return source.look([log], [key], [], regions={"SG": apart} if whole else {}).trail


def _kept(where: str) -> list[bytes]:
    home = Table(where) if where.startswith("postgresql://") else Files(Path(where))
    with contextlib.closing(home):
        return list(home.kept())


def _segments(address: str) -> Iterable[Segment]:
    if address.startswith("postgresql://"):
        with contextlib.closing(Postgres(address, _LAST_TERM)) as storage:
            yield from storage.acknowledged()
        return
    for path in sorted(each for each in Path(address).iterdir() if NAME.fullmatch(each.name)):
        yield Segment(path.name, path.read_bytes())


def not_the_same(trail: Trail) -> Sequence[str]:
    """Decisions that come out otherwise when they are made again."""
    values = trail.values
    found = ((each, replay(each, values)) for each in trail.decisions.values())
    return [
        f"record {each.sequence} on {each.subject}: {again}" for each, again in found if not isinstance(again, Same)
    ]


def without_intent(trail: Trail, cluster: str, hub: Path, log: Path) -> Iterator[str]:
    """InferenceServices that the operator made or changed on a cluster, and had not recorded before that it would. `hub` and `log` are the
    audit logs of the hub and of the cluster. Of models that the hub never had no operator knows: a test placed them itself."""
    intended, models = list(_intended(trail, cluster)), set(_asked_for(hub))
    found = [each for each in audit.accepted(audit.writes(log), "inferenceservices") if each.verb != "delete"]
    for write in found:
        digest = write.body.get("metadata", {}).get("annotations", {}).get(WORKLOAD)
        if digest is None or (write.namespace, write.name) not in models:
            continue
        subject = f"SovereignModel/{write.namespace}/{write.name}"
        before = [at for who, what, at in intended if (who, what) == (subject, digest)]
        if not any(at <= write.at + _SKEW for at in before):
            yield f"{write} at {write.at}: recorded at {before}"


def _asked_for(hub: Path) -> Iterator[tuple[str, str]]:
    for entry in audit.entries(hub):
        ref, sent = entry.get("objectRef", {}), entry.get("requestObject")
        if ref.get("resource") == "sovereignmodels" and entry["verb"] in ("create", "patch", "update"):
            meta = sent.get("metadata", {}) if isinstance(sent, dict) else {}
            yield ref.get("namespace", ""), ref.get("name") or meta.get("name", "")


def _intended(trail: Trail, cluster: str) -> Iterator[tuple[str, str, datetime]]:
    for each in trail.decisions.values():
        for act in each.body["acts"]:
            if act["act"] == "Place" and act["cluster"][0] == cluster:
                yield each.subject, act["workload"], each.time


def decisions(trail: Trail, namespace: str) -> list[Record]:
    """Those on the models of a namespace."""
    return [each for each in trail.decisions.values() if each.subject.startswith(f"SovereignModel/{namespace}/")]
