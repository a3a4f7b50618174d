"""What if: the objects as they would be after something is applied, enforced or deleted."""

from collections.abc import Iterable
from dataclasses import replace

from domicile.api import Kind, ResidencyException, ResidencyPolicy, ResidencyRecord
from domicile.cli.failure import Failure
from domicile.cli.plan.objects import Key, Objects


def applied(there: Objects, given: Objects) -> Objects:
    """As after `kubectl apply`: the given objects are put over those that are there, which keep what is no file's to say."""
    ours = {**there.of_ours, **{key: _over(there.of_ours.get(key), new) for key, new in given.of_ours.items()}}
    return replace(
        there,
        of_ours=ours,
        namespaces={**there.namespaces, **given.namespaces},
        hub_uid=given.hub_uid or there.hub_uid,
    )


def audited(objects: Objects) -> tuple[str, ...]:
    """Names of the policies in Audit mode."""
    return tuple(p.metadata.name for p in objects.all_of(ResidencyPolicy) if p.spec.mode == "Audit")


def enforced(objects: Objects, names: Iterable[str]) -> Objects:
    """As if these policies were enforced. Raises Failure on one that is not there."""
    changed = dict(objects.of_ours)
    for name in names:
        policy = _policy(objects, name)
        spec = policy.spec.model_copy(update={"mode": "Enforce"})
        changed[_key(name)] = policy.model_copy(update={"spec": spec})
    return replace(objects, of_ours=changed)


def without(objects: Objects, names: Iterable[str]) -> Objects:
    """As if these policies were deleted. Raises Failure on one that is not there."""
    gone = {_key(_policy(objects, name).metadata.name) for name in names}
    return replace(objects, of_ours={key: each for key, each in objects.of_ours.items() if key not in gone})


def _key(policy: str) -> Key:
    return ResidencyPolicy.info.kind, "", policy


def _policy(objects: Objects, name: str) -> ResidencyPolicy:
    found = objects.of_ours.get(_key(name))
    if isinstance(found, ResidencyPolicy):
        return found
    names = ", ".join(sorted(policy.metadata.name for policy in objects.all_of(ResidencyPolicy))) or "none"
    raise Failure(f"there is no ResidencyPolicy {name}: there is {names}")


def _over(old: Kind | None, new: Kind) -> Kind:
    """Where it runs is the status's to say; who asked and who approved, the API server's stamps'. A stamp is for a spec."""
    if old is None:
        return new
    new = _with_approval(old, new)
    kept: dict[str, object] = {"uid": new.metadata.uid or old.metadata.uid}
    stamped = isinstance(new, ResidencyException | ResidencyRecord)
    if not stamped or getattr(new, "spec") == getattr(old, "spec"):  # noqa: B009
        kept["annotations"] = {**old.metadata.annotations, **new.metadata.annotations}
    update: dict[str, object] = {"metadata": new.metadata.model_copy(update=kept)}
    if getattr(new, "status", None) is None and hasattr(old, "status"):
        update["status"] = getattr(old, "status")  # noqa: B009
    return new.model_copy(update=update)


def _with_approval(old: Kind, new: Kind) -> Kind:
    """A request from git does not speak of its approval, and applying it again takes none back."""
    if not isinstance(old, ResidencyException) or not isinstance(new, ResidencyException):
        return new
    if "approved" in new.spec.model_fields_set:
        return new
    return new.model_copy(update={"spec": new.spec.model_copy(update={"approved": old.spec.approved})})
