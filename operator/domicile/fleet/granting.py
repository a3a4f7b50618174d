"""AdmissionGrants on a member: what its API server lets the pods of a model be. Written for the gate, taken back for withdrawal."""

from collections.abc import Mapping
from typing import Any, Final

from domicile import fence
from domicile.api import GRANTS, AdmissionGrant
from domicile.fleet import kinds
from domicile.fleet.lookup import find
from domicile.kube import Api, Conflict, Forbidden, Object, only_as, shape
from domicile.residency import ModelRef
from domicile.serving import entry_in

_MANAGER: Final = f"{kinds.FIELD_MANAGER}:"
"""Each model's entry is of a field manager of its own: applying one leaves the others alone."""


async def found_or_made(api: Api, namespace: str) -> Object:
    """The AdmissionGrant of a namespace. It is made where it is missing, and then grants nothing yet."""
    there = await find(api, kinds.GRANTS, GRANTS, namespace)
    if there is not None:
        return there
    try:
        return await api.create(kinds.GRANTS, _grant(namespace), field_manager=kinds.FIELD_MANAGER)
    except Conflict:  # Another model of the namespace was quicker.
        return await api.get(kinds.GRANTS, GRANTS, namespace)


async def grant(api: Api, namespace: str, entry: Mapping[str, Any]) -> None:
    """Have the entry as it is given."""
    await _apply(api, namespace, entry["name"], [entry])


async def held(api: Api, model: ModelRef) -> Object | None:
    """The AdmissionGrant with an entry for the model, None where there is none. One that names another model of that name is not
    the model's."""
    try:
        there = await find(api, kinds.GRANTS, GRANTS, model.namespace)
    except Forbidden:  # Who may not read it has not written it: that cluster was joined before there were grants.
        return None
    entry = entry_in(there or {}, model.name)
    return there if entry is not None and entry.get("uid") == model.uid else None


async def take_back(api: Api, model: ModelRef) -> None:
    """Have no entry for the model, which has one, so that none of its pods is admitted any more."""
    after = await _apply(api, model.namespace, model.name, [])
    if entry_in(after, model.name) is not None:
        # Somebody else wrote it too, so that it is not ours alone to leave out.
        await _remove(api, after, model)


async def _apply(api: Api, namespace: str, model: str, entries: list[Mapping[str, Any]]) -> Object:
    manifest = {**_grant(namespace), "spec": {"models": entries}}
    return await api.apply(kinds.GRANTS, manifest, field_manager=f"{_MANAGER}{model}", force=True)


async def _remove(api: Api, grant: Object, model: ModelRef) -> None:
    models = shape.mappings(shape.mapping(grant.get("spec")).get("models"))
    at = next(number for number, each in enumerate(models) if each.get("name") == model.name)
    removal = {"op": "remove", "path": f"/spec/models/{at}"}
    unchanged = only_as(grant["metadata"]["resourceVersion"])
    await api.json_patch(kinds.GRANTS, GRANTS, [unchanged, removal], model.namespace, field_manager=kinds.FIELD_MANAGER)


def _grant(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": kinds.GRANTS.api_version,
        "kind": AdmissionGrant.info.kind,
        "metadata": {"name": GRANTS, "namespace": namespace, "labels": dict((fence.MANAGED_BY,))},
        "spec": {},
    }
