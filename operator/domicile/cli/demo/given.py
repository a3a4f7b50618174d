"""The demo's world on clusters that were there before: what it makes there is on record first, and removed at the end."""

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from domicile import fence, kube
from domicile.api import MemberIdentities
from domicile.cli.demo import model, observing, operating, processes, texts
from domicile.cli.demo.journal import Given, Journal, Made
from domicile.cli.demo.kubectl import Person
from domicile.cli.demo.waiting import NotYet, eventually
from domicile.cli.demo.world import Eyes, Region, World
from domicile.cli.failure import Failure
from domicile.cli.join import member
from domicile.localfleet import procfs

HUB: Final = "hub"
_GONE_WITHIN: Final = 120.0
_OPERATOR_ENDS_WITHIN: Final = 20.0
_NO_IMAGE: Final = "no --model-server-image and --model-image were given"


@dataclass(frozen=True)
class Images:
    """References by digest that every given cluster can pull."""

    server: str
    model: str


def world(given: Given, images: Images | None, impersonate: bool, work: Path, trained: model.Trained) -> World:
    """The world of the given contexts. Governance and team are played by impersonation, or else by yourself."""
    path = Path(given.kubeconfig) if given.kubeconfig else None
    environment = {"KUBECONFIG": given.kubeconfig} if given.kubeconfig else {}

    def at(name: str, context: str, *more: str) -> Person:
        return Person(name, work, (*_kubeconfig(path), "--context", context, *more), environment)

    def person(name: str, group: str) -> Person:
        if not impersonate:
            return at("you@hub", given.hub_context)
        return at(f"{name}@hub", given.hub_context, "--as", name, "--as-group", group)

    placeholder = f"registry.example/demo/none@{texts.NO_DIGEST}"
    who = "governance and team by impersonation" if impersonate else "you may not impersonate: all are played by you"
    return World(
        kubeconfig=path,
        hub_context=given.hub_context,
        regions=tuple(Region(code, context, at(f"you@{code.lower()}", context)) for code, context in given.regions),
        root=at("you@hub", given.hub_context),
        platform=at("you@hub", given.hub_context),
        governance=person("governance", operating.GOVERNANCE),
        team=person("bank-team", operating.TEAM),
        work=work,
        trained=trained,
        model_image=images.model if images else placeholder,
        server_image=images.server if images else placeholder,
        serves=images is not None,
        no_prediction="" if images else f"{_NO_IMAGE}, so the model is placed and cannot start",
        about=(
            f"given: hub {given.hub_context}, regions {', '.join(f'{code} {context}' for code, context in given.regions)}",
            f"who is who: {who}",
        ),
    )


async def may_impersonate(given: Given) -> bool:
    """Whether we may act as somebody else on the hub."""
    path = Path(given.kubeconfig) if given.kubeconfig else None
    me = Person("you", Path.cwd(), (*_kubeconfig(path), "--context", given.hub_context))
    answers = await asyncio.gather(*(me.kubectl("auth", "can-i", "impersonate", kind) for kind in ("users", "groups")))
    return all(answer.code == 0 for answer in answers)


def where(given: Given) -> tuple[tuple[Path | None, str], Mapping[str, tuple[Path | None, str]]]:
    """Kubeconfig and context of the hub, and of each region by its name."""
    path = Path(given.kubeconfig) if given.kubeconfig else None
    return (path, given.hub_context), {code.lower(): (path, context) for code, context in given.regions}


async def record_what_will_be_made(journal: Journal, eyes: Eyes) -> None:
    """Put on record everything that the demo is about to make; Failure if any of it is there already."""
    admission = await operating.knows_admission(eyes.hub)
    own, people = operating.to_install(admission=admission)
    planned = [Made(HUB, path_of(each)) for each in (*own, *people)]
    namespaces = (_namespace(operating.installation.NAMESPACE), _namespace(observing.NAMESPACE))
    identity = (each for _, each in member.identity(operating.installation.NAMESPACE, ()))
    # The operator puts the fence there. It goes first: what it guards could not be taken apart as freely. The kinds of what it holds
    # requests against go last.
    there = fence.fence_of(MemberIdentities())
    on_member = (*fence.member_kinds(), *namespaces, *identity, there.namespace(), *there.manifests())
    planned += [Made(name, path_of(each)) for name in eyes.regions for each in on_member]
    for made in planned:
        if await _there(eyes, made):
            raise Failure(
                f"{made.path} is on {made.cluster} already. The demo changes nothing that was there before: use clusters"
                " without Domicile and without a namespace retail-banking"
            )
    journal.change_given(lambda given: replace(given, made=tuple(planned)))


async def remove(journal: Journal, given: Given, eyes: Eyes) -> None:
    """Delete the models while an operator runs, then the operator, then everything on record, last made first."""
    operators = [given]
    if given.made:
        operators.append(await _delete_models(journal, given, eyes))
    for each in operators:  # One that runs on would put back what of it is deleted.
        stop_operator(each)
    for made in reversed(given.made):
        try:
            await _client(eyes, made).raw("DELETE", made.path)
        except kube.NotFound:
            continue
    for made in given.made:
        await eventually(
            f"{made.path} is gone from {made.cluster}", lambda made=made: _gone(eyes, made), within=_GONE_WITHIN
        )


def stop_operator(given: Given) -> None:
    """End the operator that a kept or killed demo left, if it is still there."""
    operator = _operator(given.operator)
    if operator is None:
        return
    processes.send(operator, signal.SIGTERM)
    deadline = time.monotonic() + _OPERATOR_ENDS_WITHIN
    while processes.alive(operator):
        if time.monotonic() > deadline:
            processes.send(operator, signal.SIGKILL)
            return
        time.sleep(0.1)


def path_of(manifest: Mapping[str, Any]) -> str:
    """URL path of an object, for the kinds that the demo makes."""
    kind, metadata, api = manifest["kind"].lower(), manifest["metadata"], manifest["apiVersion"]
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    root = f"/api/{api}" if "/" not in api else f"/apis/{api}"
    scope = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
    return f"{root}{scope}/{plural}/{metadata['name']}"


async def _delete_models(journal: Journal, given: Given, eyes: Eyes) -> Given:
    """Only an operator may take the models' finalizers off, so one has to run. What is on record then, with that operator."""
    try:
        models = (await eyes.hub.list(observing.MODELS)).items
    except kube.NotFound:
        return given
    if not models:
        return given
    if _operator(given.operator) is None:
        given = await _start_again(journal, given, eyes)
    for each in models:
        name, namespace = each["metadata"]["name"], each["metadata"]["namespace"]
        await eyes.hub.delete(observing.MODELS, name, namespace)

    async def none_left() -> NotYet | None:
        left: Sequence[Mapping[str, Any]] = (await eyes.hub.list(observing.MODELS)).items
        return NotYet("; ".join(observing.says(each) for each in left)) if left else None

    await eventually("the demo's models are deleted", none_left, within=_GONE_WITHIN)
    return given


async def _start_again(journal: Journal, given: Given, eyes: Eyes) -> Given:
    # The people and the model do not matter for this.
    nothing = model.Trained(b"", (), (), ())
    again = world(given, None, False, journal.work, nothing)
    identity, evidence = await operating.identity(again, eyes.hub), await operating.evidence(journal.work, eyes.hub)
    running = operating.start(identity, journal.work, evidence, {}, outlive=False)
    journal.change_given(lambda given: replace(given, operator=running.process.pid))
    await operating.ready(running)
    return replace(given, operator=running.process.pid)


async def _there(eyes: Eyes, made: Made) -> bool:
    return isinstance(await _gone(eyes, made), NotYet)


async def _gone(eyes: Eyes, made: Made) -> NotYet | None:
    try:
        await _client(eyes, made).raw("GET", made.path)
    except kube.NotFound:
        return None
    return NotYet("it is still there")


def _client(eyes: Eyes, made: Made) -> kube.KubeClient:
    return eyes.hub if made.cluster == HUB else eyes.regions[made.cluster]


def _operator(pid: int) -> procfs.Process | None:
    """The operator of ours that has this id now."""
    return processes.find(pid, "domicile.cli operator")


def _namespace(name: str) -> Mapping[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _kubeconfig(path: Path | None) -> tuple[str, ...]:
    return ("--kubeconfig", str(path)) if path else ()
