"""The embedded store: what it acknowledged is on the disk, in order and signed, whatever happens to the process or the disk."""

import asyncio
import dataclasses
import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from domicile.evidence import dsse, keys, merkle, records
from domicile.evidence.checkpoint import parsed
from domicile.evidence.findings import Report, Segment, Witnessed
from domicile.evidence.keys import LocalSigner, PublicKey
from domicile.evidence.ranges import Ranges
from domicile.evidence.segments import SEGMENT_BYTES, Segments
from domicile.evidence.storage import Batch, LogDamaged, StaleEpoch, StoreDown
from domicile.evidence.store import Log, open_log
from domicile.evidence.verifying import verify
from evidence import appending
from evidence.logs import NEXT, ORIGIN, OURS, content

ROUNDS = 1_000 if os.environ.get("DOMICILE_TESTS") == "full" else 6
"""How often a process is killed."""
A_LOG = 20
"""Of them append to one log: all of it is read each time."""


def opened(directory: Path, segment_bytes: int = SEGMENT_BYTES, **more: Any) -> Log:
    return open_log(Segments(directory, segment_bytes), ORIGIN, OURS, lambda: datetime.now(UTC), **more)


def looked_at(directory: Path) -> Report:
    return verify(ORIGIN, segments(directory), keys.by_id([OURS.public]))


def segments(directory: Path) -> Iterable[Segment]:
    return [Segment(path.name, path.read_bytes()) for path in sorted(directory.glob(f"{'[0-9]' * 20}.jsonl"))]


async def write(directory: Path, *batches: int, **more: Any) -> None:
    log = opened(directory, **more)
    for count in batches:
        await asyncio.gather(*(log.append(content(number), 3) for number in range(count)))
    await log.close()


async def test_what_is_appended_at_once_is_one_batch_and_all_of_it_verifies(tmp_path: Path) -> None:
    log = opened(tmp_path)
    receipts = await asyncio.gather(*(log.append(content(number), 3) for number in range(20)))
    await log.close()
    assert [each.sequence for each in receipts] == list(range(20))
    (segment,) = segments(tmp_path)
    assert segment.content.count(b'{"checkpoint"') == 1
    report = looked_at(tmp_path)
    assert (report.findings, report.size, report.last) == ((), 20, receipts[-1].digest)
    assert report.root == parsed(log.note()).checkpoint.root


async def test_a_log_that_is_opened_again_goes_on_and_shows_that_it_begins_as_before(tmp_path: Path) -> None:
    await write(tmp_path, 3, 4)
    log = opened(tmp_path)
    before = parsed(log.note()).checkpoint
    assert (len(log), before.size) == (7, 7)
    assert (await log.append(content(7), 4)).sequence == 7
    after = parsed(log.note()).checkpoint
    assert merkle.extends(before.root, 7, after.root, 8, log.consistency(7))
    await log.close()
    assert looked_at(tmp_path).findings == ()


async def test_a_log_goes_on_under_another_key(tmp_path: Path) -> None:
    await write(tmp_path, 3)
    with pytest.raises(LogDamaged, match="none of the keys that are given, and 3 more"):
        open_log(Segments(tmp_path), ORIGIN, NEXT, lambda: datetime.now(UTC))
    log = open_log(Segments(tmp_path), ORIGIN, NEXT, lambda: datetime.now(UTC), signed_before=[OURS.public])
    await log.append(content(3), 3)
    await log.close()
    assert verify(ORIGIN, segments(tmp_path), keys.by_id([OURS.public, NEXT.public])).findings == ()


async def test_a_full_segment_is_followed_by_another_also_after_opening_again(tmp_path: Path) -> None:
    for _ in range(3):
        await write(tmp_path, 2, 2, 2, segment_bytes=3_000)
    names = [path.name for path in sorted(tmp_path.glob("*.jsonl"))]
    assert len(names) > 2
    assert names[0] == f"{0:020}.jsonl"
    assert looked_at(tmp_path).findings == ()
    assert looked_at(tmp_path).size == 18


async def test_cut_at_any_byte_it_opens_with_all_that_was_acknowledged(tmp_path: Path) -> None:
    await write(tmp_path, 3)
    (path,) = tmp_path.glob("*.jsonl")
    kept = path.read_bytes()
    await write(tmp_path, 2)
    whole = path.read_bytes()
    for end in (*range(len(kept), len(whole), 37), len(whole) - 1):
        path.write_bytes(whole[:end])
        log = opened(tmp_path)
        assert len(log) == 3, end
        aside = sorted(tmp_path.glob("*.torn-*"))
        assert b"".join(each.read_bytes() for each in aside) == whole[len(kept) : end]
        await log.append(content(3), 3)
        await log.close()
        assert looked_at(tmp_path).findings == ()
        for each in aside:
            each.unlink()


async def test_a_segment_that_was_begun_and_not_written_is_gone_on_with(tmp_path: Path) -> None:
    await write(tmp_path, 3, segment_bytes=1)
    (tmp_path / f"{3:020}.jsonl").touch()
    await write(tmp_path, 1, segment_bytes=1)
    assert (looked_at(tmp_path).findings, looked_at(tmp_path).size) == ((), 4)


async def test_what_was_changed_before_the_end_is_not_opened(tmp_path: Path) -> None:
    await write(tmp_path, 3, 3)
    (path,) = tmp_path.glob("*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join((*lines[:1], *lines[2:])))
    with pytest.raises(LogDamaged, match="record 1 is missing"):
        opened(tmp_path)
    path.write_bytes(b"".join(lines))
    await write(tmp_path, 1)


async def test_a_log_that_was_put_back_from_a_backup_is_not_opened_where_a_member_knows_of_more(tmp_path: Path) -> None:
    await write(tmp_path, 3)
    (path,) = tmp_path.glob("*.jsonl")
    backup = path.read_bytes()
    log = opened(tmp_path)
    await log.append(content(3), 3)
    kept = Witnessed("sg", log.note())
    await log.close()
    path.write_bytes(backup)
    with pytest.raises(LogDamaged, match="sg kept a checkpoint of 4"):
        opened(tmp_path, witnesses=[kept])


async def test_two_processes_do_not_write_one_log(tmp_path: Path) -> None:
    log = opened(tmp_path)
    with pytest.raises(StoreDown, match="another process has the log"):
        opened(tmp_path)
    await log.close()
    await opened(tmp_path).close()


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreDown, match="cannot be opened"):
        opened(tmp_path / "file" / "log")


def test_a_log_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / f"{0:020}.jsonl").mkdir()
    for _ in range(2):  # And is not kept locked.
        with pytest.raises(StoreDown, match="cannot be read"):
            opened(tmp_path)


def failing(number: int, how: Callable[..., Any], after: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """In place of `how`: the call of that number fails as on a full disk, after `after` was done."""
    calls = 0

    def call(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            if after is not None:
                after(*arguments)
            raise OSError(errno.ENOSPC, "No space left on device")
        return how(*arguments)

    return call


def half(file: int, content: memoryview) -> None:
    os.pwrite(file, content[: len(content) // 2], os.fstat(file).st_size)


FAILS: dict[str, tuple[str, Callable[[], Callable[..., Any]]]] = {
    "nothing is written": ("write", lambda: failing(1, os.write)),
    "a part is written": ("write", lambda: failing(1, os.write, half)),
    "it is written and not synced": ("fsync", lambda: failing(1, os.fsync)),
    "it cannot be opened anew": ("ftruncate", lambda: failing(1, os.ftruncate)),
}


@pytest.mark.parametrize("case", FAILS)
async def test_what_the_disk_does_not_take_does_not_count_and_what_comes_after_does(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, fails = FAILS[case]
    await write(tmp_path, 1)
    log = opened(tmp_path)
    if name != "ftruncate":
        await log.append(content(1), 3)  # It has the file open.
    monkeypatch.setattr(os, name, fails())
    with pytest.raises(StoreDown, match="No space left on device"):
        await log.append(content(2), 3)
    counted = len(log)
    receipt = await log.append(content(1), 3)
    await log.close()
    assert receipt.sequence == counted
    assert looked_at(tmp_path).findings == ()
    assert looked_at(tmp_path).size == counted + 1


async def test_what_cannot_be_recorded_is_refused_and_takes_nothing_with_it(tmp_path: Path) -> None:
    log = opened(tmp_path)
    odd = dataclasses.replace(content(1), body={"x": {1}})
    found = await asyncio.gather(
        log.append(content(0), 3), log.append(odd, 3), log.append(content(2), 3), return_exceptions=True
    )
    assert [type(each).__name__ for each in found] == ["Receipt", "NotRecordable", "Receipt"]
    await log.close()
    assert looked_at(tmp_path).size == 2


async def test_a_clock_that_fails_lets_nobody_wait(tmp_path: Path) -> None:
    def broken() -> datetime:
        raise RuntimeError("no time")

    log = open_log(Segments(tmp_path), ORIGIN, OURS, broken)
    with pytest.raises(StoreDown, match="no time"):
        await log.append(content(0), 3)
    await log.close()


async def test_recording_that_is_broken_off_ends_the_log_until_it_is_opened_anew(tmp_path: Path) -> None:
    log = opened(tmp_path)
    await log.append(content(0), 3)
    waits = asyncio.create_task(log.append(content(1), 3))
    await asyncio.sleep(0)
    (writing,) = [task for task in asyncio.all_tasks() if task.get_name() == "evidence"]
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(StoreDown):
        await waits
    with pytest.raises(StoreDown, match="opened anew"):
        await log.append(content(1), 3)
    await log.close()
    await write(tmp_path, 1)
    assert looked_at(tmp_path).findings == ()


async def test_a_log_that_was_closed_records_nothing(tmp_path: Path) -> None:
    log = opened(tmp_path)
    last = asyncio.create_task(log.append(content(0), 3))
    await asyncio.sleep(0)
    await log.close()
    assert (await last).sequence == 0
    with pytest.raises(StoreDown, match="was closed"):
        await log.append(content(1), 3)
    assert looked_at(tmp_path).size == 1


async def test_nothing_is_cut_off_a_log_that_is_not_in_order(tmp_path: Path) -> None:
    await write(tmp_path, 3, 3)
    (path,) = tmp_path.glob("*.jsonl")
    whole = path.read_bytes()
    at = whole.rindex(b'{"checkpoint"')
    damaged = whole[:at] + b"X" + whole[at + 1 :]
    path.write_bytes(damaged)
    with pytest.raises(LogDamaged, match="is no record, and may have been one"):
        opened(tmp_path)
    without = b"".join(line for line in whole.splitlines(keepends=True) if not line.startswith(b'{"checkpoint"'))
    path.write_bytes(without)
    log = open_log(Segments(tmp_path / "other"), ORIGIN, OURS, lambda: datetime.now(UTC))
    await asyncio.gather(*(log.append(content(number), 3) for number in range(6)))
    with pytest.raises(LogDamaged, match="sg kept a checkpoint of 6"):
        opened(tmp_path, witnesses=[Witnessed("sg", log.note())])
    await log.close()
    assert path.read_bytes() == without


async def test_files_of_other_names_are_not_the_log_s(tmp_path: Path) -> None:
    (tmp_path / "export.jsonl").write_text("of somebody")
    await write(tmp_path, 1)
    assert (tmp_path / "export.jsonl").read_text() == "of somebody"


@pytest.mark.parametrize(
    ("origin", "by", "says"),
    [("my log", OURS, "cannot be named"), (ORIGIN, NEXT, "was revoked")],
    ids=["a name with a space", "a key that was revoked"],
)
def test_a_log_is_not_opened_with(origin: str, by: LocalSigner, says: str, tmp_path: Path) -> None:
    with pytest.raises(StoreDown, match=says):
        open_log(
            Segments(tmp_path), origin, by, lambda: datetime.now(UTC), signed_before=[PublicKey(NEXT.public.raw, 9)]
        )


async def test_a_term_that_is_over_records_nothing_more(tmp_path: Path) -> None:
    await write(tmp_path, 1)
    log = opened(tmp_path)
    with pytest.raises(StaleEpoch, match="epoch 2 is over: epoch 3 has begun"):
        await log.append(content(1), 2)
    await log.append(content(1), 4)
    with pytest.raises(StaleEpoch):
        await log.append(content(2), 3)
    await log.close()
    assert looked_at(tmp_path).size == 2


async def test_a_clock_that_was_set_back_keeps_nobody_from_recording(tmp_path: Path) -> None:
    await write(tmp_path, 1)
    log = open_log(Segments(tmp_path), ORIGIN, OURS, lambda: datetime(2020, 1, 1, tzinfo=UTC))
    await log.append(content(1), 3)
    await log.close()
    await write(tmp_path, 1)
    assert [found.reason for found in looked_at(tmp_path).findings] == ["ClockWentBack"]


async def test_where_a_segment_cannot_be_made_it_is_made_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path)
    monkeypatch.setattr(os, "open", failing(1, os.open))
    with pytest.raises(StoreDown):
        await log.append(content(0), 3)
    assert (await log.append(content(0), 3)).sequence == 0
    await log.close()
    assert looked_at(tmp_path).size == 1


async def test_who_no_longer_waits_is_recorded_all_the_same(tmp_path: Path) -> None:
    log = opened(tmp_path)
    gone = asyncio.create_task(log.append(content(0), 3))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await log.append(content(1), 3)).sequence == 1
    await log.close()
    assert looked_at(tmp_path).size == 2


# A storage that cannot always tell.


class Memory:
    """A storage without a disk, which says of a batch what it is told to say."""

    def __init__(self) -> None:
        self.where, self.epoch, self.odd = "memory", 4, None
        self.kept: list[Batch] = []
        self.raises: Sequence[Exception | None] = ()
        """What happens at each append; nothing where there is no more."""
        self.keeps = True
        """Whether it keeps what it raises for."""

    def acknowledged(self) -> Iterator[Segment]:
        return iter([])

    def go_on(self, size: int, root: bytes) -> None: ...

    def append(self, batch: Batch) -> None:
        error, *self.raises = self.raises or (None,)
        if error is None or self.keeps:
            self.kept.append(batch)
        if error is not None:
            raise error

    def holds(self, batch: Batch) -> bool:
        return batch in self.kept

    def withhold(self, gone: Ranges) -> None: ...

    def close(self) -> None: ...

    def looked_at(self) -> Report:
        held = [Segment(f"{each.first}", each.lines) for each in self.kept]
        return verify(ORIGIN, held, keys.by_id([OURS.public]))


@pytest.mark.parametrize("reads", [True, False], ids=["and who reads is given it", "and nobody reads"])
async def test_what_the_storage_could_not_tell_of_and_kept_counts_before_the_next_does(reads: bool) -> None:
    storage, seen = Memory(), list[int]()
    read = (lambda envelope, place: seen.append(place.sequence)) if reads else None
    log = open_log(storage, ORIGIN, OURS, lambda: datetime.now(UTC), read=read)
    storage.raises = [None, StoreDown("no answer")]
    await log.append(content(0), 4)
    with pytest.raises(StoreDown, match="no answer"):
        await log.append_all([content(1), content(2)], 4)
    assert len(log) == 1
    assert (await log.append(content(3), 4)).sequence == 3
    await log.close()
    assert seen == ([1, 2] if reads else [])
    assert (storage.looked_at().findings, storage.looked_at().size) == ((), 4)


async def test_what_the_storage_could_not_tell_of_and_did_not_keep_does_not_count() -> None:
    storage, seen = Memory(), list[int]()
    log = open_log(
        storage, ORIGIN, OURS, lambda: datetime.now(UTC), read=lambda envelope, place: seen.append(place.sequence)
    )
    storage.raises, storage.keeps = [StoreDown("no answer")], False
    with pytest.raises(StoreDown):
        await log.append(content(0), 4)
    assert (await log.append(content(1), 4)).sequence == 0
    await log.close()
    assert (storage.looked_at().findings, storage.looked_at().size, seen) == ((), 1, [])


@pytest.mark.parametrize("error", [StaleEpoch("epoch 4 is over"), LogDamaged("it went back")], ids=["stale", "damaged"])
async def test_what_cannot_be_mended_ends_the_log(error: Exception) -> None:
    storage = Memory()
    log = open_log(storage, ORIGIN, OURS, lambda: datetime.now(UTC))
    storage.raises, storage.keeps = [error], False
    first = [log.append(content(number), 4) for number in range(2)]
    found = await asyncio.gather(*first, return_exceptions=True)
    found += await asyncio.gather(log.append(content(2), 4), return_exceptions=True)
    assert [(type(each), str(each)) for each in found] == [(type(error), str(error))] * 3
    await log.close()
    assert storage.kept == []


async def test_in_terms_before_the_storage_s_nothing_is_recorded() -> None:
    log = open_log(Memory(), ORIGIN, OURS, lambda: datetime.now(UTC))
    with pytest.raises(StaleEpoch, match="epoch 3 is over: epoch 4 has begun"):
        await log.append(content(0), 3)
    await log.close()


# Whole processes, killed.


def begin(directory: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(appending.__file__), str(directory), *more]
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})


def on_the_disk(directory: Path) -> dict[int, str]:
    """After it was opened once more."""
    lines = [line for each in segments(directory) for line in each.content.splitlines()]
    payloads = [dsse.parsed(line).payload for line in lines if not line.startswith(b'{"checkpoint"')]
    return {number: records.digest(payload) for number, payload in enumerate(payloads)}


def open_and_close(directory: Path) -> None:
    """As the next process does it."""

    async def one_more() -> None:
        log = opened(directory)
        await log.append(content(0), 1)
        await log.close()

    asyncio.run(one_more())


def test_what_a_killed_process_had_acknowledged_is_there(tmp_path: Path) -> None:
    random, acknowledged = Random(7), 0
    for number in range(ROUNDS):
        if number % A_LOG == 0:
            log, known = tmp_path / str(number), dict[int, str]()
        process = begin(log)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("open")
        time.sleep(random.uniform(0, 0.15))
        process.kill()
        before = len(known)
        known |= appending.acknowledged(process.communicate()[0])
        acknowledged += len(known) - before
        open_and_close(log)
        assert looked_at(log).findings == ()
        assert known.items() <= on_the_disk(log).items()
    print(f"{ROUNDS} processes were killed, {acknowledged} records acknowledged, and all are there")
    assert acknowledged, "something was acknowledged"


def test_on_a_disk_that_is_full_what_was_acknowledged_is_there_and_nothing_more_is(tmp_path: Path) -> None:
    """The kernel refuses files beyond a size, here of 15,000 bytes."""
    process = begin(tmp_path, "15000")
    told, _ = process.communicate(timeout=30)
    assert "File too large" in told
    known = appending.acknowledged(told)
    open_and_close(tmp_path)
    assert known.items() <= on_the_disk(tmp_path).items()
    assert looked_at(tmp_path).size == len(known) + 1
    assert looked_at(tmp_path).findings == ()


async def test_what_is_recorded_together_stands_together(tmp_path: Path) -> None:
    log = opened(tmp_path)
    together = log.append_all([content(number) for number in range(3)], 1)
    alone = log.append(content(3), 1)
    receipts, last = await asyncio.gather(together, alone)
    assert [each.sequence for each in (*receipts, last)] == [0, 1, 2, 3]
    assert await log.append_all([], 1) == ()
    await log.close()


async def test_of_what_is_recorded_together_all_is_looked_at_before_any_of_it_is_written(tmp_path: Path) -> None:
    log = opened(tmp_path)
    with pytest.raises(records.NotRecordable):
        await log.append_all([content(0), records.Content("Placed", "a/b/c", "no digest", {})], 1)
    assert len(log) == 0
    await log.close()


async def test_who_opens_a_log_is_given_what_is_in_it(tmp_path: Path) -> None:
    log = opened(tmp_path)
    await log.append_all([content(number) for number in range(3)], 1)
    await log.close()
    seen: list[tuple[int, str]] = []
    again = open_log(
        Segments(tmp_path),
        ORIGIN,
        OURS,
        lambda: datetime.now(UTC),
        read=lambda envelope, place: seen.append((place.sequence, kind(envelope))),
    )
    assert seen == [(0, "Placed"), (1, "Placed"), (2, "Placed")]
    await again.close()


def kind(envelope: dsse.Envelope) -> str:
    return envelope.statement["predicate"]["kind"]
