"""Kubeconfigs for joining: the member's address and authority out of the user's own, and the small one that the hub gets."""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from domicile.cli.failure import Failure


@dataclass(frozen=True)
class Address:
    """Where an API server is, and what vouches for it."""

    server: str
    authority: str
    """PEM in base64; empty where the machine's own authorities vouch for it."""
    server_name: str = ""
    """Name that its certificate must have, where it is not the host of `server`."""


def address_of(context: str, path: Path | None = None) -> Address:
    """The cluster of a context in the user's kubeconfig; `path` None means $KUBECONFIG, then ~/.kube/config."""
    files = _files(path)
    chosen = _entry(files, "context", context)
    if chosen is None:
        looked = ", ".join(str(file) for file in files)
        raise Failure(f"no context {context!r} in {looked}: `kubectl config get-contexts` lists those that are there")
    cluster = _entry(files, "cluster", str(chosen[1].get("cluster", "")))
    if cluster is None or not cluster[1].get("server"):
        raise Failure(f"context {context!r} names a cluster that the kubeconfig does not have, or that has no server")
    file, entry = cluster
    authority = str(entry.get("certificate-authority-data") or "")
    if not authority and entry.get("certificate-authority"):
        named = file.parent / str(entry["certificate-authority"])
        try:
            authority = base64.b64encode(named.read_bytes()).decode()
        except OSError as error:
            raise Failure(f"context {context!r}: the certificate authority {named} cannot be read: {error}") from error
    return Address(str(entry["server"]), authority, str(entry.get("tls-server-name") or ""))


def with_token(name: str, address: Address, token: str) -> str:
    """A kubeconfig of one cluster, one user and one context: server, authority and token, and nothing else."""
    cluster = {"server": address.server}
    if address.authority:
        cluster["certificate-authority-data"] = address.authority
    if address.server_name:
        cluster["tls-server-name"] = address.server_name
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": "domicile", "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "domicile"}}],
        "current-context": name,
    }
    return yaml.safe_dump(config, sort_keys=False)


def _files(path: Path | None) -> tuple[Path, ...]:
    if path is not None:
        return (path,)
    named = tuple(Path(each).expanduser() for each in os.environ.get("KUBECONFIG", "").split(os.pathsep) if each)
    return named or (Path.home() / ".kube" / "config",)


def _entry(files: tuple[Path, ...], kind: str, name: str) -> tuple[Path, Mapping[str, Any]] | None:
    """The first entry of that name, as kubectl takes it, and the file that it is in."""
    for file in files:
        for each in _read(file).get(f"{kind}s") or ():
            if isinstance(each, dict) and cast(dict[str, Any], each).get("name") == name:
                return file, cast(dict[str, Any], each).get(kind) or {}
    return None


def _read(file: Path) -> dict[str, Any]:
    try:
        document: object = yaml.safe_load(file.read_text())
    except FileNotFoundError:
        return {}  # As kubectl: files of $KUBECONFIG may be missing.
    except (OSError, yaml.YAMLError) as error:
        raise Failure(f"the kubeconfig {file} cannot be read: {type(error).__name__}") from error
    return cast(dict[str, Any], document) if isinstance(document, dict) else {}
