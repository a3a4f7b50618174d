"""From manifests, in files or on a hub, to objects. What would be refused when it is applied is refused here, by file."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import ValidationError

from domicile import kube
from domicile.api import GROUP, KINDS, VERSION, Kind, SovereignModel
from domicile.cli.failure import Failure
from domicile.cli.plan.objects import Key, Objects

Manifest = Mapping[str, Any]
API_VERSION = f"{GROUP}/{VERSION}"
_KINDS: Mapping[str, type[Kind]] = {kind.info.kind: kind for kind in KINDS}


class _Loader(yaml.SafeLoader):
    """YAML as kubectl reads it: a date is a text, as JSON has none."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Collection:
    """Objects while they are being read. An object that is there twice, and says two things, is an error."""

    def __init__(self) -> None:
        self._ours: dict[Key, Kind] = {}
        self._where: dict[Key, str] = {}
        self._namespaces: dict[str, Mapping[str, str]] = {}
        self._hub_uid = ""

    def objects(self) -> Objects:
        """All of them."""
        return Objects(self._ours, self._namespaces, self._hub_uid)

    def add(self, manifest: Manifest, where: str) -> bool:
        """Take in one object. Others than ours and namespaces are passed over, with False. Raises Failure on one that is
        not valid."""
        name, version = str(manifest.get("kind", "")), str(manifest.get("apiVersion", ""))
        if (name, version) == ("Namespace", "v1"):
            self._add_namespace(manifest, where)
            return True
        if version.partition("/")[0] == GROUP or (name in _KINDS and not version):
            self._add_ours(manifest, name, version, where)
            return True
        return False

    def _add_namespace(self, manifest: Manifest, where: str) -> None:
        meta = _mapping(manifest.get("metadata"))
        labels = _mapping(meta.get("labels"))
        name = str(meta.get("name"))
        wrong = sorted(key for key, value in labels.items() if not isinstance(value, str))
        if wrong:
            raise Failure(f"{where}: Namespace {name}: label {wrong[0]} is no text: put it in quotes")
        if self._namespaces.setdefault(name, labels) != labels:
            raise Failure(f"{where}: Namespace {name} was read before, with other labels: which of them counts?")
        if name == "kube-system":
            self._hub_uid = str(meta.get("uid", ""))

    def _add_ours(self, manifest: Manifest, name: str, version: str, where: str) -> None:
        title = f"{where}: {name} {_mapping(manifest.get('metadata')).get('name')}"
        if name not in _KINDS:
            raise Failure(f"{title}: {GROUP} has no kind {name!r}; it has {', '.join(sorted(_KINDS))}")
        if version != API_VERSION:
            raise Failure(f"{title}: apiVersion is {version or 'missing'}: it must be {API_VERSION}")
        try:
            read = _KINDS[name].model_validate(manifest)
        except ValidationError as error:
            raise Failure("\n".join(f"{title}: {each}" for each in _errors(error))) from error
        if isinstance(read, SovereignModel) and not read.metadata.namespace:
            raise Failure(f"{title}: metadata.namespace is missing: it decides which policies apply")
        namespace = read.metadata.namespace if read.info.scope == "Namespaced" else ""
        key = (name, namespace, read.metadata.name)
        if self._ours.setdefault(key, read) != read:
            raise Failure(f"{title} was read before, from {self._where[key]}, and says something else: which counts?")
        self._where.setdefault(key, where)


def from_files(paths: Iterable[Path]) -> Objects:
    """Objects of YAML and JSON files, of all such files below folders, and of standard input for `-`."""
    found = Collection()
    for path in paths:
        taken = [found.add(manifest, str(file)) for file, text in _texts(path) for manifest in _manifests(file, text)]
        if not any(taken):
            raise Failure(f"{path}: there is no object of {GROUP} and no Namespace in it")
    return found.objects()


async def from_hub(kubeconfig: Path | None, context: str | None) -> Objects:
    """All of ours on a hub, and its namespaces. A model that cannot be read is one team's, and nothing is placed for it: it
    keeps nobody from an answer about the others. What governance wrote and cannot be read does."""
    found = Collection()
    left_out: list[str] = []
    client = kube.KubeClient(await kube.from_kubeconfig(kubeconfig, context))
    try:
        for kind in KINDS:
            info = kind.info
            where = kube.Resource(GROUP, VERSION, info.plural, namespaced=info.scope == "Namespaced")
            for each in (await client.list(where)).items:
                try:
                    found.add({**each, "kind": info.kind, "apiVersion": API_VERSION}, "the hub")
                except Failure as failure:
                    if kind is not SovereignModel:
                        raise
                    left_out.append(failure.message)
        for each in (await client.list(kube.NAMESPACES)).items:
            found.add({**each, "kind": "Namespace", "apiVersion": "v1"}, "the hub")
    finally:
        await client.close()
    return replace(found.objects(), left_out=tuple(left_out))


def moment(text: str | None) -> datetime:
    """A moment that was asked about, or this one. Raises Failure on what is none."""
    if text is None:
        return datetime.now(UTC)
    try:
        asked = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(f"{text} is no time: write it as 2026-11-24T09:00:00Z") from None
    return asked.astimezone(UTC) if asked.tzinfo else asked.replace(tzinfo=UTC)


def _errors(error: ValidationError) -> Iterator[str]:
    """Every fault, by field. YAML takes NO, the code of Norway, for a truth value."""
    for each in error.errors(include_url=False):
        field, found = ".".join(str(part) for part in each["loc"]), each["input"]
        shown = f" (it is {found!r})" if isinstance(found, str | int | float) and len(repr(found)) <= 80 else ""
        hint = ": YAML reads NO, yes, on and off so; put a text in quotes" if isinstance(found, bool) else ""
        yield f"{field}: {each['msg']}{shown}{hint}"


def _texts(path: Path) -> Iterator[tuple[Path, str]]:
    if str(path) == "-":
        try:
            yield path, sys.stdin.read()
        except UnicodeDecodeError as error:
            raise Failure("standard input cannot be read: it is no text in UTF-8") from error
        return
    files = [path]
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml", ".json") and p.is_file())
    for file in files:
        try:
            yield file, file.read_text(encoding="utf-8")
        except OSError as error:
            raise Failure(f"{file} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise Failure(f"{file} cannot be read: it is no text in UTF-8") from error


def _manifests(path: Path, text: str) -> Iterator[Manifest]:
    try:
        documents = list(yaml.load_all(text, _Loader))
    except yaml.YAMLError as error:
        raise Failure(f"{path} is no YAML: {error}") from error
    for document in documents:
        yield from _items(document)


def _items(document: object) -> Iterator[Manifest]:
    manifest = _mapping(document)
    items = manifest.get("items")
    if str(manifest.get("kind", "")).endswith("List") and isinstance(items, list):
        for item in cast("list[object]", items):
            yield from _items(item)
    elif manifest:
        yield manifest


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
