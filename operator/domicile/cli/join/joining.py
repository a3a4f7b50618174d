"""The flow of joining: look at both sides first, make the identity on the member, then register it on the hub."""

import asyncio
import base64
import secrets
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from domicile import kube
from domicile.cli.failure import Failure
from domicile.cli.join import hub, kubeconfig, member

MANAGER: Final = "domicile-join"
_TOKEN_SECONDS: Final = 20.0
Manifest = Mapping[str, Any]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Request:
    """What to join, and with which contexts of which kubeconfigs."""

    name: str
    context: str
    kubeconfig: Path | None
    hub_context: str | None
    hub_kubeconfig: Path | None
    namespace: str
    server: str | None
    """Address at which the hub reaches the member; None: the one in the kubeconfig."""
    rotate_token: bool
    rules: Sequence[Manifest]
    """What the hub may do on the member."""


@dataclass(frozen=True)
class Joined:
    """How it went."""

    uid: str
    server: str
    made: tuple[str, ...]
    """What was written, as `kind name: where`."""


async def uid_of(request: Request) -> str:
    """The member's identity."""
    member_api = await _client(request.kubeconfig, request.context, "the member")
    try:
        return await _uid(member_api, request.context)
    finally:
        await member_api.close()


async def join(request: Request) -> Joined:
    """Make, or make again, everything that the hub needs to speak to the member. It may be repeated."""
    address = hub_side_address(request)
    member_api = await _client(request.kubeconfig, request.context, "the member")
    hub_api = await _client(request.hub_kubeconfig, request.hub_context, "the hub")
    try:
        uid = await _uid(member_api, request.context)
        await _refuse_another(hub_api, request, uid)
        on_member = await _make_identity(member_api, request)
        token, tokens = await _token(member_api, request)
        config = kubeconfig.with_token(request.name, address, token)
        if request.server is None:
            await _try_out(config, request.name)
        on_hub = await _register(hub_api, request, config, uid)
        revoked = await _revoke_others(member_api, request, tokens)
    finally:
        await member_api.close()
        await hub_api.close()
    return Joined(uid, address.server, (*on_member, *on_hub, *revoked))


def hub_side_address(request: Request) -> kubeconfig.Address:
    """Where the hub is to reach the member."""
    own = kubeconfig.address_of(request.context, request.kubeconfig)
    if request.server is None:
        return own
    # What vouches for the certificate stays; which name it must have follows from the new address.
    return kubeconfig.Address(request.server, own.authority)


async def _client(path: Path | None, context: str | None, which: str) -> kube.KubeClient:
    try:
        return kube.KubeClient(await kube.from_kubeconfig(path, context))
    except kube.KubeError as error:
        raise Failure(f"{which} (context {context or 'current'}): {error}") from error


async def _asked(doing: str, answer: Awaitable[Result]) -> Result:
    """The answer, or a failure that says what was being done."""
    try:
        return await answer
    except kube.KubeError as error:
        raise Failure(f"{doing}: {error}") from error


async def _uid(api: kube.KubeClient, context: str) -> str:
    system = await _asked(f"reading who {context} is", api.get(kube.NAMESPACES, "kube-system"))
    return str(system["metadata"]["uid"])


async def _refuse_another(api: kube.KubeClient, request: Request, uid: str) -> None:
    """A name stands for one cluster: another one under it would inherit what was vouched for the first."""
    try:
        await api.get(kube.NAMESPACES, request.namespace)
    except kube.NotFound:
        raise Failure(
            f"the hub has no namespace {request.namespace}: install the chart there first, or say where the operator"
            " is with --namespace"
        ) from None
    except kube.KubeError as error:
        raise Failure(f"looking at the hub: {error}") from error
    try:
        there = await api.get(hub.CLUSTERS, request.name)
    except kube.NotFound as error:
        if "could not find the requested resource" in error.message or "page not found" in error.message:
            raise Failure("the hub has no RegionalClusters: install the chart there first") from None
        return
    except kube.KubeError as error:
        raise Failure(f"looking at the hub: {error}") from error
    known = there["spec"]["clusterUID"]
    if known != uid:
        raise Failure(
            f"RegionalCluster {request.name} is another cluster: its kube-system namespace has UID {known}, and that of"
            f" context {request.context} has {uid}. Join this one under another name; or, if it was rebuilt,"
            f" delete RegionalCluster {request.name} first and have the new one attested."
        )


async def _make_identity(api: kube.KubeClient, request: Request) -> tuple[str, ...]:
    said: list[str] = []
    found = await _found(api, kube.NAMESPACES, request.namespace, None)
    if found is None:
        await _asked(
            f"making namespace {request.namespace} on {request.context}",
            api.create(kube.NAMESPACES, member.namespace(request.namespace), field_manager=MANAGER),
        )
        said.append(f"Namespace {request.namespace}: on {request.context}")
    for resource, manifest in member.identity(request.namespace, request.rules):
        said.append(await _apply(api, resource, manifest, f"on {request.context}"))
    return tuple(said)


async def _token(api: kube.KubeClient, request: Request) -> tuple[str, Sequence[str]]:
    """A token, and the names of those that it replaces."""
    listed = await _asked(f"listing tokens on {request.context}", api.list(kube.SECRETS, request.namespace))
    known = [secret["metadata"]["name"] for secret in listed.items if member.is_our_token(secret)]
    if known and not request.rotate_token:
        return await _filled(api, request, known[0]), ()
    made = member.token_secret(request.namespace, secrets.token_hex(3))
    await _asked(
        f"making a token on {request.context}", api.create(kube.SECRETS, made, request.namespace, field_manager=MANAGER)
    )
    return await _filled(api, request, made["metadata"]["name"]), known


async def _filled(api: kube.KubeClient, request: Request, name: str) -> str:
    """The token, once the member's control plane has put it into the Secret."""
    deadline = time.monotonic() + _TOKEN_SECONDS
    while True:
        secret = await _asked(f"reading the token on {request.context}", api.get(kube.SECRETS, name, request.namespace))
        encoded = kube.shape.text(kube.shape.mapping(secret.get("data")).get("token"))
        if encoded:
            return base64.b64decode(encoded).decode()
        if time.monotonic() > deadline:
            raise Failure(
                f"Secret {request.namespace}/{name} on {request.context} got no token within {_TOKEN_SECONDS:.0f} s:"
                " the member's controller manager fills it. Is it running?"
            )
        await asyncio.sleep(0.1)


async def _try_out(config: str, name: str) -> None:
    """The new credentials, used once, so that a mistake shows here and not in a status."""
    try:
        api = kube.KubeClient(kube.from_secret(config))
    except kube.KubeError as error:
        raise Failure(f"the kubeconfig for the hub would not be accepted: {error}") from error
    try:
        await _asked(f"trying the new credentials on {name}", api.get(kube.NAMESPACES, "kube-system"))
    finally:
        await api.close()


async def _register(api: kube.KubeClient, request: Request, config: str, uid: str) -> tuple[str, ...]:
    secret = hub.secret(request.name, request.namespace, config)
    return (
        await _apply(api, kube.SECRETS, secret, "on the hub"),
        await _apply(
            api,
            hub.CLUSTERS,
            hub.regional_cluster(request.name, uid, request.namespace),
            "on the hub",
            must_be_ours=False,
        ),
    )


async def _revoke_others(api: kube.KubeClient, request: Request, names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        await _asked(f"revoking {name} on {request.context}", api.delete(kube.SECRETS, name, request.namespace))
    return tuple(f"Secret {request.namespace}/{name}: revoked on {request.context}" for name in names)


async def _apply(
    api: kube.KubeClient, resource: kube.Resource, manifest: Manifest, where: str, *, must_be_ours: bool = True
) -> str:
    name, namespace = manifest["metadata"]["name"], manifest["metadata"].get("namespace")
    full = f"{namespace}/{name}" if namespace else name
    before = await _found(api, resource, name, namespace)
    if before is not None and must_be_ours and not member.is_ours(before):
        raise Failure(
            f"{manifest['kind']} {full} is there already {where}, and was not made by `domicile cluster join`"
            f" (no label {'='.join(member.OURS)}): it is left alone. Rename or remove it."
        )
    after = await _asked(
        f"writing {manifest['kind']} {full} {where}", api.apply(resource, manifest, field_manager=MANAGER, force=True)
    )
    return f"{manifest['kind']} {full}: {_outcome(before, after)} {where}"


def _outcome(before: Manifest | None, after: Manifest) -> str:
    if before is None:
        return "created"
    same = before["metadata"].get("resourceVersion") == after["metadata"].get("resourceVersion")
    return "unchanged" if same else "updated"


async def _found(api: kube.KubeClient, resource: kube.Resource, name: str, namespace: str | None) -> Manifest | None:
    try:
        return await api.get(resource, name, namespace)
    except kube.NotFound:
        return None
    except kube.KubeError as error:
        raise Failure(f"looking for {resource} {name}: {error}") from error
