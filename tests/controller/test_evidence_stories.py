"""What is recorded and told of a model over whole passes, with a store that goes down and comes back."""

import asyncio

import builders as a
from controller.evidence_cases import (
    FULL,
    UNRECORDED,
)
from controller.test_whole_pass import Shell, message, placed_shell
from domicile import kube
from domicile.decision import Withdraw


def shell_down() -> Shell:
    shell = Shell()
    shell.recorder.storage.failing = FULL
    return shell


def back(shell: Shell) -> Shell:
    shell.recorder.storage.failing = ""
    asyncio.run(shell.recorder.opened())
    return shell


def test_a_model_that_waits_for_the_store_is_told_so_and_placed_nowhere() -> None:
    shell = shell_down().reconcile()
    ready = shell.live["status"]["conditions"][0]
    assert (ready["status"], ready["reason"], shell.fleet.calls) == ("False", "EvidenceStoreDown", [])
    assert FULL in message(shell)


def test_a_model_that_waits_for_the_store_is_told_so_once() -> None:
    assert shell_down().reconcile(times=4).hub_writes == 1


def test_a_model_that_serves_is_not_told_that_the_store_is_down() -> None:
    shell = placed_shell()
    shell.recorder.storage.failing = FULL
    asyncio.run(shell.recorder.evidence.done(UNRECORDED, Withdraw(a.member("de"))))
    assert shell.recorder.evidence.down != ""
    assert shell.reconcile(times=3).hub_writes == 0


def test_what_waited_is_placed_once_the_store_is_back() -> None:
    shell = back(shell_down().reconcile()).reconcile()
    assert shell.fleet.calls == ["place sg+"]
    assert shell.recorder.story == ["Placed", "Done sg"]


def test_what_is_unlawful_goes_while_the_store_is_down_and_nothing_comes_instead() -> None:
    shell = placed_shell()
    shell.recorder.storage.failing = FULL
    shell.govern("PH")
    shell.reconcile(times=3)
    assert shell.fleet.calls == ["withdraw sg+", "withdraw sg"]
    assert back(shell).reconcile().recorder.story[-3:] == ["late Done", "Placed", "Done ph"]


def test_a_model_is_let_go_while_the_store_is_down() -> None:
    shell = placed_shell()
    shell.recorder.storage.failing = FULL
    shell.delete()
    assert shell.reconcile(times=3).gone
    assert back(shell).recorder.story[-2:] == ["late Done", "late Done"]


def test_with_a_log_that_was_changed_the_operator_goes_on_without_placing() -> None:
    shell = placed_shell()
    recorder = shell.recorder
    recorder.storage.lines = recorder.storage.lines.replace(b'"sig":"', b'"sig":"AAAA', 1)
    shell = shell.restarted()
    shell.govern("PH")
    shell.reconcile(times=3)
    assert shell.fleet.calls == ["withdraw sg+", "withdraw sg"]
    assert "is not as it was written" in message(shell)


def test_a_refusal_is_recorded_once_however_often_it_is_tried() -> None:
    shell = Shell()

    def refuse(call: str) -> None:
        raise kube.Forbidden(403, "Forbidden", "no quota", {}, call)

    shell.fleet.before = refuse
    shell.reconcile(times=5)
    assert shell.recorder.story.count("Failed sg") == 1


def test_another_refusal_is_recorded_too() -> None:
    shell = Shell()
    errors = [kube.Forbidden, kube.Invalid]

    def refuse(call: str) -> None:
        raise errors[0](403, errors[0].__name__, "no", {}, call)

    shell.fleet.before = refuse
    shell.reconcile(times=2)
    errors.pop(0)
    shell.reconcile(times=2)
    assert shell.recorder.story.count("Failed sg") == 2
