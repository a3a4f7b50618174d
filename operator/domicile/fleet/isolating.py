"""Keeping the managed namespaces of a member to themselves: the NetworkPolicy and the ResourceQuota of each are put there, and put back."""

import logging
from collections.abc import Callable
from typing import Protocol

from domicile import fence
from domicile.fence import is_managed
from domicile.fleet.heard import heard
from domicile.fleet.kinds import FIELD_MANAGER, ISOLATION, deleting
from domicile.fleet.lookup import find
from domicile.fleet.marking import marked, marking
from domicile.fleet.sight import name_of
from domicile.kube import NAMESPACES, Api, Conflict, Forbidden, NotFound, Object, Resource, shape
from domicile.residency import MemberId

_log = logging.getLogger(__name__)


class Seen(Protocol):
    """What was last seen of the member."""

    def get(self, kind: Resource, name: str, namespace: str) -> Object | None:
        """One object, None if there is none."""
        ...

    def all_of(self, kind: Resource) -> tuple[Object, ...]:
        """Everything of a kind."""
        ...


class Isolation:
    """That of one member. `mark` gives that of the term in which it is written to."""

    def __init__(self, member: MemberId, seen: Seen, mark: Callable[[], str]) -> None:
        self._member, self._seen, self._mark = member, seen, mark

    @property
    def open(self) -> tuple[str, ...]:
        """Managed namespaces that are not kept to themselves as they must be, as last seen."""
        managed = (
            each for each in self._seen.all_of(NAMESPACES) if is_managed(shape.labels(each)) and not deleting(each)
        )
        return tuple(name for each in managed if not self._closed(name := name_of(each)))

    async def close(self, api: Api, namespace: str, leading: Callable[[], None]) -> None:
        """Have the namespace kept to itself. `leading` raises where nothing may be written."""
        for manifest in fence.isolation(namespace):
            if as_it_must_be(manifest, self._last_seen(manifest)):
                continue
            leading()
            try:
                await self._have(api, manifest)
            except Conflict:  # Another model of the namespace was quicker, or its deletion.
                if not as_it_must_be(manifest, await _live(api, manifest)) and not await _going(api, namespace):
                    raise
            except (Forbidden, NotFound):
                if not await _going(api, namespace):
                    raise

    async def _have(self, api: Api, manifest: Object) -> None:
        kind, metadata = ISOLATION[manifest["kind"]], manifest["metadata"]
        name, namespace = metadata["name"], metadata["namespace"]
        live = await _live(api, manifest)
        if as_it_must_be(manifest, live):
            return
        mark = self._mark()
        if live is None:
            wanted = marked(manifest, mark)
            await heard(fence.TERMS, lambda: api.create(kind, wanted, field_manager=FIELD_MANAGER))
        else:
            # Replaced whole: applying would leave the rules that somebody added.
            change = [{"op": "replace", "path": "/spec", "value": manifest["spec"]}, marking(live, mark)]
            await heard(fence.TERMS, lambda: api.json_patch(kind, name, change, namespace, field_manager=FIELD_MANAGER))
        _log.info("wrote %s %s/%s on %s", manifest["kind"], namespace, name, self._member)

    def _closed(self, namespace: str) -> bool:
        return all(as_it_must_be(manifest, self._last_seen(manifest)) for manifest in fence.isolation(namespace))

    def _last_seen(self, manifest: Object) -> Object | None:
        metadata = manifest["metadata"]
        return self._seen.get(ISOLATION[manifest["kind"]], metadata["name"], metadata["namespace"])


async def _live(api: Api, manifest: Object) -> Object | None:
    metadata = manifest["metadata"]
    return await find(api, ISOLATION[manifest["kind"]], metadata["name"], metadata["namespace"])


async def _going(api: Api, namespace: str) -> bool:
    """Whether the namespace is on its way out, or gone: nothing can be made there, and nothing has to be kept to itself."""
    there = await find(api, NAMESPACES, namespace)
    return there is None or deleting(there)


def as_it_must_be(manifest: Object, live: Object | None) -> bool:
    """The whole of what it says, with nothing added; who labelled it is of no account."""
    return live is not None and live.get("spec") == manifest["spec"]
