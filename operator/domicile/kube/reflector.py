"""A reflector: one kind of object of one API server, held in step by a list and a watch."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from domicile.kube import errors, shape
from domicile.kube.api import Api, Object, WatchEvent
from domicile.kube.backoff import Backoff
from domicile.kube.resources import Resource

_log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Namespace (empty for cluster-wide kinds) and name."""

WATCH_SECONDS = 290
"""After how long a watch is begun anew."""
_WATCH_SPREAD = 0.15
"""Share by which that differs, so that watches which began together do not end together."""
_STEADY_SECONDS = 5.0
"""A watch that held this long was a good one, even if it said nothing."""


@dataclass(frozen=True)
class Change:
    """What one object was and is. Old None: it came. New None: it went."""

    key: Key
    old: Object | None
    new: Object | None


def without_managed_fields(manifest: Object) -> Object:
    """The object without what is mostly bulk."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "managedFields"}
    return {**manifest, "metadata": metadata}


async def _admit_always() -> None:
    return None


def _no_index(manifest: Object) -> None:
    del manifest


def _nothing(value: object) -> None:
    del value


def _nothing_at_all() -> None:
    return None


class Reflector:
    """A cache of one kind. `run` keeps it in step until it is cancelled, and may then be run again.

    Objects are kept as `trim` leaves them; a change that trimming hides is no change. `on_touched` gets each value of
    `index` whose objects changed. Both callbacks run in the loop after the cache was changed and must not block; what
    they raise is logged, and the watch goes on. `admit` is awaited before each list and each watch, and keeps both from
    happening by raising a KubeError.
    """

    def __init__(
        self,
        api: Api,
        resource: Resource,
        *,
        on_change: Callable[[Change], None] = _nothing,
        random: Random | None = None,
        namespace: str | None = None,
        label_selector: str | None = None,
        trim: Callable[[Object], Object] = without_managed_fields,
        index: Callable[[Object], Hashable | None] = _no_index,
        on_touched: Callable[[Any], None] = _nothing,
        admit: Callable[[], Awaitable[None]] = _admit_always,
        on_state: Callable[[], None] = _nothing_at_all,
        watch_seconds: int = WATCH_SECONDS,
    ) -> None:
        self.resource = resource
        self.synced = asyncio.Event()
        """Set from the first complete list on."""
        self.failure: errors.KubeError | None = None
        """Why the cache may be behind; None while it is in step."""
        self._api, self._namespace, self._label_selector = api, namespace, label_selector
        self._on_change, self._on_touched, self._on_state = on_change, on_touched, on_state
        self._trim, self._index, self._admit = trim, index, admit
        self._random = random or Random()  # noqa: S311 - for jitter
        self._watch_seconds = watch_seconds
        self._objects: dict[Key, Object] = {}
        self._indexed: dict[Hashable, set[Key]] = {}
        self._version: str | None = None

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Object]:
        return iter(tuple(self._objects.values()))

    def get(self, name: str, namespace: str = "") -> Object | None:
        """The object as last seen, None if there is none."""
        return self._objects.get((namespace, name))

    def indexed(self, value: Hashable) -> tuple[Object, ...]:
        """Objects for which `index` gave this value, by namespace and name."""
        return tuple(self._objects[key] for key in sorted(self._indexed.get(value, ())))

    def use(self, api: Api) -> None:
        """Speak to the server through another client from the next run on."""
        self._api = api

    def list_anew(self) -> None:
        """Begin the next run with a list: what happened in between may be missing from any watch."""
        self._version = None

    def clear(self) -> None:
        """Forget everything, as the server does not serve the kind any more."""
        self.list_anew()
        self.synced.clear()
        for key in tuple(self._objects):
            self._set(key, None)

    async def run(self) -> None:
        """List, watch, and begin again, until cancelled."""
        backoff = Backoff(self._random, first=0.25)
        loop = asyncio.get_running_loop()
        while True:
            begun, progress = loop.time(), False
            try:
                await self._admit()
                if self._version is None:
                    await self._list()
                    await self._admit()  # The list may have taken its time.
                progress = await self._watch()
                problem = None
            except errors.Gone:
                problem, self._version = None, None
            except errors.MalformedAnswer as error:
                problem, self._version = error, None
            except errors.ApiError as error:
                problem = error
                if _version_of_another_history(error):
                    self._version = None
            except errors.KubeError as error:
                problem = error
            except Exception as error:
                # A bug here must not silently end the watch.
                _log.exception("watch of %s at %s failed", self.resource, self._api.server)
                problem, self._version = errors.MalformedAnswer(f"{type(error).__name__}: {error}"), None
            if progress or loop.time() - begun > _STEADY_SECONDS:
                backoff.reset()
            if problem is not None:
                _log.debug("watch of %s at %s: %s", self.resource, self._api.server, problem)
                self._fail(problem)
            await asyncio.sleep(self._pause(problem, backoff, progress))

    def _pause(self, problem: errors.KubeError | None, backoff: Backoff, progress: bool) -> float:
        if problem is None and progress:
            return 0.0
        asked = problem.retry_after if isinstance(problem, errors.ApiError) else None
        return max(backoff.next(), min(asked or 0.0, 30.0))

    async def _list(self) -> None:
        found: dict[Key, Object] = {}
        version = ""
        pages = self._api.pages(self.resource, self._namespace, label_selector=self._label_selector)
        async for page in pages:
            version = page.resource_version
            for manifest in page.items:
                key = _key(manifest)
                if key is not None:
                    found[key] = self._trim(manifest)
        if not version:
            raise errors.MalformedAnswer(f"the list of {self.resource} at {self._api.server} has no resourceVersion")
        for key in [key for key in self._objects if key not in found]:
            self._set(key, None)
        for key, manifest in found.items():
            self._set(key, manifest)
        self._version = version
        self._recover()

    async def _watch(self) -> bool:
        """Follow until the server ends it. Whether it brought anything, or held for long."""
        assert self._version is not None
        seconds = round(self._watch_seconds * self._random.uniform(1 - _WATCH_SPREAD, 1 + _WATCH_SPREAD))
        loop = asyncio.get_running_loop()
        begun, progress = loop.time(), False
        async with self._api.watch(
            self.resource,
            self._namespace,
            resource_version=self._version,
            label_selector=self._label_selector,
            timeout_seconds=seconds,
        ) as events:
            self._recover()
            async for event in events:
                self._take(event)
                progress = True
        return progress or loop.time() - begun > _STEADY_SECONDS

    def _take(self, event: WatchEvent) -> None:
        version = shape.text(shape.metadata(event.object).get("resourceVersion"))
        key = _key(event.object)
        if not version or (key is None and event.type != "BOOKMARK"):
            raise errors.MalformedAnswer(f"the watch of {self.resource} at {self._api.server} says an event of nothing")
        if key is not None and event.type != "BOOKMARK":
            self._set(key, None if event.type == "DELETED" else self._trim(event.object))
        self._version = version

    def _set(self, key: Key, new: Object | None) -> None:
        old = self._objects.get(key)
        if old == new:
            return
        before = self._index(old) if old is not None else None
        after = self._index(new) if new is not None else None
        if before is not None and before != after:
            self._unindex(before, key)
        if after is not None:
            self._indexed.setdefault(after, set()).add(key)
        if new is None:
            del self._objects[key]
        else:
            self._objects[key] = new
        self._call(self._on_change, Change(key, old, new))
        for value in {before, after} - {None}:
            self._call(self._on_touched, value)

    def _unindex(self, value: Hashable, key: Key) -> None:
        keys = self._indexed.get(value)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._indexed[value]

    def _fail(self, problem: errors.KubeError) -> None:
        self.failure = problem
        self._call(self._on_state)

    def _recover(self) -> None:
        was = self.failure is None and self.synced.is_set()
        self.failure = None
        self.synced.set()
        if not was:
            self._call(self._on_state)

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            callback(*arguments)
        except Exception:
            _log.exception("a callback of the watch of %s at %s failed", self.resource, self._api.server)


def _key(manifest: Object) -> Key | None:
    metadata = shape.metadata(manifest)
    name = shape.text(metadata.get("name"))
    return (shape.text(metadata.get("namespace")), name) if name else None


def _version_of_another_history(error: errors.ApiError) -> bool:
    """Whether our resourceVersion is ahead of the server's: its storage was restored from a backup."""
    causes = shape.mappings(error.details.get("causes"))
    return any(cause.get("reason") == "ResourceVersionTooLarge" for cause in causes)
