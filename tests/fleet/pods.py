"""Pods that differ from the one that a model is granted, each in one thing: what a controller would make that was lied to, or whose
identity somebody has got hold of."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
OTHER = "registry.example/serving/other@sha256:" + "ef" * 32
EXEC = {"exec": {"command": ["sh", "-c", "id"]}}


@dataclass(frozen=True)
class Odd:
    """One thing that is not granted, and part of what the refusal says."""

    change: Callable[[Object], None]
    says: str


def granted(live: Object) -> Object:
    """The pod as its controller made it, from one that runs."""
    meta, spec = live["metadata"], copy.deepcopy(live["spec"])
    spec.pop("nodeName")
    labels = {key: value for key, value in meta["labels"].items() if not key.startswith("topology.kubernetes.io/")}
    made = {"generateName": meta["generateName"], "namespace": meta["namespace"], "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": spec}


def _set(*path: str | int, to: Any) -> Callable[[Object], None]:
    """Set a field; None takes it away."""

    def change(pod: Object) -> None:
        at: Any = pod
        for step in path[:-1]:
            at = at[step]
        if to is None:
            del at[path[-1]]
        else:
            at[path[-1]] = to

    return change


def _in_container(**fields: Any) -> Callable[[Object], None]:
    return lambda pod: pod["spec"]["containers"][0].update(fields)


def _in_pod(**fields: Any) -> Callable[[Object], None]:
    return lambda pod: pod["spec"].update(fields)


def _more(kind: str, **fields: Any) -> Callable[[Object], None]:
    """Another container, like the first but for some fields, without what two cannot both have."""

    def change(pod: Object) -> None:
        first = {k: v for k, v in pod["spec"]["containers"][0].items() if k not in ("ports", "readinessProbe")}
        pod["spec"].setdefault(kind, []).append({**first, **fields})

    return change


def _volume(**source: Any) -> Callable[[Object], None]:
    return lambda pod: pod["spec"]["volumes"].append({"name": "more", **source})


CONTAINERS, FIELDS, VOLUMES = (
    "not granted: a container",
    "has one of these fields alone",
    "not granted: one of the volumes",
)
TOKEN = {"sources": [{"serviceAccountToken": {"path": "token", "audience": "vault"}}]}

ODD: Mapping[str, Odd] = {
    "another image": Odd(_in_container(image=OTHER), CONTAINERS),
    "the image by its tag": Odd(_in_container(image="registry.example/serving/softmax:latest"), CONTAINERS),
    "another command": Odd(_in_container(command=["sh", "-c", "id"]), CONTAINERS),
    "other arguments": Odd(_in_container(args=["--model_dir=/proc"]), CONTAINERS),
    "no arguments": Odd(_set("spec", "containers", 0, "args", to=None), CONTAINERS),
    "a container of another name": Odd(_in_container(name="server"), CONTAINERS),
    "a second container": Odd(_more("containers", name="side"), CONTAINERS),
    "an init container": Odd(_more("initContainers", name="first"), FIELDS),
    "a sidecar": Odd(_more("initContainers", name="side", restartPolicy="Always"), FIELDS),
    "a variable that loads a library": Odd(
        _in_container(env=[{"name": "LD_PRELOAD", "value": "/mnt/models/x.so"}]), "environment variables"
    ),
    "a variable from elsewhere": Odd(
        _in_container(
            env=[{"name": "INFERENCE_SERVICE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}]
        ),
        "environment variables",
    ),
    "variables out of a Secret": Odd(_in_container(envFrom=[{"secretRef": {"name": "keys"}}]), FIELDS),
    "a command when it has started": Odd(_in_container(lifecycle={"postStart": EXEC}), FIELDS),
    "a probe that runs a command": Odd(_in_container(livenessProbe=EXEC), "probed by HTTP"),
    "a probe by gRPC": Odd(_in_container(startupProbe={"grpc": {"port": 8080}}), "probed by HTTP"),
    "a file of the model in the pod's status": Odd(
        _in_container(terminationMessagePath="/mnt/models/weights"), "terminationMessagePath"
    ),
    "its last words in the pod's status": Odd(
        _in_container(terminationMessagePolicy="FallbackToLogsOnError"), "terminationMessagePolicy"
    ),
    "a terminal": Odd(_in_container(stdin=True, tty=True), FIELDS),
    "another working directory": Odd(_in_container(workingDir="/mnt/models"), FIELDS),
    "the model over the server's programs": Odd(
        _in_container(volumeMounts=[{"name": "mnt-models", "mountPath": "/usr/bin"}]), "under /mnt"
    ),
    "the same, by a way round": Odd(
        _in_container(volumeMounts=[{"name": "mnt-models", "mountPath": "/mnt/../usr/bin"}]), "under /mnt"
    ),
    "another artifact as the model": Odd(_set("spec", "volumes", 0, "image", "reference", to=OTHER), VOLUMES),
    "one more artifact": Odd(_volume(image={"reference": OTHER}), VOLUMES),
    "a Secret": Odd(_volume(secret={"secretName": "keys-of-another-model"}), VOLUMES),
    "a token for the Vault": Odd(_volume(projected=TOKEN), VOLUMES),
    "a ConfigMap": Odd(_volume(configMap={"name": "programs"}), VOLUMES),
    "a volume that stays": Odd(_volume(persistentVolumeClaim={"claimName": "copy"}), VOLUMES),
    "room to write": Odd(_volume(emptyDir={}), VOLUMES),
    "another ServiceAccount": Odd(_in_pod(serviceAccountName="default", serviceAccount="default"), "ServiceAccount"),
    "another registry's credential": Odd(_in_pod(imagePullSecrets=[{"name": "of-others"}]), "no Secret"),
    "a node that nobody chose": Odd(_in_pod(nodeName="sg-h100-0"), FIELDS),
    "another scheduler": Odd(_in_pod(schedulerName="mine"), "schedulerName"),
    "names of its own": Odd(_in_pod(hostAliases=[{"ip": "203.0.113.7", "hostnames": ["vault"]}]), FIELDS),
    "another resolver": Odd(_in_pod(dnsPolicy="None", dnsConfig={"nameservers": ["203.0.113.7"]}), FIELDS),
    "processes shared": Odd(_in_pod(shareProcessNamespace=True), FIELDS),
    "an end that stays": Odd(_in_pod(restartPolicy="Never"), "restartPolicy"),
    "no label of a model": Odd(_set("metadata", "labels", "domicile.dev/model", to=None), "no model"),
    "another model's label": Odd(_set("metadata", "labels", "domicile.dev/model", to="other"), "no model other"),
    "the label of an earlier model of that name": Odd(
        _set("metadata", "labels", "domicile.dev/model-uid", to="11111111-1111-1111-1111-111111111111"), "no model"
    ),
}
"""By what is odd about it."""
