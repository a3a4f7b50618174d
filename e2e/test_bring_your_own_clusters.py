"""Somebody who has clusters runs the same story on them: nothing is built, and nothing of it stays there."""

import json
import time
from pathlib import Path
from typing import Any

from terminal import Shell

KINDS = (
    "namespaces", "crd", "clusterroles", "clusterrolebindings", "nodes",
    "validatingadmissionpolicies", "mutatingadmissionpolicies",
)  # fmt: skip
DEMO = ("--hub-context=hub", "--region=SG=sg", "--region=PH=ph", "--region=DE=de")


def everything(kubectl: Shell, context: str) -> set[str]:
    """Names of all cluster-wide objects of a cluster."""
    listed = kubectl.works("kubectl", "--context", context, "get", ",".join(KINDS), "--output=json")
    return {f"{each['kind']}/{each['metadata']['name']}" for each in json.loads(listed)["items"]}


def test_the_story_runs_on_given_clusters_and_leaves_them_as_they_were(
    fleet: Any, contexts: Path, shell: Shell, tmp_path: Path
) -> None:
    kubectl = Shell({"KUBECONFIG": str(contexts)})
    before = {context: everything(kubectl, context) for context in ("hub", "sg", "ph", "de")}
    # Its nodes are simulated: any image that is there will do.
    server = fleet.images.model_server
    images = (f"--model-server-image={server}", f"--model-image={server}")
    told = shell.works("domicile", "demo", *DEMO, f"--kubeconfig={contexts}", *images)
    assert "governance and team by impersonation" in told
    assert "checked  fraud-scorer is ready in Singapore" in told
    assert "checked  fraud-scorer is ready in the Philippines" in told
    assert "SKIPPED  the prediction: node sg-" in told
    assert "everything that the demo made on the given clusters is gone from them" in told
    assert {context: everything(kubectl, context) for context in ("hub", "sg", "ph", "de")} == before


def test_a_killed_demo_is_put_away_by_the_next_command(contexts: Path, shell: Shell, tmp_path: Path) -> None:
    kubectl = Shell({"KUBECONFIG": str(contexts)})
    before = {context: everything(kubectl, context) for context in ("hub", "sg", "ph", "de")}
    log = tmp_path / "log"
    with log.open("w") as sink:
        demo = shell.start("domicile", "demo", *DEMO, f"--kubeconfig={contexts}", output=sink)
    deadline = time.monotonic() + 120
    while "\n5." not in log.read_text() and demo.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    demo.kill()
    demo.wait()
    assert kubectl.works("kubectl", "get", "sovereignmodels", "--all-namespaces", "--no-headers"), log.read_text()
    assert "the demo is stopped" in shell.works("domicile", "demo", "down")
    assert {context: everything(kubectl, context) for context in ("hub", "sg", "ph", "de")} == before


def test_a_context_that_is_not_there_is_said_plainly(contexts: Path, shell: Shell) -> None:
    answer = shell("domicile", "demo", "--hub-context=nowhere", *DEMO[1:], f"--kubeconfig={contexts}")
    assert answer.returncode == 1
    assert "'nowhere'" in answer.stderr
    assert "Traceback" not in answer.stderr
    # Nothing was made, so nothing stands in the way of whoever types it right.
    assert "no demo was up" in shell.works("domicile", "demo", "down")


def test_clusters_that_already_have_domicile_are_left_alone(contexts: Path, shell: Shell) -> None:
    kubectl = Shell({"KUBECONFIG": str(contexts)})
    kubectl.works("kubectl", "--context=ph", "create", "namespace", "retail-banking")
    try:
        before = everything(kubectl, "hub")
        answer = shell("domicile", "demo", *DEMO, f"--kubeconfig={contexts}")
        assert answer.returncode == 1
        assert "/api/v1/namespaces/retail-banking is on ph already" in answer.stderr
        assert everything(kubectl, "hub") == before
        assert kubectl("kubectl", "--context=ph", "get", "namespace", "retail-banking").returncode == 0
    finally:
        kubectl.works("kubectl", "--context=ph", "delete", "namespace", "retail-banking")
