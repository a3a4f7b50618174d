"""AdmissionGrants on a member: what its API server lets the pods of a model be. Written for the gate, taken back for withdrawal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from domicile import fence
from domicile.api import GRANTS, AdmissionGrant
from domicile.fleet import kinds
from domicile.fleet.heard import heard
from domicile.fleet.lookup import find
from domicile.fleet.marking import marked, marking
from domicile.kube import Api, Conflict, Forbidden, Object, only_as, shape
from domicile.residency import ModelRef
from domicile.serving import entry_in

_MANAGER: Final = f"{kinds.FIELD_MANAGER}:"
"""Each model's entry is of a field manager of its own: applying one leaves the others alone."""


@dataclass(frozen=True)
class Granting:
    """The AdmissionGrant of one namespace, written in the term that `mark` names: the member refuses it once another one has begun."""

    api: Api
    namespace: str
    mark: str

    async def find(self) -> Object | None:
        """It, None where it is missing, or may not be read."""
        try:
            return await find(self.api, kinds.GRANTS, GRANTS, self.namespace)
        except Forbidden:  # Who may not read it has not written it: that cluster was joined before there were grants.
            return None

    async def found_or_made(self) -> Object:
        """It. It is made where it is missing, and then grants nothing yet."""
        there = await find(self.api, kinds.GRANTS, GRANTS, self.namespace)
        if there is not None:
            return there
        try:
            return await heard(
                fence.TERMS,
                lambda: self.api.create(kinds.GRANTS, self._manifest(), field_manager=kinds.FIELD_MANAGER),
            )
        except Conflict:  # Another model of the namespace was quicker.
            return await self.api.get(kinds.GRANTS, GRANTS, self.namespace)

    async def grant(self, entry: Mapping[str, Any]) -> None:
        """Have the entry as it is given."""
        await self._apply(entry["name"], [entry])

    async def take_back(self, model: str) -> None:
        """Have no entry for the model, which has one, so that none of its pods is admitted any more."""
        after = await self._apply(model, [])
        if entry_in(after, model) is not None:
            # Somebody else wrote it too, so that it is not ours alone to leave out.
            await self._remove(after, model)

    async def _apply(self, model: str, entries: list[Mapping[str, Any]]) -> Object:
        manifest = {**self._manifest(), "spec": {"models": entries}}
        manager = f"{_MANAGER}{model}"
        return await heard(
            fence.TERMS, lambda: self.api.apply(kinds.GRANTS, manifest, field_manager=manager, force=True)
        )

    async def _remove(self, grant: Object, model: str) -> None:
        models = shape.mappings(shape.mapping(grant.get("spec")).get("models"))
        at = next(number for number, each in enumerate(models) if each.get("name") == model)
        changes = [
            only_as(grant["metadata"]["resourceVersion"]),
            {"op": "remove", "path": f"/spec/models/{at}"},
            marking(grant, self.mark),
        ]
        await self.api.json_patch(kinds.GRANTS, GRANTS, changes, self.namespace, field_manager=kinds.FIELD_MANAGER)

    def _manifest(self) -> dict[str, Any]:
        metadata = {"name": GRANTS, "namespace": self.namespace, "labels": dict((fence.MANAGED_BY,))}
        manifest: dict[str, Any] = {
            "apiVersion": kinds.GRANTS.api_version,
            "kind": AdmissionGrant.info.kind,
            "metadata": metadata,
            "spec": {},
        }
        return marked(manifest, self.mark)


def granted_to(grant: Object | None, model: ModelRef) -> bool:
    """Whether it has an entry for the model. One that names another model of that name is not the model's."""
    entry = entry_in(grant or {}, model.name)
    return entry is not None and entry.get("uid") == model.uid
