"""A fake kube.Api of the hub: versions and compare-and-swap as an API server has them, and answers that take their time."""

import asyncio
import copy
import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from domicile import kube
from domicile.kube import errors

Where = tuple[kube.Resource, str, str]


async def _at_once(verb: str) -> None:
    """No delay, no failure."""


class FakeHubApi:
    """Objects by kind, namespace and name. `storage` is shared by all clients of one hub; `on_way` and `on_return` are
    awaited before and after a request is served, and may raise: then the other side does not know what became of it."""

    server = "https://hub.example"

    def __init__(self, storage: "Storage | None" = None) -> None:
        self.storage = storage or Storage()
        self.on_way: Callable[[str], Awaitable[None]] = _at_once
        self.on_return: Callable[[str], Awaitable[None]] = _at_once
        self.requests: list[str] = []

    async def get(self, resource: kube.Resource, name: str, namespace: str | None = None, **_: Any) -> kube.Object:
        return await self._served("GET", resource, name, lambda: self.storage.get(resource, name, namespace))

    async def create(
        self, resource: kube.Resource, manifest: kube.Object, namespace: str | None = None, *, field_manager: str
    ) -> kube.Object:
        name = str(manifest["metadata"]["name"])
        return await self._served("POST", resource, name, lambda: self.storage.create(resource, manifest, namespace))

    async def patch(
        self, resource: kube.Resource, name: str, change: kube.Object, namespace: str | None = None, **_: Any
    ) -> kube.Object:
        return await self._served(
            "PATCH", resource, name, lambda: self.storage.merge(resource, name, change, namespace)
        )

    async def json_patch(
        self, resource: kube.Resource, name: str, operations: Any, namespace: str | None = None, **_: Any
    ) -> kube.Object:
        """As far as it is used: the version that it must have, and a value to put at the top."""
        change: dict[str, Any] = {"metadata": {}}
        for operation in operations:
            match operation:
                case {"op": "replace", "path": "/metadata/resourceVersion", "value": version}:
                    change["metadata"]["resourceVersion"] = version
                case {"op": "add", "path": "/status", "value": status}:
                    change["status"] = status
                case _:
                    raise NotImplementedError(operation)
        whole = {"status"}
        return await self._served(
            "PATCH", resource, name, lambda: self.storage.merge(resource, name, change, namespace, whole)
        )

    async def _served(
        self, verb: str, resource: kube.Resource, name: str, serve: Callable[[], dict[str, Any]]
    ) -> kube.Object:
        self.requests.append(f"{verb} {resource.plural}/{name}")
        await self.on_way(verb)
        try:
            return copy.deepcopy(serve())
        finally:
            await self.on_return(verb)

    @property
    def client(self) -> kube.Api:
        """Itself, for whom it stands: what it cannot do it says when it is asked."""
        return cast(kube.Api, self)

    def __getattr__(self, verb: str) -> Any:
        raise NotImplementedError(f"the fake hub does not {verb}")


class Storage:
    """What the hub has."""

    def __init__(self) -> None:
        self.objects: dict[Where, dict[str, Any]] = {}
        self._versions = itertools.count(1)

    def put(self, resource: kube.Resource, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Store an object as it is, in a new version."""
        made = copy.deepcopy(dict(manifest))
        made["metadata"] = {**made["metadata"], "resourceVersion": str(next(self._versions))}
        self.objects[resource, str(made["metadata"].get("namespace") or ""), made["metadata"]["name"]] = made
        return made

    def get(self, resource: kube.Resource, name: str, namespace: str | None) -> dict[str, Any]:
        found = self.objects.get((resource, namespace or "", name))
        if found is None:
            raise error(404, "NotFound")
        return found

    def create(self, resource: kube.Resource, manifest: kube.Object, namespace: str | None) -> dict[str, Any]:
        if (resource, namespace or "", str(manifest["metadata"]["name"])) in self.objects:
            raise error(409, "AlreadyExists")
        return self.put(resource, manifest)

    def merge(
        self,
        resource: kube.Resource,
        name: str,
        change: kube.Object,
        namespace: str | None,
        whole: set[str] | frozenset[str] = frozenset(),
    ) -> dict[str, Any]:
        live = self.get(resource, name, namespace)
        wanted = change.get("metadata", {}).get("resourceVersion")
        if wanted is not None and wanted != live["metadata"]["resourceVersion"]:
            raise error(409, "Conflict")
        made = self.put(resource, _merged(live, change, whole))
        if "deletionTimestamp" in made["metadata"] and not made["metadata"].get("finalizers"):
            del self.objects[resource, namespace or "", name]
        return made


def _merged(live: Mapping[str, Any], change: Mapping[str, Any], whole: set[str] | frozenset[str]) -> dict[str, Any]:
    merged = dict(live)
    for key, value in change.items():
        maps = isinstance(value, Mapping) and isinstance(live.get(key), Mapping) and key not in whole
        merged[key] = _merged(live[key], value, whole) if maps else value
    return merged


def error(status: int, reason: str) -> kube.ApiError:
    return errors.from_status(status, {"reason": reason, "message": "as the fake says"}, "fake")


def unreachable() -> kube.Unreachable:
    return kube.Unreachable(FakeHubApi.server, "fake", "no answer")


def delayed(seconds: float) -> Callable[[str], Awaitable[None]]:
    """Each request takes so long."""

    async def wait(verb: str) -> None:
        await asyncio.sleep(seconds)

    return wait
