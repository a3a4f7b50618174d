"""Packs files into deterministic one-layer OCI images and pushes them to the fleet's registry."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from domicile.localfleet import errors

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
# Numeric: with runAsNonRoot a kubelet refuses users by name. Not root: Pod Security `restricted` asks for it.
NOBODY = "65532:65532"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class File:
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True)
class Image:
    """A packed image: same files, same digest, on every machine."""

    manifest: bytes
    blobs: Mapping[str, bytes]
    """Config and layer by digest."""

    @property
    def digest(self) -> str:
        return digest(self.manifest)


@dataclass(frozen=True)
class Contents:
    """What goes into an image; paths are absolute."""

    files: Mapping[str, File]
    directories: Sequence[str] = ()
    entrypoint: Sequence[str] = ()
    user: str = NOBODY
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


def pack(contents: Contents) -> Image:
    layer = _layer(contents)
    # mtime 0 and no file name in the header: gzip would otherwise put the time of packing into the digest.
    packed = gzip.compress(layer, compresslevel=6, mtime=0)
    settings: dict[str, Any] = {"User": contents.user}
    if contents.entrypoint:
        settings["Entrypoint"] = list(contents.entrypoint)
    if contents.labels:
        settings["Labels"] = dict(contents.labels)
    config = _json(
        {
            "architecture": architecture(),
            "os": "linux",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
            "history": [{"created_by": "domicile localfleet"}],
        }
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor(CONFIG_TYPE, config),
        "layers": [_descriptor(LAYER_TYPE, packed)],
    }
    return Image(_json(manifest), {digest(config): config, digest(packed): packed})


def pause(binary: Path) -> Image:
    """The sandbox image of the real node."""
    return pack(Contents({"/pause": File(binary.read_bytes(), 0o755)}, entrypoint=["/pause"]))


def model_server(binary: Path) -> Image:
    server = File(binary.read_bytes(), 0o755)
    return pack(Contents({"/modelserver": server}, directories=["/mnt/models"], entrypoint=["/modelserver"]))


def model(files: Mapping[str, bytes]) -> Image:
    """A model artifact: nothing but its files under /models, as KServe's oci:// storage expects."""
    return pack(Contents({f"/models/{name}": File(content) for name, content in files.items()}))


def push(image: Image, registry: str, name: str, tag: str = "1") -> str:
    """Uploads what is missing; returns the reference by digest, `host:port/name@sha256:…`."""
    connection = http.client.HTTPConnection(registry, timeout=60)
    try:
        for blob_digest, blob in image.blobs.items():
            _push_blob(connection, registry, name, blob_digest, blob)
        for reference in (image.digest, tag):
            path = f"/v2/{name}/manifests/{reference}"
            _expect(connection, registry, "PUT", path, image.manifest, 201, MANIFEST_TYPE)
    finally:
        connection.close()
    return f"{registry}/{name}@{image.digest}"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def architecture() -> str:
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def _layer(contents: Contents) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for directory in sorted(_directories(contents)):
            _add(archive, directory, tarfile.DIRTYPE, 0o1777 if directory == "tmp" else 0o755, b"")
        for path, file in sorted(contents.files.items()):
            _add(archive, path.lstrip("/"), tarfile.REGTYPE, file.mode, file.content)
    return raw.getvalue()


def _directories(contents: Contents) -> set[str]:
    wanted = {str(parent) for path in contents.files for parent in PurePosixPath(path.lstrip("/")).parents}
    for path in contents.directories:
        own = PurePosixPath(path.lstrip("/"))
        wanted |= {str(own), *(str(parent) for parent in own.parents)}
    return wanted - {"."}


def _add(archive: tarfile.TarFile, name: str, kind: bytes, mode: int, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.mtime = kind, mode, len(content), 0
    archive.addfile(entry, io.BytesIO(content))


def _push_blob(connection: http.client.HTTPConnection, registry: str, name: str, wanted: str, blob: bytes) -> None:
    connection.request("HEAD", f"/v2/{name}/blobs/{wanted}")
    answer = connection.getresponse()
    answer.read()
    if answer.status == 200:
        return
    location = _expect(connection, registry, "POST", f"/v2/{name}/blobs/uploads/", b"", 202)
    target = urlsplit(location)
    query = f"{target.query}&" if target.query else ""
    _expect(connection, registry, "PUT", f"{target.path}?{query}digest={wanted}", blob, 201, "application/octet-stream")


def _expect(
    connection: http.client.HTTPConnection,
    registry: str,
    method: str,
    path: str,
    body: bytes,
    status: int,
    media_type: str = "application/octet-stream",
) -> str:
    connection.request(method, path, body, {"Content-Type": media_type})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != status:
        raise errors.RequestRefused(f"{method} http://{registry}{path}", answer.status, text.decode(errors="replace"))
    return answer.getheader("Location") or ""


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
