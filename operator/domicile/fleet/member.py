"""One member of the fleet: its connection, and what is seen there, from caches and without waiting."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from random import Random
from typing import Final

from domicile import serving
from domicile.api import GRANTS
from domicile.fence import Fence, is_managed
from domicile.fleet import inventory, kinds, sight
from domicile.fleet.claiming import Claimant
from domicile.fleet.connection import Connection, Open
from domicile.fleet.guard import Guard
from domicile.fleet.watches import Watches
from domicile.kube import NAMESPACES, NODES, PODS, WATCH_SECONDS, Api, Clock, Object, Resource, shape
from domicile.placement.view import ClusterView, Connected, OutOfSight
from domicile.residency import MemberId, ModelRef
from domicile.serving.seen import SeenWorkload

_log = logging.getLogger(__name__)

_SETTLE_SECONDS: Final = 0.05
"""Changes that come together are told of once."""

_OF_MODELS: Final = (*kinds.WRITTEN, *kinds.MADE_BY_KSERVE)

OnChange = Callable[[str, tuple[str, str] | None], None]
"""Called with the member's name and the namespace and name of the model whose objects changed, or None for the cluster."""


class Member:
    """A member. Reading never fails and never waits; `start` and `close` bracket its life."""

    def __init__(
        self,
        member: MemberId,
        open_api: Open,
        fence: Fence,
        claimant: Claimant,
        clock: Clock,
        random: Random,
        on_change: OnChange,
        may_act: Callable[[], bool],
        watch_seconds: int = WATCH_SECONDS,
    ) -> None:
        self.id = member
        self._on_change, self._clock = on_change, clock
        self._watches = Watches(
            random,
            admit=self._admit,
            on_state=self._on_state,
            on_model=self._on_model,
            on_inventory=self._on_inventory,
            on_fence=self._on_fence,
            watch_seconds=watch_seconds,
        )
        self.guard = Guard(member, fence, claimant, self._watches, random, may_act, self._on_connection)
        self.connection = Connection(member, open_api, self._watches, self.guard, clock, random, self._on_connection)
        self._view: ClusterView | None = None
        self._unreadable_since: datetime | None = None
        self._told: ClusterView | None = None
        self._untold = False
        """Whether something else was seen since it was last told."""
        self._telling: asyncio.TimerHandle | None = None
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._running = asyncio.create_task(self.connection.run(), name=f"member {self.id.name}")

    async def close(self) -> None:
        """Stop watching and close the connections. What runs there goes on."""
        if self._telling is not None:
            self._telling.cancel()
        if self._running is not None:
            if not self._running.cancelling():
                # Not twice: kopf cancels it too when a signal ends the process, and the second time would interrupt the
                # closing of its connections.
                self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    @property
    def api(self) -> Api | None:
        """The client, while there is one."""
        return self.connection.api

    @property
    def sight(self) -> Connected | OutOfSight:
        """Whether the member is in sight."""
        return self.connection.sight

    @property
    def mark(self) -> str:
        """Of the term in which it is written to."""
        return self.guard.mark

    def distrust(self) -> None:
        """Another cluster answered: look at who it is before anything else."""
        self.connection.distrust()

    def view(self) -> ClusterView:
        """The cluster as it was last seen."""
        if self._view is None:
            self._view = self._readable()
            self._untold = self._untold or self._view != self._told
        return self._view

    def seen(self, model: ModelRef) -> SeenWorkload:
        """What there is of a model: objects with its label in its namespace, and not with the UID of another one."""
        found: dict[Resource, tuple[Object, ...]] = {}
        for kind in _OF_MODELS:
            objects = self._watches.of_model(kind, model.namespace, model.name)
            found[kind] = tuple(manifest for manifest in objects if kinds.belongs(manifest, model))
        grants = self._watches.get(kinds.GRANTS, GRANTS, model.namespace) or {}
        return sight.workload_seen(found, serving.entry_in(grants, model.name))

    def known_models(self) -> frozenset[ModelRef]:
        """Every model that anything there says it belongs to."""
        owners = (kinds.model_of(manifest) for kind in _OF_MODELS for manifest in self._watches.all_of(kind))
        granted = (kinds.granted_models(grant) for grant in self._watches.all_of(kinds.GRANTS))
        return frozenset(owner for owner in owners if owner is not None).union(*granted)

    def cached(self, kind: Resource, name: str, namespace: str) -> Object | None:
        """One object as last seen."""
        return self._watches.get(kind, name, namespace)

    def _readable(self) -> ClusterView:
        """What is seen; out of sight where it cannot be read, so that one member's odd object stops no other's decisions."""
        try:
            view = self._look()
        except Exception as error:
            if self._unreadable_since is None:
                self._unreadable_since = self._clock()
                _log.exception("what %s has cannot be read", self.id)
            message = f"something that it has cannot be read ({type(error).__name__}); the operator's log says more"
            return ClusterView(self.id, OutOfSight("Unreadable", message, self._unreadable_since))
        self._unreadable_since = None
        return view

    def _look(self) -> ClusterView:
        return ClusterView(
            member=self.id,
            connection=self.connection.sight,
            serving=self.connection.serving,
            fence=self.guard.state,
            accelerators=inventory.accelerators(
                self._watches.all_of(NODES),
                self._watches.all_of(PODS),
                self._watches.all_of(kinds.INFERENCE_SERVICES),
            ),
            foreign_namespaces=frozenset(
                sight.name_of(namespace)
                for namespace in self._watches.all_of(NAMESPACES)
                if not is_managed(shape.labels(namespace))
            ),
            foreign_services=_foreign(self._watches.all_of(kinds.INFERENCE_SERVICES)),
            reported=inventory.reported(self._watches.all_of(NODES)),
        )

    async def _admit(self) -> None:
        await self.connection.confirm()

    def _on_state(self) -> None:
        self.connection.look()

    def _on_model(self, model: tuple[str, str]) -> None:
        self._on_change(self.id.name, model)

    def _on_connection(self) -> None:
        self._view = None
        self._tell_after(0.0)

    def _on_fence(self) -> None:
        self.guard.touched()

    def _on_inventory(self) -> None:
        self._view = None
        if self._telling is None:
            self._tell_after(_SETTLE_SECONDS)

    def _tell_after(self, seconds: float) -> None:
        if self._telling is not None:
            self._telling.cancel()
        self._telling = asyncio.get_running_loop().call_later(seconds, self._tell)

    def _tell(self) -> None:
        self._telling = None
        view = self.view()
        # What was seen meanwhile may have been decided on, also where it is now as it was when it was last told.
        if self._untold:
            self._told, self._untold = view, False
            self._on_change(self.id.name, None)


def _foreign(services: tuple[Object, ...]) -> Mapping[str, frozenset[str]]:
    by_namespace: dict[str, set[str]] = {}
    for service in services:
        if kinds.model_name_of(service) is None:
            namespace = shape.text(shape.metadata(service).get("namespace"))
            by_namespace.setdefault(namespace, set()).add(sight.name_of(service))
    return {namespace: frozenset(names) for namespace, names in by_namespace.items()}
