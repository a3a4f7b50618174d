"""Values by their digest: what many decisions share is recorded once, in full, and named by digest after that. Pure."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar, cast

from domicile.api.base import ApiModel
from domicile.evidence import dsse, records
from domicile.evidence.records import moment

Json = Any
"""What JSON has."""
Value = dict[str, Json]
"""What is recorded under a digest of its own."""
K = TypeVar("K")

_AT_MOST: Final = 16
"""Entries of one value. A larger mapping is a tree of them, so that a change in one entry of a thousand changes three small values."""
_ENTRIES, _PARTS = "entries", "parts"


class ValueMissing(Exception):
    """A record names a value that is not there, or not as it was."""


def digest_of(value: Value) -> str:
    """`sha256:<hex>` of the value's canonical JSON."""
    return records.digest(dsse.canonical(value))


@dataclass
class Kept:
    """Digests of immutable objects that were asked for before, by identity. What is kept can be worked out again at any time."""

    most: int = 20_000
    _found: dict[Any, tuple[Any, str]] = field(default_factory=dict[Any, tuple[Any, str]])

    def get(self, key: Any) -> str | None:
        """The digest that was put."""
        found = self._found.pop(key, None)
        if found is None:
            return None
        self._found[key] = found
        return found[1]

    def put(self, key: Any, holding: Any, digest: str) -> None:
        """Keep it, and what the key's identities are of: another object could have them otherwise. What was not asked for the longest goes."""
        self._found.pop(key, None)
        while len(self._found) >= self.most:
            del self._found[next(iter(self._found))]
        self._found[key] = (holding, digest)


def recorded_as(digest: str, home: str) -> str:
    """How it is told apart that a value is recorded, and where: each region has all of its own."""
    return f"{home}/{digest}" if home else digest


class Bag:
    """The values of one record, gathered. Those that are recorded already are named and not gathered again."""

    def __init__(
        self,
        recorded: Collection[str] = (),
        kept: Kept | None = None,
        named: Callable[[str], Value] | None = None,
        homes: Mapping[str, str] | None = None,
    ) -> None:
        """`named` makes of a name what is recorded of it; None: names are taken for that already. `homes` say of members, by UID, where their
        details are kept, if not in the log."""
        self._recorded, self._kept, self._named, self._homes = recorded, kept or Kept(), named, homes or {}
        self.values: dict[str, Value] = {}
        """By digest: those that are to be recorded."""
        self.apart: dict[str, dict[str, Value]] = {}
        """The same, of those that are to be kept elsewhere, by where."""

    def home(self, member: str) -> str:
        """Where details of the member with that UID are kept; empty: in the log."""
        return self._homes.get(member, "")

    def put(self, value: Value, home: str = "") -> str:
        """The value's digest."""
        digest = digest_of(value)
        if recorded_as(digest, home) not in self._recorded:
            into = self.apart.setdefault(home, {}) if home else self.values
            into[digest] = value
        return digest

    def name(self, name: str) -> str:
        """What stands for the name of a user."""
        return name if self._named is None else self.put(self._named(name))

    def put_object(self, thing: K, written: "Callable[[K, Bag], Value]", home: str = "") -> str:
        """The digest of an immutable object's JSON, which `written` makes where the object was not seen before."""
        return self.put_once(thing, written, lambda: self.put(written(thing, self), home), home)

    def put_once(self, thing: object, sort: object, gather: Callable[[], str], home: str = "") -> str:
        """The digest of what follows from an immutable object alone, in one of several sorts: `gather` puts it where that is not recorded."""
        key = (sort, id(thing))
        digest = self._kept.get(key)
        if digest is None or recorded_as(digest, home) not in self._recorded:
            digest = gather()
            self._kept.put(key, thing, digest)
        return digest

    def put_all(self, digests: Mapping[str, str], home: str = "") -> str:
        """The digest of a mapping from names to digests."""
        return self._tree(digests, 0, home)

    def _tree(self, digests: Mapping[str, str], depth: int, home: str) -> str:
        if len(digests) <= _AT_MOST:
            return self.put({_ENTRIES: dict(digests)}, home)
        parts: dict[str, dict[str, str]] = {}
        for name, digest in digests.items():
            parts.setdefault(hashlib.sha256(name.encode()).hexdigest()[depth], {})[name] = digest
        tree = {part: self._tree(entries, depth + 1, home) for part, entries in parts.items()}
        return self.put({_PARTS: tree}, home)


class Values:
    """Values that were recorded, by digest."""

    def __init__(self, values: Mapping[str, Value], elsewhere: Mapping[str, str] | None = None) -> None:
        """`elsewhere` says of values where they are kept, if not in the log."""
        self._values, self._elsewhere = values, elsewhere or {}

    def get(self, digest: str) -> Value:
        """The value. Raises ValueMissing if it is not there, or has another digest."""
        if digest not in self._values:
            home = self._elsewhere.get(digest)
            said = (
                f"is kept in {home}, and what is kept there was not given"
                if home
                else "was not recorded, or is kept no longer"
            )
            raise ValueMissing(f"value {digest} {said}")
        value = self._values[digest]
        if digest_of(value) != digest:
            raise ValueMissing(f"value {digest} is not as it was recorded")
        return value

    def kept(self, digest: str) -> Value:
        """The value; empty where it is missing."""
        try:
            return self.get(digest)
        except ValueMissing:
            return {}

    def entries(self, digest: str) -> Mapping[str, Value]:
        """The values of a mapping that `Bag.put_all` made, by name. Raises ValueMissing."""
        return {name: self.get(each) for name, each in self._digests(digest)}

    def _digests(self, digest: str) -> Iterable[tuple[str, str]]:
        found = self.get(digest)
        for part in found.get(_PARTS, {}).values():
            yield from self._digests(part)
        yield from found.get(_ENTRIES, {}).items()


def plain(value: Any) -> Json:
    """A value in JSON's terms: sets sorted, times in UTC, mappings with keys that are no text as sorted pairs."""
    match value:
        case ApiModel():
            return value.wire()
        case datetime():
            return moment(value)
        case frozenset() | set():
            return sorted(plain(each) for each in cast("frozenset[Any]", value))
        case list() | tuple():
            return [plain(each) for each in cast("list[Any]", value)]
        case Mapping():
            found = cast("Mapping[Any, Any]", value)
            if all(isinstance(key, str) for key in found):
                return {key: plain(each) for key, each in found.items()}
            return [[plain(key), plain(each)] for key, each in sorted(found.items())]
        case _:
            return value
