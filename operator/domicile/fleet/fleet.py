"""The fleet: all members by name, each with a connection of its own, so that a slow or dead one delays no other."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from random import Random
from typing import Final

from domicile import kube
from domicile.fence import fence_of
from domicile.fleet import checks, gate, withdrawal
from domicile.fleet.arrangement import Arrangement
from domicile.fleet.claiming import Claimant, Office, Standing
from domicile.fleet.errors import PermitMismatch, UnknownMember
from domicile.fleet.gate import Applied, MayAct
from domicile.fleet.member import Member, OnChange
from domicile.fleet.withdrawal import Withdrawing, Withdrawn
from domicile.kube import Api, Clock
from domicile.placement.view import ClusterView
from domicile.residency import MemberId, ModelRef, Permit
from domicile.serving.seen import SeenWorkload
from domicile.serving.workload import Workload

Connect = Callable[[str], Api]
"""From a kubeconfig's text to a client of its API server. Raises KubeconfigInvalid or CertificateExpired."""


_USUAL: Final = Arrangement()


class Fleet:
    """The members. `on_change` is called with the member's name, and the model whose objects there changed or None if
    the cluster itself did; it must not block. `may_act` is asked before each write to a member,
    `office` says as whose members they are claimed, and in which term. Everything but `place`, `withdraw` and `close` returns at once."""

    def __init__(
        self,
        on_change: OnChange,
        clock: Clock = kube.system_clock,
        random: Random | None = None,
        connect: Connect | None = None,
        watch_seconds: int = kube.WATCH_SECONDS,
        may_act: MayAct = gate.always,
        *,
        office: Office,
    ) -> None:
        self._on_change, self._clock, self._watch_seconds = on_change, clock, watch_seconds
        self._may_act, self._standing = may_act, Standing(office, self._look_everywhere)
        self._random = random or Random()  # noqa: S311 - for jitter
        self._connect = connect or self._over_http
        self._members: dict[str, Member] = {}
        self._kubeconfigs: dict[str, str] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def set_member(self, name: str, uid: str, kubeconfig: str, arrangement: Arrangement = _USUAL) -> None:
        """Register the member, or tell of its new kubeconfig. Does nothing if nothing changed.

        With a new kubeconfig what was seen stays until the new connection says otherwise; with a new UID it is another
        cluster, and with other lawful writers its fence is another: then nothing that was seen counts.
        """
        member = self._members.get(name)
        if member is not None and (member.id.uid, member.guard.fence.who) == (uid, arrangement.identities):
            member.guard.arrange(arrangement)
            if self._kubeconfigs[name] != kubeconfig:
                self._kubeconfigs[name] = kubeconfig
                member.connection.reopen(lambda: self._connect(kubeconfig))
            return
        if member is not None and member.id.uid != uid:
            self._standing.forget(name)
        self.drop_member(name)
        member = Member(
            MemberId(name, uid),
            lambda: self._connect(kubeconfig),
            fence_of(arrangement.identities),
            Claimant(self._standing, name, self._clock),
            self._clock,
            self._random,
            self._on_change,
            self._may_act,
            self._watch_seconds,
        )
        member.guard.arrange(arrangement)
        self._members[name], self._kubeconfigs[name] = member, kubeconfig
        member.start()

    def drop_member(self, name: str) -> None:
        """Close the connection to the member. What runs there goes on."""
        member = self._members.pop(name, None)
        self._kubeconfigs.pop(name, None)
        if member is not None:
            task = asyncio.create_task(member.close(), name=f"close member {name}")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def forget_member(self, name: str) -> None:
        """The member is not of the fleet any more. What runs there goes on."""
        self.drop_member(name)
        self._standing.forget(name)

    def view(self, name: str) -> ClusterView | None:
        """The cluster as last seen; None if no such member is registered."""
        member = self._members.get(name)
        return member.view() if member is not None else None

    def views(self) -> Mapping[str, ClusterView]:
        """Every member as last seen, by name."""
        return {name: self._members[name].view() for name in sorted(self._members)}

    def seen(self, name: str, model: ModelRef) -> SeenWorkload:
        """What a member has of a model, as last seen; empty if no such member is registered."""
        member = self._members.get(name)
        return member.seen(model) if member is not None else SeenWorkload()

    def known_models(self, name: str) -> frozenset[ModelRef]:
        """Every model that anything on the member says it belongs to; some may be no more on the hub."""
        member = self._members.get(name)
        return member.known_models() if member is not None else frozenset()

    async def place(self, permit: Permit, workload: Workload, now: datetime) -> Applied:
        """Make the permit's member have the workload: see gate.place. The one way to write a workload to a member."""
        checks.genuine(permit)
        member = self._members.get(permit.member.name)
        if member is None:
            raise UnknownMember(f"no member {permit.member.name} is registered")
        self._standing.confirm()
        return await gate.place(member, permit, workload, now, self._may_act)

    async def withdraw(self, member: MemberId, model: ModelRef) -> Withdrawn | Withdrawing:
        """Remove the model from the member: see withdrawal.withdraw. Needs no permit."""
        registered = self._members.get(member.name)
        if registered is None:
            raise UnknownMember(f"no member {member.name} is registered")
        if registered.id != member:
            raise PermitMismatch(
                f"{member.name} was the cluster with UID {member.uid}, and is registered with UID {registered.id.uid} now"
            )
        # What another member remembers holds no withdrawal: it is in force where the member refuses nothing of it.
        self._standing.confirm(member.name)
        return await withdrawal.withdraw(registered, model, self._may_act)

    async def close(self) -> None:
        """Drop all members, and wait until their connections are closed."""
        for name in tuple(self._members):
            self.drop_member(name)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _look_everywhere(self) -> None:
        for member in self._members.values():
            member.guard.look_soon()

    def _over_http(self, kubeconfig: str) -> Api:
        endpoint = kube.from_secret(kubeconfig)
        endpoint.check_validity(self._clock())
        return kube.KubeClient(endpoint, clock=self._clock)
