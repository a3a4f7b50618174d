"""What people read while they wait."""

import io
import threading

from domicile.localfleet import progress

STEPS = [progress.Step("etcd", 20), progress.Step("kserve", 100)]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_steps_in_a_row_are_counted_and_their_rest_is_added_up() -> None:
    clock = Clock()
    track = progress.Track("building", STEPS, at_once=False, clock=clock)
    track.begin("etcd")
    clock.now += 5
    assert track.line() == "building: 1 of 2: etcd; 5 s gone, about 115 s left"
    clock.now += 10
    track.done("etcd")
    track.begin("kserve")
    assert track.line() == "building: 2 of 2: kserve; 15 s gone, about 100 s left"


def test_a_step_that_takes_longer_than_expected_does_not_count_backwards() -> None:
    clock = Clock()
    track = progress.Track("building", STEPS[:1], at_once=False, clock=clock)
    track.begin("etcd")
    clock.now += 60
    assert track.line() == "building: 1 of 1: etcd; 60 s gone, any moment now"


def test_steps_at_once_wait_for_the_slowest() -> None:
    clock = Clock()
    track = progress.Track("starting", STEPS, at_once=True, clock=clock)
    for step in STEPS:
        track.begin(step.name)
    track.note("kserve", "CRDs")
    clock.now += 10
    assert track.line() == "starting: 0 of 2 done: etcd, kserve (CRDs); 10 s gone, about 90 s left"
    track.done("etcd")
    track.done("kserve")
    assert track.line() == "starting: done in 10 s"


def test_plain_progress_writes_a_line_at_each_change() -> None:
    out = io.StringIO()
    with progress.PlainProgress(out).working("building", STEPS, at_once=False) as track:
        track.begin("etcd")
        track.done("etcd")
        track.begin("kserve")
        track.done("kserve")
    lines = out.getvalue().splitlines()
    assert [line.split(";")[0] for line in lines[:2]] == ["building: 1 of 2: etcd", "building: 2 of 2: kserve"]
    assert lines[2:] == ["building: done in 0 s"]


def test_plain_progress_speaks_up_when_nothing_changes() -> None:
    spoken = threading.Event()

    class Out(io.StringIO):
        def write(self, text: str) -> int:
            if self.getvalue().count("\n") >= 3:
                spoken.set()
            return super().write(text)

    with progress.PlainProgress(Out(), every_seconds=0.02).working("building", STEPS, at_once=False) as track:
        track.begin("etcd")
        assert spoken.wait(10), "no line while the step went on"


def test_a_stream_that_is_no_terminal_gets_lines() -> None:
    assert isinstance(progress.for_stream(io.StringIO()), progress.PlainProgress)


def test_a_terminal_gets_the_moving_display() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    shown = progress.for_stream(out)
    with shown.working("building", STEPS[:1], at_once=False) as track:
        track.begin("etcd")
        track.done("etcd")
    shown.say("ready")
    assert "building: done in 0 s" in out.getvalue()
    assert "ready" in out.getvalue()
