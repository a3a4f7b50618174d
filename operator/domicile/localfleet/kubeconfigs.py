"""Writes kubeconfig files: one cluster, one user, one context each."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domicile.localfleet import certs


@dataclass(frozen=True)
class Server:
    """Where an API server is and which authority vouches for it."""

    url: str
    authority: Path
    name: str
    """Name of the cluster, and of the context."""


def with_certificate(path: Path, server: Server, user: str, pair: certs.KeyPair) -> Path:
    return _write(
        path,
        server,
        user,
        {"client-certificate-data": _inline(pair.certificate), "client-key-data": _inline(pair.key)},
    )


def with_token_file(path: Path, server: Server, user: str, token: Path) -> Path:
    return _write(path, server, user, {"tokenFile": str(token)})


def _write(path: Path, server: Server, user: str, credentials: dict[str, str]) -> Path:
    cluster = {"server": server.url, "certificate-authority-data": _inline(server.authority)}
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": server.name, "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": server.name, "context": {"cluster": server.name, "user": user}}],
        "current-context": server.name,
    }
    certs.write_secret(path, json.dumps(config, indent=1).encode())
    return path


def _inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
