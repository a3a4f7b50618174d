"""A small client of one API server for set-up: kept-alive connections, server-side apply, no global settings."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import weakref
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from domicile.localfleet import certs, errors

Object = dict[str, Any]
MANAGER = "domicile-localfleet"
TIMEOUT_SECONDS = 60.0


class ApiClient:
    """Thread-safe: each thread has its own connection."""

    def __init__(self, url: str, authority: Path, identity: certs.KeyPair, agent: str = MANAGER) -> None:
        self.url, self._agent = url, agent
        self._host = urlsplit(url).netloc
        self._tls = ssl.create_default_context(cafile=str(authority))
        self._tls.load_cert_chain(identity.certificate, identity.key)
        self._local = threading.local()
        self._open: list[http.client.HTTPSConnection] = []
        # Connections outlive the threads that made them; they end with the client.
        weakref.finalize(self, _close_all, self._open)
        self._resources: dict[tuple[str, str], Object] = {}

    def get(self, path: str) -> Object:
        return self.request("GET", path)

    def find(self, path: str) -> Object | None:
        try:
            return self.get(path)
        except errors.RequestRefused as error:
            if error.status == 404:
                return None
            raise

    def apply(self, wanted: Object) -> Object:
        """Server-side apply under our own manager name."""
        path = f"{self.path_of(wanted)}?fieldManager={MANAGER}&force=true"
        return self.request("PATCH", path, wanted, "application/apply-patch+yaml")

    def apply_status(self, wanted: Object) -> Object:
        path = f"{self.path_of(wanted)}/status?fieldManager={MANAGER}&force=true"
        return self.request("PATCH", path, wanted, "application/apply-patch+yaml")

    def create(self, wanted: Object) -> Object:
        """Cheaper than apply for what is surely new, such as large CRDs."""
        return self.request("POST", self.path_of(wanted).rpartition("/")[0], wanted)

    def merge(self, path: str, change: Object) -> Object:
        return self.request("PATCH", path, change, "application/merge-patch+json")

    def delete(self, path: str) -> Object | None:
        try:
            return self.request("DELETE", path)
        except errors.RequestRefused as error:
            if error.status == 404:
                return None
            raise

    def path_of(self, wanted: Object) -> str:
        """The object's own URL path, by the server's discovery."""
        resource = self._resource(wanted["apiVersion"], wanted["kind"])
        base = _group_path(wanted["apiVersion"])
        metadata = wanted["metadata"]
        if resource["namespaced"]:
            base += f"/namespaces/{quote(metadata.get('namespace', 'default'))}"
        return f"{base}/{resource['name']}/{quote(metadata['name'], safe=':')}"

    def request(
        self, method: str, path: str, body: Object | None = None, media_type: str = "application/json"
    ) -> Object:
        status, answer = self.raw(method, path, json.dumps(body).encode() if body is not None else None, media_type)
        if status >= 300:
            raise errors.RequestRefused(f"{method} {self.url}{path}", status, answer.decode(errors="replace"))
        return json.loads(answer)

    def raw(
        self, method: str, path: str, body: bytes | None = None, media_type: str = "application/json"
    ) -> tuple[int, bytes]:
        headers = {"Content-Type": media_type, "Accept": "application/json"} if body else {"Accept": "*/*"}
        headers["User-Agent"] = self._agent
        for last_try in (False, True):
            connection = self._connection()
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (http.client.HTTPException, OSError) as error:
                connection.close()
                self._local.connection = None
                # A kept-alive connection may have been closed by a server that was restarted.
                if last_try:
                    raise errors.RequestRefused(f"{method} {self.url}{path}", 0, repr(error)) from error
        raise AssertionError

    def _connection(self) -> http.client.HTTPSConnection:
        known: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if known is None:
            known = http.client.HTTPSConnection(self._host, context=self._tls, timeout=TIMEOUT_SECONDS)
            self._local.connection = known
            self._open.append(known)
        return known

    def _resource(self, api_version: str, kind: str) -> Object:
        if (api_version, kind) not in self._resources:
            listed: list[Object] = self.get(_group_path(api_version))["resources"]
            found = {(api_version, resource["kind"]): resource for resource in listed if "/" not in resource["name"]}
            self._resources = {**self._resources, **found}
        try:
            return self._resources[(api_version, kind)]
        except KeyError:
            raise errors.RequestRefused(f"discovery of {api_version} {kind} at {self.url}", 404, "not served") from None


def _close_all(connections: list[http.client.HTTPSConnection]) -> None:
    for connection in connections:
        connection.close()


def _group_path(api_version: str) -> str:
    return f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
