"""Evidence for tests of the controller: the real log, signed and checked, over a storage in memory that can be told to fail."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import builders as a
from domicile.audit import Record, Trail
from domicile.controller.evidence import Evidence
from domicile.controller.opening import ORIGIN
from domicile.evidence import keys
from domicile.evidence.findings import Read, Segment
from domicile.evidence.ranges import Ranges
from domicile.evidence.storage import Batch, StoreDown
from domicile.evidence.store import Log, open_log
from domicile.evidence.verifying import verify
from domicile.evidence.withheld import without
from evidence.logs import OURS

HUB = "36c069f1-b114-4ef9-a73c-fe55498e3bc7"


class FakeStorage:
    """Keeps what it is given, and fails while it is to."""

    where = "memory"
    odd = None
    epoch = 0

    def __init__(self) -> None:
        self.lines, self.failing, self.appended = b"", "", 0
        self.withholds = True

    def acknowledged(self) -> Iterator[Segment]:
        if self.failing:
            raise StoreDown(self.failing)
        yield Segment("0", self.lines)

    def go_on(self, size: int, root: bytes) -> None:
        """There is nothing to put aside."""

    def holds(self, batch: Batch) -> bool:
        if self.failing:
            raise StoreDown(self.failing)
        return False

    def append(self, batch: Batch) -> None:
        if self.failing:
            raise StoreDown(self.failing)
        self.lines += batch.lines
        self.appended += 1

    def withhold(self, gone: Ranges) -> None:
        if self.withholds:
            self.lines = without(self.lines, gone)

    def close(self) -> None:
        """Nothing holds it."""


class FakeHome:
    """Keeps what it is given, and fails while it is to."""

    def __init__(self) -> None:
        self.lines, self.failing = list[bytes](), ""

    def keep(self, lines: Sequence[bytes]) -> None:
        if self.failing:
            raise StoreDown(self.failing)
        self.lines += lines

    def remove(self, leaves: Collection[bytes]) -> None:
        raise NotImplementedError

    def kept(self) -> Iterator[bytes]:
        return iter(self.lines)

    def close(self) -> None:
        """Nothing holds it."""


class Recorder:
    """The evidence of one hub over several of its processes."""

    def __init__(self, *regions: str) -> None:
        self.homes = {region: FakeHome() for region in regions}
        self.storage, self.changes, self.models = FakeStorage(), 0, [a.uid("it")]
        self.epoch = 0
        self.evidence = self.next_process()

    def next_process(self) -> Evidence:
        """Another process leads, and has opened the log."""
        self.epoch += 1
        self.evidence = Evidence(
            self._open,
            hub=lambda: HUB,
            epoch=lambda: self.epoch,
            models=lambda: self.models,
            about={"identity": "test", "version": "0"},
            clock=lambda: a.NOW,
            changed=self._changed,
            regions=tuple(self.homes),
        )
        return self.evidence

    async def opened(self) -> Evidence:
        await self.evidence._try()
        return self.evidence

    def ready(self) -> Evidence:
        """With the log open, for who cannot wait for it."""
        self.evidence._log, self.evidence.down = self._open(HUB, self.epoch, lambda *_: None), ""
        return self.evidence

    @property
    def trail(self) -> Trail:
        """All that is recorded. It must be in order."""
        return self.read(whole=True)

    def read(self, *, whole: bool) -> Trail:
        """The log, with what is kept elsewhere or without. It must be in order."""
        trail, log = Trail(), [Segment("0", self.storage.lines)]
        apart = {region: home.lines for region, home in self.homes.items()} if whole else None
        report = verify(f"{ORIGIN}{HUB}", log, keys.by_id([OURS.public]), read=trail.take, apart=apart)
        assert (report.findings, trail.odd) == ((), [])
        return trail

    @property
    def decisions(self) -> Sequence[Record]:
        return tuple(self.trail.decisions.values())

    @property
    def story(self) -> list[str]:
        """The decisions and the outcomes, in order, in a word or two each."""
        trail = self.trail
        found = [(each.sequence, "+".join(each.body["what"])) for each in trail.decisions.values()]
        outcomes = [*trail.late, *(o for each in trail.outcomes.values() for o in each)]
        found += [(each.sequence, _told(each)) for each in outcomes]
        return [word for _, word in sorted(found)]

    def _open(self, hub: str, epoch: int, read: Read) -> Log:
        return open_log(self.storage, f"{ORIGIN}{hub}", OURS, lambda: a.NOW, read=read, homes=self.homes)

    def _changed(self) -> None:
        self.changes += 1


def _told(outcome: Record) -> str:
    body: Any = outcome.body
    late = "late " if body["decision"] is None else ""
    return f"{late}{body['outcome']}{' ' + body['cluster'] if body.get('cluster') else ''}"
