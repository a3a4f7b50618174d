"""Sessions for libraries that make their own requests: each has the credential of the moment, and only for its own server."""

import ssl
from pathlib import Path
from typing import Any

from aiohttp import web

from domicile import kube
from domicile.kube.endpoint import anonymous
from fake_api_server import serving


class Credential:
    """One that somebody renews."""

    value: str | None = "Bearer one"

    async def __call__(self) -> str | None:
        return self.value


class Heard:
    """The Authorization headers that a server got."""

    def __init__(self, redirect_to: str = "") -> None:
        self.authorizations: list[str | None] = []
        self._redirect_to = redirect_to

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.authorizations.append(request.headers.get("Authorization"))
        if self._redirect_to:
            raise web.HTTPFound(self._redirect_to)
        return web.json_response({})


async def test_a_credential_that_is_renewed_is_used_from_the_next_request_on() -> None:
    heard, credential = Heard(), Credential()
    async with (
        serving(heard) as url,
        kube.authorized_session(kube.Endpoint(url, None, credential)) as session,
    ):
        for value in ("Bearer one", "Bearer two", None):
            credential.value = value
            async with session.get(f"{url}/api"):
                pass
    assert heard.authorizations == ["Bearer one", "Bearer two", None]


async def test_a_server_that_leads_elsewhere_does_not_take_the_credential_along() -> None:
    elsewhere = Heard()
    async with serving(elsewhere) as other:
        here = Heard(redirect_to=f"{other}/api")
        async with (
            serving(here) as url,
            kube.authorized_session(kube.Endpoint(url, None, Credential())) as session,
            session.get(f"{url}/api") as answer,
        ):
            assert answer.status == 200
    assert (here.authorizations, elsewhere.authorizations) == (["Bearer one"], [None])


async def _ok(_: web.BaseRequest) -> web.StreamResponse:
    return web.json_response({})


async def test_a_certificate_for_another_name_is_accepted_where_the_endpoint_says_that_name(tmp_path: Path) -> None:
    """As a kubeconfig's tls-server-name has it."""
    from domicile.localfleet import certs

    authority = certs.Authority(tmp_path / "pki", "test authority")
    pair = authority.both("server", "api.example", ["api.example"])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair.certificate, pair.key)
    runner = web.ServerRunner(web.Server(_ok))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server)
    await site.start()
    port: Any = runner.addresses[0][1]
    url = f"https://127.0.0.1:{port}"
    tls = ssl.create_default_context(cafile=str(authority.certificate))
    try:
        async with (
            kube.authorized_session(kube.Endpoint(url, tls, anonymous, "api.example")) as session,
            session.get(f"{url}/api") as answer,
        ):
            assert answer.status == 200
    finally:
        await runner.cleanup()
