"""People of the hub, and what the API server answers them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from chart.objects import Manifest, own_annotations
from domicile.localfleet.apiclient import ApiClient


@dataclass(frozen=True)
class Reply:
    """What the API server answered."""

    status: int
    body: Manifest

    @property
    def said(self) -> str:
        return self.body.get("message", "")

    def annotations(self) -> dict[str, str]:
        """Those of ours, without their prefix, of an object that was accepted."""
        assert self.status < 300, self.said
        return own_annotations(self.body)


MEDIA = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}


@dataclass(frozen=True)
class Person:
    """One user of the hub, without kubectl: a table of cases takes no longer than one kubectl."""

    name: str
    api: ApiClient

    def create(self, wanted: Manifest, **query: str) -> Reply:
        return self._send("POST", self.api.path_of(wanted).rpartition("/")[0], wanted, query)

    def patch(self, of: Manifest, change: Any, how: str = "merge", subresource: str = "", **query: str) -> Reply:
        path = self.api.path_of(of) + (f"/{subresource}" if subresource else "")
        return self._send("PATCH", path, change, query, MEDIA[how])

    def apply(self, wanted: Manifest, *, manager: str = "another", **query: str) -> Reply:
        """Server-side apply, which takes over what others have written."""
        return self.patch(wanted, wanted, "apply", fieldManager=manager, force="true", **query)

    def replace(self, wanted: Manifest, **query: str) -> Reply:
        return self._send("PUT", self.api.path_of(wanted), wanted, query)

    def delete(self, of: Manifest, **query: str) -> Reply:
        return self._send("DELETE", self.api.path_of(of), None, query)

    def get(self, of: Manifest) -> Manifest:
        return self.api.get(self.api.path_of(of))

    def _send(
        self, method: str, path: str, body: Any, query: Mapping[str, str], media_type: str = "application/json"
    ) -> Reply:
        path += f"?{urlencode(query)}" if query else ""
        status, answer = self.api.raw(method, path, json.dumps(body).encode() if body is not None else None, media_type)
        return Reply(status, json.loads(answer))


DRY = {"dryRun": "All"}


@dataclass(frozen=True)
class People:
    """Who is who on the hub, each in the group that the chart's role of the same name is bound to."""

    ali: Person
    """Of the team."""
    gil: Person
    """Of governance; asks for exceptions."""
    gus: Person
    """Of governance too."""
    ana: Person
    """Approver."""
    pat: Person
    """Of governance, and approver."""
    dora: Person
    """Declassifier."""
    root: Person
    """Cluster administrator."""
    operator: Person

    def give_for_one(self, user: str, of: Manifest, resource: str, verb: str) -> None:
        """A right to one object alone, by its name."""
        api, name = "rbac.authorization.k8s.io", of["metadata"]["name"]
        rule = {"apiGroups": ["domicile.dev"], "resources": [resource], "resourceNames": [name], "verbs": [verb]}
        what = {"apiVersion": f"{api}/v1", "metadata": {"name": f"{verb}-{name}"}}
        made(self.root, {**what, "kind": "ClusterRole", "rules": [rule]})
        given = {
            "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": f"{verb}-{name}"},
            "subjects": [{"apiGroup": api, "kind": "User", "name": user}],
        }
        made(self.root, {**what, "kind": "ClusterRoleBinding", **given})


def person(hub: Any, name: str, groups: Sequence[str]) -> Person:
    """Known to the API server by a client certificate."""
    pair = hub.plane.identities.authority.client(f"chart-{name.replace(':', '_')}", name, groups)
    return Person(name, ApiClient(hub.url, hub.authority, pair))


def made(person: Person, wanted: Manifest) -> Manifest:
    reply = person.create(wanted)
    assert reply.status == 201, reply.said
    return reply.body


def in_use(operator: Person, of: Manifest, status: str | None = "True") -> Manifest:
    """The policy, with what the operator says of it when models run under it."""
    said = {"Accepted": "True", **({"InUse": status} if status else {})}
    conditions = [
        {"type": each, "status": status, "reason": "Seen", "lastTransitionTime": "2026-11-23T09:00:00Z"}
        for each, status in said.items()
    ]
    reply = operator.patch(of, {"status": {"conditions": conditions}}, subresource="status")
    assert reply.status == 200, reply.said
    return reply.body
