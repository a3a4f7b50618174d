"""Members that were registered by hand and cannot be used, each for a reason of its own."""

import base64
import datetime as dt
import json
import ssl
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from domicile.localfleet.fleet import Cluster
from fleet.world import CLUSTERS, NAMESPACE, World

Object = dict[str, Any]
YESTERDAY = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
LAST_YEAR = YESTERDAY - dt.timedelta(days=365)


def register(world: World, name: str, kubeconfig: str | Object | None, uid: str | None = None) -> None:
    """A RegionalCluster and its Secret, as an administrator would write them; no Secret without a kubeconfig."""
    if kubeconfig is not None:
        world.hub.apply(secret(f"{name}-kubeconfig", kubeconfig))
    world.hub.apply(regional_cluster(name, uid or str(uuid.uuid4())))


def forget(world: World, name: str) -> None:
    world.hub.delete(f"{CLUSTERS}/{name}")
    world.hub.delete(f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}-kubeconfig")


def regional_cluster(name: str, uid: str) -> Object:
    return {
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "RegionalCluster",
        "metadata": {"name": name},
        "spec": {"clusterUID": uid, "kubeconfigSecretRef": {"name": f"{name}-kubeconfig"}},
    }


def secret(name: str, kubeconfig: str | Object) -> Object:
    text = kubeconfig if isinstance(kubeconfig, str) else json.dumps(kubeconfig)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": {"kubeconfig": base64.b64encode(text.encode()).decode()},
    }


def kubeconfig(server: str, authority: bytes, user: Object) -> Object:
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": user}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "current-context": "it",
    }


def of(cluster: Cluster, user: Object) -> Object:
    """A kubeconfig of a real cluster of the fleet, for somebody."""
    return kubeconfig(cluster.url, cluster.authority.read_bytes(), user)


def as_user(cluster: Cluster, user: str, *groups: str) -> Object:
    """A kubeconfig with the certificate of that user."""
    pair = cluster.plane.identities.authority.client(f"stranger-{user}", user, groups)
    return of(cluster, {"client-certificate-data": _inline(pair.certificate), "client-key-data": _inline(pair.key)})


def with_expired_certificate(cluster: Cluster) -> Object:
    """Of somebody whose certificate, signed by the cluster's own authority, ended yesterday."""
    directory = cluster.authority.parent
    key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    issuer = x509.load_pem_x509_certificate(cluster.authority.read_bytes())
    own = ec.generate_private_key(ec.SECP256R1())
    certificate = certified("domicile", own, issuer.subject, key, YESTERDAY)
    return of(
        cluster,
        {
            "client-certificate-data": base64.b64encode(certificate).decode(),
            "client-key-data": base64.b64encode(pem(own)).decode(),
        },
    )


def authority(until: dt.datetime) -> bytes:
    """The certificate of an authority that signed nothing here."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "some other authority")])
    return certified("some other authority", key, name, key, until)


def certified(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    signing: ec.EllipticCurvePrivateKey,
    until: dt.datetime,
    host: str = "127.0.0.1",
) -> bytes:
    """A certificate as PEM."""
    import ipaddress

    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(LAST_YEAR)
        .not_valid_after(until)
        .add_extension(
            x509.BasicConstraints(ca=issuer.rfc4514_string() == f"CN={name}", path_length=None), critical=True
        )
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
    )
    return builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@contextmanager
def server_with_expired_certificate(directory: Path) -> Iterator[tuple[str, bytes]]:
    """An HTTPS server whose certificate ended yesterday: its URL, and the authority that signed it."""
    signing, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a member's authority")])
    trusted = certified(
        "a member's authority", signing, issuer, signing, dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    )
    certificate, key = directory / "server.crt", directory / "server.key"
    certificate.write_bytes(certified("kube-apiserver", own, issuer, signing, YESTERDAY))
    key.write_bytes(pem(own))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    server = _Quiet(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}", trusted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that do not trust the certificate hang up: that is what it is for."""


def _inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
