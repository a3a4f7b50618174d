"""etcd for a hub or for all regions: TLS with client certificates, on loopback, without waiting for the disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from domicile.localfleet import build, certs, ports, processes


@dataclass(frozen=True)
class Etcd:
    """How an API server reaches its etcd."""

    name: str
    url: str
    authority: Path
    client: certs.KeyPair


def prepare(name: str, directory: Path, programs: build.Programs, free: ports.Ports) -> tuple[Etcd, processes.Program]:
    authority = certs.Authority(directory / "pki", f"{name} authority")
    server = authority.both("server", name, ["127.0.0.1", "localhost"])
    client = authority.client("client", "kube-apiserver")
    url, peer_url = f"https://127.0.0.1:{free.take()}", f"https://127.0.0.1:{free.take()}"
    health = f"http://127.0.0.1:{free.take()}"
    argv = [
        programs.binary("etcd"),
        f"--name={name}",
        f"--data-dir={directory / 'data'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster={name}={peer_url}",
        f"--listen-metrics-urls={health}",  # health without a client certificate; holds no data
        f"--cert-file={server.certificate}",
        f"--key-file={server.key}",
        "--client-cert-auth",
        f"--trusted-ca-file={authority.certificate}",
        f"--peer-cert-file={server.certificate}",
        f"--peer-key-file={server.key}",
        "--peer-client-cert-auth",
        f"--peer-trusted-ca-file={authority.certificate}",
        "--unsafe-no-fsync",  # the data lives no longer than the fleet
        "--log-level=warn",
    ]
    program = processes.Program(name, [str(word) for word in argv], processes.Probe(f"{health}/readyz"))
    return Etcd(name, url, authority.certificate, client), program
