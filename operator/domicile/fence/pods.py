"""What a pod in a managed namespace may be: what the AdmissionGrant there says of its model, until it ends, and nothing besides."""

from collections.abc import Iterable
from typing import Final

from domicile.api import GRANTS, AdmissionGrant
from domicile.fence import cel
from domicile.fence.policy import Params, Policy, Rule, Validation

MODEL: Final = "domicile.dev/model"
MODEL_UID: Final = "domicile.dev/model-uid"
"""Labels of a pod that say whose it is. All else about it follows from the grant of that model, so that lying gains nothing."""
MOUNTED_UNDER: Final = "^/mnt/[a-z0-9]([-a-z0-9_/]*[a-z0-9])?$"
"""Where volumes are mounted: over no program of the image."""
ENVIRONMENT: Final = ("INFERENCE_SERVICE_NAME",)
"""Variables that KServe 0.20 sets."""
POD_FIELDS: Final = (
    "automountServiceAccountToken",
    "containers",
    "dnsPolicy",
    "enableServiceLinks",
    "imagePullSecrets",
    "nodeSelector",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "restartPolicy",
    "schedulerName",
    "securityContext",
    "serviceAccount",
    "serviceAccountName",
    "terminationGracePeriodSeconds",
    "tolerations",
    "volumes",
)
"""Fields of a pod's spec that it may have at its creation: what KServe and the API server set. What Kubernetes may add in a later
version is refused until it is looked at. Pod Security `restricted` says more about some of them."""
CONTAINER_FIELDS: Final = (
    "args",
    "command",
    "env",
    "image",
    "imagePullPolicy",
    "livenessProbe",
    "name",
    "ports",
    "readinessProbe",
    "resources",
    "securityContext",
    "startupProbe",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "volumeMounts",
)
_FIXED: Final = {"dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler"}
_FIXED_OF_CONTAINER: Final = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
"""Otherwise a file of the container's, or what it prints, can be read in the status of the pod."""


def grants_policy() -> Policy:
    """Holds each new pod against the grant of its model."""
    validations = (
        Validation(
            "request.operation == 'CREATE' || object.spec == oldObject.spec",
            "'a pod in a namespace of Domicile stays what it was admitted as'",
        ),
        Validation(
            "variables.granted.size() == 1",
            "'no model ' + variables.model + ' (UID ' + variables.uid + ') is granted in this namespace'",
        ),
        *(
            Validation(
                f"request.operation != 'CREATE' || variables.granted.size() != 1 || ({each.expression})", each.message
            )
            for each in _of_the_grant()
        ),
    )
    return Policy(
        short="grants",
        about="In managed namespaces, refuses pods that the AdmissionGrant there does not grant.",
        rules=(Rule(("",), ("pods",), ("CREATE", "UPDATE"), "Namespaced"),),
        variables={
            "model": f"object.metadata.?labels[?{cel.string(MODEL)}].orValue('')",
            "uid": f"object.metadata.?labels[?{cel.string(MODEL_UID)}].orValue('')",
            "granted": "params.spec.?models.orValue([]).filter(m, m.name == variables.model && m.uid == variables.uid)",
            "grant": "variables.granted[0]",
        },
        validations=validations,
        in_managed_namespaces=True,
        conditions={"changes": "request.operation == 'CREATE' || object.spec != oldObject.spec"},
        params=Params(AdmissionGrant.info.kind, GRANTS),
    )


def _of_the_grant() -> Iterable[Validation]:
    """What must hold of a new pod whose model is granted."""
    pod, grant = "object.spec", "variables.grant"
    yield Validation(
        f"timestamp(object.metadata.creationTimestamp) < timestamp({grant}.notAfter)",
        f"'what model ' + variables.model + ' is granted ended at ' + string({grant}.notAfter)",
    )
    yield _only(pod, POD_FIELDS, "pod")
    yield _fixed(pod, _FIXED, "pod")
    yield Validation(
        f"{pod}.?serviceAccountName.orValue('') == {grant}.serviceAccountName",
        f"'ServiceAccount ' + {pod}.?serviceAccountName.orValue('') + ' is not granted: ' + {grant}.serviceAccountName + ' is'",
    )
    yield Validation(
        f"{grant}.?nodeSelector.orValue({{}}).all(k, {pod}.?nodeSelector[?k].orValue('') == {grant}.nodeSelector[k])",
        "'the pod must select its nodes by the labels that the grant names'",
    )
    yield Validation(
        f"{pod}.?imagePullSecrets.orValue([]).all(s, s.?name.orValue('') in {grant}.?secrets.orValue([]))",
        "'the pod must pull with no Secret that is not granted'",
    )
    yield Validation(
        f"{pod}.containers.all(c, {grant}.containers.exists(g, g.name == c.name && g.image == c.?image.orValue('')"
        " && g.?command.orValue([]) == c.?command.orValue([]) && g.?args.orValue([]) == c.?args.orValue([])))",
        f"'not granted: a container with this image, command and arguments (' + {pod}.containers.map(c, c.name + ': '"
        " + c.?image.orValue('')).join(', ') + ')'",
    )
    yield from (_of_each_container(each) for each in _of_containers())
    yield Validation(
        f"{pod}.?volumes.orValue([]).all(v, v.all(k, k in ['name', 'image', 'secret'])"
        f" && (!has(v.image) || v.image.?reference.orValue('') in {grant}.?imageVolumes.orValue([]))"
        f" && (!has(v.secret) || v.secret.?secretName.orValue('') in {grant}.?secrets.orValue([])))",
        "'not granted: one of the volumes ' + object.spec.?volumes.orValue([]).map(v, v.name).join(', ')",
    )


def _of_containers() -> Iterable[Validation]:
    yield _only("c", CONTAINER_FIELDS, "container")
    yield _fixed("c", _FIXED_OF_CONTAINER, "container")
    yield Validation(
        f"c.?env.orValue([]).all(e, e.name in {cel.strings(ENVIRONMENT)} && !has(e.valueFrom))",
        "'a container must have no environment variables besides those that KServe sets'",
    )
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        yield Validation(
            f"!has(c.{probe}) || (has(c.{probe}.httpGet) && !has(c.{probe}.httpGet.host))",
            "'a container must be probed by HTTP, at its own address'",
        )
    yield Validation("c.?ports.orValue([]).all(p, !has(p.hostPort))", "'a container must have no port of its node'")
    yield Validation(
        f"c.?volumeMounts.orValue([]).all(m, m.mountPath.matches({cel.string(MOUNTED_UNDER)}))",
        "'a container must mount its volumes under /mnt'",
    )


def _of_each_container(check: Validation) -> Validation:
    return Validation(f"object.spec.containers.all(c, {check.expression})", check.message)


def _only(what: str, fields: Iterable[str], name: str) -> Validation:
    return Validation(
        f"{what}.all(k, k in {cel.strings(fields)})",
        f"'a {name} in a namespace of Domicile has one of these fields alone: {', '.join(fields)}'",
    )


def _fixed(what: str, fields: dict[str, str], name: str) -> Validation:
    each = (f"{what}.?{field}.orValue('') == {cel.string(value)}" for field, value in fields.items())
    said = ", ".join(f"{field} {value}" for field, value in fields.items())
    return Validation(" && ".join(each), f"'a {name} in a namespace of Domicile has {said}'")
