"""A kubeconfig from a Secret runs nothing and reads nothing; each refusal says what to change."""

import base64
import copy
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from domicile import kube
from domicile.kube import certificates, credentials, local
from domicile.kube.endpoint import TokenFile
from domicile.localfleet import certs

Change = Callable[[dict[str, Any]], None]


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


@pytest.fixture
def authority(tmp_path: Path) -> certs.Authority:
    return certs.Authority(tmp_path / "ca", "member")


@pytest.fixture
def config(authority: certs.Authority) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [
            {
                "name": "c",
                "cluster": {
                    "server": "https://sg.example:6443/",
                    "certificate-authority-data": encoded(authority.certificate),
                },
            }
        ],
        "users": [{"name": "u", "user": {"token": "t0k3n"}}],
    }


def cluster(**fields: Any) -> Change:
    return lambda config: config["clusters"][0]["cluster"].update(fields)


def user(**fields: Any) -> Change:
    return lambda config: config["users"][0]["user"].update({k.replace("_", "-"): v for k, v in fields.items()})


def top(**fields: Any) -> Change:
    return lambda config: config.update({k.replace("_", "-"): v for k, v in fields.items()})


async def test_a_token_and_an_authority_are_enough(config: dict[str, Any]) -> None:
    endpoint = kube.from_secret(yaml.safe_dump(config))
    assert endpoint.server == "https://sg.example:6443"
    assert await endpoint.authorization() == "Bearer t0k3n"
    assert "t0k3n" not in repr(endpoint)


async def test_a_client_certificate_will_do_and_leaves_no_file(
    config: dict[str, Any], authority: certs.Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    pair = authority.client("hub", "hub")
    config["users"][0]["user"] = {
        "client-certificate-data": encoded(pair.certificate),
        "client-key-data": encoded(pair.key),
    }
    endpoint = kube.from_secret(config)
    assert await endpoint.authorization() is None
    assert [validity.subject for validity in endpoint.identity] == ["CN=hub"]
    assert list(scratch.iterdir()) == []


EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "command": "touch", "args": ["/tmp/ran"]}

REFUSED: dict[str, tuple[Change, str]] = {
    "a program to run": (user(exec=EXEC), "must not run a program"),
    "a plugin to run": (user(auth_provider={"name": "oidc"}), "must not run a plugin"),
    "a file for the token": (user(tokenFile="/etc/shadow"), "user.tokenFile is not accepted in a Secret"),
    "a file for the certificate": (user(client_certificate="/x"), "client-certificate-data"),
    "a file for the key": (user(client_key="/x"), "client-key-data"),
    "a file for the authority": (cluster(**{"certificate-authority": "/x"}), "certificate-authority-data"),
    "no verification": (cluster(**{"insecure-skip-tls-verify": True}), "TLS has to vouch"),
    "a proxy": (cluster(**{"proxy-url": "http://evil.example"}), "proxy is not supported"),
    "a password": (user(username="a", password="b"), "no longer takes passwords"),
    "impersonation": (user(**{"as": "system:admin"}), "impersonation is not supported"),
    "an unknown field": (user(tokne="x"), "unknown field 'tokne'"),
    "plain HTTP": (cluster(server="http://sg.example"), "must be an https URL"),
    "a local file": (cluster(server="file:///etc/passwd"), "must be an https URL"),
    "a user in the URL": (cluster(server="https://a:b@sg.example"), "without user"),
    "an empty query": (cluster(server="https://sg.example/?"), "without user, query"),
    "an empty fragment": (cluster(server="https://sg.example/#"), "without user, query"),
    "a line break in the URL": (cluster(server="https://sg.exa\nmple"), "https://HOST"),
    "no host": (cluster(server="https://"), "https://HOST"),
    "a port that is none": (cluster(server="https://sg.example:99999"), "no URL"),
    "no server": (cluster(server=None), "has no server"),
    "a token of two lines": (user(token="a\r\nX-Evil: 1"), "one word"),
    "no credentials": (user(token=""), "neither a token nor a client certificate"),
    "a certificate without its key": (user(client_certificate_data="eA=="), "go together"),
    "an authority that is no base64": (cluster(**{"certificate-authority-data": "%"}), "is not base64"),
    "an authority that is no certificate": (cluster(**{"certificate-authority-data": "eA=="}), "no PEM certificate"),
    "no current context": (top(current_context=""), "has no current-context"),
    "a context that is not there": (top(current_context="there"), "contexts has no entry named 'there'"),
    "two clusters of one name": (lambda c: c["clusters"].append(c["clusters"][0]), "clusters has 2 entries"),
    "users that are no list": (top(users="u"), "users has no entry"),
    "an empty user": (top(users=[{"name": "u", "user": None}]), "users has an empty entry"),
}


@pytest.mark.parametrize(("change", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_with_what_to_change(config: dict[str, Any], change: Change, says: str) -> None:
    changed = copy.deepcopy(config)
    change(changed)
    with pytest.raises(kube.KubeconfigInvalid, match=says):
        kube.from_secret(json.dumps(changed))


NO_KUBECONFIG = {
    "nothing": ("", "not a mapping"),
    "a text": ("kubeconfig", "not a mapping"),
    "no YAML": ("a: [", r"not YAML \(line 1\)"),
    "bytes that are no text": (b"\xff\xfe\x00", "not YAML"),
    "an object of Python": ("!!python/object/apply:os.system ['true']", "not YAML"),
    "very deep": ("[" * 5000, "deeper than 32 levels"),
    "deep mappings": ("{a: " * 40 + "1" + "}" * 40, "deeper than 32 levels"),
    "an anchor": ("a: &a 1", "anchors or aliases"),
    "an alias": ("a: *a", "anchors or aliases"),
    "very large": ("#" * 2_000_000, "2000000 bytes"),
}


@pytest.mark.parametrize(("text", "says"), NO_KUBECONFIG.values(), ids=NO_KUBECONFIG.keys())
def test_what_is_no_kubeconfig_is_said_to_be_none(text: str | bytes, says: str) -> None:
    with pytest.raises(kube.KubeconfigInvalid, match=says):
        kube.from_secret(text)


def test_a_broken_kubeconfig_is_not_quoted() -> None:
    """The line that the parser stumbled on may be the token."""
    with pytest.raises(kube.KubeconfigInvalid) as raised:
        kube.from_secret('users: [{user: {token: "s3cr3t]')
    assert "s3cr3t" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_small_kubeconfig_cannot_grow_into_a_large_one() -> None:
    """Merged by aliases, each of these lines holds nine times what the one before it holds."""
    lines = ["a0: &a0 {k: v}", *(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 6))]
    begun = time.monotonic()
    with pytest.raises(kube.KubeconfigInvalid, match="anchors or aliases"):
        kube.from_secret("\n".join(lines))
    assert time.monotonic() - begun < 0.3


PASSWORD = "hunter2secret"


@pytest.mark.parametrize(
    "server",
    [
        f"https://admin:{PASSWORD}",
        f"https://admin:{PASSWORD}\u2100@host:6443",
        f"https://host:{PASSWORD}",
        f"https://[{PASSWORD}]",
        f"{PASSWORD}://host",
        f"https://admin:{PASSWORD}@host",
    ],
)
def test_a_server_that_is_no_url_is_not_quoted(server: str) -> None:
    """It may hold a password."""
    with pytest.raises(kube.KubeconfigInvalid) as raised:
        credentials.checked_server(server)
    assert PASSWORD not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("when", "says"), [(timedelta(days=31), "expired at"), (timedelta(days=-1), "is not valid before")]
)
def test_an_ended_certificate_is_named_with_its_date(
    config: dict[str, Any], authority: certs.Authority, when: timedelta, says: str
) -> None:
    pair = authority.client("hub", "hub")
    config["users"][0]["user"] = {
        "client-certificate-data": encoded(pair.certificate),
        "client-key-data": encoded(pair.key),
    }
    endpoint = kube.from_secret(config)
    endpoint.check_validity(datetime.now(UTC))
    with pytest.raises(kube.CertificateExpired, match=f"client certificate.*{says} 20"):
        endpoint.check_validity(datetime.now(UTC) + when)


def test_one_valid_authority_of_several_is_enough(authority: certs.Authority, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    (valid,) = certificates.validities(authority.certificate.read_bytes(), "certificate authority")
    ended = certificates.Validity("certificate authority", "CN=old", now - timedelta(days=9), now - timedelta(days=1))
    certificates.check_any([ended, valid], "https://x", now)
    with pytest.raises(kube.CertificateExpired, match="CN=old"):
        certificates.check_any([ended], "https://x", now)


async def test_the_users_own_kubeconfig_may_name_files_and_run_plugins(config: dict[str, Any], tmp_path: Path) -> None:
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "from-exec"},
    }
    plugin = {"apiVersion": credential["apiVersion"], "command": "echo", "args": [json.dumps(credential)]}
    config["users"].append({"name": "e", "user": {"exec": plugin}})
    config["contexts"].append({"name": "exec", "context": {"cluster": "c", "user": "e"}})
    authority_data = config["clusters"][0]["cluster"].pop("certificate-authority-data")
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(authority_data))
    config["clusters"][0]["cluster"]["certificate-authority"] = "ca.crt"
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    here, by_exec = await kube.from_kubeconfig(path), await kube.from_kubeconfig(path, "exec")
    assert await here.authorization() == "Bearer t0k3n"
    assert await by_exec.authorization() == "Bearer from-exec"
    with pytest.raises(kube.KubeconfigInvalid, match="contexts has no entry named 'other'"):
        await kube.from_kubeconfig(path, "other")


async def test_a_plugin_that_gives_nothing_is_named(config: dict[str, Any], tmp_path: Path) -> None:
    config["users"][0]["user"] = {"exec": {**EXEC, "command": "false"}}
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(kube.KubeconfigInvalid, match="'false' of the kubeconfig gave no credentials"):
        await kube.from_kubeconfig(path)


async def test_in_a_pod_the_token_file_is_read_again(tmp_path: Path, authority: certs.Authority) -> None:
    (tmp_path / "ca.crt").write_bytes(authority.certificate.read_bytes())
    (tmp_path / "token").write_text("one\n")
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    endpoint = local.in_cluster(tmp_path, environment)
    assert endpoint.server == "https://[fd00::1]:443"
    assert await endpoint.authorization() == "Bearer one"
    source = TokenFile(tmp_path / "token", every_seconds=0)
    assert await source() == "Bearer one"
    (tmp_path / "token").write_text("two\n")
    assert await source() == "Bearer two"
    with pytest.raises(kube.KubeconfigInvalid, match="this is no pod"):
        local.in_cluster(tmp_path, {})
