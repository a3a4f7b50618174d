"""The user's own kubeconfig, or the pod's own ServiceAccount, into an Endpoint. Unlike a Secret's, these may run exec plugins
and read files: they are the user's own."""

import asyncio
import base64
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from domicile.kube import certificates, credentials, shape
from domicile.kube.endpoint import Endpoint, FixedToken, TokenFile, TokenSource, anonymous
from domicile.kube.errors import KubeconfigInvalid

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_RENEW_SECONDS = 60.0
_DATA_OR_FILE = ("certificate-authority", "client-certificate", "client-key")


def in_cluster(directory: Path = _SERVICE_ACCOUNT, environment: Mapping[str, str] = os.environ) -> Endpoint:
    """The API server of the cluster that this pod runs in."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise KubeconfigInvalid("this is no pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
    try:
        authority = (directory / "ca.crt").read_bytes()
    except OSError as error:
        raise KubeconfigInvalid(f"the pod has no ServiceAccount mounted: {error}") from error
    address = f"[{host}]" if ":" in host else host
    return Endpoint(
        server=f"https://{address}:{port}",
        tls=certificates.client_context(authority, None, None),
        authorization=TokenFile(directory / "token"),
    )


async def from_kubeconfig(path: Path | None = None, context: str | None = None) -> Endpoint:
    """The API server of a context in the user's kubeconfig; `path` None means $KUBECONFIG, then ~/.kube/config."""
    config = await asyncio.to_thread(_merged, _paths(path))
    cluster, user = credentials.current_sections(config, context)
    for key in ("insecure-skip-tls-verify", "proxy-url"):
        if cluster.get(key):
            raise KubeconfigInvalid(
                f"cluster.{key} is not supported: Domicile speaks to API servers directly, over TLS"
            )
    for key in ("as", "as-uid", "as-groups", "as-user-extra"):
        if user.get(key):
            # Read past, it would mean acting with more rights than the kubeconfig says.
            raise KubeconfigInvalid(f"user.{key} is not supported: use a user that has the rights itself")
    certificate, key = _bytes(user, "client-certificate"), _bytes(user, "client-key")
    authorization, issued = await _authenticate(cluster, user)
    certificate, key = issued or (certificate, key)
    authority = _bytes(cluster, "certificate-authority")
    return Endpoint(
        server=credentials.checked_server(cluster.get("server")),
        tls=certificates.client_context(authority, certificate, key),
        authorization=authorization,
        server_name=cluster.get("tls-server-name"),
        authorities=certificates.validities(authority, "certificate authority") if authority else (),
        identity=certificates.validities(certificate, "client certificate") if certificate else (),
    )


async def default() -> Endpoint:
    """In a pod its own cluster, elsewhere the user's kubeconfig."""
    return in_cluster() if "KUBERNETES_SERVICE_HOST" in os.environ else await from_kubeconfig()


class _RenewedToken:
    """A token that the `kubernetes` package's loader gets from an exec plugin or auth provider, and renews."""

    def __init__(self, loader: Any) -> None:
        self._loader, self._loaded_at = loader, time.monotonic()

    async def __call__(self) -> str | None:
        if time.monotonic() - self._loaded_at > _RENEW_SECONDS:
            from kubernetes.aio.client import Configuration  # pyright: ignore[reportMissingTypeStubs]

            # Runs an exec plugin only when its credential is about to end.
            await self._loader.load_and_set(Configuration())
            self._loaded_at = time.monotonic()
        token: str | None = getattr(self._loader, "token", None)
        return token


async def _authenticate(
    cluster: Mapping[str, Any], user: Mapping[str, Any]
) -> tuple[TokenSource, tuple[bytes, bytes] | None]:
    """Where the token comes from, and the client certificate that an exec plugin issued, if it did."""
    if not any(user.get(key) for key in ("token", "tokenFile", "exec", "auth-provider", "username")):
        return anonymous, None
    if isinstance(user.get("token"), str) and not user.get("exec") and not user.get("auth-provider"):
        return FixedToken(user["token"]), None
    if user.get("tokenFile") and not user.get("token"):
        return TokenFile(Path(user["tokenFile"])), None
    # Imported here: it takes about a second, and a member's Secret never needs it.
    from kubernetes.aio.client import Configuration  # pyright: ignore[reportMissingTypeStubs]
    from kubernetes.aio.config import kube_config  # pyright: ignore[reportMissingTypeStubs]

    # Certificates are ours to read: the loader would leave temporary files with keys in them.
    plain = {key: value for key, value in user.items() if not key.startswith(("client-certificate", "client-key"))}
    document = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": cluster.get("server")}}],
        "users": [{"name": "it", "user": plain}],
    }
    try:
        loader: Any = await kube_config.load_kube_config_from_dict(  # pyright: ignore[reportUnknownMemberType]
            document, client_configuration=Configuration()
        )
    except Exception as error:
        raise KubeconfigInvalid(f"the kubeconfig's user cannot be used: {error}") from error
    certificate_file, key_file = getattr(loader, "cert_file", None), getattr(loader, "key_file", None)
    if certificate_file and key_file:
        return anonymous, await asyncio.to_thread(lambda: (_content(certificate_file), _content(key_file)))
    if getattr(loader, "token", None) is None:
        command = user["exec"].get("command") if isinstance(user.get("exec"), Mapping) else "the auth-provider"
        raise KubeconfigInvalid(f"{command!r} of the kubeconfig gave no credentials; run it by hand to see why")
    return _RenewedToken(loader), None


def _content(file: str) -> bytes:
    return Path(file).read_bytes()


def _paths(path: Path | None) -> tuple[Path, ...]:
    if path is not None:
        return (path,)
    listed = [Path(entry).expanduser() for entry in os.environ.get("KUBECONFIG", "").split(os.pathsep) if entry]
    return tuple(listed) or (Path.home() / ".kube" / "config",)


def _merged(paths: tuple[Path, ...]) -> Mapping[str, Any]:
    """As kubectl merges them: of two entries with one name the first counts. Files are made absolute."""
    merged: dict[str, Any] = {"clusters": [], "users": [], "contexts": []}
    read = False
    for path in paths:
        if not path.exists() and len(paths) > 1:  # kubectl passes over files of $KUBECONFIG that are not there.
            continue
        document = _read(path)
        read = True
        merged.setdefault("current-context", document.get("current-context"))
        if merged["current-context"] is None:
            del merged["current-context"]
        for section in ("clusters", "users", "contexts"):
            known = {entry["name"] for entry in merged[section]}
            entries: list[dict[str, Any]] = document.get(section) or []
            merged[section] += [_anchored(entry, path) for entry in entries if entry.get("name") not in known]
    if not read:
        raise KubeconfigInvalid(f"no kubeconfig found; looked for {', '.join(map(str, paths))}")
    return merged


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document: object = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise KubeconfigInvalid(f"{path} cannot be read: {type(error).__name__}") from error
    if not isinstance(document, Mapping):
        raise KubeconfigInvalid(f"{path} is no kubeconfig")
    return shape.mapping(document)


def _anchored(entry: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The entry with its relative file names resolved against the kubeconfig's folder."""

    def resolved(section: Mapping[str, Any]) -> dict[str, Any]:
        files = {key: str(path.parent / section[key]) for key in (*_DATA_OR_FILE, "tokenFile") if section.get(key)}
        return {**section, **files}

    return {key: resolved(value) if key in ("cluster", "user") and value else value for key, value in entry.items()}


def _bytes(section: Mapping[str, Any], key: str) -> bytes | None:
    """Content of `<key>-data`, else of the file that `<key>` names."""
    try:
        if section.get(f"{key}-data"):
            return base64.b64decode(section[f"{key}-data"])
        return Path(section[key]).read_bytes() if section.get(key) else None
    except (OSError, ValueError) as error:
        raise KubeconfigInvalid(f"{key} of the kubeconfig cannot be read: {error}") from error
