"""Showing that a member's fence is in force: requests that it must refuse, sent as dry runs."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from domicile.fence import Fence, Policy
from domicile.fleet.discovery import PATIENCE
from domicile.fleet.errors import FenceNotInForce
from domicile.kube import SERVICE_ACCOUNTS, Api, Forbidden, Invalid

STEADY_SECONDS: Final = 1.6
"""How long a fence that was just written must have refused everything. Each API server looks at its policies once a second, and
behind one address there may be several."""
_GIVE_UP_AFTER: Final = 10.0
_HEARD_WITHIN: Final = 2.0
_BETWEEN: Final = 0.1


async def shown_soon(fence: Fence, api: Api, policies: Iterable[Policy], namespace: str) -> None:
    """Raise FenceNotInForce unless each policy refuses its probe in the namespace within a second or two: an API server may not have
    heard yet of a namespace that was just made, or of what is granted in it."""
    loop, asked = asyncio.get_running_loop(), tuple(policies)
    give_up = loop.time() + _HEARD_WITHIN
    while True:
        try:
            return await shown(fence, api, asked, namespace)
        except FenceNotInForce:
            if loop.time() > give_up:
                raise
        await asyncio.sleep(_BETWEEN)


async def shown(fence: Fence, api: Api, policies: Iterable[Policy], namespace: str) -> None:
    """Raise FenceNotInForce unless each policy refuses its probe in the namespace, now."""
    passed = await asyncio.gather(*(_lets_pass(fence, api, policy, namespace) for policy in policies))
    for answer in passed:
        if answer:
            raise FenceNotInForce(answer)


async def shown_steadily(
    fence: Fence, fresh: Callable[[], Api], namespace: str, disturbed: Callable[[], bool] = lambda: False
) -> None:
    """Raise FenceNotInForce unless within some seconds all of the fence has been in force without a break for STEADY_SECONDS.
    Each look is over a connection of its own, so that every API server behind the address has its turn. `disturbed` tells
    that there is something to be put right first."""
    loop = asyncio.get_running_loop()
    give_up, since = loop.time() + _GIVE_UP_AFTER, None
    while True:
        api = fresh()
        try:
            await shown(fence, api, fence.policies, namespace)
        except FenceNotInForce:
            since = None
            if loop.time() > give_up:
                raise
        else:
            since = since or loop.time()
            if loop.time() - since >= STEADY_SECONDS:
                return
        finally:
            await api.close()
        await asyncio.sleep(_BETWEEN)
        if disturbed():
            raise FenceNotInForce("it was touched while it was being shown")


async def _lets_pass(fence: Fence, api: Api, policy: Policy, namespace: str) -> str:
    """What is wrong, or nothing."""
    probe = policy.probe
    try:
        await api.raw(
            "POST",
            SERVICE_ACCOUNTS.collection(namespace),
            query={"dryRun": "All"},
            body=probe.manifest(namespace),
            within=PATIENCE,
        )
    except (Forbidden, Invalid) as refused:  # Invalid: there is nothing yet to hold it against.
        if probe.shown_by(refused.message, fence.digest):
            return ""
        return f"{policy.name} did not refuse what it must refuse in namespace {namespace}, something else did: {refused.message}"
    return f"{policy.name} let pass what it must refuse in namespace {namespace}"
