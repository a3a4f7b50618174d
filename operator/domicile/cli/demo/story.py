"""The story, step by step. Each step does what a person would do, and then looks whether it came true."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domicile import kube
from domicile.cli.demo import model, observing, operating, texts
from domicile.cli.demo.narration import Narrator
from domicile.cli.demo.observing import HELD, MODEL, NAMESPACE, Object
from domicile.cli.demo.waiting import NotObserved, NotYet, eventually
from domicile.cli.demo.world import Eyes, Region, World

TOLERANCE: Final = 1e-6
_READY_WITHIN: Final = 90.0
_GONE_WITHIN: Final = 90.0
_SOON: Final = 30.0
_EXCEPTED_FOR: Final = timedelta(hours=1)
_LEAST_GPU_MIB: Final = 16 * 1024

MODEL_FILE: Final = "fraud-scorer.yaml"
HELD_FILE: Final = "churn-forecast.yaml"
POLICY_FILE: Final = "retail-customer-data.yaml"
CHECKPOINT: Final = "checkpoint.txt"


@dataclass
class Stage:
    """What every step has at hand."""

    world: World
    eyes: Eyes
    say: Narrator
    accelerators: bool = True
    """Whether the regions have accelerators to ask for."""

    def eye(self, region: Region) -> kube.KubeClient:
        """The connection to a region."""
        return self.eyes.regions[region.name]

    def write(self, name: str, text: str) -> None:
        """Put a file where the people find it."""
        (self.world.work / name).write_text(text)


Step = tuple[str, Callable[[Stage], Awaitable[None]]]


async def platform_joins(on: Stage) -> None:
    """Three RegionalClusters, each seen to be reached by the operator."""
    hub_of = ("--hub-context", on.world.hub_context)
    lines = [("cluster", "join", r.name, "--context", r.context, *hub_of) for r in on.world.regions]
    answers = await asyncio.gather(*(on.world.platform.domicile(*line) for line in lines))
    for region, line, answer in zip(on.world.regions, lines, answers, strict=True):
        on.say.command(on.world.platform.name, f"domicile {' '.join(line)}")
        if answer.code != 0:
            raise NotObserved(
                f"joining {region.name} ended with exit code {answer.code}:\n     {answer.stderr.strip()}"
            )
        on.say.output("\n".join(line for line in answer.stdout.splitlines() if line.startswith(f"{region.name} is ")))
    clusters = await asyncio.gather(*(_reached(on, region) for region in on.world.regions))
    await on.world.platform.shows(on.say, "get", "regionalclusters")
    on.say.seen(f"the hub reaches {len(clusters)} regional clusters and knows each by its kube-system UID")
    homes = [cluster for cluster in clusters if cluster["metadata"]["name"] in _homes(on)]
    on.accelerators = all(observing.has_accelerators(cluster, _LEAST_GPU_MIB) for cluster in homes)


async def governance_decides(on: Stage) -> None:
    """An attestation for each cluster, one for the hub, and a policy."""
    # On one machine one registry stands for one in each country.
    pulled = (on.world.model_image, on.world.server_image)
    for region in on.world.regions:
        cluster = await on.eyes.hub.get(observing.CLUSTERS, region.name)
        uid = cluster["spec"]["clusterUID"]
        on.write(f"attestation-{region.name}.yaml", texts.attestation(region.code, uid, pulled))
    hub = (await on.eyes.hub.get(kube.NAMESPACES, "kube-system"))["metadata"]["uid"]
    on.write("attestation-hub.yaml", texts.hub_attestation(_hub(on), hub))
    on.write(POLICY_FILE, texts.policy(on.world.home.code, _hub(on)))
    files = [f"attestation-{name}.yaml" for name in (*(region.name for region in on.world.regions), "hub")]
    await on.world.governance.shows(on.say, "apply", *(f"--filename={file}" for file in (*files, POLICY_FILE)))
    await on.world.governance.shows(on.say, "get", "clusterattestations,residencypolicies")
    await _team_is_refused(on)


async def team_asks(on: Stage) -> None:
    """The model becomes ready in the first region, and the reasons are told."""
    on.write(
        MODEL_FILE,
        texts.fraud_scorer(on.world.model_image, on.world.server_image, accelerators=on.accelerators),
    )
    await on.world.team.shows(on.say, "apply", f"--filename={MODEL_FILE}")
    settled = await _settles(on, on.world.home)
    await on.world.team.shows(on.say, "get", "sovereignmodels", f"--namespace={NAMESPACE}")
    on.say.seen(f"{MODEL} is {_state(on)} in {on.world.home.country} ({observing.says(settled)})")
    await _reasons(on, settled)
    await _nothing_elsewhere(on, on.world.home)


async def right_node(on: Stage) -> None:
    """The pod stands on a node that has what was asked for, because its nodeSelector says so."""
    if not on.accelerators:
        on.say.skip("the node's accelerators", "not all of the given clusters have any, so the model asks for none")
        return
    home = on.world.home
    where = (f"--namespace={NAMESPACE}", f"--selector={observing.MODEL_LABEL}={MODEL}")
    columns = "NAME:.metadata.name,PHASE:.status.phase,NODE:.spec.nodeName,SELECTOR:.spec.nodeSelector"
    await home.admin.shows(on.say, "get", "pods", *where, f"--output=custom-columns={columns}")
    pods = await observing.pods_of(on.eye(home), MODEL)
    if not pods:
        raise NotObserved(f"no pod of {MODEL} is on {home.name}")
    for pod in pods:
        node = await on.eye(home).get(kube.NODES, pod["spec"]["nodeName"])
        _check_node(pod, node)
        labels = node["metadata"]["labels"]
        product, memory = labels["nvidia.com/gpu.product"], labels["nvidia.com/gpu.memory"]
        on.say.seen(f"it is on {node['metadata']['name']}: {product} with {memory} MiB, at least 16 GiB were asked for")


async def prediction(on: Stage) -> None:
    """A request through the API server to the pod, and scikit-learn's own answer beside it."""
    if on.world.no_prediction:
        on.say.skip("the prediction", on.world.no_prediction)
        return
    home, trained = on.world.home, on.world.trained
    pods = await observing.pods_of(on.eye(home), MODEL)
    if not pods:
        raise NotObserved(f"no pod of {MODEL} is on {home.name}")
    pod, node = pods[0]["metadata"]["name"], pods[0]["spec"]["nodeName"]
    if observing.is_simulated(await on.eye(home).get(kube.NODES, node)):
        if on.world.real_node:
            raise NotObserved(f"pod {pod} is on {node}, which is simulated, although {on.world.real_node} is real")
        on.say.skip("the prediction", f"node {node} is simulated by kwok, and its pods answer nothing")
        return
    on.write("request.json", json.dumps(model.request(trained.rows)))
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/v2/models/{MODEL}"
    await _may_ask(on, home, path)
    answer = await home.admin.shows(on.say, "create", f"--raw={path}/infer", "--filename=request.json")
    got, off = _compared(answer, trained)
    for row, mine, its in zip(trained.rows, got, trained.expected, strict=True):
        best = trained.classes[max(range(len(mine)), key=mine.__getitem__)]
        on.say.output(f"{list(row)} -> {best}: served {_shown(mine)}, scikit-learn {_shown(its)}")
    if off > TOLERANCE:
        raise NotObserved(
            f"the served probabilities differ from scikit-learn's by {off:.1e}, more than {TOLERANCE:.0e}"
        )
    on.say.seen(f"the prediction served in {home.country} is scikit-learn's own (largest difference {off:.1e})")


async def _may_ask(on: Stage, region: Region, path: str) -> None:
    """Nobody connects to a running model without an exception, which names who, where, how, until when and why."""
    refused = await region.admin.kubectl("get", f"--raw={path}")
    if refused.code == 0 or "connect.fence.domicile.dev" not in refused.stderr:
        raise NotObserved(
            f"without an exception {region.admin.name} is not refused by the fence: {refused.stderr.strip()}"
        )
    on.say.seen(
        f"without an exception {region.admin.name} may not ask it through the API server: {refused.stderr.strip()}"
    )
    who = await region.admin.kubectl("auth", "whoami", "--output=jsonpath={.status.userInfo.username}")
    if who.code != 0:
        raise NotObserved(f"who {region.admin.name} is for {region.name} cannot be told: {who.stderr.strip()}")
    exception = {
        "user": who.stdout.strip(),
        "namespaces": [NAMESPACE],
        "ways": ["proxy"],
        "notAfter": kube.rfc3339(kube.system_clock() + _EXCEPTED_FOR),
        "reason": "compares a prediction with the one of scikit-learn",
    }
    change = json.dumps({"spec": {"connections": [exception]}})
    await on.world.platform.shows(on.say, "patch", "regionalclusters", region.name, "--type=merge", f"--patch={change}")

    async def excepted() -> str | NotYet:
        answer = await region.admin.kubectl("get", f"--raw={path}")
        return answer.stdout if answer.code == 0 else NotYet(answer.stderr.strip())

    await eventually(f"{exception['user']} may ask the model in {region.country}", excepted, within=_SOON)


async def held_without_policy(on: Stage) -> None:
    """A model whose data class no policy covers is held, and nothing of it is anywhere."""
    on.write(HELD_FILE, texts.churn_forecast(on.world.model_image, on.world.server_image))
    await on.world.team.shows(on.say, "apply", f"--filename={HELD_FILE}")

    async def held() -> Object | NotYet:
        found = await observing.find_model(on.eyes.hub, HELD)
        reason = observing.condition(found, "Ready").get("reason") if found else None
        return found if found and reason == "NoMatchingPolicy" else NotYet(observing.says(found))

    settled = await eventually(f"{HELD} is held with the reason NoMatchingPolicy", held, within=_SOON)
    await on.world.team.shows(on.say, "get", "sovereignmodels", f"--namespace={NAMESPACE}", "--output=wide")
    if observing.placed(settled):
        raise NotObserved(f"{HELD} is held and yet has placements: {observing.placed(settled)}")
    for region in on.world.regions:
        if there := await observing.left_of(on.eye(region), HELD):
            raise NotObserved(f"{HELD} is held, and yet {region.name} has {', '.join(there)}")
    on.say.seen(f"{HELD} is held ({observing.says(settled)}), and no cluster has anything of it")


async def policy_changes(on: Stage) -> None:
    """The policy moves to the second region, and the model with it."""
    old, new = on.world.home, on.world.next_home
    # Models run under it: a change has to be confirmed, and the reason is on record.
    why = f"the data moves to {new.country}, decided by the board"
    on.write(POLICY_FILE, texts.policy(new.code, _hub(on), why))
    await on.world.governance.shows(on.say, "apply", f"--filename={POLICY_FILE}")
    settled, _ = await asyncio.gather(_settles(on, new), _empty(on, old))
    if there := await observing.left_of(on.eye(old), MODEL):
        raise NotObserved(f"{old.name} has {', '.join(there)} of {MODEL} again")
    await on.world.team.shows(on.say, "get", "sovereignmodels", MODEL, f"--namespace={NAMESPACE}")
    on.say.seen(f"{MODEL} is {_state(on)} in {new.country} ({observing.says(settled)})")
    on.say.seen(f"{old.country} has nothing of it any more: {_kinds()} were listed")
    await _reasons(on, settled)
    await _nothing_elsewhere(on, new)


async def team_deletes(on: Stage) -> None:
    """The member is emptied first, and only then does the hub let the object go."""
    home = on.world.next_home
    before = await observing.left_of(on.eye(home), MODEL)
    if not before:
        raise NotObserved(f"{home.name} has nothing of {MODEL} although it runs there")
    await on.world.team.shows(
        on.say, "delete", "sovereignmodel", MODEL, HELD, f"--namespace={NAMESPACE}", "--wait=false"
    )
    held_back = False

    async def gone() -> NotYet | None:
        nonlocal held_back
        # The member first, the hub after it: a finalizer that is seen now was there when the member was looked at.
        there = await observing.left_of(on.eye(home), MODEL)
        found = await observing.find_model(on.eyes.hub, MODEL)
        released = found is None or observing.FINALIZER not in (found["metadata"].get("finalizers") or ())
        if not released:
            held_back = held_back or bool(there)
            return NotYet(f"{home.name} has {', '.join(there) or 'nothing'}; {observing.says(found)}")
        if now := await observing.left_of(on.eye(home), MODEL):
            raise NotObserved(f"the finalizer went while {home.name} still had {', '.join(now)}")
        return None if found is None else NotYet("the finalizer is gone, the object is not yet")

    await eventually(f"{MODEL} is deleted", gone, within=_GONE_WITHIN)
    if not held_back:
        raise NotObserved(f"it was not seen that the finalizer waits for {home.name} to be empty")
    on.say.seen(f"while {home.name} still had {len(before)} objects of {MODEL}, the finalizer kept it on the hub")
    on.say.seen(f"when it went, {home.name} had nothing left of it ({_kinds()} were listed)")
    await on.world.team.shows(on.say, "get", "sovereignmodels", f"--namespace={NAMESPACE}")


async def auditor_looks(on: Stage) -> None:
    """With nothing but the log, its key and what a member keeps: is it whole, and would it be decided so again?"""
    log = await operating.evidence(on.world.work, on.eyes.hub)
    claim = await on.eye(on.world.home).get(observing.CLAIMS, "domicile")
    (on.world.work / CHECKPOINT).write_text(claim["spec"]["evidence"])
    options = (str(log), "--key", str(log / "key.pem"), "--checkpoint", CHECKPOINT)
    for command in ("list", "verify", "replay"):
        answer = await on.world.governance.domicile("audit", command, *options)
        on.say.command("auditor", f"domicile audit {command} {' '.join(options)}")
        if answer.code != 0:
            raise NotObserved(f"the evidence is not in order:\n     {answer.stdout}{answer.stderr}")
        on.say.output(answer.stdout.rstrip())
    on.say.seen(
        f"the log is whole, agrees with what {on.world.home.country} keeps of it, and every decision comes out the same again"
    )


def steps(world: World) -> tuple[Step, ...]:
    """The story's steps, with their titles."""
    home, next_home = world.home.country, world.next_home.country
    return (
        ("Platform registers the regional clusters", platform_joins),
        (f"Governance vouches for where each is, and keeps customer.pii in {home}", governance_decides),
        ("A bank's team asks for a model, and does not say where", team_asks),
        ("It runs on a node with the accelerator that was asked for", right_node),
        ("It answers", prediction),
        ("A model with data that no policy covers is held", held_without_policy),
        (f"Governance moves customer.pii to {next_home}", policy_changes),
        ("The team deletes its models", team_deletes),
        ("An auditor reads what was recorded", auditor_looks),
    )


def _compared(answer: str, trained: model.Trained) -> tuple[tuple[tuple[float, ...], ...], float]:
    """The served probabilities, and by how much they differ at most from scikit-learn's."""
    try:
        got = model.probabilities(json.loads(answer))
        return got, model.largest_difference(got, trained.expected)
    except ValueError as error:
        raise NotObserved(f"what the model server answered is no prediction: {error}") from error


async def _reached(on: Stage, region: Region) -> Object:
    async def look() -> Object | NotYet:
        found = await on.eyes.hub.get(observing.CLUSTERS, region.name)
        ready = observing.condition(found, "Ready").get("status") == "True"
        return found if ready else NotYet(observing.says(found))

    return await eventually(f"RegionalCluster {region.name} is ready", look, within=_SOON)


async def _team_is_refused(on: Stage) -> None:
    if on.world.team.name == on.world.governance.name:
        on.say.skip("that the team cannot write policies", "you play both, because you may not impersonate")
        return
    answer = await on.world.team.kubectl("apply", f"--filename={POLICY_FILE}", "--server-side", "--field-manager=team")
    if answer.code == 0 or "forbidden" not in answer.stderr.lower():
        raise NotObserved(
            f"the bank's team was not refused to write a ResidencyPolicy: {answer.stderr or answer.stdout}"
        )
    on.say.seen("the bank's team may not write a policy itself: the API server says Forbidden")


async def _settles(on: Stage, region: Region) -> Object:
    async def look() -> Object | NotYet:
        found = await observing.find_model(on.eyes.hub, MODEL)
        return observing.settled_on(found, region.name, serves=on.world.serves)

    what = f"{MODEL} is {_state(on)} on {region.name} and nowhere else"
    return await eventually(what, look, within=_READY_WITHIN)


async def _empty(on: Stage, region: Region) -> None:
    async def look() -> NotYet | None:
        there = await observing.left_of(on.eye(region), MODEL)
        return NotYet(f"there is {', '.join(there)}") if there else None

    await eventually(f"nothing of {MODEL} is left on {region.name}", look, within=_GONE_WITHIN)


async def _nothing_elsewhere(on: Stage, home: Region) -> None:
    others = [region for region in on.world.regions if region != home]
    for region in others:
        if there := await observing.left_of(on.eye(region), MODEL):
            raise NotObserved(f"{region.name} must have nothing of {MODEL}, and has {', '.join(there)}")
    on.say.seen(f"nothing of it is on {' or '.join(region.name for region in others)}")


async def _reasons(on: Stage, settled: Object) -> None:
    """Status and event say why this cluster, and why none of the others."""
    chosen, said = next(iter(observing.placed(settled))), observing.exclusions(settled)
    others = [region for region in on.world.regions if region.name != chosen]
    if missing := [region.name for region in others if region.name not in said]:
        raise NotObserved(f"status.exclusions gives no reason for {', '.join(missing)}: {dict(said)}")

    async def told() -> str | NotYet:
        page = await on.eyes.hub.list(kube.EVENTS, NAMESPACE)
        notes = [
            event.get("note", "")
            for event in page.items
            if event.get("reason") == "Placed" and event.get("related", {}).get("name") == chosen
        ]
        whole = [note for note in notes if all(f"not {region.name}:" in note for region in others)]
        return whole[-1] if whole else NotYet(f"events Placed about {chosen}: {notes or 'none'}")

    note = await eventually(f"an event says why {MODEL} is on {chosen} and not elsewhere", told, within=_SOON)
    on.say.says(f"event Placed: {note}")
    for region in others:
        reason, message = said[region.name]
        on.say.says(f"status, why not {region.name}: {reason}: {message}")
    on.say.seen("status and event say why there, and why not elsewhere")


def _check_node(pod: Object, node: Object) -> None:
    if not pod["spec"].get("nodeSelector"):
        raise NotObserved(f"pod {pod['metadata']['name']} has no nodeSelector: it is where it is by chance")
    if unmet := observing.unmet_selector(pod, node):
        raise NotObserved(f"node {node['metadata']['name']} does not have {', '.join(unmet)}")
    if observing.gpus_asked_for(pod) != 1:
        raise NotObserved(f"pod {pod['metadata']['name']} asks for {observing.gpus_asked_for(pod)} GPUs, not for 1")
    memory = int(node["metadata"]["labels"].get("nvidia.com/gpu.memory", 0))
    if memory < _LEAST_GPU_MIB:
        raise NotObserved(f"node {node['metadata']['name']} has GPUs with {memory} MiB, fewer than {_LEAST_GPU_MIB}")


def _homes(on: Stage) -> tuple[str, str]:
    return on.world.home.name, on.world.next_home.name


def _hub(on: Stage) -> str:
    """Where the story's hub stands, from its beginning to its end: where the policy begins."""
    return on.world.home.code


def _state(on: Stage) -> str:
    return "ready" if on.world.serves else "placed"


def _kinds() -> str:
    plurals = [kind.plural for kind in observing.OF_A_MODEL]
    return f"{', '.join(plurals[:-1])} and {plurals[-1]}"


def _shown(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.6f}" for value in values)
