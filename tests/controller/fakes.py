"""Fakes beside the hub's: a fleet of members in memory, and what the reconcile loop needs of its neighbours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import builders as a
from domicile import fleet, placement, serving
from domicile.residency import MemberId, ModelRef, Permit


@dataclass
class FakeFleet:
    """Members by name, with what they have of the one model. Stands for Fleet and Members both."""

    members: dict[str, placement.ClusterView] = field(default_factory=dict[str, placement.ClusterView])
    there: dict[str, serving.Workload] = field(default_factory=dict[str, serving.Workload])
    granted: dict[str, serving.Manifest] = field(default_factory=dict[str, serving.Manifest])
    serves: set[str] = field(default_factory=set[str])
    calls: list[str] = field(default_factory=list[str])
    """Every place and withdraw, in order, with a "+" where something was written."""
    before: Callable[[str], None] = lambda call: None
    """Called before each is carried out; may raise."""

    def views(self) -> Mapping[str, placement.ClusterView]:
        return self.members

    def seen(self, name: str, model: ModelRef) -> serving.SeenWorkload:
        workload = self.there.get(name)
        if workload is None:
            return serving.SeenWorkload()
        granted = self.granted.get(name)
        if name in self.serves:
            return a.seen_workload(workload, granted=granted)
        starting = a.seen_object(workload.inference_service)
        return a.seen_workload(workload, inference_service=starting, deployments=(), pods=(), granted=granted)

    async def place(self, permit: Permit, workload: serving.Workload, now: Any) -> fleet.Applied:
        name = permit.member.name
        self.before(f"place {name}")
        written = ("InferenceService",) if self.there.get(name) != workload else ()
        self.calls.append(f"place {name}{'+' if written else ''}")
        self.there[name], self.granted[name] = workload, serving.granted(workload, permit.until)
        return fleet.Applied(written)

    async def withdraw(self, member: MemberId, model: ModelRef) -> fleet.Withdrawn | fleet.Withdrawing:
        self.before(f"withdraw {member}")
        here = self.there.pop(member.name, None) is not None
        self.calls.append(f"withdraw {member}{'+' if here else ''}")
        return fleet.Withdrawing(("Pod/x",)) if here else fleet.Withdrawn()


@dataclass
class Later:
    """Stands for the queue: when each name is to be looked at again."""

    asked: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])

    def __call__(self, name: tuple[str, str], seconds: float) -> None:
        self.asked.append((name[1], seconds))

    @property
    def seconds(self) -> list[float]:
        return [seconds for _, seconds in self.asked]
