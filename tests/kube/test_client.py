"""What the client sends, what it refuses to do, and the name that each failure gets. The servers are fakes."""

import asyncio
import datetime
import itertools
import json
import ssl
from asyncio import sslproto
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from domicile import kube
from domicile.kube import certificates
from domicile.kube.endpoint import FixedToken, anonymous
from domicile.localfleet import certs
from fake_api_server import serving

THING = kube.Resource("things.example", "v1", "things", namespaced=True)
MANIFEST = {"apiVersion": "things.example/v1", "kind": "Thing", "metadata": {"name": "it", "namespace": "ns"}}


class Recorded:
    """What a fake server was asked."""

    def __init__(self, answer: Callable[[web.Request], web.StreamResponse] | None = None) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self._answer = answer or (lambda _: web.json_response({"metadata": {}}))

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        self.requests.append((request.method, request.raw_path.partition("?")[0], dict(request.query)))
        self.bodies.append(json.loads(content) if content else None)
        self.headers.append(dict(request.headers))
        return self._answer(request)


@asynccontextmanager
async def client_of(handler: Any, **limits: float) -> AsyncIterator[kube.KubeClient]:
    async with serving(handler) as url:
        endpoint = kube.Endpoint(server=url, tls=None, authorization=FixedToken("t0k3n"))
        client = kube.KubeClient(endpoint, kube.Limits(**limits))  # pyright: ignore[reportArgumentType]
        try:
            yield client
        finally:
            await client.close()


async def test_writes_are_strict_and_say_who_writes() -> None:
    asked = Recorded()
    async with client_of(asked) as client:
        await client.create(THING, MANIFEST, field_manager="me")
        await client.apply(THING, MANIFEST, field_manager="me", force=True)
        await client.apply_status(THING, MANIFEST, field_manager="me")
        await client.patch(THING, "it", {"a": 1}, "ns", field_manager="me")
    strict = {"fieldManager": "me", "fieldValidation": "Strict"}
    path = "/apis/things.example/v1/namespaces/ns/things"
    assert asked.requests == [
        ("POST", path, strict),
        ("PATCH", f"{path}/it", {**strict, "force": "true"}),
        ("PATCH", f"{path}/it/status", strict),
        ("PATCH", f"{path}/it", strict),
    ]
    assert [headers["Content-Type"] for headers in asked.headers] == [
        "application/json",
        "application/apply-patch+yaml",
        "application/apply-patch+yaml",
        "application/merge-patch+json",
    ]
    assert {headers["Authorization"] for headers in asked.headers} == {"Bearer t0k3n"}


async def test_a_delete_says_which_object_is_meant() -> None:
    asked = Recorded()
    async with client_of(asked) as client:
        await client.delete(THING, "it", "ns", uid="u-1", propagation="Foreground")
    assert asked.bodies[0]["preconditions"] == {"uid": "u-1"}
    assert asked.bodies[0]["propagationPolicy"] == "Foreground"


@pytest.mark.parametrize("name", ["../secrets/x", "a/b", "a?b", "a%2fb", "a b"])
async def test_a_name_cannot_become_another_path(name: str) -> None:
    asked = Recorded()
    async with client_of(asked) as client:
        await client.get(THING, name, "ns")
    (_, path, query) = asked.requests[0]
    assert path.startswith("/apis/things.example/v1/namespaces/ns/things/")
    assert path.count("/") == 7
    assert query == {}


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_is_a_step_of_a_path_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name"):
        THING.path(name, "ns")


FAILURES = {
    400: kube.Invalid,
    401: kube.Unauthorized,
    403: kube.Forbidden,
    404: kube.NotFound,
    409: kube.Conflict,
    410: kube.Gone,
    413: kube.TooLarge,
    422: kube.Invalid,
    429: kube.ApiError,
    500: kube.ApiError,
}


@pytest.mark.parametrize(("status", "error"), FAILURES.items())
async def test_each_refusal_has_a_name_and_says_what_where_and_why(status: int, error: type[kube.ApiError]) -> None:
    body = {"kind": "Status", "code": status, "reason": "Planted", "message": "the planted reason", "details": {}}
    async with client_of(Recorded(lambda _: web.json_response(body, status=status))) as client:
        with pytest.raises(error) as raised:
            await client.get(THING, "it", "ns")
        assert type(raised.value) is error
        for part in ("GET", "/namespaces/ns/things/it", client.server, "the planted reason"):
            assert part in str(raised.value)


def echo(request: web.Request, **more: Any) -> dict[str, Any]:
    return {"headers": dict(request.headers), **more}


def quoting(request: web.Request, quoted: str = "Authorization") -> dict[str, Any]:
    value = request.headers[quoted]
    return {
        "kind": "Status",
        "reason": f"No{value}",
        "message": f"not {value}, nor {value.removeprefix('Bearer ')}",
        "details": {"causes": [{"message": value}], value: value},
    }


def event(said: dict[str, Any]) -> web.Response:
    return web.Response(text=json.dumps(said) + "\n")


SAYING_TOO_MUCH: dict[str, Callable[[web.Request], web.Response]] = {
    "a firewall": lambda r: web.json_response(echo(r, error="blocked"), status=403),
    "a proxy": lambda r: web.Response(status=502, text=f"<html>{echo(r)}</html>"),
    "an echo": lambda r: web.Response(text=r.headers["Authorization"]),
    "a Status": lambda r: web.json_response(quoting(r), status=403),
    "a Status without a message": lambda r: web.json_response(echo(r, kind="Status"), status=500),
    "a watch's error": lambda r: event({"type": "ERROR", "object": quoting(r)}),
    "a watch's error that is no Status": lambda r: event({"type": "ERROR", "object": echo(r)}),
    "an event of an unknown type": lambda r: event({"type": r.headers["Authorization"], "object": {}}),
    "an event of a strange type": lambda r: event({"type": [r.headers["Authorization"]], "object": {}}),
    "no event": lambda r: web.Response(text=r.headers["Authorization"]),
}


@pytest.mark.parametrize("answer", SAYING_TOO_MUCH.values(), ids=SAYING_TOO_MUCH.keys())
async def test_a_credential_that_the_answer_quotes_is_not_said_on(answer: Callable[..., web.Response]) -> None:
    async with client_of(Recorded(answer)) as client:
        answers = await asyncio.gather(client.get(THING, "it", "ns"), watched(client), return_exceptions=True)
    said = [error for error in answers if isinstance(error, kube.KubeError)]
    assert said
    assert not [error for error in said if "t0k3n" in f"{error} {vars(error)} {error.__cause__!r}"]


async def watched(client: kube.KubeClient) -> None:
    async with client.watch(THING, "ns", resource_version="1", timeout_seconds=10) as events:
        async for _ in events:
            pass


async def test_a_refusal_that_is_no_status_says_so() -> None:
    async with client_of(Recorded(lambda _: web.Response(status=502, text="<html>bad gateway</html>"))) as client:
        with pytest.raises(kube.ApiError, match="502: the answer is no Kubernetes Status"):
            await client.get(THING, "it", "ns")


async def test_what_answers_without_speaking_http_is_not_quoted() -> None:
    """An echo of the request's bytes: the parser's own message quotes them."""

    async def echoed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + (await reader.readuntil(b"\r\n\r\n")))
        writer.close()

    server = await asyncio.start_server(echoed, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = kube.KubeClient(kube.Endpoint(server=url, tls=None, authorization=FixedToken("t0k3n")))
    with pytest.raises(kube.Unreachable) as raised:
        await client.get(THING, "it", "ns")
    await client.close()
    server.close()
    assert "t0k3n" not in f"{raised.value} {raised.value.__cause__!r}"


async def test_a_redirect_is_not_followed() -> None:
    asked = Recorded(lambda _: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}))
    async with client_of(asked) as client:
        with pytest.raises(kube.ApiError, match="302"):
            await client.get(THING, "it", "ns")
        assert len(asked.requests) == 1


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with client_of(Recorded()) as client:
        await client.get(THING, "it", "ns")


async def test_an_answer_larger_than_the_limit_is_not_read_to_the_end() -> None:
    async with client_of(Recorded(lambda _: web.Response(body=b" " * 5000)), answer=1000) as client:
        with pytest.raises(kube.AnswerTooLarge, match="more than 1000 bytes"):
            await client.get(THING, "it", "ns")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'"text"', b"[" * 100_000])
async def test_an_answer_that_is_no_object_is_malformed(body: bytes) -> None:
    async with client_of(Recorded(lambda _: web.Response(body=body))) as client:
        with pytest.raises(kube.MalformedAnswer):
            await client.get(THING, "it", "ns")


async def test_a_server_that_is_slow_to_answer_is_unreachable() -> None:
    async def hangs(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with client_of(hangs, request=0.2) as client:
        with pytest.raises(kube.Unreachable, match=r"no answer within 0\.2 s"):
            await client.get(THING, "it", "ns")


async def test_a_port_where_nobody_listens_is_unreachable() -> None:
    client = kube.KubeClient(kube.Endpoint(server="http://127.0.0.1:1", tls=None, authorization=anonymous))
    with pytest.raises(kube.Unreachable, match=r"127\.0\.0\.1:1 does not answer"):
        await client.get(THING, "it", "ns")
    await client.close()


async def test_a_server_that_takes_the_connection_and_no_tls_is_unreachable(tmp_path: Path) -> None:
    """As a stopped process does: the kernel still accepts."""
    taken: list[asyncio.StreamWriter] = []
    deaf = await asyncio.start_server(lambda _, writer: taken.append(writer), "127.0.0.1", 0)
    port = deaf.sockets[0].getsockname()[1]
    context = certificates.client_context(certs.Authority(tmp_path, "ca").certificate.read_bytes(), None, None)
    endpoint = kube.Endpoint(server=f"https://127.0.0.1:{port}", tls=context, authorization=anonymous)
    client = kube.KubeClient(endpoint, kube.Limits(connect=0.3))
    with pytest.raises(kube.Unreachable, match=r"no connection within 0\.3 s"):
        await client.get(THING, "it", "ns")
    await client.close()
    for writer in taken:
        writer.close()
    deaf.close()


def server_tls(authority: certs.Authority, host: str = "127.0.0.1") -> ssl.SSLContext:
    pair = authority.server("server", "server", [host])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


async def ask_over_tls(url: str, authority: certs.Authority, server_name: str | None = None) -> kube.Object:
    context = certificates.client_context(authority.certificate.read_bytes(), None, None)
    client = kube.KubeClient(kube.Endpoint(url, context, anonymous, server_name))
    try:
        return await client.get(THING, "it", "ns")
    finally:
        await client.close()


async def test_a_server_of_another_authority_is_not_spoken_to(tmp_path: Path) -> None:
    ours, theirs = certs.Authority(tmp_path / "ours", "ours"), certs.Authority(tmp_path / "theirs", "theirs")
    asked = Recorded()
    async with serving(asked, server_tls(theirs)) as url:
        with pytest.raises(kube.CertificateInvalid, match="TLS does not vouch for"):
            await ask_over_tls(url, ours)
    assert not asked.requests


async def test_a_certificate_for_another_name_is_not_accepted_unless_that_name_is_expected(tmp_path: Path) -> None:
    authority = certs.Authority(tmp_path, "ca")
    async with serving(Recorded(), server_tls(authority, "kubernetes.example")) as url:
        with pytest.raises(kube.CertificateInvalid, match="certificate is not valid for '127"):
            await ask_over_tls(url, authority)
        assert await ask_over_tls(url, authority, "kubernetes.example")


async def test_the_expired_certificate_of_a_server_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = certs.Authority(tmp_path, "ca")
    monkeypatch.setattr(certs, "LIFETIME", datetime.timedelta(minutes=-1))
    async with serving(Recorded(), server_tls(authority)) as url:
        with pytest.raises(kube.CertificateInvalid, match="expired"):
            await ask_over_tls(url, authority)


async def test_a_refusal_for_an_expired_client_certificate_names_its_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the API server such a certificate is as good as none: it says 401 and no more."""
    authority = certs.Authority(tmp_path, "ca")
    monkeypatch.setattr(certs, "LIFETIME", datetime.timedelta(minutes=-1))
    pair = authority.client("hub", "hub")
    ended = certificates.validities(pair.certificate.read_bytes(), "client certificate")
    async with serving(Recorded(lambda _: web.json_response({}, status=401))) as url:
        client = kube.KubeClient(kube.Endpoint(url, None, anonymous, identity=ended))
        with pytest.raises(kube.CertificateExpired, match=r"client certificate \(CN=hub\).*expired at 20"):
            await client.get(THING, "it", "ns")
        await client.close()


async def test_an_endpoint_shows_no_credentials() -> None:
    endpoint = kube.Endpoint("https://x", None, FixedToken("t0k3n"))
    assert "t0k3n" not in repr(endpoint)


async def test_a_connection_does_not_cost_a_quarter_of_a_megabyte(tmp_path: Path) -> None:
    """A member has ten of them. asyncio has no public setting for it: this fails should a later Python rename it."""
    authority = certs.Authority(tmp_path, "ca")
    async with serving(Recorded(), server_tls(authority)) as url:
        await ask_over_tls(url, authority)
    assert sslproto.SSLProtocol.max_size <= 32 * 1024


def pages_of(sizes: list[int]) -> Callable[[web.Request], web.Response]:
    """A list of objects of so many bytes, in pages as asked for."""

    def answer(request: web.Request) -> web.Response:
        start = int(request.query.get("continue", "0"))
        end = start + int(request.query["limit"])
        more = {"continue": str(end)} if end < len(sizes) else {}
        items = [{"metadata": {"name": str(n)}, "data": "x" * sizes[n]} for n in range(start, min(end, len(sizes)))]
        return web.json_response({"items": items, "metadata": {"resourceVersion": "7", **more}})

    return answer


async def test_a_page_that_is_too_large_is_asked_for_in_halves() -> None:
    asked = Recorded(pages_of([1500, 10, 10, 1500, 10]))
    async with client_of(asked, answer=2000) as client:
        found = await client.list(THING, "ns")
    assert [item["metadata"]["name"] for item in found.items] == ["0", "1", "2", "3", "4"]
    assert len(asked.requests) < 15


@pytest.mark.parametrize(
    ("sizes", "limits"),
    [([5000], {"answer": 2000}), ([900] * 9, {"list": 5000}), ([1] * 9, {"items": 8})],
    ids=["one object", "all of it", "how many"],
)
async def test_a_list_that_is_too_large_however_it_is_asked_for(sizes: list[int], limits: dict[str, int]) -> None:
    async with client_of(Recorded(pages_of(sizes)), **limits) as client:
        with pytest.raises(kube.AnswerTooLarge):
            await client.list(THING, "ns")


@pytest.mark.parametrize("tokens", [["a"], ["a", "b"]], ids=str)
async def test_a_list_that_goes_round_is_left(tokens: list[str]) -> None:
    asked = itertools.cycle(tokens)
    answer = lambda _: web.json_response({"items": [{}], "metadata": {"continue": next(asked)}})  # noqa: E731
    async with client_of(Recorded(answer), items=50) as client:
        with pytest.raises(kube.MalformedAnswer, match="has no end"):
            await client.list(THING, "ns")


async def test_a_list_that_never_ends_is_left() -> None:
    numbers = itertools.count()
    answer = lambda _: web.json_response({"items": [], "metadata": {"continue": str(next(numbers))}})  # noqa: E731
    async with client_of(Recorded(answer), items=50) as client:
        with pytest.raises(kube.AnswerTooLarge, match="50 objects"):
            await client.list(THING, "ns")


async def test_of_what_is_small_little_is_read() -> None:
    async with client_of(Recorded(lambda _: web.Response(body=b" " * 3000)), small=1000, object=2000) as client:
        with pytest.raises(kube.AnswerTooLarge, match="more than 1000 bytes"):
            await client.raw("GET", "/version")
        with pytest.raises(kube.AnswerTooLarge, match="more than 2000 bytes"):
            await client.get(THING, "it", "ns")
