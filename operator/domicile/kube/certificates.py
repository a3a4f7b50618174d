"""TLS towards an API server: a context from PEM bytes alone, and when the certificates in them end."""

import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from domicile.kube.api import rfc3339
from domicile.kube.errors import CertificateExpired, KubeconfigInvalid


@dataclass(frozen=True)
class Validity:
    """When a certificate is valid, and whose it is, for messages."""

    which: str
    subject: str
    begins: datetime
    ends: datetime

    def check(self, server: str, now: datetime) -> None:
        """Raise CertificateExpired unless the certificate is valid at `now`."""
        if now >= self.ends:
            what, advice = f"expired at {rfc3339(self.ends)}", "write a kubeconfig with a new one into the Secret"
        elif now < self.begins:
            what, advice = f"is not valid before {rfc3339(self.begins)}", "compare the clocks of the two clusters"
        else:
            return
        message = f"the {self.which} ({self.subject}) in the kubeconfig for {server} {what}: {advice}"
        raise CertificateExpired(self.which, self.ends, message)


def client_context(authority: bytes | None, certificate: bytes | None, key: bytes | None) -> ssl.SSLContext:
    """A context that verifies the server against `authority` (the system's authorities if None).

    Not ssl.create_default_context: since Python 3.13 it sets VERIFY_X509_STRICT, which many clusters' own authorities
    (without an authority key identifier) do not pass.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if authority is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        try:
            context.load_verify_locations(cadata=authority.decode("ascii"))
        except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
            raise KubeconfigInvalid(f"certificate-authority-data holds no PEM certificate: {error}") from error
    if certificate is not None and key is not None:
        _load_identity(context, certificate, key)
    return context


def validities(pem: bytes, which: str) -> tuple[Validity, ...]:
    """The validity of each certificate in `pem`."""
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise KubeconfigInvalid(f"the {which} in the kubeconfig is no PEM certificate: {error}") from error
    return tuple(_validity(certificate, which) for certificate in found)


def check_any(candidates: Iterable[Validity], server: str, now: datetime) -> None:
    """Raise unless one of them is valid: a bundle of authorities may hold old ones beside the one in use."""
    first: CertificateExpired | None = None
    for candidate in candidates:
        try:
            candidate.check(server, now)
        except CertificateExpired as error:
            first = first or error
        else:
            return
    if first is not None:
        raise first


def _load_identity(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # OpenSSL reads these from files only. The directory is ours alone (0700) and is gone before anything is sent.
    with tempfile.TemporaryDirectory(prefix="domicile-tls-") as directory:
        certificate_file, key_file = Path(directory, "tls.crt"), Path(directory, "tls.key")
        for file, content in ((certificate_file, certificate), (key_file, key)):
            file.touch(mode=0o600)
            file.write_bytes(content)
        try:
            # An encrypted key would make OpenSSL ask on the terminal; an empty password makes it fail instead.
            context.load_cert_chain(certificate_file, key_file, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            raise KubeconfigInvalid(
                f"client-certificate-data and client-key-data do not make an identity: {error}"
            ) from error


def _validity(certificate: x509.Certificate, which: str) -> Validity:
    return Validity(
        which, certificate.subject.rfc4514_string(), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    )
