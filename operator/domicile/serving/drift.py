"""Where a live object differs from what we apply: in the fields that we apply, and in what others added that would run or
load something. All else that others added is theirs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeGuard, cast

from domicile.api.quantity import parse
from domicile.serving.seen import SeenObject, SeenWorkload
from domicile.serving.workload import Manifest, Workload

_QUANTITIES = ("requests", "limits")
_SHARED_LISTS = ("ports",)
"""Lists that the API server merges by entry. All other lists in our manifests are atomic there: an entry too many is a
change of ours (in a ServingRuntime, a container that no permit names), and the next apply takes it away."""

_RUNS: Final = frozenset({
    *("image", "command", "args", "env", "envFrom", "exec", "lifecycle", "runtime"),
    *("containers", "initContainers", "ephemeralContainers", "workerSpec", "builtInAdapter", "transformer", "explainer"),
    *("volumes", "volumeMounts", "volumeDevices"),
    *("storage", "storageSpec", "storageUri", "storageUris", "uri", "modelUri"),
})  # fmt: skip
"""Fields of an InferenceService or a ServingRuntime that say what is run, with what, or what is loaded. No permit names what
others put into one of them. KServe's own defaulting adds none of them to what we apply."""


@dataclass(frozen=True)
class Stray:
    """A field that somebody added, and that would run or load something. Server-side apply leaves it where it is."""

    path: str
    pointer: str
    """The same as a JSON pointer (RFC 6901)."""


def differs(desired: Workload, seen: SeenWorkload) -> tuple[str, ...]:
    """What of the workload is missing on the member or drifted there, as kind or kind.path; empty if nothing is.

    An object that is being deleted differs no more: a write would be lost with it. Once it is gone it is missing.
    """
    pairs = [(manifest, seen.companions.get(manifest["kind"])) for manifest in desired.companions]
    pairs.append((desired.inference_service, seen.inference_service))
    return tuple(found for manifest, live in pairs for found in _differs(manifest, live))


def _differs(manifest: Manifest, live: SeenObject | None) -> Iterator[str]:
    if live is None:
        yield str(manifest["kind"])
    elif not live.deleting:
        yield from (f"{manifest['kind']}.{path}" for path in drift(manifest, live.manifest))


def drift(desired: Manifest, live: Manifest) -> tuple[str, ...]:
    """JSON paths of our fields that are missing or different in `live`, such as spec.containers[name=server].image, and of
    strays. Of what is to be there word by word, the spec as a whole."""
    if word_by_word(desired):
        spec = () if desired["spec"] == live.get("spec") else ("spec",)
        return (*_maps({key: value for key, value in desired.items() if key != "spec"}, live, "", ""), *spec)
    return (*_maps(desired, live, "", ""), *(stray.path for stray in strays(desired, live)))


def word_by_word(desired: Manifest) -> bool:
    """Whether nothing may be added to its spec: a word more in a NetworkPolicy can let more through."""
    return desired.get("kind") == "NetworkPolicy"


def strays(desired: Manifest, live: Manifest) -> tuple[Stray, ...]:
    """What others added to the spec that would run or load something. None of what is to be there word by word."""
    if word_by_word(desired):
        return ()
    return tuple(_strays(desired.get("spec"), live.get("spec"), Stray("spec", "/spec")))


def _strays(desired: Any, live: Any, at: Stray) -> Iterator[Stray]:
    if isinstance(desired, Mapping) and isinstance(live, Mapping):
        ours = cast("Manifest", desired)
        for key, value in cast("Manifest", live).items():
            where = Stray(_join(at.path, key), f"{at.pointer}/{key.replace('~', '~0').replace('/', '~1')}")
            if key in ours:
                yield from _strays(ours[key], value, where)
            elif value and (key in _RUNS or _runs_something(value)):
                yield where
    elif _is_list(desired) and _is_list(live):
        yield from _strays_of_entries(desired, live, at)


def _strays_of_entries(desired: Sequence[Any], live: Sequence[Any], at: Stray) -> Iterator[Stray]:
    """Entries too many are no strays but a change of the list, which is ours."""
    ours = _by_name(desired)
    if ours is None or _by_name(live) is None:
        return
    for index, entry in enumerate(live):
        name = str(entry["name"])
        if name in ours:
            yield from _strays(ours[name], entry, Stray(f"{at.path}[name={name}]", f"{at.pointer}/{index}"))


def _runs_something(value: Any) -> bool:
    """Whether anything inside is such a field: a framework of KServe's is a component under a name of its own."""
    if isinstance(value, Mapping):
        inner = cast("Manifest", value)
        return any(inner[key] and (key in _RUNS or _runs_something(inner[key])) for key in inner)
    return _is_list(value) and any(_runs_something(entry) for entry in value)


def _differ(desired: Any, live: Any, path: str, field: str) -> Iterator[str]:
    if isinstance(desired, Mapping) and isinstance(live, Mapping):
        yield from _maps(cast("Manifest", desired), cast("Manifest", live), path, field)
    elif _is_list(desired) and _is_list(live):
        yield from _lists(desired, live, path, field)
    elif desired != live or isinstance(desired, bool) != isinstance(live, bool):
        yield path


def _maps(desired: Manifest, live: Manifest, path: str, field: str) -> Iterator[str]:
    for key, value in desired.items():
        where = _join(path, key)
        if key not in live:
            yield where
        elif field in _QUANTITIES:
            yield from () if _same_quantity(value, live[key]) else (where,)
        else:
            yield from _differ(value, live[key], where, key)


def _lists(desired: Sequence[Any], live: Sequence[Any], path: str, field: str) -> Iterator[str]:
    ours, theirs = _by_name(desired), _by_name(live)
    if ours is None or theirs is None:
        if len(desired) != len(live):
            yield path
            return
        for index, (value, found) in enumerate(zip(desired, live, strict=True)):
            yield from _differ(value, found, f"{path}[{index}]", "")
        return
    for name, entry in ours.items():
        where = f"{path}[name={name}]"
        yield from _maps(entry, theirs[name], where, "") if name in theirs else (where,)
    if field not in _SHARED_LISTS:
        yield from (f"{path}[name={name}]" for name in theirs if name not in ours)


def _by_name(entries: Sequence[Any]) -> dict[str, Manifest] | None:
    """The entries by name, or None where some have none or two have the same."""
    if not all(isinstance(entry, Mapping) and "name" in entry for entry in entries):
        return None
    named: dict[str, Manifest] = {str(entry["name"]): entry for entry in entries}
    return named if len(named) == len(entries) else None


def _same_quantity(desired: Any, live: Any) -> bool:
    try:
        return parse(str(desired)) == parse(str(live))
    except ValueError:
        return bool(desired == live)


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _join(path: str, key: str) -> str:
    step = key if key.isidentifier() else f'["{key}"]'
    return f"{path}.{step}" if path and key.isidentifier() else f"{path}{step}"
