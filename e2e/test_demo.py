"""A newcomer runs the demo and believes it: exit code 0, every step told, and nothing left behind."""

import os
import signal
import time
from pathlib import Path

from terminal import Shell

from domicile.localfleet import procfs

STORY = (
    "sg is https://127.0.0.1:",
    "the bank's team may not write a policy itself",
    "checked  fraud-scorer is ready in Singapore",
    "not de: worker nodes are in DE, retail-customer-data allows SG",
    "not ph: worker nodes are in PH, retail-customer-data allows SG",
    "checked  it is on sg-",
    "checked  churn-forecast is held (Ready=False, NoMatchingPolicy",
    "checked  fraud-scorer is ready in the Philippines",
    "checked  Singapore has nothing of it any more",
    "the finalizer kept it on the hub",
    "checked  when it went, ph had nothing left of it",
    "nothing was changed, left out, put in, cut off or written anew",
    "decisions, made again from what was recorded, are the same bytes",
    "checked  the log is whole, agrees with what Singapore keeps of it",
)


def processes_of(run: Path) -> list[str]:
    """Command lines that name the run's directory, ours apart."""
    shown = procfs.command_lines()
    return [f"{pid} {line}" for pid, line in shown.items() if str(run) in line and pid != os.getpid()]


def test_the_demo_tells_the_whole_story_and_leaves_nothing(shell: Shell, tmp_path: Path) -> None:
    told = shell.works("domicile", "demo", within=600)
    places = [told.find(line) for line in STORY]
    assert -1 not in places, f"missing: {[line for line, at in zip(STORY, places, strict=True) if at < 0]}\n{told}"
    assert places == sorted(places), told
    if "is real (kubelet" in told:
        assert "the prediction served in Singapore is scikit-learn's own" in told
        assert "SKIPPED" not in told
    else:
        assert "SKIPPED  the prediction: no real node:" in told
    assert processes_of(tmp_path) == []


def test_ctrl_c_ends_it_and_leaves_nothing_that_the_next_trips_over(shell: Shell, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as sink:
        demo = shell.start("domicile", "demo", "--no-real-node", output=sink)
    deadline = time.monotonic() + 300
    while "2. Platform registers" not in log.read_text() and demo.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    demo.send_signal(signal.SIGINT)
    assert demo.wait(timeout=60) == 130, log.read_text()
    assert "everything that the demo started has been stopped" in log.read_text()
    assert processes_of(tmp_path / "run") == []
    assert "no demo was up" in shell.works("domicile", "demo", "down")
