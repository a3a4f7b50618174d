"""The operator of the demo: the kinds and roles it needs on the hub, its own identity, its process and its log."""

import asyncio
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from domicile import kube
from domicile.api import KINDS
from domicile.cli.demo import installation, observing, stamping, texts
from domicile.cli.demo.narration import Narrator
from domicile.cli.demo.waiting import NotObserved, NotYet, eventually
from domicile.cli.demo.world import World
from domicile.cli.join import kubeconfig
from domicile.localfleet import ports, stopping

Manifest = Mapping[str, Any]

INSTALLATION_FILE: Final = "domicile.yaml"
PEOPLE_FILE: Final = "people.yaml"
LOG: Final = "operator.log"
EVIDENCE: Final = "evidence"
"""Directory of the logs of decisions, one a hub."""
LOG_LINES_SHOWN: Final = 20
_PROBE_OF_TEAM: Final = "probe-of-team.yaml"
_PROBES_OF_GOVERNANCE: Final = "probes-of-governance.yaml"
_TOKEN_SECONDS: Final = 24 * 3600
_READY_WITHIN: Final = 60.0

GOVERNANCE: Final = "demo:governance"
TEAM: Final = "demo:bank-team"
PLATFORM: Final = "demo:platform"
"""Groups of the story's people."""


@dataclass(frozen=True)
class Running:
    """The operator's process."""

    process: "subprocess.Popen[bytes]"
    log: Path
    port: int


async def knows_admission(hub: kube.KubeClient) -> bool:
    """Whether the API server has MutatingAdmissionPolicy: stable from Kubernetes 1.36."""
    try:
        served = await hub.raw("GET", "/apis/admissionregistration.k8s.io/v1")
    except kube.NotFound:
        return False
    return "mutatingadmissionpolicies" in {each["name"] for each in served["resources"]}


def to_install(*, admission: bool) -> tuple[Sequence[Manifest], Sequence[Manifest]]:
    """What an administrator puts on the hub: Domicile itself; then the team's namespace and who may do what."""
    namespace: Manifest = yaml.safe_load(texts.example("namespace.yaml"))
    people = installation.people(GOVERNANCE, TEAM, PLATFORM, namespace["metadata"]["name"])
    return installation.manifests(admission=admission), (namespace, *people)


async def install(world: World, hub: kube.KubeClient, say: Narrator) -> None:
    """Put Domicile on the hub, and wait until its kinds are served."""
    own, _ = to_install(admission=await knows_admission(hub))
    await _create(world, say, INSTALLATION_FILE, own)
    await eventually("the API server serves Domicile's kinds", lambda: _served(hub), within=_READY_WITHIN)


async def admit_people(world: World, hub: kube.KubeClient, say: Narrator) -> None:
    """Say who may do what, and wait until that, and what is stamped at admission, is in force."""
    admission = await knows_admission(hub)
    _, people = to_install(admission=admission)
    await _create(world, say, PEOPLE_FILE, people)
    if not admission:
        say.skip("admission", "the hub's Kubernetes has no MutatingAdmissionPolicy, so who asked is not recorded")
        return
    model, *others = stamping.probes(observing.NAMESPACE).values()
    _write(world, _PROBE_OF_TEAM, (model,))
    _write(world, _PROBES_OF_GOVERNANCE, others)
    await eventually("all that is to be stamped is stamped", lambda: _stamped(world), within=_READY_WITHIN)


async def identity(world: World, hub: kube.KubeClient) -> Path:
    """A kubeconfig by which the operator is its own ServiceAccount, with the chart's roles and no others."""
    path = f"/api/v1/namespaces/{installation.NAMESPACE}/serviceaccounts/{installation.OPERATOR}/token"
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": _TOKEN_SECONDS},
    }
    answer = await hub.raw("POST", path, body=request)
    address = kubeconfig.address_of(world.hub_context, world.kubeconfig)
    file = world.work / "operator.kubeconfig"
    file.touch(mode=0o600)
    file.write_text(kubeconfig.with_token("hub", address, answer["status"]["token"]))
    return file


async def evidence(work: Path, hub: kube.KubeClient) -> Path:
    """Where what is decided on this hub is recorded: each demo on this machine has a hub of its own."""
    uid = (await hub.get(kube.NAMESPACES, "kube-system"))["metadata"]["uid"]
    return work / EVIDENCE / uid


def start(hub: Path, work: Path, evidence: Path, environment: Mapping[str, str], *, outlive: bool) -> Running:
    """Start `domicile operator`. Unless it is to outlive us it ends when we do, however that comes."""
    log = work / LOG
    port = free_port()
    arguments = (
        "operator",
        f"--namespace={installation.NAMESPACE}",
        f"--kubeconfig={hub}",
        f"--evidence={evidence}",
        "--health-host=127.0.0.1",
        f"--health-port={port}",
        *(() if outlive else ("--stop-with-stdin",)),
    )
    with log.open("ab") as sink:
        process = subprocess.Popen(
            (sys.executable, "-m", "domicile.cli", *arguments),
            stdin=subprocess.DEVNULL if outlive else subprocess.PIPE,
            stdout=sink,
            stderr=sink,
            cwd=work,
            env={**os.environ, **environment},
            start_new_session=True,  # a terminal's Ctrl-C is for the demo alone
        )
    return Running(process, log, port)


async def ready(running: Running) -> None:
    """Wait until it leads and has looked at the hub."""

    async def look() -> NotYet | None:
        if running.process.poll() is not None:
            raise NotObserved(f"the operator ended with exit code {running.process.returncode}")
        return await asyncio.to_thread(_asked, running.port)

    await eventually("the operator is ready", look, within=_READY_WITHIN)


def last_lines(log: Path) -> str:
    """The end of a log, for who has to find out what went wrong."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join(lines[-LOG_LINES_SHOWN:])


async def _create(world: World, say: Narrator, file: str, manifests: Sequence[Manifest]) -> None:
    _write(world, file, manifests)
    say.command(world.root.name, f"kubectl create --filename={file}")
    answer = await world.root.kubectl("create", f"--filename={file}")
    if answer.code != 0:
        raise NotObserved(f"installing Domicile on the hub failed:\n     {answer.stderr.strip()}")
    say.output(f"{len(answer.stdout.splitlines())} objects created")


async def _served(hub: kube.KubeClient) -> NotYet | None:
    listed = await hub.raw("GET", "/apis/domicile.dev/v1alpha1")
    missing = {kind.info.plural for kind in KINDS} - {each["name"] for each in listed["resources"]}
    return NotYet(f"not served yet: {', '.join(sorted(missing))}") if missing else None


async def _stamped(world: World) -> NotYet | None:
    """Roles and bindings too are in force a moment after they were written: each asks for what is theirs."""
    for person, file in ((world.team, _PROBE_OF_TEAM), (world.governance, _PROBES_OF_GOVERNANCE)):
        answer = await person.kubectl("create", "--dry-run=server", f"--filename={file}", "--output=yaml")
        if answer.code != 0:
            return NotYet(answer.stderr.strip())
        if found := [text for each in yaml.safe_load_all(answer.stdout) if (text := stamping.not_stamped(each))]:
            return NotYet(f"not stamped yet: {'; '.join(found)}")
    return None


def _write(world: World, file: str, manifests: Iterable[Manifest]) -> None:
    (world.work / file).write_text(yaml.safe_dump_all([dict(each) for each in manifests], sort_keys=False))


def _asked(port: int) -> NotYet | None:
    url = f"http://127.0.0.1:{port}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=2):
            return None
    except urllib.error.HTTPError as error:
        return NotYet(error.read().decode(errors="replace").strip())
    except OSError as error:
        return NotYet(str(error))


def free_port() -> int:
    """For the operator's probes; none that an outgoing connection could be given before the operator listens."""
    return ports.unreserved(stopping.ports_dir())
