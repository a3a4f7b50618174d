"""Builders of the kinds and values that tests speak of. A builder's defaults work; a test says only what matters to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from domicile import placement, residency, serving
from domicile.api import (
    ClusterAttestation,
    DataClassification,
    JurisdictionGroup,
    RegionalCluster,
    ResidencyException,
    ResidencyPolicy,
    ResidencyRecord,
    SovereignModel,
)
from domicile.api.residencyexception import APPROVED_BY, REQUESTED_BY
from domicile.residency.dimensions import WORDS

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
YESTERDAY, TOMORROW = NOW - timedelta(days=1), NOW + timedelta(days=1)
LONG_AGO, LONG_AHEAD = NOW - timedelta(days=365), NOW + timedelta(days=365)

DIGEST = "sha256:" + "1d67" * 16
IMAGE = f"registry.sg.example/serving/sklearn@{DIGEST}"
ARTIFACT = f"registry.sg.example/models/fraud@{DIGEST}"

REGISTRY = IMAGE.partition("/")[0]

_CAMEL = {dimension: words.field for dimension, words in WORDS.items()}
DIMENSIONS = tuple(dimension for dimension in WORDS if dimension != "hub")
"""What is attested of a member."""


def uid(of: str) -> str:
    """A UID that is always the same for the same name."""
    digits = residency.digest_of(of).removeprefix("sha256:")
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"


def member(name: str = "sg", *, at: str | None = None) -> residency.MemberId:
    return residency.MemberId(name, uid(at or name))


def model_ref(name: str = "fraud-scorer", namespace: str = "retail-banking") -> residency.ModelRef:
    return residency.ModelRef(namespace, name, uid(f"{namespace}/{name}"))


def model(
    name: str = "fraud-scorer",
    namespace: str = "retail-banking",
    *,
    data_classes: Sequence[str] = ("customer.pii",),
    accelerators: Mapping[str, Any] | None = None,
    replicas: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    **spec: Any,
) -> SovereignModel:
    resources = {"requests": {"cpu": "2", "memory": "4Gi"}, "accelerators": accelerators}
    return SovereignModel.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": model_ref(name, namespace).uid,
                **(metadata or {}),
            },
            "spec": {
                "dataClasses": data_classes,
                "modelFormat": {"name": "sklearn"},
                "storageUri": f"oci://{ARTIFACT}",
                "runtime": {"image": IMAGE},
                "replicas": replicas or {},
                "resources": resources,
                **spec,
            },
            "status": status,
        }
    )


def policy(
    name: str = "sg-customer-data",
    *,
    everywhere: Sequence[str] = ("SG",),
    data_classes: Sequence[str] = ("customer.pii",),
    namespaces: Mapping[str, Any] | None = None,
    rules: Sequence[Mapping[str, Any]] = (),
    spec: Mapping[str, Any] | None = None,
    **allow: Sequence[str],
) -> ResidencyPolicy:
    """Every dimension allows `everywhere`, but for those that are named, and the hub, which may be in Singapore. `spec` are
    further fields."""
    allowed: dict[str, list[str]] = (
        {"hub": ["SG"]}
        | {_CAMEL[d]: list(allow.pop(d, everywhere)) for d in DIMENSIONS}
        | {d: list(allow[d]) for d in allow}
    )
    applies_to = {"namespaceSelector": namespaces or {}, "dataClasses": data_classes}
    written = {"appliesTo": applies_to, "allow": allowed, "rules": rules, **(spec or {})}
    return ResidencyPolicy.model_validate({"metadata": {"name": name, "uid": uid(name)}, "spec": written})


def rule(name: str = "assured-cloud", expression: str | None = "true", **changed: Any) -> dict[str, Any]:
    """A house rule that denies."""
    usual = {
        "name": name,
        "onUnmet": "Deny",
        "expression": expression,
        "basis": {"type": "OrgPolicy", "source": "Data standard", "clause": "7.2", "asOf": "2026-04-01"},
    }
    return {**usual, **changed}


def record(name: str = "register-17", **changed: Any) -> ResidencyRecord:
    """An outsourcing record for the usual namespace and Singapore, approved by somebody."""
    spec = {
        "record": "outsourcing",
        "scope": {"namespaces": ["retail-banking"]},
        "countries": ["SG"],
        "reference": "register 17",
        "validFrom": LONG_AGO,
        "validUntil": LONG_AHEAD,
    }
    annotations = changed.pop("annotations", {APPROVED_BY: "gil"})
    return ResidencyRecord.model_validate(
        {"metadata": {"name": name, "annotations": annotations}, "spec": {**spec, **changed}}
    )


def exception(name: str = "ticket-4711", **changed: Any) -> ResidencyException:
    """One for the usual model on sg, asked for by ana and approved by gil."""
    spec = {
        "model": {"namespace": "retail-banking", "name": "fraud-scorer"},
        "policy": "sg-customer-data",
        "rule": "allow.telemetry",
        "cluster": {"name": "sg", "uid": uid("sg")},
        "reason": "logs leave for a week while the new sink is built",
        "reference": "ticket 4711",
        "validFrom": LONG_AGO,
        "validUntil": LONG_AHEAD,
        "approved": True,
    }
    annotations = changed.pop("annotations", {REQUESTED_BY: "ana", APPROVED_BY: "gil"})
    return ResidencyException.model_validate(
        {"metadata": {"name": name, "annotations": annotations}, "spec": {**spec, **changed}}
    )


def group(name: str = "asean", *members: str) -> JurisdictionGroup:
    return JurisdictionGroup.model_validate(
        {"metadata": {"name": name}, "spec": {"members": members or ("SG", "PH", "MY"), "source": "its charter"}}
    )


def classification(
    name: str = "bank", *, floors: Mapping[str, Sequence[str]] | None = None, orders: Sequence[Sequence[str]] = ()
) -> DataClassification:
    return DataClassification.model_validate(
        {
            "metadata": {"name": name},
            "spec": {
                "floors": [{"namespace": n, "dataClasses": c} for n, c in (floors or {}).items()],
                "orders": [{"name": f"order-{i}", "classes": list(c)} for i, c in enumerate(orders)],
            },
        }
    )


def attestation(
    name: str = "sg-2026",
    *,
    of: str = "sg",
    at: str | None = None,
    everything: str | None = "SG",
    since: datetime = LONG_AGO,
    until: datetime = LONG_AHEAD,
    host: str = REGISTRY,
    has: Mapping[str, Any] | None = None,
    **facts: str | None,
) -> ClusterAttestation:
    """Every fact says `everything`, but for those that are named; None leaves a fact out. `has` are further facts."""
    places = {d: place for d in DIMENSIONS if (place := facts.get(d, everything))}
    said: dict[str, Any] = {_CAMEL[d]: {"jurisdiction": place} for d, place in places.items() if d != "registry"}
    if "registry" in places:
        said["registries"] = [{"host": host, "jurisdiction": places["registry"]}]
    said |= has or {}
    return ClusterAttestation.model_validate(
        {
            "metadata": {"name": name, "uid": uid(name)},
            "spec": {
                "clusterRef": {"name": of, "uid": uid(at or of)},
                "facts": said,
                "evidence": {"reference": "contract 7.2"},
                "validFrom": since,
                "validUntil": until,
            },
        }
    )


def regional_cluster(name: str = "sg", **spec: Any) -> RegionalCluster:
    return RegionalCluster.model_validate(
        {
            "metadata": {"name": name, "uid": uid(f"object/{name}")},
            "spec": {"clusterUID": uid(name), "kubeconfigSecretRef": {"name": f"{name}-kubeconfig"}, **spec},
        }
    )


def asked(**changed: Any) -> residency.Asked:
    usual: dict[str, Any] = {"ref": model_ref(), "data_classes": ("customer.pii",), "artifacts": (ARTIFACT, IMAGE)}
    return residency.Asked(**{**usual, **changed})


HUB = attestation("hub-2026", of="hub")
"""Says that the hub is in Singapore."""


def with_hub(attestations: Sequence[ClusterAttestation]) -> tuple[ClusterAttestation, ...]:
    """With the usual one of the hub, unless there is another."""
    told = any(each.spec.cluster_ref.name == "hub" for each in attestations)
    return tuple(attestations) if told else (*attestations, HUB)


@dataclass(frozen=True)
class Case:
    """A state of the law and a question put to it."""

    law: residency.Law
    question: residency.Question

    def judge(self) -> residency.Judgement:
        """By an engine that was asked nothing before."""
        return residency.judge(self.law, self.question)

    def but(self, **changed: Any) -> "Case":
        """The same with fields of the law, of the question or of the model changed."""
        of_law = {name: changed.pop(name) for name in list(changed) if name in residency.Law.__dataclass_fields__}
        here = {name: changed.pop(name) for name in ("members", "now", "hub") if name in changed}
        about = replace(self.question.asked, **changed)
        if "attestations" in of_law and HUB in self.law.attestations and "hub" not in here:
            of_law["attestations"] = with_hub(of_law["attestations"])
        return Case(replace(self.law, **of_law), replace(self.question, asked=about, **here))


def case(
    *,
    policies: Sequence[ResidencyPolicy] = (policy(),),
    attestations: Sequence[ClusterAttestation] = (attestation(),),
    members: Sequence[residency.Member | residency.MemberId] = (member(),),
    now: datetime = NOW,
    hub: residency.MemberId | Literal["attested"] | None = "attested",
    groups: Sequence[JurisdictionGroup] = (),
    classifications: Sequence[DataClassification] = (),
    records: Sequence[ResidencyRecord] = (),
    exceptions: Sequence[ResidencyException] = (),
    data_classes: Sequence[str] = ("customer.pii",),
    labels: Mapping[str, str] | None = None,
    **model: Any,
) -> Case:
    """The usual model, policy, attestation and member, but for what is named. Unless a hub is named, or that there is none,
    it is in Singapore."""
    here = tuple(m if isinstance(m, residency.Member) else residency.Member(m) for m in members)
    about = asked(data_classes=tuple(data_classes), namespace_labels=labels or {}, **model)
    if hub == "attested":
        hub, attestations = member("hub"), with_hub(attestations)
    wanted = residency.Law(
        tuple(policies), tuple(attestations), tuple(groups), tuple(classifications), tuple(records), tuple(exceptions)
    )
    return Case(wanted, residency.Question(about, here, now, hub))


def lawful(name: str = "sg", until: datetime = LONG_AHEAD) -> residency.Lawful:
    return residency.Lawful(member(name), ("sg-customer-data",), ("sg-2026",), until)


def grounds(**changed: Any) -> residency.Grounds:
    usual: dict[str, Any] = {
        "model": DIGEST,
        "policies": (("sg-customer-data", DIGEST),),
        "attestations": (("sg-2026", DIGEST),),
        "artifacts": (IMAGE,),
    }
    return residency.Grounds(**{**usual, **changed})


def node(
    name: str = "gpu-0",
    product: str = "NVIDIA-L4",
    *,
    memory_mib: int | None = 23034,
    of: int = 1,
    granted: int = 0,
    own: int = 0,
) -> placement.AcceleratorNode:
    """`granted` is what another model has of it, `own` what fraud-scorer has."""
    held = {("treasury", "forecast"): granted, ("retail-banking", "fraud-scorer"): own}
    return placement.AcceleratorNode(name, product, memory_mib, of, {model: n for model, n in held.items() if n})


def view(name: str = "sg", *nodes: placement.AcceleratorNode, **changed: Any) -> placement.ClusterView:
    usual: dict[str, Any] = {
        "connection": placement.Connected("v1.36.3"),
        "serving": placement.ServingAvailable("0.20.0"),
        "fence": placement.FenceInForce("70d39efa2237b070"),
        "accelerators": nodes,
    }
    return placement.ClusterView(member(name), **{**usual, **changed})


def out_of_sight(reason: str = "Unreachable", message: str = "no answer for 30 s") -> placement.OutOfSight:
    return placement.OutOfSight(reason, message, YESTERDAY)


def seen_deployment(workload: serving.Workload, /, **changed: Any) -> serving.SeenDeployment:
    """As many copies as asked for, all of this workload and available."""
    copies = workload.inference_service["spec"]["predictor"]["minReplicas"]
    usual: dict[str, Any] = {
        "name": f"{workload.model.name}-predictor",
        "generation": 2,
        "observed_generation": 2,
        "replicas": copies,
        "total": changed.get("updated", copies),
        "updated": copies,
        "available": copies,
        "workload": workload.digest,
    }
    return serving.SeenDeployment(**{**usual, **changed})


def seen_pod(workload: serving.Workload, /, **changed: Any) -> serving.SeenPod:
    usual: dict[str, Any] = {
        "name": f"{workload.model.name}-predictor-7c9d-x2k4p",
        "node": "gpu-0",
        "ready": True,
        "created": YESTERDAY,
        "workload": workload.digest,
    }
    return serving.SeenPod(**{**usual, **changed})


def seen_pods(workload: serving.Workload, copies: int | None = None, /) -> tuple[serving.SeenPod, ...]:
    """As many ready pods as copies are asked for, or so many."""
    count = workload.inference_service["spec"]["predictor"]["minReplicas"] if copies is None else copies
    return tuple(seen_pod(workload, name=f"{workload.model.name}-predictor-7c9d-{number}") for number in range(count))


def seen_object(manifest: serving.Manifest, *, deleting: bool = False, **more: Any) -> serving.SeenObject:
    """A manifest as the member has it, with what its API server and controllers add."""
    extra = {"deletionTimestamp": "2026-11-23T09:00:00Z"} if deleting else {}
    meta = {**manifest["metadata"], "uid": uid(manifest["kind"]), "resourceVersion": "7", "generation": 1, **extra}
    return serving.SeenObject(manifest["kind"], meta["name"], {**manifest, "metadata": meta, **more})


READY: dict[str, Any] = {
    "conditions": [{"type": "PredictorReady", "status": "True"}, {"type": "Ready", "status": "True"}],
    "address": {"url": "http://fraud-scorer.retail-banking.svc.cluster.local"},
    "modelStatus": {"transitionStatus": "UpToDate"},
}


def seen_workload(workload: serving.Workload, /, **changed: Any) -> serving.SeenWorkload:
    """All of the workload is there, and serves. What it is granted is so for long."""
    usual: dict[str, Any] = {
        "inference_service": seen_object(workload.inference_service, status=READY),
        "companions": {manifest["kind"]: seen_object(manifest) for manifest in workload.companions},
        "deployments": (seen_deployment(workload),),
        "pods": seen_pods(workload),
        "granted": serving.granted(workload, LONG_AHEAD),
    }
    return serving.SeenWorkload(**{**usual, **changed})
