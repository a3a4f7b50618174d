"""Certificates: who they name, who signed them, and what they may be used for."""

import datetime
import ipaddress
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from domicile.localfleet import certs


@pytest.fixture
def authority(tmp_path: Path) -> certs.Authority:
    return certs.Authority(tmp_path, "test authority")


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def usages(certificate: x509.Certificate) -> set[x509.ObjectIdentifier]:
    return set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_a_client_is_its_user_and_its_groups_in_their_order(authority: certs.Authority) -> None:
    certificate = read(authority.client("alice", "alice", ["bank:team", "auditors"]).certificate)
    assert [each.value for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["alice"]
    groups = [each.value for each in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    assert groups == ["bank:team", "auditors"]
    certificate.verify_directly_issued_by(read(authority.certificate))


def test_a_client_cannot_serve_and_a_server_cannot_call(authority: certs.Authority) -> None:
    assert usages(read(authority.client("c", "c").certificate)) == {ExtendedKeyUsageOID.CLIENT_AUTH}
    assert usages(read(authority.server("s", "s", ["localhost"]).certificate)) == {ExtendedKeyUsageOID.SERVER_AUTH}


def test_a_server_answers_for_names_and_addresses(authority: certs.Authority) -> None:
    certificate = read(authority.server("s", "s", ["localhost", "127.0.0.1"]).certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]


def test_only_the_authority_can_sign(authority: certs.Authority) -> None:
    leaf = read(authority.client("c", "c").certificate)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert read(authority.certificate).extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_private_keys_are_for_the_owner_alone(authority: certs.Authority, tmp_path: Path) -> None:
    pair = authority.client("c", "c")
    for path in (pair.key, tmp_path / "ca.key", certs.signing_key(tmp_path / "tokens.key")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_an_authority_is_found_again_in_its_directory(authority: certs.Authority, tmp_path: Path) -> None:
    again = certs.Authority(tmp_path, "test authority")
    read(again.client("later", "later").certificate).verify_directly_issued_by(read(authority.certificate))


def test_clusters_do_not_trust_each_other(authority: certs.Authority, tmp_path: Path) -> None:
    other = certs.Authority(tmp_path / "other", "test authority")
    with pytest.raises(Exception, match=r".*"):
        read(other.client("c", "c").certificate).verify_directly_issued_by(read(authority.certificate))


def test_certificates_are_valid_now_and_not_for_ever(authority: certs.Authority) -> None:
    certificate = read(authority.client("c", "c").certificate)
    now = datetime.datetime.now(datetime.UTC)
    assert certificate.not_valid_before_utc < now < certificate.not_valid_after_utc
    assert certificate.not_valid_after_utc - now < datetime.timedelta(days=31)
