"""A member's kubeconfig, as a Secret holds it, into an Endpoint. It runs nothing and reads no file: whoever writes the Secret
would otherwise run code, or read files, as the operator."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

import yaml

from domicile.kube import certificates, shape
from domicile.kube.endpoint import Endpoint, FixedToken, TokenSource, anonymous
from domicile.kube.errors import KubeconfigInvalid

_LARGEST = 128 * 1024
"""Bytes. The parser takes a second for that much, and holds up everything meanwhile."""
_DEEPEST = 32
"""Levels. A kubeconfig has six, and its extensions may have a few more."""
_TOKEN = re.compile(r"[\x21-\x7e]+")

_REFUSED_IN_CLUSTER: Final[Mapping[str, str]] = {
    "certificate-authority": "name no file: put the certificate itself into certificate-authority-data",
    "insecure-skip-tls-verify": "TLS has to vouch for the member: put its authority into certificate-authority-data",
    "proxy-url": "a proxy is not supported: reach the member directly",
}
_REFUSED_IN_USER: Final[Mapping[str, str]] = {
    "exec": "a Secret must not run a program in the operator: use a ServiceAccount's token, as `domicile cluster join` does",
    "auth-provider": "a Secret must not run a plugin in the operator: use a ServiceAccount's token",
    "tokenFile": "name no file: put the token itself into token",
    "client-certificate": "name no file: put the certificate itself into client-certificate-data",
    "client-key": "name no file: put the key itself into client-key-data",
    "username": "Kubernetes no longer takes passwords: use a ServiceAccount's token",
    "password": "Kubernetes no longer takes passwords: use a ServiceAccount's token",
    "as": "impersonation is not supported: use the identity itself",
    "as-uid": "impersonation is not supported: use the identity itself",
    "as-groups": "impersonation is not supported: use the identity itself",
    "as-user-extra": "impersonation is not supported: use the identity itself",
}
_KNOWN_IN_CLUSTER = {"server", "certificate-authority-data", "tls-server-name", "disable-compression", "extensions"}
_KNOWN_IN_USER = {"token", "client-certificate-data", "client-key-data", "extensions"}


def from_secret(kubeconfig: str | bytes | Mapping[str, Any]) -> Endpoint:
    """The endpoint of the current context of a kubeconfig that somebody else wrote. KubeconfigInvalid says what to change."""
    config = kubeconfig if isinstance(kubeconfig, Mapping) else _parsed(kubeconfig)
    cluster, user = current_sections(config)
    _refuse("cluster", cluster, _REFUSED_IN_CLUSTER, _KNOWN_IN_CLUSTER)
    _refuse("user", user, _REFUSED_IN_USER, _KNOWN_IN_USER)
    authority = _inline(cluster, "certificate-authority-data")
    certificate, key = _inline(user, "client-certificate-data"), _inline(user, "client-key-data")
    if (certificate is None) != (key is None):
        raise KubeconfigInvalid("client-certificate-data and client-key-data go together; one of them is missing")
    server_name = cluster.get("tls-server-name")
    if server_name is not None and not isinstance(server_name, str):
        raise KubeconfigInvalid("tls-server-name must be a string")
    return Endpoint(
        server=checked_server(cluster.get("server")),
        tls=certificates.client_context(authority, certificate, key),
        authorization=_authorization(user, has_certificate=certificate is not None),
        server_name=server_name or None,
        authorities=certificates.validities(authority, "certificate authority") if authority else (),
        identity=certificates.validities(certificate, "client certificate") if certificate else (),
    )


def current_sections(
    config: Mapping[str, Any], context: str | None = None
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The cluster and the user of `context`, of the current context if None."""
    wanted = context if context is not None else config.get("current-context")
    if not isinstance(wanted, str) or not wanted:
        raise KubeconfigInvalid("the kubeconfig has no current-context: set it to the context that is meant")
    chosen = _named(config, "contexts", "context", wanted)
    cluster_name, user_name = chosen.get("cluster"), chosen.get("user")
    if not isinstance(cluster_name, str) or not isinstance(user_name, str):
        raise KubeconfigInvalid(f"context {wanted!r} must name a cluster and a user")
    return _named(config, "clusters", "cluster", cluster_name), _named(config, "users", "user", user_name)


def checked_server(server: object) -> str:
    """The server's URL, if it is one that can be spoken to safely."""
    if not isinstance(server, str) or not server:
        raise KubeconfigInvalid("the cluster has no server: set it to the API server's https URL")
    try:
        url = urlsplit(server)
        _ = url.port
    except ValueError:
        # Its message quotes a part of the URL, which may hold a password.
        raise KubeconfigInvalid("server is no URL: it must be https://HOST[:PORT][/PATH]") from None
    if url.scheme != "https":
        raise KubeconfigInvalid("server must be an https URL: https://HOST[:PORT][/PATH]")
    # An empty query or fragment is one too: it would swallow the paths that are asked for. urlsplit drops line breaks.
    strange = not server.isprintable() or any(sign in server for sign in " ?#@")
    if not url.hostname or strange:
        raise KubeconfigInvalid("server must be https://HOST[:PORT][/PATH], without user, query or fragment")
    return server.rstrip("/")


class _PlainLoader(yaml.SafeLoader):
    """YAML without anchors and aliases, and of few levels: a few hundred bytes of them grow into gigabytes, and hold up the
    loop meanwhile. Refused while parsing, before anything is made of it."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = cast(object, self.peek_event())  # pyright: ignore[reportUnknownMemberType]
        if getattr(event, "anchor", None) is not None:  # An alias has the name of its anchor there.
            raise KubeconfigInvalid("the kubeconfig has YAML anchors or aliases: write out what they stand for")
        if self.depth == _DEEPEST:
            raise KubeconfigInvalid(f"the kubeconfig is nested deeper than {_DEEPEST} levels")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _parsed(text: str | bytes) -> Mapping[str, Any]:
    if len(text) > _LARGEST:
        raise KubeconfigInvalid(f"the kubeconfig has {len(text)} bytes, more than {_LARGEST}")
    try:
        config = yaml.load(text, _PlainLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        # The parser's message quotes the line it stumbled on, which may hold a token.
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark is not None else ""
        raise KubeconfigInvalid(f"the kubeconfig is not YAML{where}") from None
    if not isinstance(config, dict):
        raise KubeconfigInvalid("the kubeconfig is not a mapping: it must have clusters, users and contexts")
    return shape.mapping(config)


def _named(config: Mapping[str, Any], section: str, key: str, name: str) -> Mapping[str, Any]:
    found = [entry.get(key) for entry in shape.mappings(config.get(section)) if entry.get("name") == name]
    if len(found) != 1 or not isinstance(found[0], Mapping):
        how_many = "no entry" if not found else "an empty entry" if len(found) == 1 else f"{len(found)} entries"
        raise KubeconfigInvalid(f"{section} has {how_many} named {name!r}; it needs exactly one")
    return shape.mapping(found[0])


def _refuse(where: str, section: Mapping[str, Any], refused: Mapping[str, str], known: set[str]) -> None:
    for key, advice in refused.items():
        # `insecure-skip-tls-verify: false` and empty strings say nothing, and some tools write them.
        if section.get(key):
            raise KubeconfigInvalid(f"{where}.{key} is not accepted in a Secret: {advice}")
    unknown = sorted(str(key) for key in section if key not in known and key not in refused)
    if unknown:
        raise KubeconfigInvalid(f"{where} has the unknown field {unknown[0]!r}: it would have no effect, take it out")


def _inline(section: Mapping[str, Any], key: str) -> bytes | None:
    value = section.get(key)
    if not value:
        return None
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError, AttributeError) as error:
        raise KubeconfigInvalid(f"{key} is not base64") from error


def _authorization(user: Mapping[str, Any], *, has_certificate: bool) -> TokenSource:
    token = user.get("token")
    if token is None or token == "":
        if not has_certificate:
            raise KubeconfigInvalid("the user has neither a token nor a client certificate")
        return anonymous
    # A line break in a token would end the header and begin another one.
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise KubeconfigInvalid("token must be one word of printable ASCII")
    return FixedToken(token)
