"""Kubeconfigs for joining: what is taken out of the user's, and what the hub gets."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from domicile.cli.failure import Failure
from domicile.cli.join import kubeconfig
from domicile.cli.join.kubeconfig import Address


def config(name: str, **cluster: Any) -> dict[str, Any]:
    return {
        "clusters": [{"name": f"{name}-cluster", "cluster": cluster}],
        "contexts": [{"name": name, "context": {"cluster": f"{name}-cluster", "user": "me"}}],
    }


def written(path: Path, document: object) -> Path:
    path.write_text(yaml.safe_dump(document))
    return path


def test_server_authority_and_its_name_are_taken(tmp_path: Path) -> None:
    entry = {"server": "https://sg:6443", "certificate-authority-data": "QQ==", "tls-server-name": "kubernetes"}
    path = written(tmp_path / "config", config("sg", **entry))
    assert kubeconfig.address_of("sg", path) == Address("https://sg:6443", "QQ==", "kubernetes")


def test_an_authority_in_a_file_is_put_inline_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(b"PEM")
    path = written(tmp_path / "config", config("sg", server="https://sg", **{"certificate-authority": "ca.crt"}))
    assert kubeconfig.address_of("sg", path).authority == base64.b64encode(b"PEM").decode()


def test_of_several_files_the_first_that_has_the_name_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = written(tmp_path / "one", config("sg", server="https://first"))
    two = written(tmp_path / "two", config("sg", server="https://second"))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'missing'}:{one}:{two}")
    assert kubeconfig.address_of("sg").server == "https://first"


@pytest.mark.parametrize(
    ("document", "says"),
    {
        "no such context": (config("ph", server="https://ph"), "no context 'sg' in"),
        "a cluster without a server": (config("sg"), "has no server"),
        "a context of a missing cluster": (
            {"contexts": [{"name": "sg", "context": {"cluster": "x"}}]},
            "does not have",
        ),
        "an authority that is not there": (
            config("sg", server="https://sg", **{"certificate-authority": "gone.crt"}),
            "gone.crt cannot be read",
        ),
        "no kubeconfig at all": ("text", "no context 'sg' in"),
    }.values(),
)
def test_what_cannot_be_used_is_said(tmp_path: Path, document: object, says: str) -> None:
    with pytest.raises(Failure, match=says):
        kubeconfig.address_of("sg", written(tmp_path / "config", document))


def test_the_hub_gets_server_authority_and_token_and_nothing_else() -> None:
    made = yaml.safe_load(kubeconfig.with_token("sg", Address("https://sg", "QQ=="), "secret"))
    assert made["clusters"] == [
        {"name": "sg", "cluster": {"server": "https://sg", "certificate-authority-data": "QQ=="}}
    ]
    assert made["users"] == [{"name": "domicile", "user": {"token": "secret"}}]
    assert made["current-context"] == "sg"


def test_without_an_authority_the_machines_own_vouch_for_the_server() -> None:
    made = yaml.safe_load(kubeconfig.with_token("sg", Address("https://sg", ""), "secret"))
    assert made["clusters"][0]["cluster"] == {"server": "https://sg"}
