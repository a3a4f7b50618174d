"""What a permit must cover before anything is written: the model, the member, the time, and every artifact that the manifests
themselves would run. Pure. It believes the manifests, and not what their author says is in them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from domicile.fence import is_managed
from domicile.fleet.errors import NotAPermit, PermitExpired, PermitMismatch
from domicile.fleet.kinds import INFERENCE_SERVICES, SERVING_RUNTIMES
from domicile.kube import NETWORK_POLICIES, SERVICE_ACCOUNTS, Object, Resource, shape
from domicile.residency import ForgedPermit, MemberId, ModelRef, Permit
from domicile.residency.canonical import digest_of
from domicile.serving import without_scheme
from domicile.serving.workload import MODEL_LABEL, MODEL_UID, Workload

KINDS: Final[Mapping[tuple[str, str], Resource]] = {
    ("v1", "ServiceAccount"): SERVICE_ACCOUNTS,
    (NETWORK_POLICIES.api_version, "NetworkPolicy"): NETWORK_POLICIES,
    (SERVING_RUNTIMES.api_version, "ServingRuntime"): SERVING_RUNTIMES,
    (INFERENCE_SERVICES.api_version, "InferenceService"): INFERENCE_SERVICES,
}
"""All that the gate writes, the namespace apart."""

_STORED_ELSEWHERE: Final = frozenset({"storage", "storageSpec", "storageKey", "modelUri", "model_uri"})
"""Further ways in which KServe's kinds name where a model is loaded from, none of them by digest."""
_INTERNAL_ANNOTATIONS: Final = "internal.serving.kserve.io/"
"""KServe's notes to its own pod webhook, among them where to load the model from."""
_COMPONENTS: Final = frozenset({"predictor"})


def covered(permit: Permit, member: MemberId, workload: Workload, now: datetime) -> None:
    """Raise unless `permit` permits writing exactly this workload to this member at `now`."""
    genuine(permit)
    in_time(permit, now)
    if permit.member != member:
        raise PermitMismatch(
            f"the permit is for {permit.member.name} (UID {permit.member.uid}), the registered member is {member.name}"
            f" (UID {member.uid})"
        )
    if permit.model != workload.model:
        raise PermitMismatch(f"the permit is for {_full(permit.model)}, the workload is of {_full(workload.model)}")
    _of_the_model(workload)
    _runtime_brought_along(workload)
    _lets_through(permit, workload)
    manifests = (workload.namespace, *workload.companions, workload.inference_service)
    would_run = {artifact for manifest in manifests for artifact in artifacts_in(manifest)}
    stray = sorted(would_run - set(permit.grounds.artifacts))
    if stray:
        raise PermitMismatch(
            f"{permit.model} would run {', '.join(stray)}, the permit allows only {', '.join(permit.grounds.artifacts)}"
        )


def genuine(permit: object) -> None:
    """Raise NotAPermit unless it is one that the residency engine made, as it made it."""
    # Python cannot forbid handing in something else, nor changing a frozen dataclass by object.__setattr__.
    if type(permit) is not Permit:
        raise NotAPermit(f"{type(permit).__name__} is no Permit of the residency engine")
    try:
        permit.verify()
    except ForgedPermit as error:
        raise NotAPermit(str(error)) from error


def in_time(permit: Permit, now: datetime) -> None:
    """Raise PermitExpired unless the permit holds at `now`."""
    if now >= permit.until:
        raise PermitExpired(permit.until, now, permit.model, permit.member)


def artifacts_in(manifest: Any) -> Iterator[str]:
    """Everything that the manifest would run or load, as registry/repository@digest where it is by digest.

    What is named in a way that is not known to be by digest is given as it stands, and so is in no permit.
    """
    if isinstance(manifest, Mapping):
        for key, value in shape.mapping(manifest).items():
            yield from _artifacts_of(key, value)
    else:
        for item in shape.items(manifest):
            yield from artifacts_in(item)


def resource_of(manifest: Object) -> Resource:
    """The kind of the manifest. PermitMismatch for kinds that the gate does not write."""
    api_version, kind = shape.text(manifest.get("apiVersion")), shape.text(manifest.get("kind"))
    try:
        return KINDS[(api_version, kind)]
    except KeyError:
        raise PermitMismatch(f"a workload must not bring a {kind or 'manifest without kind'} ({api_version})") from None


def _artifacts_of(key: str, value: Any) -> Iterator[str]:
    if key == "image" and isinstance(value, str):
        yield value
    elif key == "image" and isinstance(value, Mapping):  # A volume of type image.
        yield shape.text(shape.mapping(value).get("reference")) or "an image volume without reference"
    elif key in ("storageUri", "uri") and isinstance(value, str):
        yield without_scheme(value)
    elif key in _STORED_ELSEWHERE and value and not (key == "storage" and isinstance(value, str)):
        yield f"{key}: {value}"  # As a string, `storage` is a quantity in resources.
    elif key.startswith(_INTERNAL_ANNOTATIONS):
        yield f"{key}: {value}"
    elif key == "env":
        for variable in shape.mappings(value):
            if variable.get("name") == "STORAGE_URI":
                yield without_scheme(shape.text(variable.get("value")))
    else:
        yield from artifacts_in(value)


def _of_the_model(workload: Workload) -> None:
    model, namespace = workload.model, workload.namespace
    meta = shape.metadata(namespace)
    named = (namespace.get("apiVersion"), namespace.get("kind"), meta.get("name")) == (
        "v1",
        "Namespace",
        model.namespace,
    )
    if not named or not is_managed(shape.labels(namespace)):
        raise PermitMismatch(f"the workload's namespace is not a managed Namespace {model.namespace}")
    if resource_of(workload.inference_service) != INFERENCE_SERVICES:
        raise PermitMismatch(f"the workload of {model} has no InferenceService")
    for manifest in workload.companions:
        if resource_of(manifest) == INFERENCE_SERVICES:
            raise PermitMismatch(f"the workload of {model} has a second InferenceService")
    for manifest in (*workload.companions, workload.inference_service):
        meta, labels = shape.metadata(manifest), shape.labels(manifest)
        found = (meta.get("namespace"), meta.get("name"), labels.get(MODEL_LABEL), labels.get(MODEL_UID))
        if found != (model.namespace, model.name, model.name, model.uid):
            raise PermitMismatch(
                f"{manifest.get('kind')} {meta.get('namespace')}/{meta.get('name')} of the workload is not named and"
                f" labelled as {_full(model)}"
            )


def _runtime_brought_along(workload: Workload) -> None:
    """A runtime that the workload does not bring would run an image that nobody looked at."""
    spec = shape.mapping(workload.inference_service.get("spec"))
    strange = sorted(set(spec) - _COMPONENTS)
    if strange:
        raise PermitMismatch(f"spec.{strange[0]} of the InferenceService of {workload.model} is not known to the gate")
    model = shape.mapping(shape.mapping(spec.get("predictor")).get("model"))
    brought = {
        shape.metadata(manifest).get("name")
        for manifest in workload.companions
        if resource_of(manifest) == SERVING_RUNTIMES
    }
    if model.get("runtime") not in brought:
        raise PermitMismatch(
            f"the InferenceService of {workload.model} names the runtime {model.get('runtime')!r}, which the workload does not bring"
        )


def _lets_through(permit: Permit, workload: Workload) -> None:
    for manifest in workload.companions:
        if (
            resource_of(manifest) == NETWORK_POLICIES
            and digest_of(dict(shape.mapping(manifest.get("spec")))) != permit.grounds.network
        ):
            raise PermitMismatch(
                f"the NetworkPolicy of the workload of {permit.model} lets through what the permit does not name"
            )


def _full(model: ModelRef) -> str:
    return f"{model} (UID {model.uid})"
