"""All watches of one member: which kinds, how they are trimmed, and which model a change belongs to."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from random import Random
from typing import Final

from domicile.fence import ISOLATION, MANAGED_BY, PROBED_NAMESPACE, is_managed
from domicile.fleet import kinds
from domicile.kube import NAMESPACES, NODES, PODS, Api, Change, Forbidden, KubeError, Object, Reflector, Resource, shape
from domicile.serving.workload import MODEL_LABEL

_FENCE: Final = tuple(kinds.FENCE.values())
_ISOLATION: Final = tuple(kinds.ISOLATION.values())
_TRIMMED: Final[Mapping[Resource, Callable[[Object], Object]]] = {
    **dict.fromkeys((*_FENCE, *_ISOLATION), kinds.spec_kept),
    NAMESPACES: kinds.namespace_kept,
    NODES: kinds.node_kept,
    PODS: kinds.pod_kept,
    kinds.GRANTS: kinds.whole,
    kinds.INFERENCE_SERVICES: kinds.whole_if_ours,
    kinds.SERVING_RUNTIMES: kinds.whole,
    **dict.fromkeys(kinds.COMPANIONS, kinds.whole),
    **dict.fromkeys(kinds.OTHERS, kinds.metadata_kept),
    **{kind: kinds.whole for kind in kinds.MADE_BY_KSERVE if kind not in (PODS, *kinds.OTHERS)},
}
_WATCHED_WHOLE: Final = (*_FENCE, NAMESPACES, NODES, kinds.GRANTS, kinds.INFERENCE_SERVICES)
"""Watched whatever their labels: to see what is not ours. Of the rest only what has the model's label, or is Domicile's own."""
_INVENTORY: Final = (NAMESPACES, NODES, PODS, kinds.INFERENCE_SERVICES)
"""A change in these may change what the cluster as a whole looks like."""


class Watches:
    """The reflectors of one member. They keep what they saw last when they are stopped."""

    def __init__(
        self,
        random: Random,
        *,
        admit: Callable[[], Awaitable[None]],
        on_state: Callable[[], None],
        on_model: Callable[[tuple[str, str]], None],
        on_inventory: Callable[[], None],
        on_fence: Callable[[], None],
        watch_seconds: int,
    ) -> None:
        self._random, self._admit, self._watch_seconds = random, admit, watch_seconds
        self._on_state, self._on_model, self._on_inventory = on_state, on_model, on_inventory
        self._on_fence = on_fence
        self._reflectors: dict[Resource, Reflector] = {}
        self._running: dict[Resource, asyncio.Task[None]] = {}

    def start(self, api: Api, missing: Collection[Resource] = ()) -> None:
        """Begin with a list of every kind, but of those that are not served."""
        for kind in _TRIMMED:
            reflector = self._reflectors.get(kind)
            if reflector is None:
                reflector = self._reflectors[kind] = self._reflector(api, kind)
            reflector.use(api)
            reflector.list_anew()
            reflector.failure = None
            reflector.synced.clear()
            if kind not in missing:
                self._running[kind] = asyncio.create_task(reflector.run(), name=f"watch {kind} at {api.server}")
            else:
                reflector.clear()

    async def stop(self) -> None:
        """End all watches; what was seen stays."""
        tasks, self._running = tuple(self._running.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def synced(self) -> bool:
        """Whether every watch that runs has had its first list."""
        return all(self._reflectors[kind].synced.is_set() or self._not_permitted(kind) for kind in self._running)

    @property
    def failures(self) -> Mapping[Resource, KubeError]:
        """Watches that are not in step, and why."""
        failed = ((kind, self._reflectors[kind].failure) for kind in self._running if not self._not_permitted(kind))
        return {kind: failure for kind, failure in failed if failure is not None}

    def all_of(self, kind: Resource) -> tuple[Object, ...]:
        """Everything seen of a kind."""
        reflector = self._reflectors.get(kind)
        return tuple(reflector) if reflector is not None else ()

    def of_model(self, kind: Resource, namespace: str, name: str) -> tuple[Object, ...]:
        """What has the label of a model of that name, in its namespace."""
        reflector = self._reflectors.get(kind)
        return reflector.indexed((namespace, name)) if reflector is not None else ()

    def get(self, kind: Resource, name: str, namespace: str = "") -> Object | None:
        """One object as last seen."""
        reflector = self._reflectors.get(kind)
        return reflector.get(name, namespace) if reflector is not None else None

    def _not_permitted(self, kind: Resource) -> bool:
        """Of a cluster that was joined before there was any isolation: its fence says so, and what is there can be withdrawn."""
        return kind in _ISOLATION and isinstance(self._reflectors[kind].failure, Forbidden)

    def _isolates(self, kind: Resource, namespace: str, name: str) -> bool:
        """Whether it keeps a managed namespace to itself. Others may have objects of that kind, and change them as they like."""
        labels = shape.labels(self.get(NAMESPACES, namespace) or {})
        return kind in _ISOLATION and name == ISOLATION and is_managed(labels)

    def _reflector(self, api: Api, kind: Resource) -> Reflector:
        def changed(change: Change) -> None:
            if (
                kind in _FENCE
                or self._isolates(kind, *change.key)
                or (kind, change.key[1]) == (NAMESPACES, PROBED_NAMESPACE)
            ):
                self._on_fence()
            if kind in _INVENTORY:
                self._on_inventory()
            if kind == kinds.GRANTS:
                for model in {*kinds.granted_models(change.old), *kinds.granted_models(change.new)}:
                    self._on_model((model.namespace, model.name))

        return Reflector(
            api,
            kind,
            on_change=changed,
            random=self._random,
            label_selector=_selector(kind),
            trim=_TRIMMED[kind],
            index=kinds.model_name_of,
            on_touched=self._on_model,
            admit=self._admit,
            on_state=self._on_state,
            watch_seconds=self._watch_seconds,
        )


def _selector(kind: Resource) -> str | None:
    if kind in _WATCHED_WHOLE:
        return None
    return "=".join(MANAGED_BY) if kind in _ISOLATION else MODEL_LABEL
