"""A joined and attested fleet for the tests: builders of objects, an operator process, and waiting for what is meant."""

import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from domicile.localfleet.apiclient import ApiClient
from domicile.localfleet.fleet import Fleet
from evidence.postgresql import Server
from fleet import members

REPOSITORY = Path(__file__).parents[2]
NAMESPACE = "domicile-system"
Object = dict[str, Any]

MODELS = "/apis/domicile.dev/v1alpha1/namespaces/{namespace}/sovereignmodels"
CLUSTERS = "/apis/domicile.dev/v1alpha1/regionalclusters"
POLICIES = "/apis/domicile.dev/v1alpha1/residencypolicies"
ATTESTATIONS = "/apis/domicile.dev/v1alpha1/clusterattestations"
SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices"

LEFT_BY_A_MODEL = (
    "/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices",
    "/apis/serving.kserve.io/v1alpha1/namespaces/{namespace}/servingruntimes",
    "/apis/apps/v1/namespaces/{namespace}/deployments",
    "/apis/apps/v1/namespaces/{namespace}/replicasets",
    "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
    "/api/v1/namespaces/{namespace}/services",
    "/api/v1/namespaces/{namespace}/pods",
    "/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies",
)
"""Where things of a model are on a member, apart from its ServiceAccount."""


def eventually(look: Callable[[], Any], *, within: float, what: str) -> Any:
    """The first truthy answer. A time-out says what was seen last."""
    deadline, seen = time.monotonic() + within, None
    while time.monotonic() < deadline:
        seen = look()
        if seen:
            return seen
        time.sleep(0.05)
    raise AssertionError(f"not within {within:.0f} s: {what}; last seen: {seen!r}")


@dataclass(frozen=True)
class World:
    """The fleet as a test sees it. A test has a namespace of its own on the hub, which is its namespace on members too."""

    fleet: Fleet
    state: Path
    """A directory for logs of operators."""

    database: Server | None = None
    """Where decisions are recorded; None on a machine without PostgreSQL: in a directory, for one operator at a time."""

    @property
    def evidence(self) -> str:
        """The hub's log, of all operators of the session."""
        return self.database.url if self.database else str(self.state / "evidence")

    @property
    def evidence_of_singapore(self) -> str:
        """Where details of its clusters are kept, of which the log has what they hash to."""
        return self.database.url if self.database else str(self.state / "evidence-sg")

    @property
    def evidence_key(self) -> Path:
        return self.state / "evidence-key.pem"

    @property
    def hub_uid(self) -> str:
        return self.hub.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]

    @property
    def hub(self) -> ApiClient:
        return self.fleet.hub.api()

    def member(self, name: str) -> ApiClient:
        return self.fleet.regions[name].api()

    def intruder(self, name: str, user: str = members.USER, *groups: str) -> ApiClient:
        """A member, for somebody whom its fence does not stop: see members.intruder."""
        return members.intruder(self.fleet.regions[name], user, *groups)

    @contextmanager
    def a_model_in_singapore(self, prefix: str, operator: "OperatorProcess") -> Iterator[str]:
        """The namespace of a model that serves there, for all tests of a module; the operator runs when it comes and when it goes."""
        operator.resume()
        name = f"{prefix}-{secrets.token_hex(4)}"
        self.hub.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self.hub.apply(policy(name, name, "SG"))
        self.model(name)
        self.ready(name, on="sg")
        yield name
        operator.resume()
        self.delete(name)
        self.gone(name)
        self.end_policy(name)
        self.hub.delete(f"/api/v1/namespaces/{name}")
        self.member("sg").delete(f"/api/v1/namespaces/{name}")

    def cli(self, *arguments: str) -> str:
        """Run the command; fails with what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "domicile.cli", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"domicile {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def join(self, name: str) -> None:
        region = self.fleet.regions[name]
        self.cli(
            "cluster", "join", name,
            "--kubeconfig", str(region.kubeconfig), "--context", region.context,
            "--hub-kubeconfig", str(self.fleet.hub.kubeconfig), "--hub-context", self.fleet.hub.context,
        )  # fmt: skip

    def attest(self, name: str, place: str, **changes: Any) -> Object:
        uid = self.fleet.clusters[name].kube_system_uid
        return self.hub.apply(attestation(name, uid, place, **changes))

    def model(self, namespace: str, name: str = "scorer", **spec: Any) -> Object:
        """A model that any cluster can run, applied. `spec` replaces whole fields."""
        return self.hub.apply(self.model_manifest(namespace, name, **spec))

    def model_manifest(self, namespace: str, name: str = "scorer", **spec: Any) -> Object:
        digest = "sha256:" + "ab" * 32
        return {
            "apiVersion": "domicile.dev/v1alpha1",
            "kind": "SovereignModel",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "dataClasses": ["customer.pii"],
                "modelFormat": {"name": "softmax-json"},
                "storageUri": f"oci://registry.example/models/iris@{digest}",
                "runtime": {"image": f"registry.example/serving/softmax@{digest}"},
                **spec,
            },
        }

    def get(self, namespace: str, name: str = "scorer") -> Object | None:
        return self.hub.find(f"{MODELS.format(namespace=namespace)}/{name}")

    def end_policy(self, name: str) -> None:
        """Delete a policy that models may run under."""
        path = f"{POLICIES}/{name}"
        self.hub.merge(path, {"metadata": {"annotations": {"domicile.dev/confirmed-deletion": "the test has ended"}}})
        self.hub.delete(path)

    def delete(self, namespace: str, name: str = "scorer") -> None:
        self.hub.delete(f"{MODELS.format(namespace=namespace)}/{name}")

    def ready(self, namespace: str, name: str = "scorer", *, on: str | None = None, within: float = 60) -> Object:
        """Wait until the model serves, on that cluster if one is given, and on no other."""

        def look() -> Object | None:
            model = self.get(namespace, name)
            ready = condition(model, "Ready")
            if ready["status"] != "True" or (on and (model or {})["status"]["placedOn"] != on):
                raise _NotYet(f"Ready {ready}, placed on {(model or {}).get('status', {}).get('placedOn')}")
            return model

        return self._until(look, within, f"{namespace}/{name} serves" + (f" on {on}" if on else ""))

    def reports(
        self, namespace: str, kind: str, reason: str, name: str = "scorer", *, within: float = 30
    ) -> Mapping[str, Any]:
        """Wait until a condition has that reason."""

        def look() -> Mapping[str, Any]:
            found = condition(self.get(namespace, name), kind)
            if found["reason"] != reason:
                raise _NotYet(str(found))
            return found

        return self._until(look, within, f"{namespace}/{name}: {kind} for {reason}")

    def policy_reports(self, name: str, kind: str, status: str, *, within: float = 15) -> Mapping[str, Any]:
        """Wait until a condition of a ResidencyPolicy has that status."""

        def look() -> Mapping[str, Any]:
            found = condition(self.hub.find(f"{POLICIES}/{name}"), kind)
            if found["status"] != status:
                raise _NotYet(str(found))
            return found

        return self._until(look, within, f"ResidencyPolicy {name}: {kind} is {status}")

    def cluster_reports(self, name: str, reason: str, kind: str = "Ready", *, within: float = 15) -> Mapping[str, Any]:
        """Wait until a condition of a RegionalCluster has that reason."""

        def look() -> Mapping[str, Any]:
            found = condition(self.hub.find(f"{CLUSTERS}/{name}"), kind)
            if found["reason"] != reason:
                raise _NotYet(str(found))
            return found

        return self._until(look, within, f"RegionalCluster {name}: {kind} for {reason}")

    def gone(self, namespace: str, name: str = "scorer", *, within: float = 60) -> None:
        def look() -> bool:
            model = self.get(namespace, name)
            if model is not None:
                raise _NotYet(str((model["metadata"].get("finalizers"), condition(model, "Ready"))))
            return True

        self._until(look, within, f"{namespace}/{name} is gone")

    def left(self, member: str, namespace: str, name: str = "scorer") -> list[str]:
        """What a member has of a model, by a consistent list: kind/name."""
        found: list[str] = []
        accounts = "/api/v1/namespaces/{namespace}/serviceaccounts"
        for path in (*LEFT_BY_A_MODEL, accounts):
            url = f"{path.format(namespace=namespace)}?labelSelector=domicile.dev/model={name}"
            found += [
                f"{path.rsplit('/', 1)[1]}/{item['metadata']['name']}" for item in self.member(member).get(url)["items"]
            ]
        return found

    def pods(self, namespace: str) -> list[Object]:
        """Those of the usual model in Singapore."""
        path = f"/api/v1/namespaces/{namespace}/pods?labelSelector=domicile.dev/model=scorer"
        return self.member("sg").get(path)["items"]

    def operator_token(self, member: str) -> str:
        """The token that the operator has for a member."""
        import base64

        secret = self.hub.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/{self._kubeconfig_secret(member)}")
        config = yaml.safe_load(base64.b64decode(secret["data"]["kubeconfig"]))
        return config["users"][0]["user"]["token"]

    def _kubeconfig_secret(self, member: str) -> str:
        return self.hub.get(f"{CLUSTERS}/{member}")["spec"]["kubeconfigSecretRef"]["name"]

    def post_as(self, member: str, token: str, path: str, manifest: Object) -> int:
        """POST to a member with a token; the status of the answer."""
        region = self.fleet.regions[member]
        tls = ssl.create_default_context(cafile=str(region.authority))
        request = urllib.request.Request(
            f"{region.url}{path}",
            json.dumps(manifest).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, context=tls, timeout=10) as answer:
            return answer.status

    def events(self, namespace: str, name: str = "scorer") -> list[Object]:
        listed = self.hub.get(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")["items"]
        return [event for event in listed if event["regarding"].get("name") == name]

    def _until(self, look: Callable[[], Any], within: float, what: str) -> Any:
        deadline, last = time.monotonic() + within, "nothing"
        while time.monotonic() < deadline:
            try:
                return look()
            except _NotYet as not_yet:
                last = str(not_yet)
            time.sleep(0.05)
        raise AssertionError(f"not within {within:.0f} s: {what}; last seen: {last}")

    @contextmanager
    def operator(self, name: str = "operator", *more: str, module: str = "domicile.cli") -> "Iterator[OperatorProcess]":
        """An operator process under the chart's own identity and rights; stopped at the end."""
        process = OperatorProcess(self, name, more, module)
        try:
            yield process.start()
        finally:
            process.stop()


class _NotYet(Exception):
    pass


@dataclass
class OperatorProcess:
    """`domicile operator` as a process of this machine."""

    world: World
    name: str
    more: tuple[str, ...] = ()
    module: str = "domicile.cli"
    environment: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> Path:
        return self.world.state / f"{self.name}.log"

    def start(self, **environment: str) -> "OperatorProcess":
        assert self.process is None or self.process.poll() is not None, "it runs already"
        arguments = [
            sys.executable, "-m", self.module, "operator", "--namespace", NAMESPACE, "--identity", self.name,
            "--kubeconfig", str(self.world.state / "operator.kubeconfig"), "--health-port", "0",
            "--evidence", self.world.evidence, "--evidence-key", str(self.world.evidence_key),
            "--evidence-region", f"SG={self.world.evidence_of_singapore}", *self.more,
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment, **environment}, start_new_session=True,
            )  # fmt: skip
        return self

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self.process.poll() if self.process is not None else None

    def resume(self) -> None:
        """Start it if it does not run."""
        if self.process is None or self.process.poll() is not None:
            self.start()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def wait(self, within: float) -> int:
        assert self.process is not None
        return self.process.wait(within)

    def stop(self) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the operator did not stop within 20 s:\n{self.tail()}") from None

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text().splitlines()[-lines:])


def condition(model: Object | None, kind: str) -> Mapping[str, Any]:
    """The condition, or one that says it is not there."""
    conditions = ((model or {}).get("status") or {}).get("conditions", [])
    return next(
        (c for c in conditions if c["type"] == kind), {"status": "", "reason": "" if model else "Gone", "message": ""}
    )


def attestation(name: str, uid: str, place: str, **changes: Any) -> Object:
    """Governance says that all of a cluster is in one place, for years."""
    dimensions = ("workers", "controlPlane", "operator", "operatorParent", "keyStore", "telemetry")
    facts: Object = {dimension: {"jurisdiction": place} for dimension in dimensions}
    return {
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "ClusterAttestation",
        "metadata": {"name": name},
        "spec": {
            "clusterRef": {"name": name, "uid": uid},
            "facts": facts | {"registries": [{"host": "registry.example", "jurisdiction": place}]},
            "evidence": {"reference": "contract 17, clause 4"},
            "validFrom": "2026-01-01T00:00:00Z",
            "validUntil": "2036-01-01T00:00:00Z",
            **changes,
        },
    }


HUB_STANDS_IN = "SG"


def policy(
    name: str, namespace: str, *places: str, data_classes: tuple[str, ...] = ("customer.pii",), **spec: Any
) -> Object:
    """Models of one namespace may be in these places, with all that belongs to them; the hub is where it is. `spec` are
    further fields."""
    dimensions = ("workers", "controlPlane", "operator", "operatorParent", "keyStore", "registry", "telemetry")
    return {
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "ResidencyPolicy",
        # Models may run under it: a change is confirmed, each by a reason of its own.
        "metadata": {
            "name": name,
            "annotations": {"domicile.dev/confirmed-change": f"from now on {', '.join(places)} {json.dumps(spec)}"},
        },
        "spec": {
            "appliesTo": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "dataClasses": list(data_classes),
            },
            "allow": {**{dimension: list(places) for dimension in dimensions}, "hub": [HUB_STANDS_IN]},
            **spec,
        },
    }


def audit(path: Path) -> list[Object]:
    """The lines of an API server's audit log."""
    lines = path.read_text().splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]
