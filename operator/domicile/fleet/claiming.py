"""The claim of a hub to a member: made where there is none, moved on in time, and never taken from another hub."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from domicile import fence
from domicile.api import CLAIM, HubClaim
from domicile.fleet.errors import ClaimedByAnother
from domicile.fleet.kinds import CLAIMS, FIELD_MANAGER
from domicile.fleet.lookup import find
from domicile.kube import Api, Clock, Object, only_as, shape

LEASE: Final = timedelta(hours=24)
"""For how long a member admits pods without hearing from its hub."""
_MOVED_ON_AT: Final = LEASE / 2
_EARLY: Final = timedelta(minutes=5)
"""By how much the end may be later than we would set it: clocks of two processes differ."""


@dataclass(frozen=True)
class Claimant:
    """The hub."""

    uid: str
    """UID of its kube-system namespace."""
    clock: Clock

    async def claim(self, api: Api) -> bool:
        """Have the claim, with time left in it. Whether it had to be written. Raises ClaimedByAnother, or Conflict where somebody
        else writes it at this moment."""
        now = self.clock()
        live = await find(api, CLAIMS, CLAIM)
        if live is None:
            await api.create(CLAIMS, self._claim(now), field_manager=FIELD_MANAGER)
            return True
        spec = shape.mapping(live.get("spec"))
        if spec.get("hub") != self.uid:
            raise ClaimedByAnother(
                f"the hub with UID {spec.get('hub')} looks after it, until {spec.get('notAfter')} at least; this one is {self.uid}. If that"
                f" hub is gone for good: kubectl delete {CLAIMS} {CLAIM}, on the member"
            )
        left = datetime.fromisoformat(shape.text(spec.get("notAfter"))) - now
        if _MOVED_ON_AT < left < LEASE + _EARLY:
            return False
        await api.json_patch(CLAIMS, CLAIM, self._moved_on(live, now), field_manager=FIELD_MANAGER)
        return True

    def _claim(self, now: datetime) -> dict[str, Any]:
        return {
            "apiVersion": CLAIMS.api_version,
            "kind": HubClaim.info.kind,
            "metadata": {"name": CLAIM, "labels": dict((fence.MANAGED_BY,))},
            "spec": {"hub": self.uid, "notAfter": _text(now + LEASE)},
        }

    def _moved_on(self, live: Object, now: datetime) -> list[Object]:
        return [
            only_as(live["metadata"]["resourceVersion"]),
            {"op": "replace", "path": "/spec/notAfter", "value": _text(now + LEASE)},
        ]


def _text(moment: datetime) -> str:
    return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")
