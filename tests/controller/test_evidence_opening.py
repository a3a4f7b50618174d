"""How the log is opened, and kept open: where, with which keys, and that what members keep agrees with it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

import builders as a
from controller.evidence_cases import (
    FULL,
    PLACING,
    SERVES,
    decided,
    opened,
    refused,
    up,
)
from controller.recording import HUB, Recorder
from domicile import audit
from domicile.controller import evidence as module
from domicile.controller.evidence import Evidence, NotRecorded
from domicile.controller.opening import ORIGIN, Database, Directory, Signing, opening
from domicile.evidence.checkpoint import Checkpoint, parsed, signed
from domicile.evidence.findings import Read
from domicile.evidence.records import Content
from domicile.evidence.segments import Segments
from domicile.evidence.store import Log, StoreDown
from evidence.logs import NEXT, OURS
from waiting import eventually


async def test_who_leads_no_more_records_nothing() -> None:
    recorder = await opened()
    recorder.epoch = 5
    await decided(recorder, PLACING)
    recorder.epoch = 1
    with pytest.raises(NotRecorded, match="epoch 1 is over: epoch 5 has begun"):
        await decided(recorder, SERVES)
    assert "epoch 1 is over" in recorder.evidence.down


async def test_a_log_that_was_changed_is_not_gone_on_with() -> None:
    recorder = await opened()
    recorder.storage.lines = recorder.storage.lines.replace(b'"sig":"', b'"sig":"AAAA', 1)
    assert (await refused(recorder)).startswith("the log in memory is not as it was written")


async def test_a_log_of_another_version_is_not_gone_on_with() -> None:
    recorder = await opened()
    assert recorder.evidence._log is not None
    odd = Content(audit.DECISION, "SovereignModel/x/y", a.DIGEST, {"of": "another version"})
    await recorder.evidence._log.append(odd, recorder.epoch)
    assert (await refused(recorder)).startswith("record 1 is not as records of this version are: KeyError")


async def test_a_key_that_is_missing_is_told(tmp_path: Path) -> None:
    missing = Directory(tmp_path, Signing(tmp_path / "mounted" / "key.pem"), lambda: a.NOW)
    assert (await refused(await opened(), missing)).startswith(f"the key in {tmp_path}/mounted/key.pem cannot be used")


async def test_a_log_goes_on_with_the_key_that_was_made_beside_it(tmp_path: Path) -> None:
    recorder = Recorder()
    for count in (1, 2):
        recorder.next_process().opening = Directory(tmp_path, Signing(), lambda: a.NOW)
        evidence = await recorder.opened()
        assert (evidence.down, len(evidence._log or ())) == ("", count)
        await evidence.close()


async def test_a_log_goes_on_with_another_key_where_the_one_before_is_known(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.next_process().opening = Directory(tmp_path, Signing(), lambda: a.NOW)
    await (await recorder.opened()).close()
    retired = (tmp_path / "key.pem").rename(tmp_path / "retired.pem")
    public = load_pem_private_key(retired.read_bytes(), None).public_key()
    before = tmp_path / "before.pem"
    before.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    recorder.next_process().opening = Directory(tmp_path, Signing(keys_before=(before,)), lambda: a.NOW)
    evidence = await recorder.opened()
    assert (evidence.down, len(evidence._log or ())) == ("", 2)
    await evidence.close()


async def test_a_hub_that_is_not_known_has_no_log() -> None:
    recorder = await opened()
    recorder.next_process().hub = lambda: ""
    await recorder.opened()
    assert recorder.evidence.down == "the hub's namespace kube-system is not known"


async def test_who_closed_the_log_records_nothing_more() -> None:
    recorder = await opened()
    await recorder.evidence.close()
    await recorder.evidence.close()
    with pytest.raises(NotRecorded):
        await decided(recorder, PLACING)


def test_a_log_is_in_a_directory_or_in_the_database_of_an_address() -> None:
    signing = Signing()
    assert isinstance(opening("/var/lib/evidence", signing, lambda: a.NOW), Directory)
    assert isinstance(opening("postgresql://hub.example/evidence", signing, lambda: a.NOW), Database)


async def test_processes_that_share_a_log_are_given_its_key() -> None:
    database = Database("postgresql://hub.example/evidence", Signing(), lambda: a.NOW)
    assert "--evidence-key" in await refused(await opened(), database)


async def test_who_cannot_have_the_directory_makes_no_key_in_it(tmp_path: Path) -> None:
    held = Segments(tmp_path)
    assert "another process" in await refused(await opened(), Directory(tmp_path, Signing(), lambda: a.NOW))
    assert not (tmp_path / "key.pem").exists()
    held.close()


@asynccontextmanager
async def kept(evidence: Evidence) -> AsyncIterator[None]:
    """It is kept open meanwhile."""
    keeping = asyncio.create_task(evidence.keep())
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again without waiting for long."""
    monkeypatch.setattr(module, "_FIRST_TRY", 0.001)


@pytest.mark.usefixtures("soon")
async def test_a_log_that_cannot_be_opened_is_opened_once_it_can() -> None:
    recorder = Recorder()
    recorder.storage.failing = FULL
    async with kept(recorder.evidence):
        await eventually(lambda: FULL in recorder.evidence.down)
        recorder.storage.failing = ""
        await eventually(lambda: recorder.evidence.down == "")


@pytest.mark.usefixtures("soon")
async def test_whenever_it_goes_down_it_comes_back() -> None:
    recorder = Recorder()
    async with kept(recorder.evidence):
        for _ in range(3):
            await eventually(lambda: recorder.evidence.down == "")
            recorder.storage.failing = FULL
            with pytest.raises(NotRecorded):
                await decided(recorder, PLACING)
            recorder.storage.failing = ""
        await eventually(lambda: recorder.evidence.down == "")


async def test_it_is_tried_less_often_the_longer_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, waited, enough = Recorder(), list[float](), asyncio.Event()
    recorder.storage.failing = FULL

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 7:
            enough.set()
            await asyncio.Future()

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    async with kept(recorder.evidence):
        await asyncio.wait_for(enough.wait(), 10)
    assert waited == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


async def test_who_waits_for_the_log_goes_on_once_it_was_tried() -> None:
    recorder = Recorder()
    recorder.storage.failing = FULL
    async with kept(recorder.evidence):
        await recorder.evidence.tried()
        assert FULL in recorder.evidence.down


async def test_nobody_waits_long_for_a_long_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OPENED_WITHIN", 0.01)
    recorder, ready = Recorder(), threading.Event()
    opening = recorder.evidence.opening

    def long(hub: str, epoch: int, read: Read) -> Log:
        ready.wait(10)
        return opening(hub, epoch, read)

    recorder.evidence.opening = long
    async with kept(recorder.evidence):
        await recorder.evidence.tried()
        assert recorder.evidence.down == "the log is not open yet"
        ready.set()
        await eventually(lambda: recorder.evidence.down == "")


def head(records: int, root: bytes | None = None) -> str:
    return signed(Checkpoint(f"{ORIGIN}{HUB}", records, root or bytes(32)), OURS)


async def test_a_head_is_given_to_members_as_long_as_the_log_can_be_gone_on_with() -> None:
    recorder = Recorder()
    assert recorder.evidence.head == ""
    await recorder.opened()
    assert parsed(recorder.evidence.head).checkpoint.size == 1
    recorder.evidence.kept("sg", head(100))
    assert recorder.evidence.head == ""


AGAINST = {
    "a member that knows of more": (head(100), "its tail was cut"),
    "a member that knows of others": (head(1), "history was rewritten"),
}


@pytest.mark.parametrize(("note", "said"), AGAINST.values(), ids=AGAINST)
async def test_nothing_is_placed_while_a_member_knows_of_another_log(note: str, said: str) -> None:
    recorder = await opened()
    changes = recorder.changes
    recorder.evidence.kept("sg", note)
    assert said in recorder.evidence.unrecordable
    with pytest.raises(NotRecorded, match=said):
        await decided(recorder, PLACING)
    recorder.evidence.kept("sg", "")
    assert (recorder.evidence.unrecordable, recorder.changes) == ("", changes + 2)


async def test_a_member_that_agrees_holds_nobody_up() -> None:
    recorder = await opened()
    recorder.evidence.kept("sg", recorder.evidence.head)
    await decided(recorder, PLACING)
    assert recorder.evidence.unrecordable == ""


NO_PROOF = {
    "signed with another key": signed(Checkpoint(f"{ORIGIN}{HUB}", 100, bytes(32)), NEXT),
    "no checkpoint": "it is mine now",
}


@pytest.mark.parametrize("note", NO_PROOF.values(), ids=NO_PROOF)
async def test_what_anybody_could_have_put_there_holds_nobody_up_and_is_told(
    note: str, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = await opened()
    recorder.evidence.kept("sg", note)
    await decided(recorder, PLACING)
    assert "sg keeps a checkpoint that does not fit the log" in caplog.text


async def test_what_a_member_keeps_is_compared_when_the_log_is_opened_later() -> None:
    recorder = Recorder()
    recorder.evidence.kept("sg", head(100))
    assert recorder.evidence.unrecordable == "the log is not open yet"
    await recorder.opened()
    assert "its tail was cut" in recorder.evidence.unrecordable


async def test_a_log_that_can_record_no_more_is_opened_anew() -> None:
    recorder = await opened()
    first = recorder.evidence._log
    assert first is not None
    first._shut = StoreDown("recording was broken off")
    with pytest.raises(NotRecorded):
        await decided(recorder, PLACING)
    assert await up(recorder) == []
    assert recorder.evidence._log is not first
