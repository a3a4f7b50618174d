"""Whether a place is among those that a list allows, with groups of jurisdictions looked up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from domicile.api import JurisdictionGroup
from domicile.api.jurisdiction import GROUP_PREFIX, within


@dataclass(frozen=True)
class Allowed:
    """A list of a policy, with its groups looked up."""

    listed: tuple[str, ...]
    """As the policy says it, sorted."""
    places: frozenset[str]
    """Jurisdictions. A group that is not there adds none."""
    missing: tuple[str, ...]
    """Groups that are not there."""

    def allows(self, place: str) -> bool:
        """Whether the place is one of them or a part of one."""
        return place in self.places or any(within(place, allowed) for allowed in self.places)

    def __str__(self) -> str:
        gap = f" ({', '.join(self.missing)}: no such JurisdictionGroup)" if self.missing else ""
        return f"{', '.join(self.listed)}{gap}"


def groups(objects: Iterable[JurisdictionGroup]) -> Mapping[str, frozenset[str]]:
    """Members by name of the group."""
    return {group.metadata.name: frozenset(group.spec.members) for group in objects}


def allowed(listed: Iterable[str], known: Mapping[str, frozenset[str]]) -> Allowed:
    """What a list of a policy allows."""
    ordered = tuple(sorted(listed))
    places: set[str] = set()
    missing: list[str] = []
    for entry in ordered:
        name = entry.removeprefix(GROUP_PREFIX)
        if name == entry:
            places.add(entry)
        elif name in known:
            places |= known[name]
        else:
            missing.append(entry)
    return Allowed(ordered, frozenset(places), tuple(missing))


def common(lists: Iterable[Allowed]) -> frozenset[str]:
    """Places that every list allows: the narrower of two that contain each other."""
    every = list(lists)
    candidates = {place for one in every for place in one.places}
    return frozenset(place for place in candidates if all(one.allows(place) for one in every))
